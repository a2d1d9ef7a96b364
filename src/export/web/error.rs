//! What can be wrong with a web configuration.

use std::path::PathBuf;

/// Why a web configuration is not taken: what, where, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// The file, or one that it names, cannot be read.
    #[error("{path}: cannot be read: {problem}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// Not YAML, or with a key or a value that is not known.
    #[error("{path}: {problem}", path = path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What, and at which line.
        problem: String,
    },
    /// A value that cannot be.
    #[error("{path}: {key}: {problem}", path = path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// What is wrong, and what may stand there.
        problem: String,
    },
}
