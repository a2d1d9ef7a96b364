//! What is counted or held of a hop, and most streams have nothing of.

use super::Suspect;
use crate::meter::Histogram;
use crate::meter::record::{DscpChange, MAX_CHANGES, MAX_PARTS, Part};
use crate::meter::ways::Contest;
use crate::terms::{Dscp, Timestamp};

/// Kept apart from the rest of a hop, as 100,000 streams that have nothing of it would take 13 MB for that.
#[derive(Debug, Clone, Default)]
pub(in crate::meter) struct Rare {
    pub(in crate::meter) duplicates: u64,
    pub(in crate::meter) stray: u64,
    pub(in crate::meter) reordered: u64,
    pub(in crate::meter) resets: u32,
    pub(in crate::meter) outages: u32,
    pub(in crate::meter) changes: Vec<DscpChange>,
    pub(in crate::meter) change_count: u64,
    /// Later fragments, by codepoint.
    pub(in crate::meter) fragments: Histogram,
    /// Parts before this one.
    pub(in crate::meter) parts: Vec<Part>,
    pub(super) suspect: Option<Box<Suspect>>,
    pub(super) contest: Option<Box<Contest>>,
}

/// What those streams have.
pub(super) static NOTHING: Rare = Rare {
    duplicates: 0,
    stray: 0,
    reordered: 0,
    resets: 0,
    outages: 0,
    changes: Vec::new(),
    change_count: 0,
    fragments: Histogram::new_const(),
    parts: Vec::new(),
    suspect: None,
    contest: None,
};

impl Rare {
    /// Counts a change of marking, at a sequence number of the part that runs.
    pub(super) fn note_change(&mut self, at: Timestamp, (from, to): (Dscp, Dscp), sequence: u32) {
        self.change_count += 1;
        if self.changes.len() < MAX_CHANGES {
            let part = u16::try_from(self.parts.len()).unwrap_or(u16::MAX);
            self.changes.push(DscpChange { at, from, to, sequence, part });
        }
    }

    /// Keeps what a part came to, where there is room.
    pub(super) fn end_part(&mut self, part: Part) {
        if self.parts.len() < MAX_PARTS {
            self.parts.push(part);
        }
    }

    /// The number of the part that runs; none where there were so many that its packets are not kept.
    pub(super) fn part_to_sample(&self) -> Option<u16> {
        let parts = self.parts.len();
        (parts < MAX_PARTS).then(|| u16::try_from(parts).unwrap_or(u16::MAX))
    }
}
