//! Conditions: what a segment loses or delays, what a mirror missed.

use super::context::{Context, about, packets};
use super::finding::{Finding, FindingKind, Place, Severity};
use super::outcome::JudgedStream;

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let thresholds = &context.policy.thresholds;
    let name = || context.name(stream);
    let hops = &stream.record.hops;
    for (i, segment) in (0_u16..).zip(&stream.segments) {
        let (Some(before), Some(after)) = (hops.get(usize::from(i)), hops.get(usize::from(i) + 1)) else {
            continue;
        };
        let place = Place::Between(i, i + 1);
        let lost = segment.lost.unwrap_or(0);
        #[allow(clippy::cast_precision_loss, reason = "counts of packets")]
        let ratio = lost as f64 / segment.packets_in.max(1) as f64;
        if ratio > thresholds.segment_loss_ratio && context.is_long_enough(before) {
            let message = format!(
                "{} loses {} of {} ({:.2} %) between {} and {}",
                name(),
                packets(lost),
                segment.packets_in,
                ratio * 100.0,
                context.place(before),
                context.place(after)
            );
            let severity =
                if ratio > thresholds.poor_loss_ratio { Severity::Error } else { Severity::Warning };
            findings.push(Finding {
                place,
                packets: lost,
                ..about(
                    (number, stream),
                    before,
                    FindingKind::SegmentLoss,
                    severity,
                    message,
                    "Look at the queues and policers of the class on the devices between these two hops.",
                )
            });
        }
        let limit = thresholds.segment_delay.as_secs_f64();
        if let Some(delay) = segment.delay.filter(|d| d.mean > limit) {
            let message = format!(
                "{} takes {:.1} ms on average, {:.1} ms at most, between {} and {}",
                name(),
                delay.mean * 1e3,
                delay.max * 1e3,
                context.place(before),
                context.place(after)
            );
            findings.push(Finding {
                place,
                packets: delay.samples,
                ..about(
                    (number, stream),
                    before,
                    FindingKind::SegmentDelay,
                    Severity::Warning,
                    message,
                    "Look for a long way or a full queue between these two hops.",
                )
            });
        }
        for (missed, hop) in [(segment.unseen_before, before), (segment.unseen_after, after)] {
            if missed < thresholds.marking_min_packets {
                continue;
            }
            let message = format!(
                "{} of {} were not heard at {}, though later hops saw them: the mirror missed them",
                packets(missed),
                name(),
                context.place(hop)
            );
            findings.push(Finding {
                packets: missed,
                ..about(
                    (number, stream),
                    hop,
                    FindingKind::MirrorLoss,
                    Severity::Warning,
                    message,
                    "Check the mirror's bandwidth and the capturing machine's drops: this is not the network's loss.",
                )
            });
        }
    }
}
