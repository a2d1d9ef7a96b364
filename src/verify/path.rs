//! Condition: a hop was reached over several ways.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    for hop in &stream.record.hops {
        if hop.ways.len() < 2 {
            continue;
        }
        let ttls: Vec<String> = hop.ways.iter().map(|way| format!("{} ({})", way.ttl, way.packets)).collect();
        let message = format!(
            "{} reached one hop over {} ways; TTL (packets): {}",
            context.name(stream),
            hop.ways.len(),
            ttls.join(", ")
        );
        findings.push(about(
            (number, stream),
            hop,
            FindingKind::PathChanged,
            Severity::Info,
            message,
            "Load sharing or a route that changed: each way needs the same QoS policy.",
        ));
    }
}
