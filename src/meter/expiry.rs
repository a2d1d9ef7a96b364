//! Ends streams that have been silent for longer than the time-out.
//!
//! Few streams may stay where they are until the end: a late packet finds its stream. Where there are many, those
//! that are over make room.

use super::candidate::CLOCK_STEP_NS;
use super::{Meter, PathTable};

/// Places of the table that are looked at in one go: the cost of a go stays the same, however full the table is.
const PLACES: usize = 2048;

/// Streams that are let be: a share of the table's bound.
const SHARE: usize = 16;

/// How far the packets' clock has come, and how far the look through the table.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    now: Option<i64>,
    /// When the capturing clock was last set.
    step: Option<i64>,
    next: usize,
}

impl Expiry {
    /// The packets have come this far.
    #[inline]
    pub(super) fn advance(&mut self, now: i64) {
        let before = self.now.replace(now).unwrap_or(now);
        if now.saturating_sub(before).saturating_abs() > CLOCK_STEP_NS {
            self.step = Some(now);
        }
    }

    /// Whether a stream that was last heard then is over by now. What was heard before the clock was set is given the
    /// time-out anew.
    pub(super) fn is_over(&self, last_arrival: i64, timeout_ns: i64) -> bool {
        let Some(now) = self.now else { return false };
        let is_past = |moment: i64| now.saturating_sub(moment) > timeout_ns;
        is_past(last_arrival) && self.step.is_none_or(is_past)
    }
}

impl Meter {
    /// Looks at the next part of the table for streams that are over, where there are many streams. To be called every
    /// now and then; what has ended is given by [`Self::take_ended`].
    pub fn expire(&mut self, paths: &PathTable) {
        if self.table.streams() < self.limits.max_streams / SHARE {
            return;
        }
        let (start, places) = (self.expiry.next, self.table.places());
        let end = (start + PLACES).min(places);
        self.expiry.next = if end == places { 0 } else { end };
        for place in start..end {
            self.end_if_over(place, paths);
        }
    }

    /// Ends the stream whose first hop is at a place, if it is over.
    pub(super) fn end_if_over(&mut self, place: usize, paths: &PathTable) {
        let Ok(i) = u32::try_from(place) else { return };
        let timeout = self.limits.stream_timeout_ns;
        let is_over = |arrival| self.expiry.is_over(arrival, timeout);
        // The hop alone first: most are not over, or not the first of their stream.
        if self.table.arrival_at(i).is_some_and(is_over)
            && self.table.is_first_hop(i)
            && is_over(self.table.last_arrival(i))
        {
            self.end_stream(i, paths);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn what_was_heard_before_the_clock_was_set_has_its_time_anew() {
        let mut expiry = Expiry::default();
        expiry.advance(0);
        expiry.advance(100 * SECOND);
        assert!(expiry.is_over(0, 60 * SECOND));
        assert!(!expiry.is_over(50 * SECOND, 60 * SECOND));
        let later = 100 * 86_400 * SECOND;
        expiry.advance(later);
        assert!(!expiry.is_over(50 * SECOND, 60 * SECOND));
        expiry.advance(later + 61 * SECOND);
        assert!(expiry.is_over(50 * SECOND, 60 * SECOND));
        assert!(!expiry.is_over(later + 2 * SECOND, 60 * SECOND));
    }
}
