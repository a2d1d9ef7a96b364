//! What the kernel says that a process is and may do.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

/// A process (or thread) as `/proc/PID/status` has it: proc(5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// Real, effective, saved and file system user.
    pub users: Vec<u32>,
    /// Capabilities in all sets: inheritable, permitted, in effect, ambient. A bit each.
    pub capabilities: u64,
    /// The bounding set: what starting a program could give. A bit each.
    pub bounding: u64,
    /// No program that it starts has more rights.
    pub no_new_privileges: bool,
    /// System calls pass a filter.
    pub is_filtered: bool,
    /// Threads of the process.
    pub threads: usize,
}

impl Standing {
    /// This process, by its first thread.
    ///
    /// # Errors
    ///
    /// `/proc` is not mounted.
    pub fn read() -> io::Result<Self> {
        Ok(Self::parse(&fs::read_to_string("/proc/self/status")?))
    }

    /// Reads the text of a `status` file. What it does not have stays empty.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut standing = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match key {
                "Uid" => standing.users = value.split_whitespace().filter_map(|id| id.parse().ok()).collect(),
                "CapInh" | "CapPrm" | "CapEff" | "CapAmb" => standing.capabilities |= bits(value),
                "CapBnd" => standing.bounding = bits(value),
                "NoNewPrivs" => standing.no_new_privileges = value == "1",
                "Seccomp" => standing.is_filtered = value == "2",
                "Threads" => standing.threads = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        standing
    }

    /// Whether any of its user numbers is root's.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.users.contains(&0)
    }
}

/// A set that cannot be read counts as full: nothing is called given up by mistake.
fn bits(hexadecimal: &str) -> u64 {
    u64::from_str_radix(hexadecimal, 16).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read() {
        let standing = Standing::read().unwrap();
        assert_eq!(standing.users.len(), 4);
        assert!(standing.threads >= 1);
    }

    #[test]
    fn a_capability_in_any_set_is_seen() {
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            let standing = Standing::parse(&format!("{set}:\t0000000000002000\nCapBnd:\t0\n"));
            assert_eq!(standing.capabilities, 1 << 13, "{set}");
        }
        assert_eq!(Standing::parse("CapEff:\tnonsense\n").capabilities, u64::MAX);
    }

    #[test]
    fn a_locked_process_is_told_from_an_open_one() {
        let locked = "Uid:\t65534\t65534\t65534\t65534\nThreads:\t3\nNoNewPrivs:\t1\nSeccomp:\t2\n";
        let locked = Standing::parse(locked);
        assert!(!locked.is_root() && locked.no_new_privileges && locked.is_filtered);
        let open = Standing::parse("Uid:\t1000\t0\t1000\t1000\nNoNewPrivs:\t0\nSeccomp:\t0\n");
        assert!(open.is_root() && !open.no_new_privileges && !open.is_filtered);
    }
}
