//! Conditions: more packets lost than the limit, and losses in runs.

use super::context::{Context, about, packets};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;
use crate::meter::HopRecord;
use crate::policy::BURST_LENGTHS;

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    if let Some(finding) =
        worst_hop(stream, HopRecord::lost).and_then(|hop| loss(context, (number, stream), hop))
    {
        findings.push(finding);
    }
    let bursts = |hop: &HopRecord| long_runs(context, hop);
    if let Some(finding) =
        worst_hop(stream, bursts).and_then(|hop| burst_loss(context, (number, stream), hop))
    {
        findings.push(finding);
    }
}

/// The first hop that has the most of something: hops after it inherit.
fn worst_hop(stream: &JudgedStream, figure: impl Fn(&HopRecord) -> u64) -> Option<&HopRecord> {
    let hops = &stream.record.hops;
    let most = hops.iter().map(&figure).max()?;
    hops.iter().find(|hop| figure(hop) == most)
}

#[allow(clippy::cast_precision_loss, reason = "counts of packets")]
fn loss(context: &Context<'_>, stream: (u32, &JudgedStream), hop: &HopRecord) -> Option<Finding> {
    let thresholds = &context.policy.thresholds;
    let lost = hop.lost();
    let ratio = lost as f64 / hop.expected.max(1) as f64;
    if !context.is_long_enough(hop) || ratio <= thresholds.loss_ratio {
        return None;
    }
    let severity = if ratio > thresholds.poor_loss_ratio { Severity::Error } else { Severity::Warning };
    let message = format!(
        "{} lost {} of {} ({:.2} %)",
        context.name(stream.1),
        packets(lost),
        hop.expected,
        ratio * 100.0
    );
    let advice = "Check drops of the class's queue on the way to this point, and first whether the mirror itself dropped.";
    Some(Finding { packets: lost, ..about(stream, hop, FindingKind::Loss, severity, message, advice) })
}

fn burst_loss(context: &Context<'_>, stream: (u32, &JudgedStream), hop: &HopRecord) -> Option<Finding> {
    let runs = long_runs(context, hop);
    if runs == 0 || !context.is_long_enough(hop) {
        return None;
    }
    let length = context.policy.thresholds.burst_packets;
    let times = if runs == 1 { "once".to_owned() } else { format!("{runs} times") };
    let message = format!("{} lost {length} packets or more in a row, {times}", context.name(stream.1));
    let advice =
        "Concealment cannot bridge such gaps: look for link changes, roaming, queue overflow or policing.";
    let lost = hop.lost();
    Some(Finding {
        packets: lost,
        ..about(stream, hop, FindingKind::BurstLoss, Severity::Warning, message, advice)
    })
}

/// Runs of lost packets of at least the configured length.
fn long_runs(context: &Context<'_>, hop: &HopRecord) -> u64 {
    let least = context.policy.thresholds.burst_packets;
    hop.loss_bursts
        .iter()
        .zip(BURST_LENGTHS)
        .filter(|&(_, length)| length >= least)
        .map(|(&runs, _)| runs)
        .sum()
}
