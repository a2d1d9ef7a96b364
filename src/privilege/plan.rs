//! Whether a process splits, from what it may and what it shall do.

use std::env;

use caps::{Capability, CapsHashSet};

use super::capabilities::{KEPT, NEEDED, permitted};
use super::error::OpenerError;

/// How a process goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It may open interfaces: it starts an opener, and gives up its capabilities.
    Split {
        /// Capabilities that the opener will lack: what needs them is left out, and the operator is told.
        missing: Vec<&'static str>,
    },
    /// It may not, and need not, as only files are read.
    Alone,
}

/// How this process goes on, which is to listen on interfaces or not.
///
/// # Errors
///
/// It is to listen, and may not open a packet socket; the error says what mends that.
pub fn plan(has_interfaces: bool) -> Result<Plan, OpenerError> {
    decide(has_interfaces, &permitted())
}

fn decide(has_interfaces: bool, permitted: &CapsHashSet) -> Result<Plan, OpenerError> {
    if permitted.contains(&NEEDED) {
        let missing = KEPT.iter().filter(|one| !permitted.contains(one)).copied().map(name).collect();
        Ok(Plan::Split { missing })
    } else if has_interfaces {
        Err(OpenerError::MayNotOpen {
            capabilities: KEPT.map(name).join(" "),
            program: env::current_exe()
                .map_or_else(|_| "$(command -v hopmark)".to_owned(), |path| path.display().to_string()),
        })
    } else {
        Ok(Plan::Alone)
    }
}

fn name(capability: Capability) -> &'static str {
    match capability {
        Capability::CAP_NET_RAW => "CAP_NET_RAW",
        Capability::CAP_NET_ADMIN => "CAP_NET_ADMIN",
        _ => "CAP_BPF",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(capabilities: &[Capability]) -> CapsHashSet {
        capabilities.iter().copied().collect()
    }

    #[test]
    fn what_may_open_splits_and_says_what_it_lacks() {
        let plan = decide(true, &set(&[Capability::CAP_NET_RAW, Capability::CAP_SETUID])).unwrap();
        assert_eq!(plan, Plan::Split { missing: vec!["CAP_NET_ADMIN", "CAP_BPF"] });
        assert_eq!(decide(false, &set(&KEPT)).unwrap(), Plan::Split { missing: vec![] });
    }

    #[test]
    fn files_alone_need_no_capability() {
        assert_eq!(decide(false, &set(&[])).unwrap(), Plan::Alone);
    }

    #[test]
    fn interfaces_without_capability_are_an_error_that_says_how_to_mend_it() {
        let error = decide(true, &set(&[Capability::CAP_NET_ADMIN])).unwrap_err().to_string();
        assert!(error.contains("setcap cap_net_raw,cap_net_admin,cap_bpf+ep /"), "{error}");
        assert!(error.contains("AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN CAP_BPF"), "{error}");
    }
}
