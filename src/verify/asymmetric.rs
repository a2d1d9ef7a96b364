//! Condition: one direction of a call is marked right, the other is not.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let streams = &context.outcome.streams;
    for (number, _) in streams.notes().filter(|(_, note)| note.is_marked_wrong) {
        let Some(stream) = streams.get(number) else { continue };
        let Some(other) = stream.reverse_of.and_then(|other| streams.note(other)) else { continue };
        let Some(hop) = stream.record.hops.last() else { continue };
        if other.is_conformant {
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
}
