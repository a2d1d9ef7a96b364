//! Condition: the mean STUN round trip of a flow is over the limit.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;
use crate::terms::Direction;

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let limit = context.policy.thresholds.round_trip.as_secs_f64();
    let Some(round_trip) = stream.quality.round_trip_seconds.filter(|&seconds| seconds > limit) else {
        return;
    };
    // A round trip is of both directions: one of them says so.
    if stream.direction == Direction::Reverse && stream.reverse_of.is_some() {
        return;
    }
    let Some(hop) = stream.record.hops.first() else { return };
    let message = format!(
        "STUN round trip on the flow of {} is {:.0} ms on average",
        context.name(stream),
        round_trip * 1e3
    );
    findings.push(about(
        (number, stream),
        hop,
        FindingKind::RoundTrip,
        Severity::Warning,
        message,
        "Look for a detour (backhaul to a distant egress, VPN) or for a queue that is always full.",
    ));
}
