//! Time at one hop: jitter, clock rate, and outages told from restarts.

use super::{Cold, Digest, Hot};
use crate::meter::ClockSource;
use crate::meter::candidate::CLOCK_STEP_NS;
use crate::meter::clock::{
    ClockIndex, Clocks, Estimate, Trial, nearly_seconds, next_jitter, seconds, unless_faded,
};

/// A difference of more than this between the advance of time and of the timestamp is looked at more closely.
pub(super) const SUSPICIOUS_SECONDS: f64 = 1.0;

/// A tick of a clock that is not known, in seconds: of the fastest that media have, so that nothing seems to leap that does
/// not.
pub(super) const SHORTEST_TICK: f64 = 1.0 / 90_000.0;

/// Whether a timestamp advanced by more than the elapsed time can explain, or back; both in seconds.
pub(super) const fn is_leap(elapsed: f64, advance: f64) -> bool {
    advance < -SUSPICIOUS_SECONDS || advance - elapsed > SUSPICIOUS_SECONDS
}

impl Cold {
    /// Moves to the clock of a payload type; true where that is a change from one known rate to another.
    pub(super) fn change_clock(&mut self, hot: &mut Hot, payload_type: u8) -> bool {
        let known = self.payload_types.iter().find(|p| p.payload_type == payload_type);
        let wanted = known.map_or(ClockIndex::UNKNOWN, |p| p.clock);
        if wanted == ClockIndex::UNKNOWN {
            if self.trial.is_none() {
                self.trial = Some(Box::new(Trial::new(hot.jitter, self.clock)));
            }
            return false;
        }
        if let Some(trial) = self.trial.take() {
            let told = trial.decide_at_end();
            self.settle(hot, &trial, told);
        }
        let before = std::mem::replace(&mut self.clock, wanted);
        before != wanted && before != ClockIndex::UNKNOWN
    }

    /// Updates jitter by a packet that is the highest so far, or sets a new reference.
    pub(super) fn compare_times(&mut self, hot: &mut Hot, d: &Digest, is_next: bool, clocks: &Clocks) {
        let has_new_clock = d.payload_type != hot.payload_type() && self.change_clock(hot, d.payload_type);
        if d.timestamp == hot.reference_timestamp {
            return;
        }
        let elapsed_ns = d.arrival.0.saturating_sub(hot.reference_arrival);
        let ticks = d.timestamp.since(hot.reference_timestamp);
        (hot.reference_arrival, hot.reference_timestamp) = (d.arrival.0, d.timestamp);
        if elapsed_ns.saturating_abs() > CLOCK_STEP_NS {
            if let Some(trial) = &mut self.trial {
                trial.skip();
            }
            return;
        }
        if self.is_timestamp_jump(elapsed_ns, ticks, clocks) {
            self.has_jumped_timestamp = true;
            if let Some(trial) = &mut self.trial {
                trial.skip();
            }
            return;
        }
        if std::mem::take(&mut self.has_jumped_timestamp) {
            // The packet after the jump goes on from it: the sender began a new timeline.
            self.rare_mut().resets += 1;
        }
        if has_new_clock {
            return;
        }
        if let Some(trial) = &mut self.trial {
            trial.update(elapsed_ns, ticks, is_next);
            if let Some(told) = trial.decide()
                && let Some(trial) = self.trial.take()
            {
                self.settle(hot, &trial, told);
            }
        } else {
            let seconds_per_tick = clocks.seconds_per_tick(self.clock);
            if !seconds_per_tick.is_nan() {
                let difference = nearly_seconds(elapsed_ns) - f64::from(ticks) * seconds_per_tick;
                hot.jitter = unless_faded(next_jitter(hot.jitter, difference));
                hot.jitter_max = hot.jitter_max.max(hot.jitter);
                self.jitter_sum += f64::from(hot.jitter);
                self.jitter_updates += 1;
            }
        }
    }

    /// Whether the timestamp leapt by more than time can explain: forward ahead of time, or back.
    fn is_timestamp_jump(&self, elapsed_ns: i64, ticks: i32, clocks: &Clocks) -> bool {
        let known = clocks.seconds_per_tick(self.clock);
        let is_unknown = known.is_nan() || self.trial.is_some();
        let seconds_per_tick = if is_unknown { SHORTEST_TICK } else { known };
        is_leap(seconds(elapsed_ns), f64::from(ticks) * seconds_per_tick)
    }

    /// Ends a trial: the stream's jitter is the one in the clock that was told.
    pub(super) fn settle(&mut self, hot: &mut Hot, trial: &Trial, told: ClockIndex) {
        self.clock = told;
        if let Some(Estimate { jitter, max, sum, updates }) = trial.estimate(told) {
            hot.jitter = jitter;
            hot.jitter_max = hot.jitter_max.max(max);
            self.jitter_sum += sum;
            self.jitter_updates += u64::from(updates);
            for p in self.payload_types.iter_mut().filter(|p| p.clock == ClockIndex::UNKNOWN) {
                (p.clock, p.source) = (told, ClockSource::Inferred);
            }
        }
    }

    /// Whether sequence, timestamp and arrival time advanced alike: within a tenth, or 200 ms.
    pub(super) fn is_outage(&self, hot: &Hot, d: &Digest, ahead: u16, clocks: &Clocks) -> bool {
        let elapsed = seconds(d.arrival.0.saturating_sub(hot.last_arrival));
        let alike = |other: f64| elapsed > 0.0 && (other - elapsed).abs() <= (elapsed * 0.1).max(0.2);
        let part_seconds = seconds(hot.reference_arrival.saturating_sub(self.part.arrival.0));
        let part_packets = hot.highest.wrapping_sub(self.part.sequence);
        let part_ticks = hot.reference_timestamp.since(self.part.timestamp);
        if part_seconds <= 0.0 || part_packets == 0 {
            return false;
        }
        let known = clocks.seconds_per_tick(self.clock);
        let seconds_per_tick = if !known.is_nan() {
            known
        } else if part_ticks > 0 {
            part_seconds / f64::from(part_ticks)
        } else {
            return false;
        };
        let by_sequence = f64::from(ahead) * part_seconds / f64::from(part_packets);
        let by_timestamp = f64::from(d.timestamp.since(hot.reference_timestamp)) * seconds_per_tick;
        alike(by_sequence) && alike(by_timestamp)
    }

    /// Jitter over the whole stream; `None` where nothing updated it.
    #[allow(clippy::cast_precision_loss, reason = "a count of packets")]
    pub(in crate::meter) fn jitter(&self, hot: &Hot) -> Option<crate::meter::Jitter> {
        (self.jitter_updates > 0).then(|| crate::meter::Jitter {
            last: f64::from(hot.jitter),
            mean: self.jitter_sum / self.jitter_updates as f64,
            max: f64::from(hot.jitter_max),
            updates: self.jitter_updates,
        })
    }
}
