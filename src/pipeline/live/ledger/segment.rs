//! What was taken over of one stream between two hops.

use smallvec::SmallVec;

use super::hop::Settled;
use crate::status::{Figures, SegmentKey};
use crate::verify::Segment;

/// What was taken over of it.
#[derive(Debug, Default)]
pub(super) struct SegmentEntry {
    packets: u64,
    lost: Settled,
    suspect: Settled,
    remarked: SmallVec<[(u8, u8, Settled); 1]>,
    /// The interval whose delays were observed last.
    observed: Option<(u64, u64)>,
}

impl SegmentEntry {
    /// Adds what is new.
    pub(super) fn add(&mut self, segment: &Segment, key: SegmentKey, round: u64, figures: &mut Figures) {
        let sums = figures.segments.entry(key).or_default();
        let new = segment.packets_in.saturating_sub(self.packets);
        self.packets += new;
        sums.packets += new;
        sums.lost += self.lost.add(segment.lost_certain.unwrap_or(0));
        sums.suspect += self.suspect.add(segment.lost_suspect.unwrap_or(0));
        if let Some(delay) = segment.delay {
            // The newest samples are kept: as long as packets come, there are others each time.
            let state = (segment.packets_in, delay.samples);
            let is_new = self.observed.is_none_or(|(before, _)| before != state.0);
            if is_new && delay.samples > 0 {
                sums.delay.observe(delay.mean.max(0.0));
            }
            self.observed = Some(state);
        }
        let _ = round;
        for change in &segment.remarked {
            let (from, to) = (change.from.value(), change.to.value());
            let known = self.remarked.iter().position(|(a, b, _)| (*a, *b) == (from, to));
            let place = known.unwrap_or_else(|| {
                self.remarked.push((from, to, Settled::default()));
                self.remarked.len() - 1
            });
            let Some((_, _, settled)) = self.remarked.get_mut(place) else { continue };
            let new = settled.add(change.packets);
            if new > 0 {
                *figures.remarked.entry((key, from, to)).or_default() += new;
            }
        }
    }
}
