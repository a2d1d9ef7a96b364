//! Which points share a clock, and how far apart the others' clocks are.

use std::collections::BTreeMap;

use super::order::timed;
use crate::meter::HopRecord;
use crate::terms::PointId;

/// How the clock of one point stands to that of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockRelation {
    /// Whether delays between the two are to be believed.
    pub shared: bool,
    /// How much the second clock is ahead of the first, in seconds, where they are not one.
    pub offset_seconds: Option<f64>,
    /// How wrong the offset may be, in seconds: half of what the fastest packets took there and back. Absent where
    /// packets of one direction only were heard at both, and nothing is known of how long they took.
    pub uncertainty_seconds: Option<f64>,
    /// How much the second clock gains on the first, in parts per million.
    pub drift_ppm: Option<f64>,
    /// Nanoseconds to take off at the start, and for each nanosecond since: what makes the clocks one.
    correction: (i64, f64, i64),
}

impl ClockRelation {
    /// One clock for both.
    pub const ONE: Self = Self {
        shared: true,
        offset_seconds: None,
        uncertainty_seconds: None,
        drift_ppm: None,
        correction: (0, 0.0, 0),
    };

    /// A delay from the first point to the second, with the offset taken out. `at` is by the first point's clock.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "nanoseconds of drift")]
    pub(in crate::verify) fn corrected(&self, at: i64, delay: i64) -> i64 {
        let (offset, drift, start) = self.correction;
        delay.saturating_sub(offset).saturating_sub((drift * (at.saturating_sub(start)) as f64) as i64)
    }

    /// The same two clocks seen from the other side.
    fn reversed(self) -> Self {
        let (offset, drift, start) = self.correction;
        Self {
            offset_seconds: self.offset_seconds.map(|s| -s),
            drift_ppm: self.drift_ppm.map(|d| -d),
            correction: (offset.saturating_neg(), -drift, start.saturating_add(offset)),
            ..self
        }
    }
}

/// Relations between points, the lower number first.
#[derive(Debug, Default)]
pub(in crate::verify) struct Clocks {
    relations: BTreeMap<(PointId, PointId), ClockRelation>,
}

/// Without configuration, points share a clock unless the smallest delay is negative or above this.
const LONGEST_NS: i64 = 1_000_000_000;
/// Delays of one pair of points that are kept.
const MOST: usize = 1 << 15;

/// What points heard of each other's packets, to tell their clocks by.
#[derive(Debug, Default)]
pub(in crate::verify) struct Heard {
    pairs: BTreeMap<(PointId, PointId), Both>,
}

impl Heard {
    /// Takes in the packets of a stream that neighbouring points chose alike.
    pub(in crate::verify) fn add(&mut self, hops: &[&HopRecord]) {
        for (a, b) in hops.iter().zip(hops.iter().skip(1)).filter(|(a, b)| a.point != b.point) {
            let is_up = a.point < b.point;
            let key = if is_up { (a.point, b.point) } else { (b.point, a.point) };
            let both = self.pairs.entry(key).or_default();
            let way = if is_up { &mut both.up } else { &mut both.down };
            if way.len() < MOST {
                way.extend(timed(a, b));
            }
        }
    }

    /// How the clocks stand. `named` says by configuration whether two points share one.
    pub(in crate::verify) fn clocks(self, named: impl Fn(PointId, PointId) -> Option<bool>) -> Clocks {
        let relation = |(key, both): ((PointId, PointId), Both)| (key, both.relation(named(key.0, key.1)));
        Clocks { relations: self.pairs.into_iter().map(relation).collect() }
    }
}

impl Clocks {
    /// How the clock of `b` stands to that of `a`.
    pub(in crate::verify) fn between(&self, a: PointId, b: PointId) -> ClockRelation {
        if a == b {
            return ClockRelation::ONE;
        }
        let known = |key| self.relations.get(&key).copied();
        if a < b { known((a, b)) } else { known((b, a)).map(ClockRelation::reversed) }
            .unwrap_or(ClockRelation::ONE)
    }
}

/// Times and delays of packets from the lower point to the higher, and the other way.
#[derive(Debug, Default)]
struct Both {
    up: Vec<(i64, i64)>,
    down: Vec<(i64, i64)>,
}

impl Both {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "nanoseconds of a capture"
    )]
    fn relation(&self, named: Option<bool>) -> ClockRelation {
        let least = |way: &[(i64, i64)]| way.iter().map(|&(_, delay)| delay).min();
        let (up, down) = (least(&self.up), least(&self.down));
        let is_plausible = |delay: Option<i64>| delay.is_none_or(|d| (0..=LONGEST_NS).contains(&d));
        if named.unwrap_or(is_plausible(up) && is_plausible(down)) {
            return ClockRelation::ONE;
        }
        // All by the lower point's clock: the other's may be hours ahead, in which a drift is seconds.
        let up = || self.up.iter().map(|&(sent, delay)| (sent, delay));
        let down = || self.down.iter().map(|&(sent, delay)| (sent.saturating_add(delay), delay));
        let start = up().chain(down()).map(|(at, _)| at).min().unwrap_or(0);
        let drift = self.drift();
        // What is left after the drift: the fastest packets each way.
        let drifted = |at: i64| (drift * at.saturating_sub(start) as f64) as i64;
        let fastest_up = up().map(|(at, delay)| delay.saturating_sub(drifted(at))).min();
        let fastest_down = down().map(|(at, delay)| delay.saturating_add(drifted(at))).min();
        let (offset, uncertainty) = match (fastest_up, fastest_down) {
            (Some(up), Some(down)) => {
                (up.saturating_sub(down) / 2, Some(up.saturating_add(down).saturating_abs() / 2))
            }
            (Some(up), None) => (up, None),
            (None, Some(down)) => (down.saturating_neg(), None),
            (None, None) => return ClockRelation::ONE,
        };
        ClockRelation {
            shared: false,
            offset_seconds: Some(offset as f64 / 1e9),
            uncertainty_seconds: uncertainty.map(|u| u as f64 / 1e9),
            drift_ppm: Some(drift * 1e6),
            correction: (offset, drift, start),
        }
    }

    /// How much the higher point's clock gains in a nanosecond: by the fastest packets of the first and of the last
    /// quarter, in both directions.
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a capture")]
    fn drift(&self) -> f64 {
        let slope = |way: &[(i64, i64)], sign: f64| -> Option<(f64, f64)> {
            let first = way.iter().map(|w| w.0).min()?;
            let last = way.iter().map(|w| w.0).max()?;
            let quarter = last.saturating_sub(first) / 4;
            if quarter < 1_000_000_000 {
                return None;
            }
            let fastest = |from: i64, to: i64| {
                way.iter().filter(|w| (from..=to).contains(&w.0)).min_by_key(|w| w.1).copied()
            };
            let (a, b) = (fastest(first, first + quarter)?, fastest(last - quarter, last)?);
            let apart = b.0.saturating_sub(a.0) as f64;
            Some((sign * b.1.saturating_sub(a.1) as f64 / apart, apart))
        };
        let slopes: Vec<(f64, f64)> =
            [slope(&self.up, 1.0), slope(&self.down, -1.0)].into_iter().flatten().collect();
        let weight: f64 = slopes.iter().map(|s| s.1).sum();
        if weight > 0.0 { slopes.iter().map(|s| s.0 * s.1).sum::<f64>() / weight } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_at_the_ends_of_time_are_taken() {
        let ends = [i64::MIN, -1, 0, i64::MAX];
        let pairs: Vec<(i64, i64)> = ends.iter().flat_map(|&at| ends.map(|delay| (at, delay))).collect();
        for (up, down) in [(&pairs[..], &pairs[..]), (&pairs, &[]), (&[], &pairs)] {
            let both = Both { up: up.to_vec(), down: down.to_vec() };
            for relation in [both.relation(None), both.relation(Some(false)), both.relation(None).reversed()]
            {
                assert!(relation.drift_ppm.is_none_or(f64::is_finite));
                assert!(relation.uncertainty_seconds.is_none_or(|s| s >= 0.0));
                for &(at, delay) in &pairs {
                    let _ = relation.corrected(at, delay);
                }
            }
        }
    }
}
