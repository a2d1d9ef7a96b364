//! From where on a figure is a finding, and how large tables may grow.

use std::time::Duration;

/// From where on a figure is a finding. Every value can be set in the operator's file under `[thresholds]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// Packets before a marking is judged.
    pub marking_min_packets: u64,
    /// Packets before quality is judged.
    pub quality_min_packets: u64,
    /// How long a stream must last before quality is judged.
    pub quality_min_duration: Duration,
    /// Finding `loss`: lost of expected, 0 to 1, at one hop.
    pub loss_ratio: f64,
    /// Finding `burst-loss`: packets lost in one run; one of [`BURST_LENGTHS`].
    pub burst_packets: u64,
    /// Finding `jitter`: mean interarrival jitter.
    pub jitter: Duration,
    /// Finding on the mean STUN round trip of a flow.
    pub round_trip: Duration,
    /// Finding `segment-loss`: lost between two neighbouring hops, of those that went in, 0 to 1.
    pub segment_loss_ratio: f64,
    /// Finding `segment-delay`: mean time between two neighbouring hops whose clocks are one.
    pub segment_delay: Duration,
    /// Verdict `poor`: lost of expected, 0 to 1.
    pub poor_loss_ratio: f64,
    /// Verdict `poor`: mean interarrival jitter.
    pub poor_jitter: Duration,
    /// Verdict `poor`: mean round trip.
    pub poor_round_trip: Duration,
}

/// Where the groups begin in which the meter counts runs of lost packets: 1, 2, 3-4, 5-9, 10-19, 20 and more.
pub const BURST_LENGTHS: [u64; 6] = [1, 2, 3, 5, 10, 20];

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            marking_min_packets: 10,
            quality_min_packets: 100,
            quality_min_duration: Duration::from_secs(5),
            // Microsoft, "Prepare your organization's network for Teams", client to Microsoft edge: loss below 1 %,
            // jitter below 30 ms (both in any 15 s), round trip below 100 ms.
            loss_ratio: 0.01,
            jitter: Duration::from_millis(30),
            round_trip: Duration::from_millis(100),
            // Concealment fades to silence after 60 ms (ITU-T G.711, appendix I): three packets of 20 ms. The next
            // group of runs begins at five.
            burst_packets: 5,
            // The same page, customer edge to Microsoft edge: loss below 0.1 %, one way below 30 ms.
            segment_loss_ratio: 0.001,
            segment_delay: Duration::from_millis(30),
            // Microsoft, "Stream classification in Call Quality Dashboard", audio: poor above 0.1, 30 ms, 500 ms.
            poor_loss_ratio: 0.1,
            poor_jitter: Duration::from_millis(30),
            poor_round_trip: Duration::from_millis(500),
        }
    }
}

/// Bounds of the meter's tables and times. Every value can be set in the operator's file under `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterLimits {
    /// Streams kept at once, at each point.
    pub max_streams: u64,
    /// Flows that may become streams, kept at once, at each point.
    pub max_candidates: u64,
    /// Hops of one stream.
    pub max_hops: u64,
    /// Open STUN transactions, at each point.
    pub max_transactions: u64,
    /// Octets of the records that are kept of streams that have ended, for all points of one observer.
    pub max_record_octets: u64,
    /// Trajectory samples a second that are kept of a long stream at a hop, and half of that at least, as long as there
    /// is room: of them come delays.
    pub samples_per_second: u64,
    /// A stream ends after this long without a packet.
    pub stream_timeout: Duration,
    /// A STUN request is unanswered after this long.
    pub stun_timeout: Duration,
}

impl Default for MeterLimits {
    fn default() -> Self {
        Self {
            max_streams: 200_000,
            // As many as streams: at the start of a capture every stream is a candidate at the same time.
            max_candidates: 200_000,
            max_hops: 16,
            max_transactions: 65_536,
            // About five million short streams at one point: a record takes a hundred octets or so.
            max_record_octets: 536_870_912,
            // One to two a second of a stream of 50 packets a second, so that the mean of a minute is known well.
            samples_per_second: 2,
            stream_timeout: Duration::from_secs(60),
            // RFC 8489, section 6.2: 39.5 s, for UDP by the defaults of Rc, Rm and RTO, and as Ti for TCP.
            stun_timeout: Duration::from_millis(39_500),
        }
    }
}

/// A setting that is one number, with what it may be: by these tables the operator's file is read and written.
#[derive(Debug)]
pub struct Setting<T> {
    /// The key in the operator's file.
    pub key: &'static str,
    /// The field, with its bounds.
    pub field: fn(&mut T) -> Quantity<'_>,
}

/// One number of a kind, in its place.
#[derive(Debug)]
pub enum Quantity<'a> {
    /// A number of things, from `min` to `max`.
    Count {
        /// Where it is kept.
        value: &'a mut u64,
        /// The least that makes sense.
        min: u64,
        /// The most that can be.
        max: u64,
    },
    /// A part of a whole, 0 to 1.
    Ratio(&'a mut f64),
    /// A length of time.
    Length(&'a mut Duration),
    /// A length of runs: one of [`BURST_LENGTHS`].
    Burst(&'a mut u64),
}

/// More packets than any stream has.
const MOST_PACKETS: u64 = 4_294_967_295;

const fn count(value: &mut u64, min: u64, max: u64) -> Quantity<'_> {
    Quantity::Count { value, min, max }
}

impl Thresholds {
    /// All thresholds, in the order in which they are printed.
    pub const SETTINGS: &'static [Setting<Self>] = &[
        Setting { key: "marking_min_packets", field: |t| count(&mut t.marking_min_packets, 1, MOST_PACKETS) },
        Setting { key: "quality_min_packets", field: |t| count(&mut t.quality_min_packets, 2, MOST_PACKETS) },
        Setting { key: "quality_min_duration", field: |t| Quantity::Length(&mut t.quality_min_duration) },
        Setting { key: "loss_ratio", field: |t| Quantity::Ratio(&mut t.loss_ratio) },
        Setting { key: "burst_packets", field: |t| Quantity::Burst(&mut t.burst_packets) },
        Setting { key: "jitter", field: |t| Quantity::Length(&mut t.jitter) },
        Setting { key: "round_trip", field: |t| Quantity::Length(&mut t.round_trip) },
        Setting { key: "segment_loss_ratio", field: |t| Quantity::Ratio(&mut t.segment_loss_ratio) },
        Setting { key: "segment_delay", field: |t| Quantity::Length(&mut t.segment_delay) },
        Setting { key: "poor_loss_ratio", field: |t| Quantity::Ratio(&mut t.poor_loss_ratio) },
        Setting { key: "poor_jitter", field: |t| Quantity::Length(&mut t.poor_jitter) },
        Setting { key: "poor_round_trip", field: |t| Quantity::Length(&mut t.poor_round_trip) },
    ];
}

impl MeterLimits {
    /// All limits, in the order in which they are printed.
    pub const SETTINGS: &'static [Setting<Self>] = &[
        Setting { key: "max_streams", field: |l| count(&mut l.max_streams, 1, 16_777_216) },
        Setting { key: "max_candidates", field: |l| count(&mut l.max_candidates, 1, 16_777_216) },
        Setting { key: "max_hops", field: |l| count(&mut l.max_hops, 1, 255) },
        Setting { key: "max_transactions", field: |l| count(&mut l.max_transactions, 1, 16_777_216) },
        Setting { key: "max_record_octets", field: |l| count(&mut l.max_record_octets, 65_536, 1 << 40) },
        Setting { key: "samples_per_second", field: |l| count(&mut l.samples_per_second, 1, 1000) },
        Setting { key: "stream_timeout", field: |l| Quantity::Length(&mut l.stream_timeout) },
        Setting { key: "stun_timeout", field: |l| Quantity::Length(&mut l.stun_timeout) },
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_their_own_bounds() {
        fn check<T: Default>(settings: &[Setting<T>]) {
            let mut values = T::default();
            for setting in settings {
                match (setting.field)(&mut values) {
                    Quantity::Count { value, min, max } => {
                        assert!((min..=max).contains(value), "{}", setting.key);
                    }
                    Quantity::Ratio(value) => assert!((0.0..=1.0).contains(value), "{}", setting.key),
                    Quantity::Length(value) => assert!(!value.is_zero(), "{}", setting.key),
                    Quantity::Burst(value) => assert!(BURST_LENGTHS.contains(value), "{}", setting.key),
                }
            }
        }
        check(Thresholds::SETTINGS);
        check(MeterLimits::SETTINGS);
    }
}
