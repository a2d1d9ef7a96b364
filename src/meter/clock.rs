//! Clock rates: which are known, and inferring those that are not.
//!
//! A stream whose clock rate is unknown keeps its jitter in every known rate at once until timestamps against
//! arrival times tell which is right. So jitter counts from the first packet, and no packet is kept.

use crate::terms::ClockRate;

use super::ClockSource;

/// The rates that inference knows, in hertz.
const KNOWN_HZ: [u32; 9] = [8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 90_000];
const CANDIDATES: usize = KNOWN_HZ.len();

/// Place of a clock rate in [`Clocks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockIndex(pub(super) u8);

impl ClockIndex {
    /// No rate is known.
    pub(super) const UNKNOWN: Self = Self(0);
}

/// All clock rates that this meter may meet.
pub(super) struct Clocks {
    seconds_per_tick: [f64; 256],
    hz: [u32; 256],
    by_payload_type: [(ClockIndex, ClockSource); 128],
}

impl Clocks {
    /// `rate_of` says what is known of a payload type before any packet: configured, static, or nothing.
    pub(super) fn new(rate_of: impl Fn(u8) -> Option<(ClockRate, ClockSource)>) -> Self {
        let mut clocks = Self {
            seconds_per_tick: [f64::NAN; 256],
            hz: [0; 256],
            by_payload_type: [(ClockIndex::UNKNOWN, ClockSource::Unknown); 128],
        };
        let mut used = 1_u8;
        let mut place = |hz: u32, clocks: &mut Self| {
            let known = (1..used).find(|&i| clocks.hz[usize::from(i)] == hz);
            // 9 known and at most 128 configured rates: the table of 255 cannot overflow.
            let i = known.unwrap_or_else(|| {
                used += 1;
                used - 1
            });
            clocks.hz[usize::from(i)] = hz;
            clocks.seconds_per_tick[usize::from(i)] = 1.0 / f64::from(hz);
            ClockIndex(i)
        };
        for hz in KNOWN_HZ {
            place(hz, &mut clocks);
        }
        for payload_type in 0..128_u8 {
            if let Some((rate, source)) = rate_of(payload_type) {
                let index = place(rate.hz(), &mut clocks);
                clocks.by_payload_type[usize::from(payload_type)] = (index, source);
            }
        }
        clocks
    }

    /// Seconds that one tick takes; not a number where the rate is unknown, and so nothing that is made of it.
    #[inline]
    pub(super) const fn seconds_per_tick(&self, index: ClockIndex) -> f64 {
        self.seconds_per_tick[index.0 as usize]
    }

    /// The rate.
    pub(super) const fn rate(&self, index: ClockIndex) -> Option<ClockRate> {
        ClockRate::from_hz(self.hz[index.0 as usize])
    }

    /// What is known of a payload type before any packet.
    pub(super) const fn of_payload_type(&self, payload_type: u8) -> (ClockIndex, ClockSource) {
        self.by_payload_type[(payload_type & 0x7F) as usize]
    }
}

/// RFC 3550 A.8 in one clock rate: the estimator, its highest value, and what its mean is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Estimate {
    pub(super) jitter: f32,
    pub(super) max: f32,
    pub(super) sum: f64,
    pub(super) updates: u32,
}

impl Estimate {
    fn update(&mut self, difference_seconds: f64) {
        self.jitter = unless_faded(next_jitter(self.jitter, difference_seconds));
        self.max = self.max.max(self.jitter);
        self.sum += f64::from(self.jitter);
        self.updates = self.updates.saturating_add(1);
    }
}

/// `J += (|D| - J) / 16` (RFC 3550 section 6.4.1), in seconds.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "seconds of jitter keep seven digits in an f32")]
pub(super) fn next_jitter(jitter: f32, difference_seconds: f64) -> f32 {
    jitter + (difference_seconds.abs() as f32 - jitter) * (1.0 / 16.0)
}

/// The same jitter, or none where it is too little to mean anything.
///
/// Where packets are evenly spaced to the last digit, as generators and coarse clocks have them, the estimate shrinks until it
/// is among the numbers that processors take a hundred times as long to multiply. In 300 packets it does not come as far from
/// what is left here.
pub(super) const fn unless_faded(jitter: f32) -> f32 {
    if jitter < 1e-28 { 0.0 } else { jitter }
}

/// A stream on its way to a clock rate.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    estimates: [Estimate; CANDIDATES],
    /// The clock that the stream had before, and keeps if the trial finds nothing.
    fallback: ClockIndex,
    is_first: bool,
    /// Time and timestamp between the packets that were compared.
    elapsed_ns: i64,
    ticks: i64,
    updates: u32,
    /// The most common difference of timestamps between neighbours in sequence (Boyer and Moore's vote).
    step: i32,
    votes: u32,
}

/// A rate is told after this much time and this many comparisons ...
const ENOUGH_NS: i64 = 1_000_000_000;
const ENOUGH_UPDATES: u32 = 16;
/// ... or, when the stream ends before, after these.
const LEAST_NS: i64 = 300_000_000;
const LEAST_UPDATES: u32 = 8;
/// After this long without an answer the stream has no clock that we know.
const TOO_LONG_NS: i64 = 20_000_000_000;

impl Trial {
    /// Begins with the jitter that the stream has, in the clock that it had.
    pub(super) fn new(jitter: f32, fallback: ClockIndex) -> Self {
        let start = Estimate { jitter, ..Estimate::default() };
        Self {
            estimates: [start; CANDIDATES],
            fallback,
            is_first: fallback != ClockIndex::UNKNOWN,
            elapsed_ns: 0,
            ticks: 0,
            updates: 0,
            step: 0,
            votes: 0,
        }
    }

    /// A packet that is the highest so far and whose timestamp differs from the reference packet's.
    pub(super) fn update(&mut self, elapsed_ns: i64, ticks: i32, is_next_in_sequence: bool) {
        let elapsed = seconds(elapsed_ns);
        for (i, (estimate, hz)) in self.estimates.iter_mut().zip(KNOWN_HZ).enumerate() {
            // For every clock but the one before, this packet is a change of clock: a reference, no update.
            if !self.is_first || usize::from(self.fallback.0) == i + 1 {
                estimate.update(elapsed - f64::from(ticks) / f64::from(hz));
            }
        }
        self.is_first = false;
        self.elapsed_ns = self.elapsed_ns.saturating_add(elapsed_ns);
        self.ticks = self.ticks.saturating_add(i64::from(ticks));
        self.updates = self.updates.saturating_add(1);
        if is_next_in_sequence {
            if self.votes == 0 {
                self.step = ticks;
            }
            self.votes = if self.step == ticks { self.votes + 1 } else { self.votes - 1 };
        }
    }

    /// A packet that must not be compared with the reference packet.
    pub(super) const fn skip(&mut self) {
        self.is_first = false;
    }

    /// The rate, once it can be told; [`ClockIndex::UNKNOWN`] when it never will.
    pub(super) fn decide(&self) -> Option<ClockIndex> {
        if self.elapsed_ns < ENOUGH_NS || self.updates < ENOUGH_UPDATES {
            return None;
        }
        self.best().or((self.elapsed_ns > TOO_LONG_NS).then_some(self.fallback))
    }

    /// The rate, told from what there is.
    pub(super) fn decide_at_end(&self) -> ClockIndex {
        let enough = self.elapsed_ns >= LEAST_NS && self.updates >= LEAST_UPDATES;
        if enough { self.best().unwrap_or(self.fallback) } else { self.fallback }
    }

    /// The estimate in this clock; none where the trial has no such clock.
    pub(super) fn estimate(&self, clock: ClockIndex) -> Option<Estimate> {
        self.estimates.get(usize::from(clock.0).checked_sub(1)?).copied()
    }

    #[allow(clippy::cast_precision_loss, reason = "ticks of some seconds")]
    fn best(&self) -> Option<ClockIndex> {
        let slope = self.ticks as f64 / seconds(self.elapsed_ns);
        let off = |hz: u32| (slope / f64::from(hz) - 1.0).abs();
        // Audio codecs pack whole multiples of 2.5 ms: that tells 48 kHz from 44.1 kHz under much jitter.
        let fits = |hz: u32| {
            let quantum = i64::from(hz) / 400;
            self.votes > 2
                && quantum * 400 == i64::from(hz)
                && self.step > 0
                && i64::from(self.step) % quantum == 0
        };
        let place = |want: &dyn Fn(u32) -> bool, limit: f64| {
            (1_u8..)
                .zip(KNOWN_HZ)
                .filter(|&(_, hz)| off(hz) < limit && want(hz))
                .min_by(|a, b| off(a.1).total_cmp(&off(b.1)))
                .map(|(i, _)| ClockIndex(i))
        };
        place(&|_| true, 0.01).or_else(|| place(&fits, 0.10)).or_else(|| place(&|_| true, 0.045))
    }
}

#[allow(clippy::cast_precision_loss, reason = "differences are far below 2^53 ns = 104 days")]
pub(super) fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// The same to about 2^-52 of it, for what is averaged anyway: a division takes three times as long. Per packet.
#[inline]
#[allow(clippy::cast_precision_loss, reason = "differences are far below 2^53 ns = 104 days")]
pub(super) fn nearly_seconds(ns: i64) -> f64 {
    ns as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(hz: u32, step: i32, packets: i64, wobble_ns: i64) -> Trial {
        let mut trial = Trial::new(0.0, ClockIndex::UNKNOWN);
        let mut before = 0;
        for i in 1..=packets {
            let exact = i * i64::from(step) * 1_000_000_000 / i64::from(hz);
            let now = exact + if i % 3 == 0 { wobble_ns } else { -wobble_ns };
            trial.update(now - before, step, true);
            before = now;
        }
        trial
    }

    #[test]
    fn jitter_that_fades_ends_before_it_takes_long_to_multiply() {
        for (mut jitter, rounds) in [(1e-28, 1), (0.01, 4), (1.0, 4)] {
            for _ in 0..rounds {
                assert!(unless_faded(jitter) > 0.0, "{jitter:e}");
                for _ in 0..300 {
                    jitter = next_jitter(jitter, 0.0);
                }
                assert!((jitter / 16.0).is_normal(), "{jitter:e}");
            }
            assert!(unless_faded(jitter) <= 0.0, "{jitter:e}");
        }
    }

    #[test]
    fn every_known_rate_is_told_from_its_neighbours() {
        let clocks = Clocks::new(|_| None);
        for (hz, step) in [
            (8000, 160),
            (11_025, 220),
            (16_000, 320),
            (22_050, 441),
            (24_000, 480),
            (32_000, 640),
            (44_100, 882),
            (48_000, 960),
            (90_000, 3000),
        ] {
            let told = trial(hz, step, 100, 4_000_000).decide().unwrap();
            assert_eq!(clocks.rate(told), ClockRate::from_hz(hz), "{hz}");
        }
    }

    #[test]
    fn too_short_tells_nothing() {
        assert_eq!(trial(48_000, 960, 10, 0).decide(), None);
        assert_eq!(trial(48_000, 960, 10, 0).decide_at_end(), ClockIndex::UNKNOWN);
        assert_ne!(trial(48_000, 960, 20, 0).decide_at_end(), ClockIndex::UNKNOWN);
    }

    #[test]
    fn a_rate_that_nobody_uses_stays_unknown() {
        assert_eq!(trial(60_000, 1201, 100, 0).decide(), None);
        assert_eq!(trial(60_000, 1201, 2000, 0).decide(), Some(ClockIndex::UNKNOWN));
    }

    #[test]
    fn the_estimate_is_that_of_the_rate() {
        let trial = trial(48_000, 960, 100, 0);
        let told = trial.decide().unwrap();
        let right = trial.estimate(told).unwrap();
        assert!(right.max < 1e-6 && right.updates == 100);
        assert!(trial.estimate(ClockIndex(1)).unwrap().max > 0.01);
        assert_eq!(trial.estimate(ClockIndex::UNKNOWN), None);
    }
}
