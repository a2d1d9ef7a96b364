//! Condition: one direction of a call is marked right, the other is not.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let streams = &context.outcome.streams;
    for (number, _) in streams.notes().filter(|(_, note)| note.is_marked_wrong) {
        let other = streams.reverse_of(number).and_then(|other| streams.note(other));
        let Some(other) = other.filter(|other| other.is_conformant) else { continue };
        let Some(stream) = streams.get(number) else { continue };
        let Some(hop) = stream.record.hops.last() else { continue };
        let message = format!(
            "{} is marked right in {} direction, but not in {} direction",
            context.name(&stream),
            other.direction,
            stream.direction
        );
        findings.push(about(
            (number, &stream),
            hop,
            FindingKind::AsymmetricMarking,
            Severity::Warning,
            message,
            "Marking must be set and trusted in each direction by itself: compare the devices' policies for both.",
        ));
    }
}
