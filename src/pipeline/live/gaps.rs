//! Times in which an observer missed frames, as many as are kept.

use crate::meter::{TapEvidence, TapGap};
use crate::terms::{PointId, Timestamp};

/// Gaps that are kept; of twice as many the nearest neighbours are put together.
const MOST: usize = 256;

/// What is known to have been missed.
#[derive(Debug, Default)]
pub(super) struct Gaps(Vec<(Timestamp, Timestamp, Option<u64>, TapEvidence)>);

impl Gaps {
    /// Notes that frames were missed between two moments.
    pub(super) fn add(&mut self, from: Timestamp, to: Timestamp, frames: Option<u64>, evidence: TapEvidence) {
        let last = self.0.last_mut().filter(|last| last.3 == evidence && last.1 >= from);
        if let Some(last) = last {
            last.1 = last.1.max(to);
            last.2 = last.2.zip(frames).map(|(a, b)| a.saturating_add(b));
            return;
        }
        self.0.push((from, to, frames, evidence));
        if self.0.len() >= 2 * MOST {
            self.put_together();
        }
    }

    /// Every second boundary goes, of those that are nearest: what lies between two gaps is then doubtful too.
    fn put_together(&mut self) {
        let mut distances: Vec<i64> = self.0.windows(2).map(|two| two[1].0.nanos_since(two[0].1)).collect();
        distances.sort_unstable();
        let near = distances.get(MOST).copied().unwrap_or(i64::MAX);
        let mut kept: Vec<(Timestamp, Timestamp, Option<u64>, TapEvidence)> = Vec::with_capacity(2 * MOST);
        for gap in self.0.drain(..) {
            match kept.last_mut() {
                Some(last) if last.3 == gap.3 && gap.0.nanos_since(last.1) <= near => {
                    last.1 = last.1.max(gap.1);
                    last.2 = last.2.zip(gap.2).map(|(a, b)| a.saturating_add(b));
                }
                _ => kept.push(gap),
            }
        }
        // Of two kinds in turn nothing is put together: the oldest go.
        let too_many = kept.len().saturating_sub(MOST);
        kept.drain(..too_many);
        self.0 = kept;
    }

    /// As gaps of a point.
    pub(super) fn of_point(&self, point: PointId) -> impl Iterator<Item = TapGap> + '_ {
        let gap = move |&(from, to, frames, evidence): &_| TapGap { point, from, to, frames, evidence };
        self.0.iter().map(gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_bounded_and_cover_what_they_covered() {
        let mut gaps = Gaps::default();
        for i in 0..10_000 {
            let from = Timestamp(i * 1000);
            gaps.add(from, Timestamp(from.0 + 10), Some(1), TapEvidence::DropCount);
            assert!(gaps.0.len() < 2 * MOST);
        }
        let all: Vec<_> = gaps.of_point(PointId(3)).collect();
        assert_eq!(all.iter().map(|gap| gap.frames.unwrap_or(0)).sum::<u64>(), 10_000);
        assert_eq!(all.first().map(|gap| gap.from), Some(Timestamp(0)));
        assert_eq!(all.last().map(|gap| gap.to), Some(Timestamp(9_999_010)));
    }

    #[test]
    fn gaps_that_touch_are_one() {
        let mut gaps = Gaps::default();
        gaps.add(Timestamp(0), Timestamp(10), Some(2), TapEvidence::DropCount);
        gaps.add(Timestamp(10), Timestamp(20), Some(3), TapEvidence::DropCount);
        assert_eq!(gaps.0, [(Timestamp(0), Timestamp(20), Some(5), TapEvidence::DropCount)]);
    }
}
