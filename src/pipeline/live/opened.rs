//! Counters of a source over all the times it was opened.

use super::tap::TapCounters;

/// What was counted by taps that are gone, and by the one that is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    before: TapCounters,
    now: TapCounters,
}

impl Counted {
    /// The tap has counted so much since it was opened.
    pub(super) fn set(&mut self, now: TapCounters) {
        self.now = now;
    }

    /// The tap is gone.
    pub(super) fn close(&mut self) {
        self.before = self.total();
        self.now = TapCounters::default();
    }

    /// Over all taps.
    pub(super) fn total(&self) -> TapCounters {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (one, other) => one.or(other),
        };
        TapCounters {
            packets: self.before.packets + self.now.packets,
            octets: self.before.octets + self.now.octets,
            dropped: together(&self.before.dropped, &self.now.dropped),
            freezes: sum(self.before.freezes, self.now.freezes),
            filtered: together(&self.before.filtered, &self.now.filtered),
            snapped: self.before.snapped + self.now.snapped,
            time_source: self.now.time_source.or(self.before.time_source),
            is_xdp_native: self.now.is_xdp_native.or(self.before.is_xdp_native),
        }
    }

    /// Frames lost on the way to the program, for whatever reason.
    pub(super) fn dropped(&self) -> u64 {
        self.total().dropped.iter().map(|(_, n)| n).sum()
    }
}

/// Adds counts of the same name.
fn together(one: &[(&'static str, u64)], other: &[(&'static str, u64)]) -> Vec<(&'static str, u64)> {
    let mut all = one.to_vec();
    for &(name, n) in other {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += n,
            None => all.push((name, n)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lost_tap_counted_stays_counted() {
        let counters = |packets, ring| TapCounters {
            packets,
            dropped: vec![("ring", ring)],
            freezes: Some(1),
            ..TapCounters::default()
        };
        let mut counted = Counted::default();
        counted.set(counters(10, 1));
        counted.set(counters(20, 2));
        counted.close();
        counted.set(counters(5, 3));
        let total = counted.total();
        assert_eq!((total.packets, total.freezes, counted.dropped()), (25, Some(2), 5));
    }
}
