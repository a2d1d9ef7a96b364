//! What the socket filter counted, read from the kernel's memory.

use std::io;
use std::os::fd::AsFd;

use super::sys::SharedWords;

/// Slots of the filter's counters, one a processor, and words of each; `struct counters` of `media_filter.c`.
const SLOTS: usize = 64;
const SLOT_WORDS: usize = 8;

/// Frames that were not passed, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filtered {
    /// UDP from or to a port that is excluded.
    pub excluded_port: u64,
    /// TCP, and not of a relay.
    pub tcp: u64,
    /// Not IP: ARP, spanning tree and the like.
    pub not_ip: u64,
    /// IP, but neither UDP nor TCP nor a tunnel.
    pub other_protocol: u64,
}

impl Filtered {
    /// For whatever reason.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.excluded_port + self.tcp + self.not_ip + self.other_protocol
    }
}

/// What a filter did since it was loaded, on all sockets that it is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FilterCounts {
    /// Frames that it was shown.
    pub seen: u64,
    /// Frames of those that were not passed.
    pub filtered: Filtered,
    /// Frames of which the end was cut off.
    pub snapped: u64,
    /// Octets that were cut off.
    pub octets_cut: u64,
}

/// A view of the counters. Reading takes no system call and no privilege.
#[derive(Debug)]
pub struct FilterCounters {
    words: SharedWords,
}

impl FilterCounters {
    /// Maps the counters that [`Filter::counters_fd`](super::Filter::counters_fd) gave; the descriptor may have come
    /// from another process, and need not be kept.
    ///
    /// # Errors
    ///
    /// The descriptor is none of a filter's counters, or memory is short.
    pub fn map(counters: impl AsFd) -> io::Result<Self> {
        SharedWords::map(counters, SLOTS * SLOT_WORDS).map(|words| Self { words })
    }

    /// The counts up to now.
    #[must_use]
    pub fn read(&self) -> FilterCounts {
        let sum = |word| (0..SLOTS).map(|slot| self.words.get(slot * SLOT_WORDS + word)).sum();
        FilterCounts {
            // Read last, so that no more are filtered than were seen.
            filtered: Filtered { excluded_port: sum(1), tcp: sum(2), not_ip: sum(3), other_protocol: sum(4) },
            snapped: sum(5),
            octets_cut: sum(6),
            seen: sum(0),
        }
    }
}

/// A view of what the program for digests dropped as its ring was full; `struct counters` of `digests.c`.
#[derive(Debug)]
pub(in crate::capture) struct DigestsDropped {
    words: SharedWords,
}

impl DigestsDropped {
    pub(in crate::capture) fn map(counters: impl AsFd) -> io::Result<Self> {
        SharedWords::map(counters, SLOTS * SLOT_WORDS).map(|words| Self { words })
    }

    pub(in crate::capture) fn read(&self) -> u64 {
        (0..SLOTS).map(|slot| self.words.get(slot * SLOT_WORDS)).sum()
    }
}
