//! How many lines one place in the code may write to the log.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Lines that one place may write in [`WINDOW`].
pub(super) const MOST_LINES: u32 = 10;
/// The time for which they are counted.
pub(super) const WINDOW: Duration = Duration::from_secs(10);
/// Most places that are told apart. All others together count as one.
const MOST_PLACES: usize = 1024;

/// Counts the lines of each place. Time is an argument: since any moment, never falling.
#[derive(Debug)]
pub(super) struct RateLimit<P> {
    places: HashMap<P, Lines>,
    others: Lines,
}

/// The lines of one place in its window.
#[derive(Debug, Default, Clone, Copy)]
struct Lines {
    since: Duration,
    written: u32,
    left_out: u64,
}

impl<P: Eq + Hash + Copy> RateLimit<P> {
    pub(super) fn new() -> Self {
        Self { places: HashMap::new(), others: Lines::default() }
    }

    /// Whether a line of this place is written now.
    pub(super) fn admits(&mut self, place: P, now: Duration) -> bool {
        let has_room = self.places.len() < MOST_PLACES;
        let lines = match self.places.get_mut(&place) {
            Some(lines) => lines,
            None if has_room => self.places.entry(place).or_insert(Lines { since: now, ..Lines::default() }),
            None => &mut self.others,
        };
        lines.admit(now)
    }

    /// What was left out in windows that have ended, by place, and for all places that are not told apart; each is told
    /// once.
    pub(super) fn take_left_out(&mut self, now: Duration) -> Vec<(Option<P>, u64)> {
        let places = self.places.iter_mut().map(|(place, lines)| (Some(*place), lines));
        let mut left_out: Vec<(Option<P>, u64)> = places
            .chain([(None, &mut self.others)])
            .filter(|(_, lines)| lines.left_out > 0 && lines.has_ended(now))
            .map(|(place, lines)| (place, std::mem::take(&mut lines.left_out)))
            .collect();
        left_out.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
        left_out
    }
}

impl Lines {
    fn has_ended(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= WINDOW
    }

    fn admit(&mut self, now: Duration) -> bool {
        if self.has_ended(now) {
            self.since = now;
            self.written = 0;
        }
        let admitted = self.written < MOST_LINES;
        if admitted {
            self.written += 1;
        } else {
            self.left_out += 1;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// How many of so many lines of a place are written at one moment.
    fn written(limit: &mut RateLimit<usize>, place: usize, lines: usize, now: Duration) -> usize {
        (0..lines).filter(|_| limit.admits(place, now)).count()
    }

    #[test]
    fn a_place_writes_ten_lines_in_ten_seconds_and_ten_in_the_next() {
        let mut limit = RateLimit::new();
        assert_eq!(written(&mut limit, 1, 25, at(500)), 10);
        assert_eq!(written(&mut limit, 1, 25, at(10_499)), 0);
        assert_eq!(written(&mut limit, 1, 25, at(10_500)), 10);
    }

    #[test]
    fn one_place_does_not_silence_another() {
        let mut limit = RateLimit::new();
        assert_eq!(written(&mut limit, 1, 100, at(0)), 10);
        assert_eq!(written(&mut limit, 2, 3, at(0)), 3);
    }

    #[test]
    fn what_was_left_out_is_told_once_when_the_time_is_over() {
        let mut limit = RateLimit::new();
        written(&mut limit, 1, 25, at(0));
        written(&mut limit, 2, 112, at(0));
        assert_eq!(limit.take_left_out(at(9_999)), []);
        assert_eq!(limit.take_left_out(at(10_000)), [(Some(2), 102), (Some(1), 15)]);
        assert_eq!(limit.take_left_out(at(20_000)), []);
    }

    #[test]
    fn places_beyond_the_bound_count_as_one() {
        let mut limit = RateLimit::new();
        for place in 0..MOST_PLACES {
            assert!(limit.admits(place, at(0)));
        }
        let beyond = (MOST_PLACES..MOST_PLACES + 30).filter(|place| limit.admits(*place, at(1))).count();
        assert_eq!(beyond, 10);
        assert_eq!(limit.places.len(), MOST_PLACES);
        assert_eq!(limit.take_left_out(at(10_001)), [(None, 20)]);
    }
}
