//! RTP of an interface, as the kernel tells it in place of frames.
//!
//! In two halves, as the ring of frames. What the first one opens (`DigestProgram` of [`kernel`](super::kernel)) takes
//! capabilities; [`Digests::map`] and all after it need nothing but descriptors. The program stays on the interface for
//! as long as the descriptor of its link is open anywhere.

mod clock;
mod memory;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use self::clock::Clock;
use self::memory::{Memory, Next};
use super::kernel::DigestsDropped;
use crate::terms::{RtpDigest, TimedDigest};

/// A program that is on an interface, and where it writes: to be handed to a process without privilege.
#[derive(Debug)]
pub struct OpenedDigests {
    /// The BPF ring.
    pub ring: OwnedFd,
    /// Octets of its records.
    pub octets: u32,
    /// What the program counts.
    pub counters: OwnedFd,
    /// Keeps the program on the interface.
    pub link: OwnedFd,
    /// Whether the driver runs it, before the kernel makes anything of a frame.
    pub is_native: bool,
}

/// What was told and what was not, since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DigestCounters {
    /// Packets that were given.
    pub packets: u64,
    /// Octets that their frames had on the wire, tags included, check sequence not.
    pub octets: u64,
    /// Packets for which the ring had no room.
    pub dropped: u64,
    /// Times at which the ring contradicted itself: what was in it then was not read.
    pub damaged: u64,
}

/// Digests being read.
#[derive(Debug)]
pub struct Digests {
    memory: Memory,
    dropped: DigestsDropped,
    clock: Clock,
    counters: DigestCounters,
    is_native: bool,
    nap: Duration,
    // Last, so that the program goes off the interface when all else is done.
    _link: OwnedFd,
}

/// After so many the kernel gets room back: seldom, as it looks at the same word.
const GIVE_BACK_AFTER: u64 = 256;
/// Octets of a ring that 10 million packets a second fill, if all of them are told at length.
const FILLED_A_SECOND: u64 = 10_000_000 * (8 + RtpDigest::LONG as u64);

const fn nap(octets: u32) -> Duration {
    Duration::from_nanos(octets as u64 * 1_000_000_000 / (2 * FILLED_A_SECOND))
}

impl Digests {
    /// Maps what was opened. Needs no privilege.
    ///
    /// # Errors
    ///
    /// The descriptors are others than they should be, or there is no room among the process's addresses.
    pub fn map(opened: OpenedDigests) -> io::Result<Self> {
        Ok(Self {
            memory: Memory::map(opened.ring.as_fd(), opened.octets)?,
            dropped: DigestsDropped::map(&opened.counters)?,
            clock: Clock::default(),
            counters: DigestCounters::default(),
            is_native: opened.is_native,
            nap: nap(opened.octets),
            _link: opened.link,
        })
    }

    /// How long the ring may be left alone: at the most that comes half of it is still free.
    #[must_use]
    pub const fn nap(&self) -> Duration {
        self.nap
    }

    /// Whether the driver runs the program, before the kernel makes anything of a frame.
    #[must_use]
    pub const fn is_native(&self) -> bool {
        self.is_native
    }

    /// Gives what was told since, at most one turn of the ring; how many packets that were. Waits for nothing.
    #[inline]
    pub fn read(&mut self, mut sink: impl FnMut(&TimedDigest<'_>)) -> u64 {
        self.clock.refresh();
        let Self { memory, clock, counters, .. } = self;
        let end = memory.written();
        let before = counters.packets;
        let mut unreturned = 0;
        while let Some(next) = memory.next(end) {
            match next {
                Next::Record(record) => match RtpDigest::read(record) {
                    Some(digest) => {
                        counters.packets += 1;
                        counters.octets += u64::from(digest.wire_octets());
                        sink(&TimedDigest { timestamp: clock.time_of(digest.nanoseconds()), digest });
                    }
                    None => counters.damaged += 1,
                },
                Next::Nothing => {}
                Next::Damaged => counters.damaged += 1,
            }
            unreturned += 1;
            if unreturned >= GIVE_BACK_AFTER {
                memory.give_back();
                unreturned = 0;
            }
        }
        memory.give_back();
        counters.packets - before
    }

    /// All counts since it was mapped.
    #[must_use]
    pub fn counters(&self) -> DigestCounters {
        DigestCounters { dropped: self.dropped.read(), ..self.counters }
    }
}
