//! Condition: the codepoint changes at one hop while the stream runs.

use super::context::{Context, about, packets};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;
use crate::meter::HopRecord;

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let enough = context.policy.thresholds.marking_min_packets;
    let mut before: Option<&HopRecord> = None;
    for hop in &stream.record.hops {
        let parts = hop.dscp.iter().filter(|d| d.1 >= enough).count();
        let is_news = before.is_none_or(|b| b.dscp_change_count == 0);
        before = Some(hop);
        let Some(change) = hop.dscp_changes.first().filter(|_| parts > 1 && is_news) else { continue };
        let is_right = |d| stream.expected.contains(&d);
        let severity =
            if is_right(change.from) && !is_right(change.to) { Severity::Error } else { Severity::Warning };
        let times = hop.dscp_change_count;
        let message = if times == 1 {
            format!(
                "marking of {} changes from {} to {} while it runs",
                context.name(stream),
                change.from,
                change.to
            )
        } else {
            format!(
                "marking of {} changes {times} times while it runs, first from {} to {}",
                context.name(stream),
                change.from,
                change.to
            )
        };
        let changed = hop.dscp.iter().find(|d| d.0 == change.to.value()).map_or(0, |d| d.1);
        let advice = if times == 1 {
            "Look for what happened at that moment: a new route, a policy that was changed, a roaming client."
        } else {
            "Packets seem to take two ways in turn, of which one re-marks: look at load-sharing links."
        };
        findings.push(Finding {
            from: Some(change.from),
            to: Some(change.to),
            packets: changed,
            first: change.at,
            ..about(
                (number, stream),
                hop,
                FindingKind::MarkingChangedMidCall,
                severity,
                format!("{message} ({})", packets(changed)),
                advice,
            )
        });
    }
}
