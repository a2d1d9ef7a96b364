//! What the user is likely to have heard or seen of a stream.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::absent::Absent;
use super::join::segments::Segment;
use super::outcome::{Quality, QualityVerdict};
use super::tap::Taps;
use crate::meter::{HopRecord, StreamRecord, StunRecord};
use crate::policy::{Media, Policy, Thresholds};
use crate::terms::{FlowKey, PointId};

/// Mean STUN round trip by biflow, with the number of transactions.
pub(super) type RoundTrips = HashMap<(PointId, FlowKey), (f64, u64)>;

/// Round trips of all STUN pairs, those of both directions together.
#[allow(clippy::cast_precision_loss, reason = "counts of transactions")]
pub(super) fn round_trips(stun: &[StunRecord]) -> RoundTrips {
    let mut all: RoundTrips = HashMap::new();
    for record in stun {
        let Some(round_trip) = record.round_trip else { continue };
        let flow = FlowKey { source: record.client, destination: record.server, transport: record.transport };
        let entry = all.entry((record.point, flow.biflow())).or_insert((0.0, 0));
        let samples = entry.1 + round_trip.samples;
        entry.0 += (round_trip.mean - entry.0) * round_trip.samples as f64 / samples as f64;
        entry.1 = samples;
    }
    all
}

/// The mean STUN round trip on a flow at a point, in seconds.
pub(super) fn round_trip(round_trips: &RoundTrips, point: PointId, flow: FlowKey) -> Option<f64> {
    // Mostly none was heard at all.
    if round_trips.is_empty() {
        return None;
    }
    round_trips.get(&(point, flow.biflow())).map(|mean| mean.0)
}

/// Quality at the stream's last hop.
#[allow(clippy::cast_precision_loss, reason = "counts of packets")]
pub(super) fn of(
    (record, segments): (&StreamRecord, &[Segment]),
    class: Option<u8>,
    codec: Option<&str>,
    round_trips: &RoundTrips,
    taps: &Taps,
    policy: &Policy,
) -> Quality {
    let Some(hop) = record.hops.last() else { return Quality::default() };
    let absent = Absent::at(record.hops.len() - 1, &record.hops, segments, taps);
    let is_told = absent.doubtful.packets == 0 && !absent.is_alternative;
    let ratio = |lost: u64| lost as f64 / hop.expected.max(1) as f64;
    let mut quality = Quality {
        loss_ratio: is_told.then(|| ratio(hop.lost())),
        certain_loss_ratio: (!is_told && !absent.is_alternative).then(|| ratio(absent.certain(hop.lost()))),
        jitter_seconds: hop.jitter.map(|j| j.mean),
        round_trip_seconds: round_trip(round_trips, record.point, record.flow),
        ..Quality::default()
    };
    let seconds = hop.last.seconds_since(hop.first);
    let is_audio = class.and_then(|c| policy.class(c)).is_some_and(|c| c.media == Some(Media::Audio));
    if is_audio && is_told && is_long_enough(hop.expected, seconds, &policy.thresholds) {
        quality.mos_estimate = codec.and_then(impairment).map(|codec| mos(codec, hop, &quality));
    }
    let (certain_loss_ratio, most_loss_ratio) = if absent.is_alternative {
        (0.0, 0.0)
    } else {
        (ratio(absent.certain(hop.lost())), ratio(hop.lost()))
    };
    let Quality { jitter_seconds, round_trip_seconds, .. } = quality;
    let figures = Figures {
        expected: hop.expected,
        seconds,
        certain_loss_ratio,
        most_loss_ratio,
        jitter_seconds,
        round_trip_seconds,
    };
    (quality.verdict, quality.reasons) = figures.verdict(&policy.thresholds);
    quality
}

/// Whether there were enough packets and time for a word on a stream's quality.
pub(super) fn is_long_enough(expected: u64, seconds: f64, thresholds: &Thresholds) -> bool {
    expected >= thresholds.quality_min_packets && seconds >= thresholds.quality_min_duration.as_secs_f64()
}

/// What quality is told from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// Packets.
    pub(super) expected: u64,
    /// From the first packet to the last.
    pub(super) seconds: f64,
    /// Lost of expected: for certain, and at most.
    pub(super) certain_loss_ratio: f64,
    pub(super) most_loss_ratio: f64,
    pub(super) jitter_seconds: Option<f64>,
    pub(super) round_trip_seconds: Option<f64>,
}

/// A verdict, and what made it poor, or why there is none.
type Verdict = (QualityVerdict, SmallVec<[&'static str; 2]>);

impl Figures {
    pub(super) fn verdict(&self, thresholds: &Thresholds) -> Verdict {
        let mut reasons = SmallVec::new();
        if !is_long_enough(self.expected, self.seconds, thresholds) {
            if self.expected < thresholds.quality_min_packets {
                reasons.push("too few packets");
            }
            if self.seconds < thresholds.quality_min_duration.as_secs_f64() {
                reasons.push("too short");
            }
            return (QualityVerdict::Unclassified, reasons);
        }
        for (figure, limit, reason) in [
            (Some(self.certain_loss_ratio), thresholds.poor_loss_ratio, "loss"),
            (self.jitter_seconds, thresholds.poor_jitter.as_secs_f64(), "jitter"),
            (self.round_trip_seconds, thresholds.poor_round_trip.as_secs_f64(), "round trip"),
        ] {
            if figure.is_some_and(|f| f > limit) {
                reasons.push(reason);
            }
        }
        let verdict = if !reasons.is_empty() {
            QualityVerdict::Poor
        } else if self.most_loss_ratio > thresholds.poor_loss_ratio {
            reasons.push("loss suspect");
            QualityVerdict::Unclassified
        } else {
            QualityVerdict::Good
        };
        (verdict, reasons)
    }
}

/// What a codec adds to the E-model: its impairment and its robustness against loss (ITU-T G.113, appendix I).
#[derive(Debug, Clone, Copy)]
struct Impairment {
    equipment: f64,
    robustness: f64,
}

/// G.711 and G.722 with concealment as in G.711 appendix I. ITU-T gives no values for Opus, SILK and Siren; those
/// are what open implementations use. A codec that is not here gets no estimate.
fn impairment(codec: &str) -> Option<Impairment> {
    let (equipment, robustness) = match codec.to_ascii_lowercase().as_str() {
        "pcmu" | "pcma" | "g722" => (0.0, 25.1),
        "g729" => (11.0, 19.0),
        "g723" => (15.0, 16.1),
        "gsm" => (20.0, 10.0),
        "opus" | "silk" | "satin" => (0.0, 20.0),
        _ => return None,
    };
    Some(Impairment { equipment, robustness })
}

/// The E-model, simplified (ITU-T G.107): from delay, loss and how bursty it is to a MOS of 1 to 4.5.
///
/// Of the delay only the network's part is known, as half of the round trip, and a buffer of twice the jitter.
#[allow(clippy::cast_precision_loss, reason = "counts of packets")]
fn mos(codec: Impairment, hop: &HopRecord, quality: &Quality) -> f64 {
    let round_trip = quality.round_trip_seconds.unwrap_or(0.0);
    let delay_ms = (round_trip / 2.0 + 2.0 * quality.jitter_seconds.unwrap_or(0.0)) * 1e3;
    let loss_percent = quality.loss_ratio.unwrap_or(0.0) * 100.0;
    // Mean length of a run of loss against that of random loss at the same rate.
    let runs: u64 = hop.loss_bursts.iter().sum();
    let burst_ratio = if runs == 0 {
        1.0
    } else {
        (hop.lost() as f64 / runs as f64 * (1.0 - loss_percent / 100.0)).clamp(1.0, 8.0)
    };
    let delay_impairment = 0.024 * delay_ms + 0.11 * (delay_ms - 177.3).max(0.0);
    let effective = codec.equipment
        + (95.0 - codec.equipment) * loss_percent / (loss_percent / burst_ratio + codec.robustness);
    let rating = (93.2 - delay_impairment - effective).clamp(0.0, 100.0);
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests_support::hop;

    #[test]
    #[allow(clippy::cast_precision_loss, reason = "small counts")]
    fn mos_falls_with_loss_and_delay() {
        let codec = impairment("PCMU").unwrap();
        let at = |lost: u64, round_trip: f64| {
            let mut hop = hop(64, &[(46, 1000 - lost)]);
            hop.expected = 1000;
            hop.loss_bursts[0] = lost;
            let quality = Quality {
                loss_ratio: Some(lost as f64 / 1000.0),
                round_trip_seconds: Some(round_trip),
                ..Quality::default()
            };
            mos(codec, &hop, &quality)
        };
        // ITU-T G.107: the default rating of 93.2 is a MOS of 4.41.
        assert!((at(0, 0.0) - 4.41).abs() < 0.01, "{}", at(0, 0.0));
        assert!(at(20, 0.0) < at(0, 0.0) && at(100, 0.0) < at(20, 0.0));
        assert!(at(0, 0.6) < at(0, 0.2));
        assert!(at(1000, 2.0) >= 1.0);
    }
}
