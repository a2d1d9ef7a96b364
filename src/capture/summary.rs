//! What a capture came to: its frames, its interfaces, its damage.

use std::fmt;

use super::record::Record;
use crate::terms::{LinkType, Timestamp};

/// What has been read of a capture so far; of all of it once [`next_frame`](super::CaptureFile::next_frame)
/// has given `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// `pcap`, `pcap-ns`, `pcap-modified`, `pcapng` or `snoop`, with `+gzip` or `+zstd` where it was packed.
    pub format: &'static str,
    /// Frames read.
    pub frames: u64,
    /// Captured octets of these frames.
    pub bytes: u64,
    /// The earliest time of a frame, which need not be the first one's; `None` where no frame has a time.
    pub first: Option<Timestamp>,
    /// The latest time of a frame.
    pub last: Option<Timestamp>,
    /// Why reading stopped before the end of the file.
    pub damage: Option<Damage>,
    /// Frames that the capturing machine says it dropped; `None` where it says nothing.
    pub dropped: Option<u64>,
    /// Frames without a time of their own, which were given the last time known.
    pub frames_without_time: u64,
}

/// One interface of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name on the capturing machine.
    pub name: Option<String>,
    /// What it is, in the words of the capturing machine.
    pub description: Option<String>,
    /// What stands at the start of its frames.
    pub link: LinkType,
    /// Frames dropped on it; `None` where the capture says nothing.
    pub dropped: Option<u64>,
}

impl Interface {
    /// An interface of which the capture says no more than its link type.
    pub(super) const fn unnamed(link: LinkType) -> Self {
        Self { name: None, description: None, link, dropped: None }
    }
}

/// Where a capture stopped making sense. All frames before it were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where the record that could not be read begins, in octets of the capture (of the unpacked one where it
    /// is compressed).
    pub octet: u64,
    /// The first frame that could not be read, counted from 1.
    pub frame: u64,
    /// Whether the capture just ends there, as opposed to saying something impossible.
    pub is_cut_off: bool,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_cut_off { "cut off" } else { "damaged" };
        write!(f, "{kind} at octet {} in frame {}: {}", self.octet, self.frame, self.what)
    }
}

/// Running figures over the frames read.
#[derive(Clone, Copy)]
pub(super) struct Tally {
    pub(super) frames: u64,
    pub(super) octets: u64,
    pub(super) without_time: u64,
    earliest: Timestamp,
    latest: Timestamp,
}

impl Tally {
    pub(super) const fn new() -> Self {
        Self {
            frames: 0,
            octets: 0,
            without_time: 0,
            earliest: Timestamp(i64::MAX),
            latest: Timestamp(i64::MIN),
        }
    }

    // per frame
    #[inline]
    pub(super) fn count(&mut self, record: &Record) {
        self.frames += 1;
        self.octets += record.captured as u64;
        if record.has_time {
            self.earliest = self.earliest.min(record.timestamp);
            self.latest = self.latest.max(record.timestamp);
        } else {
            self.without_time += 1;
        }
    }

    /// The earliest and the latest time, where any frame has one.
    pub(super) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        (self.earliest <= self.latest).then_some((self.earliest, self.latest))
    }
}
