//! From the clock of kernel programs to that of frames.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::terms::Timestamp;

/// How long one look at both clocks is good for: one may be set while the other goes on.
const GOOD_FOR: u64 = 1_000_000_000;
/// How often both are looked at for one look: the tightest counts.
const LOOKS: usize = 5;

/// What time of day it was at a moment of `CLOCK_MONOTONIC`.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// What is to be added.
    offset: i64,
    /// When both were looked at; 0 for not yet.
    looked: u64,
}

impl Clock {
    /// Looks at both clocks where the last look was too long ago.
    pub(super) fn refresh(&mut self) {
        let Some(now) = nanoseconds(ClockId::CLOCK_MONOTONIC) else { return };
        if self.looked != 0 && now.saturating_sub(self.looked) < GOOD_FOR {
            return;
        }
        let look = |_| {
            let before = nanoseconds(ClockId::CLOCK_MONOTONIC)?;
            let of_day = nanoseconds(ClockId::CLOCK_REALTIME)?;
            let after = nanoseconds(ClockId::CLOCK_MONOTONIC)?;
            let width = after.saturating_sub(before);
            Some((width, of_day.cast_signed().wrapping_sub((before + width / 2).cast_signed())))
        };
        if let Some((_, offset)) = (0..LOOKS).filter_map(look).min() {
            self.offset = offset;
        }
        self.looked = now;
    }

    /// The time of day at a moment. Per packet.
    #[inline]
    pub(super) const fn time_of(&self, monotonic: u64) -> Timestamp {
        Timestamp(self.offset.saturating_add_unsigned(monotonic))
    }
}

fn nanoseconds(clock: ClockId) -> Option<u64> {
    let time = Duration::from(clock_gettime(clock).ok()?);
    u64::try_from(time.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_as_the_clock_of_the_day_has_it() {
        let mut clock = Clock::default();
        clock.refresh();
        let of_day = || nanoseconds(ClockId::CLOCK_REALTIME).unwrap().cast_signed();
        let before = of_day();
        let told = clock.time_of(nanoseconds(ClockId::CLOCK_MONOTONIC).unwrap()).0;
        let after = of_day();
        let slack = 1_000_000;
        assert!((before - slack..=after + slack).contains(&told), "{before} {told} {after}");
    }

    #[test]
    fn absurd_moments_saturate() {
        let clock = Clock { offset: i64::MAX - 5, looked: 1 };
        assert_eq!(clock.time_of(u64::MAX), Timestamp(i64::MAX));
    }
}
