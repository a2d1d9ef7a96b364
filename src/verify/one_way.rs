//! Condition: audio runs in one direction only.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};
use crate::policy::Media;

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (number, stream) in context.streams() {
        // Video and sharing are sent by whoever shows something; audio is expected both ways.
        let media = stream.class.and_then(|class| context.policy.class(class)).and_then(|class| class.media);
        let Some(hop) = stream.record.hops.first() else { continue };
        if media != Some(Media::Audio) || stream.reverse_of.is_some() || !context.is_long_enough(hop) {
            continue;
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
}
