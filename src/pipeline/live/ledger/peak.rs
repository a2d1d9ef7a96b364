//! The most octets in a second of the last minute: averages hide peaks.

use std::collections::{HashMap, VecDeque};

use crate::status::{Figures, HopKey};
use crate::terms::Timestamp;

/// How far back a peak may lie.
const MINUTE_NS: i64 = 60_000_000_000;

/// Rates of the last minute.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    octets: HashMap<HopKey, u64>,
    rates: HashMap<HopKey, VecDeque<(Timestamp, f64)>>,
}

impl Peaks {
    /// So many octets were heard in this interval.
    pub(super) fn add(&mut self, key: HopKey, octets: u64) {
        if octets > 0 {
            *self.octets.entry(key).or_default() += octets;
        }
    }

    /// The interval is over: it was so long. Of the first one it is not known how long it was.
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    pub(super) fn close(&mut self, at: Timestamp, elapsed_ns: i64, figures: &mut Figures) {
        for (key, octets) in self.octets.drain() {
            if elapsed_ns > 0 {
                let rate = octets as f64 * 1e9 / elapsed_ns as f64;
                self.rates.entry(key).or_default().push_back((at, rate));
            }
        }
        for (key, hop) in &mut figures.hops {
            hop.peak_bytes_per_second = 0.0;
            let Some(rates) = self.rates.get_mut(key) else { continue };
            while rates.front().is_some_and(|(then, _)| at.nanos_since(*then) >= MINUTE_NS) {
                rates.pop_front();
            }
            hop.peak_bytes_per_second = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        }
        self.rates.retain(|_, rates| !rates.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Direction;

    #[test]
    fn a_peak_is_remembered_for_a_minute() {
        let key = HopKey { point: 0, hop: 1, direction: Direction::Forward, class: None };
        let (mut peaks, mut figures) = (Peaks::default(), Figures::default());
        figures.hops.insert(key, crate::status::HopFigures::default());
        let second = 1_000_000_000;
        let mut seen = Vec::new();
        for i in 0..70 {
            peaks.add(key, if i == 3 { 5000 } else { 100 });
            peaks.close(Timestamp(i * second), second, &mut figures);
            seen.push(figures.hops[&key].peak_bytes_per_second);
        }
        assert!((seen[2] - 100.0).abs() < 1e-9);
        assert!((seen[3] - 5000.0).abs() < 1e-9);
        assert!((seen[62] - 5000.0).abs() < 1e-9);
        assert!((seen[63] - 100.0).abs() < 1e-9);
    }
}
