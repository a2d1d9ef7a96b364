//! Condition: more interarrival jitter than the limit.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let limit = context.policy.thresholds.jitter.as_secs_f64();
    // The first hop that is over the limit: those after it inherit.
    let hop = stream.record.hops.iter().find(|hop| hop.jitter.is_some_and(|j| j.mean > limit));
    let Some((hop, jitter)) = hop.and_then(|hop| Some((hop, hop.jitter?))) else { return };
    if !context.is_long_enough(hop) {
        return;
    }
    let message = format!(
        "{} has {:.1} ms of jitter on average, {:.1} ms at most",
        context.name(stream),
        jitter.mean * 1e3,
        jitter.max * 1e3
    );
    findings.push(about(
        (number, stream),
        hop,
        FindingKind::Jitter,
        Severity::Warning,
        message,
        "Look for a queue that the stream shares with bulk traffic, for Wi-Fi, or for a shaper on the way.",
    ));
}
