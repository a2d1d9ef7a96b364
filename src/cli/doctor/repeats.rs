//! Tells the same packet heard again shortly after, in bounded memory.

use hashbrown::HashSet;

use crate::terms::Timestamp;

/// Copies of one packet come within this: a mirror that sends both what a port receives and what another sends of it.
const WITHIN_NANOSECONDS: i64 = 50_000_000;
/// Packets of one period: 50 ms of over a million packets a second.
const MOST: usize = 1 << 16;

/// The packets of this period and the one before, by a hash of each.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    period: i64,
    now: HashSet<u64>,
    before: HashSet<u64>,
    refused: u64,
}

impl Repeats {
    /// Whether this packet was there within 50 ms before, give or take as much again; notes that it is there.
    pub(super) fn is_repeat(&mut self, identity: u64, at: Timestamp) -> bool {
        let period = at.0.div_euclid(WITHIN_NANOSECONDS);
        if period != self.period {
            let is_next = period == self.period.wrapping_add(1);
            std::mem::swap(&mut self.now, &mut self.before);
            self.now.clear();
            if !is_next {
                self.before.clear();
            }
            self.period = period;
        }
        if self.now.contains(&identity) || self.before.contains(&identity) {
            return true;
        }
        if self.now.len() >= MOST {
            self.refused += 1;
        } else {
            self.now.insert(identity);
        }
        false
    }

    /// Packets that were not noted as there was no room.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: i64 = 1_000_000;

    #[test]
    fn a_packet_repeats_within_fifty_milliseconds_but_not_after_a_hundred() {
        for (apart, expected) in [(0, true), (1, true), (49, true), (101, false), (5000, false)] {
            let mut repeats = Repeats::default();
            assert!(!repeats.is_repeat(7, Timestamp(3 * MILLISECOND)));
            let again = Timestamp((3 + apart) * MILLISECOND);
            assert_eq!(repeats.is_repeat(7, again), expected, "{apart} ms");
            assert!(!repeats.is_repeat(8, again));
        }
    }

    #[test]
    fn a_full_period_counts_what_it_does_not_note() {
        let mut repeats = Repeats::default();
        for identity in 0..(MOST as u64 + 10) {
            assert!(!repeats.is_repeat(identity, Timestamp(0)));
        }
        assert_eq!(repeats.refused(), 10);
        assert!(repeats.is_repeat(1, Timestamp(0)));
    }
}
