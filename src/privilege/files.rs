//! Which files a locked process still reaches, by landlock.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use serde::{Deserialize, Serialize};

use super::error::LockError;

/// The newest rules that are asked for. An older kernel gives what it has.
const NEWEST: ABI = ABI::V7;

/// What any process of this program reads while it runs, where it is there: its own figures, and interfaces.
const SYSTEM: &[&str] = &[
    "/proc/self",
    "/proc/stat",
    "/sys/class/net",
    "/sys/devices",
    "/sys/fs/cgroup",
    "/dev/null",
    "/dev/urandom",
];

/// How much of the rules for files the kernel took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rules")]
pub enum FileRules {
    /// All of them.
    Full,
    /// Those that the kernel knows: files by all means, connections and signals perhaps not.
    Partial {
        /// The version of landlock that it has.
        abi: i32,
    },
    /// None: landlock is not built in, or switched off at boot.
    None,
}

impl fmt::Display for FileRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("landlock"),
            Self::Partial { abi } => write!(f, "landlock in part (version {abi} of this kernel)"),
            Self::None => f.write_str("no landlock"),
        }
    }
}

/// Takes from this thread, and those that it starts, all files but those below `read`, `write` and some of the
/// system's; connections by TCP; and sockets and signals of processes that are not locked with it.
///
/// What comes back holds the rules' places open, and must live as long as the process: `/proc` makes a place anew
/// when nobody has it open and memory is short, and the rule would not be for the new one.
pub(super) fn restrict(read: &[PathBuf], write: &[PathBuf]) -> Result<(FileRules, Vec<PathFd>), LockError> {
    let mut places = Vec::new();
    for path in SYSTEM.iter().map(Path::new) {
        places.extend(PathFd::new(path).ok().map(|place| (place, reading(path))));
    }
    for path in read {
        places.push((open(path)?, reading(path)));
    }
    for path in write {
        places.push((open(path)?, writing(path)));
    }
    let rules = apply(&places).map_err(|cause| LockError::Step {
        step: "rules for files cannot be set",
        cause: io::Error::other(cause),
    })?;
    Ok((rules, places.into_iter().map(|(place, _)| place).collect()))
}

fn apply(places: &[(PathFd, BitFlags<AccessFs>)]) -> Result<FileRules, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::ConnectTcp)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?;
    for (place, access) in places {
        rules = rules.add_rule(PathBeneath::new(place.as_fd(), *access))?;
    }
    let status = rules.restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::FullyEnforced, _) => FileRules::Full,
        (RulesetStatus::PartiallyEnforced, LandlockStatus::Available { effective_abi, kernel_abi }) => {
            FileRules::Partial { abi: kernel_abi.unwrap_or(effective_abi as i32) }
        }
        _ => FileRules::None,
    })
}

fn open(path: &Path) -> Result<PathFd, LockError> {
    PathFd::new(path).map_err(|cause| LockError::Step {
        step: "a path of the configuration cannot be opened",
        cause: io::Error::other(cause),
    })
}

fn reading(path: &Path) -> BitFlags<AccessFs> {
    if path.is_dir() { AccessFs::ReadFile | AccessFs::ReadDir } else { AccessFs::ReadFile.into() }
}

fn writing(path: &Path) -> BitFlags<AccessFs> {
    let file = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    if path.is_dir() {
        file | AccessFs::ReadDir | AccessFs::MakeReg | AccessFs::MakeDir | AccessFs::RemoveFile
    } else {
        file
    }
}
