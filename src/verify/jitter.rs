//! Condition: more interarrival jitter than the limit.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;
use crate::meter::HopRecord;
use crate::policy::Thresholds;

/// Whether so many seconds of jitter on average are over the limit.
pub(super) fn is_too_much(mean: f64, thresholds: &Thresholds) -> bool {
    mean > thresholds.jitter.as_secs_f64()
}

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    // The first hop that is over the limit: those after it inherit.
    let is_over =
        |hop: &&HopRecord| hop.jitter.is_some_and(|j| is_too_much(j.mean, &context.policy.thresholds));
    let hop = stream.record.hops.iter().find(is_over);
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
