//! Locks the process that captures: user, capabilities, files, calls.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use landlock::PathFd;
use nix::sys::prctl;
use nix::unistd::{AccessFlags, Uid, eaccess};

use super::account::Account;
use super::capabilities;
use super::error::LockError;
use super::files::{self, FileRules};
use super::filter::{self, Role};
use super::standing::Standing;

/// What a locked process becomes, and what it may still reach.
#[derive(Debug, Clone, Default)]
pub struct LockOptions {
    /// The user that it becomes, where it may; else it stays who it is, which must not be root.
    pub account: Option<Account>,
    /// Files and folders that it reads later. Give the folder of a file that is replaced: a rule is for the file that
    /// is there now, not for its name.
    pub read: Vec<PathBuf>,
    /// Folders in which it makes, writes, reads and removes files.
    pub write: Vec<PathBuf>,
}

/// What a lock came to, as the kernel says. Keep it as long as the process runs: it holds places open that rules are
/// for.
#[derive(Debug)]
pub struct Locked {
    /// The user that the process runs as: its name, or its number where it was not changed.
    pub user: String,
    /// How much of the rules for files the kernel took.
    pub files: FileRules,
    /// Users, capabilities, privileges and filter, read back after all steps.
    pub standing: Standing,
    /// Why system calls pass no filter, if they do not.
    pub unfiltered: Option<String>,
    _places: Vec<PathFd>,
}

impl Locked {
    /// Whether files and system calls are locked as they should be: nothing to warn of. A bounding set that is not
    /// empty is none, for without new privileges nothing comes of it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.files == FileRules::Full && self.standing.is_filtered
    }
}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounding = if self.standing.bounding == 0 { "" } else { " (but not its bounding set)" };
        write!(f, "user {}, no capability{bounding}, no new privileges, {}, ", self.user, self.files)?;
        match &self.unfiltered {
            None => f.write_str("seccomp"),
            Some(reason) => write!(f, "no seccomp ({reason})"),
        }
    }
}

/// Makes this process an ordinary user's, without any capability, and takes from it all files and system calls that it
/// does not need to capture, serve and reload.
///
/// To be called before the first packet is read and the first thread is started, and after whatever needs a right:
/// the opener, and the connection to the service manager.
///
/// # Errors
///
/// The user cannot be had, other threads run, a path that is needed later would be out of reach, or root or a
/// capability is left. Landlock and seccomp may be missing from a kernel: that is no error, and [`Locked`] says so.
pub fn lock(options: &LockOptions) -> Result<Locked, LockError> {
    let threads = Standing::read().map_err(LockError::step("/proc/self/status cannot be read"))?.threads;
    if threads > 1 {
        return Err(LockError::Threads { threads });
    }
    let changed = capabilities::reduce(options.account.as_ref(), &[])?;
    let user = match &options.account {
        Some(account) if changed => account.name().to_owned(),
        _ => Uid::current().to_string(),
    };
    for path in &options.read {
        may(path, AccessFlags::R_OK).map_err(|cause| LockError::Read {
            path: path.clone(),
            user: user.clone(),
            cause,
        })?;
    }
    for path in &options.write {
        may(path, AccessFlags::R_OK | AccessFlags::W_OK).map_err(|cause| LockError::Write {
            path: path.clone(),
            user: user.clone(),
            cause,
        })?;
    }
    let (files, places) = confine(&options.read, &options.write)?;
    let unfiltered = filter::restrict(Role::Capturing).err().map(|error| error.to_string());
    let standing = Standing::read().map_err(LockError::step("/proc/self/status cannot be read"))?;
    given_up(&standing)?;
    Ok(Locked { user, files, standing, unfiltered, _places: places })
}

/// No new privileges, no looking into this process, no files but these.
pub(super) fn confine(read: &[PathBuf], write: &[PathBuf]) -> Result<(FileRules, Vec<PathFd>), LockError> {
    // A dump would hold what callers said; and another process of the same user could read this one's memory.
    prctl::set_dumpable(false).map_err(LockError::step("dumps cannot be switched off"))?;
    prctl::set_no_new_privs().map_err(LockError::step("new privileges cannot be refused"))?;
    files::restrict(read, write)
}

fn may(path: &Path, access: AccessFlags) -> io::Result<()> {
    let access = if path.is_dir() { access | AccessFlags::X_OK } else { access };
    Ok(eaccess(path, access)?)
}

/// Refuses to go on with what a lock must have taken.
fn given_up(standing: &Standing) -> Result<(), LockError> {
    let left = if standing.is_root() {
        "the user is root; start hopmark as another, or with CAP_SETUID and CAP_SETGID to change it"
            .to_owned()
    } else if standing.capabilities != 0 {
        format!("capabilities {:#x}", standing.capabilities)
    } else if !standing.no_new_privileges {
        "programs that it starts could have more".to_owned()
    } else {
        return Ok(());
    };
    Err(LockError::Left { left })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked() -> Standing {
        Standing { users: vec![65534; 4], no_new_privileges: true, is_filtered: true, ..Standing::default() }
    }

    #[test]
    fn what_is_left_of_privilege_is_an_error() {
        given_up(&locked()).unwrap();
        for (name, left) in [
            ("saved user", Standing { users: vec![7, 7, 0, 7], ..locked() }),
            ("a capability", Standing { capabilities: 1, ..locked() }),
            ("new privileges", Standing { no_new_privileges: false, ..locked() }),
        ] {
            assert!(matches!(given_up(&left), Err(LockError::Left { .. })), "{name}");
        }
    }

    #[test]
    fn a_lock_is_refused_where_other_threads_run() {
        // The test's own thread is not the first of its process.
        let error = lock(&LockOptions::default()).unwrap_err();
        assert!(matches!(error, LockError::Threads { threads } if threads >= 2), "{error}");
    }

    #[test]
    fn a_lock_says_what_it_lacks() {
        let whole = Locked {
            user: "hopmark".to_owned(),
            files: FileRules::Full,
            standing: locked(),
            unfiltered: None,
            _places: Vec::new(),
        };
        assert!(whole.is_whole());
        assert_eq!(whole.to_string(), "user hopmark, no capability, no new privileges, landlock, seccomp");
        let partial = Locked { files: FileRules::Partial { abi: 3 }, ..whole };
        assert!(!partial.is_whole());
        assert!(partial.to_string().contains("landlock in part (version 3 of this kernel)"), "{partial}");
    }
}
