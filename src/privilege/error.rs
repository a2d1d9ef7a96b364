//! Why privileges could not be given up, and why nothing was opened.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a process could not be made an ordinary user's, or not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// There is no such user on this system.
    #[error(
        "user \"{name}\" is not known here; make it (useradd --system --no-create-home {name}) or name another"
    )]
    UnknownUser {
        /// Its name.
        name: String,
    },
    /// The user is root under whatever name.
    #[error(
        "user \"{name}\" is root (user or group id 0), and packets are not parsed as root; name another user"
    )]
    UserIsRoot {
        /// Its name.
        name: String,
    },
    /// The list of users cannot be read.
    #[error("user \"{name}\" cannot be looked up: {cause}")]
    Lookup {
        /// Its name.
        name: String,
        /// What the system says.
        cause: io::Error,
    },
    /// Other threads run already, which a lock would not cover.
    #[error("{threads} threads run already, and a lock covers only those that start after it")]
    Threads {
        /// How many, this one included.
        threads: usize,
    },
    /// A path that must be readable, as the user that the process has become, is not.
    #[error("{}: user {user} cannot read it: {cause}; it is read again after privileges are given up", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// The user.
        user: String,
        /// What the system says.
        cause: io::Error,
    },
    /// A folder that must be writable, as the user that the process has become, is not.
    #[error("{}: user {user} cannot write there: {cause}; mend it: chown {user} {}", path.display(), path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// The user.
        user: String,
        /// What the system says.
        cause: io::Error,
    },
    /// A step that every Linux lets a process do was refused.
    #[error("{step}: {cause}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// Root or a capability is left after all steps.
    #[error("privileges are left after they were given up: {left}")]
    Left {
        /// Which.
        left: String,
    },
}

impl LockError {
    /// For `map_err`: the step that was refused.
    pub(super) fn step<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self::Step { step, cause: cause.into() }
    }
}

/// Why the opener could not be started, or did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum OpenerError {
    /// Interfaces are configured, and the process may not open them.
    #[error(
        "interfaces are configured, and this process lacks CAP_NET_RAW to open them. Any of these mends it: \
         start it as root; use the systemd unit (AmbientCapabilities={capabilities}); \
         or give the program what it needs: sudo setcap {}+ep {program}",
        capabilities.to_lowercase().replace(' ', ",")
    )]
    MayNotOpen {
        /// The capabilities to give, as systemd writes them.
        capabilities: String,
        /// The path of this program.
        program: String,
    },
    /// The process that opens could not be started.
    #[error("the opener could not be started: {0}")]
    Start(io::Error),
    /// The opener started, and could not give up what it does not need.
    #[error("the opener could not be locked: {0}")]
    Settle(String),
    /// The opener is no more.
    #[error(
        "the opener has ended ({}): what is open stays open, but no interface can be opened until hopmark is restarted",
        status.map_or_else(|| "its socket is closed".to_owned(), |status| status.to_string())
    )]
    Ended {
        /// How it ended, if that is known.
        status: Option<ExitStatus>,
    },
    /// No answer in time.
    #[error("the opener did not answer within {} s", waited.as_secs_f64())]
    TimedOut {
        /// How long the call waited.
        waited: Duration,
    },
    /// The message to or from the opener breaks the rules between the two.
    #[error("a message {0}")]
    Message(#[from] MessageError),
    /// The opener refuses the request as a whole.
    #[error("the opener refuses the request: {0}")]
    Refused(String),
}

/// What is wrong with a message between the two processes.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// More octets than either side takes.
    #[error("of {octets} octets is too long; at most {most} pass")]
    TooLong {
        /// Octets of this one.
        octets: usize,
        /// Most octets of any.
        most: usize,
    },
    /// More descriptors than either side takes.
    #[error("with {descriptors} descriptors has too many; at most {most} pass")]
    TooMany {
        /// Descriptors of this one.
        descriptors: usize,
        /// Most descriptors of any.
        most: usize,
    },
    /// Descriptors were lost on the way: this process has as many files open as it may.
    #[error("came without its descriptors: too many files are open; raise LimitNOFILE")]
    DescriptorsLost,
    /// Not what was agreed on.
    #[error("cannot be read: {0}")]
    Text(#[from] serde_json::Error),
    /// The socket does not pass it.
    #[error("does not pass the socket: {0}")]
    Socket(#[from] io::Error),
}
