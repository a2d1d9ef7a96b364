//! Condition: one direction of a call is marked right, the other is not.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (number, stream) in context.streams() {
        let Some(other) = stream.reverse_of.and_then(|n| context.outcome.streams.get(n as usize)) else { continue };
        let Some(hop) = stream.record.hops.last() else { continue };
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
}
