//! A finding since it was opened.

use std::fmt;

use super::stream::StreamId;
use crate::terms::{Direction, Dscp, Timestamp};
use crate::verify::{FindingKind, Severity};

/// A finding's name for as long as the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId(pub u64);

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One finding as it stands.
#[derive(Debug, Clone)]
pub struct FindingStatus {
    /// What kind of thing.
    pub kind: FindingKind,
    /// How bad.
    pub severity: Severity,
    /// The stream it is about.
    pub stream: Option<StreamId>,
    /// The point it is about, or the two points between which it is, in the order of travel.
    pub points: Vec<String>,
    /// Whether `points` are the ends of a segment.
    pub is_between: bool,
    /// Of which direction.
    pub direction: Option<Direction>,
    /// The service class of the stream.
    pub class: Option<String>,
    /// Codepoint before, or expected.
    pub from: Option<Dscp>,
    /// Codepoint after, or seen.
    pub to: Option<Dscp>,
    /// On how many packets.
    pub packets: u64,
    /// First moment.
    pub first: Timestamp,
    /// Last moment.
    pub last: Timestamp,
    /// Capture time of the interval in which it was opened.
    pub opened: Timestamp,
    /// Whether what it is about still runs.
    pub is_open: bool,
    /// What was found, in one sentence.
    pub message: String,
    /// What to look at, in one sentence.
    pub advice: &'static str,
}
