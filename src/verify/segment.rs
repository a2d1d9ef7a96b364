//! Conditions: what a segment loses or delays, what a mirror missed.

use super::context::{Context, about, packets};
use super::finding::{Finding, FindingKind, Place, Severity};
use super::join::segments::Segment;
use super::outcome::JudgedStream;
use crate::meter::HopRecord;

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
        findings.extend(
            loss(context, (number, stream), segment, (before, after)).map(|f| Finding { place, ..f }),
        );
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
    }
    for (i, hop) in hops.iter().enumerate() {
        // Both count the packets that a later hop saw: of all that were sent, and of those that the hop before saw.
        let before = i.checked_sub(1).and_then(|i| stream.segments.get(i)).map_or(0, |s| s.unseen_after);
        let missed = stream.segments.get(i).map_or(0, |s| s.unseen_before).max(before);
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

/// What a segment lost: for certain, or else what may have been lost.
#[allow(clippy::cast_precision_loss, reason = "counts of packets")]
fn loss(
    context: &Context<'_>,
    stream: (u32, &JudgedStream),
    segment: &Segment,
    (before, after): (&HopRecord, &HopRecord),
) -> Option<Finding> {
    let thresholds = &context.policy.thresholds;
    if !context.is_long_enough(before) {
        return None;
    }
    let name = context.name(stream.1);
    let between = format!("between {} and {}", context.place(before), context.place(after));
    let ratio = |lost: u64| lost as f64 / segment.packets_in.max(1) as f64;
    let (lost, suspect) = (segment.lost_certain?, segment.lost_suspect.unwrap_or(0));
    let why = segment.suspect.join(", ");
    if ratio(lost) > thresholds.segment_loss_ratio {
        let rest =
            if suspect > 0 { format!("; of another {suspect} it is not said: {why}") } else { String::new() };
        let message = format!(
            "{name} loses {} of {} ({:.2} %) {between}{rest}",
            packets(lost),
            segment.packets_in,
            ratio(lost) * 100.0
        );
        let is_poor = ratio(lost) > thresholds.poor_loss_ratio;
        let severity = if is_poor { Severity::Error } else { Severity::Warning };
        let advice = "Look at the queues and policers of the class on the devices between these two hops.";
        let finding = about(stream, before, FindingKind::SegmentLoss, severity, message, advice);
        return Some(Finding { packets: lost, ..finding });
    }
    let missing = lost + suspect;
    (suspect > 0 && ratio(missing) > thresholds.segment_loss_ratio).then(|| {
        let message = format!(
            "{} of {name} are missing {between}, {suspect} of them in suspect times ({why}): no verdict on the \
             network",
            packets(missing)
        );
        let advice = "Mend the capture first: what is missing here may never have been lost.";
        let finding = about(stream, before, FindingKind::SegmentLoss, Severity::Info, message, advice);
        Finding { packets: missing, ..finding }
    })
}
