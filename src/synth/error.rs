//! What can go wrong when captures are made, and how to mend it.

use std::path::PathBuf;

/// Why captures could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// The scenario could not be read.
    #[error("{path}: cannot be read: {source}; give the path of a scenario file")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The scenario is not TOML, or has a key or a value that does not exist.
    #[error("{path}: {problem}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and what was found there.
        problem: String,
    },
    /// The scenario is well formed but cannot be played.
    #[error("scenario, {place}: {problem}; {mend}")]
    Scenario {
        /// Table and key.
        place: String,
        /// What is wrong with it.
        problem: String,
        /// What to write instead.
        mend: String,
    },
    /// A packet cannot be built as the scenario asks.
    #[error("a packet of {octets} octets of payload cannot be built: {reason}; lower `payload`")]
    Packet {
        /// Octets of UDP payload.
        octets: usize,
        /// Why not.
        reason: String,
    },
    /// A capture or the truth could not be written.
    #[error("{path}: cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A scenario that cannot be played: where, why, and what to write instead.
pub(super) fn refuse(
    place: impl Into<String>,
    problem: impl Into<String>,
    mend: impl Into<String>,
) -> SynthError {
    SynthError::Scenario { place: place.into(), problem: problem.into(), mend: mend.into() }
}
