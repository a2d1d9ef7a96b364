//! What a hop did not see, divided: lost, missed by its tap, in doubt.

use super::join::segments::Segment;
use super::tap::{Doubtful, Taps};
use crate::meter::HopRecord;

/// The numbers that a hop did not see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Absent {
    /// Later hops saw as many of them: its tap missed these.
    pub(super) witnessed: u64,
    /// What of the rest its tap may have missed.
    pub(super) doubtful: Doubtful,
    /// The stream passes another point as well: what it did not see may have passed there.
    pub(super) is_alternative: bool,
}

impl Absent {
    /// At one hop of a stream, by its place.
    pub(super) fn at(place: usize, hops: &[HopRecord], segments: &[Segment], taps: &Taps) -> Self {
        let Some(hop) = hops.get(place) else { return Self::default() };
        let (before, after) = (place.checked_sub(1).and_then(|i| segments.get(i)), segments.get(place));
        let is_alternative = before.into_iter().chain(after).any(|segment| segment.is_alternative);
        let witnessed = after.map_or(0, |segment| {
            segment.unseen_before.max(before.map_or(0, |segment| segment.unseen_after)).min(hop.lost())
        });
        let mut doubtful = taps.doubtful(hop);
        // What hops before it saw, and whether that is suspect, the segments know better.
        let suspect = segments.iter().take(place).map(|segment| segment.lost_suspect).sum::<Option<u64>>();
        if let Some((suspect, first)) =
            suspect.zip(hops.first()).filter(|_| place > 0 && doubtful.packets > 0)
        {
            let most = suspect.saturating_add(taps.doubtful(first).packets).saturating_add(witnessed);
            if most == 0 {
                doubtful = Doubtful::default();
            }
            doubtful.packets = doubtful.packets.min(most);
        }
        doubtful.packets = doubtful.packets.saturating_sub(witnessed);
        Self { witnessed, doubtful, is_alternative }
    }

    /// How many of so many the network lost for certain.
    pub(super) const fn certain(&self, lost: u64) -> u64 {
        lost.saturating_sub(self.witnessed).saturating_sub(self.doubtful.packets)
    }
}
