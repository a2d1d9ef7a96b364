//! Condition: one direction of a call is marked right, the other is not.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let Some(other) = stream.reverse_of.and_then(|n| context.outcome.streams.get(n as usize)) else {
        return;
    };
    let Some(hop) = stream.record.hops.last() else { return };
    if stream.is_marked_wrong() && other.is_conformant() {
        let message = format!(
            "{} is marked right in {} direction, but not in {} direction",
            context.name(stream),
            other.direction,
            stream.direction
        );
        findings.push(about(
            (number, stream),
            hop,
            FindingKind::AsymmetricMarking,
            Severity::Warning,
            message,
            "Marking must be set and trusted in each direction by itself: compare the devices' policies for both.",
        ));
    }
}
