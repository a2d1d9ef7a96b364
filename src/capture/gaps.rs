//! Times in which the capturing machine dropped frames.

use crate::terms::Timestamp;

/// A time in which frames of one interface were dropped before they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropGap {
    /// Which interface, by its place in the capture's list.
    pub interface: u16,
    /// What was captured up to here is known to be whole; the earliest time there is, where that is not known.
    pub from: Timestamp,
    /// From here on it is whole again, until the next gap.
    pub to: Timestamp,
    /// How many frames.
    pub frames: u64,
}

impl DropGap {
    fn takes_in(&mut self, other: &Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.frames = self.frames.saturating_add(other.frames);
    }
}

/// The gaps of a capture, neighbours made one where there are too many to keep apart.
#[derive(Debug, Default)]
pub(super) struct DropGaps {
    all: Vec<DropGap>,
    /// From this many on neighbours are made one; grows where there are that many interfaces.
    most: usize,
}

/// How many gaps are kept apart.
const MOST: usize = 1024;

impl DropGaps {
    pub(super) fn all(&self) -> &[DropGap] {
        &self.all
    }

    /// Takes in a gap; one without frames is none. `from` and `to` may stand in either order.
    pub(super) fn add(&mut self, gap: DropGap) {
        if gap.frames == 0 {
            return;
        }
        let gap = DropGap { from: gap.from.min(gap.to), to: gap.to.max(gap.from), ..gap };
        self.all.push(gap);
        if self.all.len() > MOST.max(self.most) {
            self.shorten();
        }
    }

    /// Makes every two neighbours of an interface one: what lies between them is then not known to be whole.
    fn shorten(&mut self) {
        self.all.sort_by_key(|gap| (gap.interface, gap.from, gap.to));
        let mut fewer: Vec<DropGap> = Vec::with_capacity(self.all.len());
        let mut is_single = false;
        for gap in self.all.drain(..) {
            let before = fewer.last_mut().filter(|last| is_single && last.interface == gap.interface);
            is_single = before.is_none();
            if let Some(before) = before {
                before.takes_in(&gap);
            } else {
                fewer.push(gap);
            }
        }
        self.most = fewer.len().saturating_mul(2);
        self.all = fewer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_gaps_become_fewer_and_none_is_forgotten() {
        for interfaces in [1, 3, 5000] {
            let mut gaps = DropGaps::default();
            let times = 10_000_i64;
            for n in 0..times {
                let interface = u16::try_from(n % interfaces).unwrap();
                let (from, to) = (Timestamp(n * 10), Timestamp(n * 10 + 5));
                gaps.add(DropGap { interface, from, to, frames: 2 });
            }
            let all = gaps.all();
            assert!(all.len() <= MOST.max(usize::try_from(interfaces).unwrap() * 2), "{}", all.len());
            assert_eq!(all.iter().map(|gap| gap.frames).sum::<u64>(), 20_000);
            for n in 0..times {
                let is_covered = all.iter().any(|gap| {
                    i64::from(gap.interface) == n % interfaces
                        && gap.from <= Timestamp(n * 10)
                        && Timestamp(n * 10 + 5) <= gap.to
                });
                assert!(is_covered, "{n}");
            }
        }
    }

    #[test]
    fn a_gap_without_frames_is_none_and_times_may_be_turned() {
        let mut gaps = DropGaps::default();
        let (from, to) = (Timestamp(9), Timestamp(3));
        gaps.add(DropGap { interface: 0, from, to, frames: 0 });
        gaps.add(DropGap { interface: 0, from, to, frames: 1 });
        assert_eq!(gaps.all(), [DropGap { interface: 0, from: to, to: from, frames: 1 }]);
    }
}
