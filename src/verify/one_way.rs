//! Condition: audio runs in one direction only.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;
use crate::policy::{Media, Policy};

/// Whether a stream ought to have a counterpart in the other direction, and has none.
pub(super) fn lacks_answer(class: Option<u8>, reverse_of: Option<u32>, policy: &Policy) -> bool {
    // Video and sharing are sent by whoever shows something; audio is expected both ways.
    let media = || policy.class(class?)?.media;
    reverse_of.is_none() && media() == Some(Media::Audio)
}

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let Some(hop) = stream.record.hops.first() else { return };
    if !lacks_answer(stream.class, stream.reverse_of, context.policy) || !context.is_long_enough(hop) {
        return;
    }
    let message = format!("{} has no counterpart in the other direction", context.name(stream));
    findings.push(about(
        (number, stream),
        hop,
        FindingKind::OneWayStream,
        Severity::Info,
        message,
        "Check that the mirror carries both directions; if it does, a firewall may block one, or one end is muted.",
    ));
}

/// Whether it is the mirror's doing, and said of the mirror.
pub(super) fn is_overruled(context: &Context<'_>, finding: &Finding) -> bool {
    let Some(stream) = finding.stream.filter(|_| finding.kind == FindingKind::OneWayStream) else {
        return false;
    };
    let points = context.outcome.streams.points(stream);
    points.into_iter().all(|point| context.hears_one_way(point))
}
