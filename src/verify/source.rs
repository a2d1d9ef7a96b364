//! Condition: the first hop already sees the wrong codepoint, or none.

use super::context::{Context, about, dscp, most_common};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::{JudgedStream, Marking};
use crate::policy::{Evidence, Expectation};

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let (Some(&marking), Some(hop)) = (stream.markings.first(), stream.record.hops.first()) else {
        return;
    };
    let is_wrong = |value: u8| !stream.expected.iter().any(|d| d.value() == value);
    let Some((seen, packets)) = most_common(&hop.dscp, is_wrong) else { return };
    let seen = dscp(seen);
    let is_from_outside = stream.expectation == Expectation::ClassOrUnmarked;
    let is_marked_later = stream.markings.iter().skip(1).any(|m| *m == Marking::Conformant);
    let name = context.name(stream);
    let expected = Context::expected(stream);
    let (kind, severity, message, advice) = match marking {
        // What comes from outside may be unmarked until the edge marks it.
        Marking::Unmarked if is_from_outside && is_marked_later => return,
        Marking::Unmarked if is_from_outside => (
            FindingKind::UnmarkedAtSource,
            Severity::Warning,
            format!("{name} comes in from outside unmarked, and no hop marks it as {expected}"),
            "Providers do not keep markings: mark inbound media at the edge, by its ports.",
        ),
        Marking::Unmarked => (
            FindingKind::UnmarkedAtSource,
            Severity::Error,
            format!("{name} is not marked where it is first seen; {expected} is expected"),
            "Check the QoS policy of the sender (Windows: Group Policy or Intune, by application and port), \
             then devices before the first mirror.",
        ),
        Marking::Unexpected => (
            FindingKind::UnexpectedDscp,
            // A class that was told by the payload alone may be the wrong one: video may be a shared screen.
            if stream.evidence < Evidence::PayloadType(0) { Severity::Warning } else { Severity::Info },
            format!("{name} is marked {seen} where it is first seen; {expected} is expected"),
            "Check whether the sender puts it into another class, or a device before the first mirror re-marks.",
        ),
        _ => return,
    };
    findings.push(Finding {
        from: stream.expected.first().copied(),
        to: Some(seen),
        packets,
        ..about((number, stream), hop, kind, severity, message, advice)
    });
}
