//! Condition: a mirror delivers packets more than once.

use super::context::{Context, about, packets};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;

/// Above this share of its packets a stream's duplicates are the mirror's doing rather than the network's.
const SHARE: u64 = 20;

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let enough = context.policy.thresholds.marking_min_packets;
    for hop in &stream.record.hops {
        if hop.duplicates < enough || hop.duplicates * SHARE < hop.unique {
            continue;
        }
        let message = format!(
            "{} of {} came twice with the same TTL and tags",
            packets(hop.duplicates),
            context.name(stream)
        );
        findings.push(Finding {
            packets: hop.duplicates,
            ..about(
                (number, stream),
                hop,
                FindingKind::MirrorDuplicates,
                Severity::Warning,
                message,
                "Mirror one direction of each port, or one port of the path: two sources copy each packet twice.",
            )
        });
    }
}
