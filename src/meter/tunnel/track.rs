//! One counter of a mirror session: which number comes next.

use crate::terms::Timestamp;

/// Numbers further away than this, either way, belong to another counter.
const REACH: u32 = 1 << 15;
/// No outage is longer, in frames.
const LONGEST_OUTAGE: u32 = 1 << 24;
/// So many numbers in a row that were all heard before, far behind, are a counter that began anew.
const RESTART: u64 = 16;
/// As far behind as copies of a frame may come.
const COPIES: u32 = 1024;

/// Where a number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// So many numbers after the one that is due.
    Ahead(u32),
    /// So many numbers before it.
    Behind(u32),
    /// Too far to belong here.
    Elsewhere,
}

impl Place {
    pub(super) const fn distance(self) -> Option<u32> {
        match self {
            Self::Ahead(distance) | Self::Behind(distance) => Some(distance),
            Self::Elsewhere => None,
        }
    }
}

/// One counter.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub(super) hardware: u16,
    /// The number that it began with.
    pub(super) begin: u32,
    /// The number that is due.
    pub(super) next: u32,
    pub(super) first: Timestamp,
    /// When the highest number came.
    pub(super) last: Timestamp,
    /// The file of its first frame.
    pub(super) file: u16,
    /// Numbers that it went forward by.
    advanced: u64,
    /// A run of numbers that were all heard before, as a track of its own.
    again: Option<Box<Track>>,
}

impl Track {
    pub(super) const fn new(hardware: u16, begin: u32, first: Timestamp, file: u16) -> Self {
        let next = begin.wrapping_add(1);
        Self { hardware, begin, next, first, last: first, file, advanced: 1, again: None }
    }

    pub(super) const fn place(&self, sequence: u32) -> Place {
        let ahead = sequence.wrapping_sub(self.next);
        let behind = self.next.wrapping_sub(sequence);
        if ahead < REACH {
            Place::Ahead(ahead)
        } else if behind <= REACH {
            Place::Behind(behind)
        } else {
            Place::Elsewhere
        }
    }

    pub(super) fn advance(&mut self, sequence: u32, at: Timestamp) {
        let next = sequence.wrapping_add(1);
        self.advanced += u64::from(next.wrapping_sub(self.next));
        self.next = next;
        self.last = self.last.max(at);
        self.again = None;
    }

    /// A number that was heard before. Says which new count began, where a run of them proves one.
    pub(super) fn note_again(
        &mut self,
        sequence: u32,
        behind: u32,
        (at, file): (Timestamp, u16),
    ) -> Option<Self> {
        if behind <= COPIES {
            self.again = None;
            return None;
        }
        let mut run = self.again.take().filter(|run| run.next == sequence).map_or_else(
            || Box::new(Self::new(self.hardware, sequence, at, file)),
            |mut run| {
                run.advance(sequence, at);
                run
            },
        );
        if run.advanced >= RESTART {
            run.again = None;
            return Some(*run);
        }
        self.again = Some(run);
        None
    }

    /// Whether so many frames may have come between its end and then, at the pace that it had.
    pub(super) fn bears(&self, missing: u32, then: Timestamp) -> bool {
        const MARGIN: i128 = 16;
        let life = i128::from(self.last.0) - i128::from(self.first.0);
        let silence = i128::from(then.0) - i128::from(self.last.0);
        missing <= LONGEST_OUTAGE
            && i128::from(missing) * life <= MARGIN * i128::from(self.advanced) * silence
    }
}
