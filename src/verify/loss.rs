//! Conditions: more packets lost than the limit, and losses in runs.

use super::absent::Absent;
use super::context::{Context, about, packets};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;
use super::tap::reason;
use crate::meter::{HopRecord, TapEvidence};
use crate::policy::BURST_LENGTHS;

pub(super) fn check(context: &Context<'_>, stream: (u32, &JudgedStream), findings: &mut Vec<Finding>) {
    let hops = &stream.1.record.hops;
    if hops.iter().all(|hop| hop.lost() == 0) {
        return;
    }
    let losses: Vec<Loss<'_>> = hops
        .iter()
        .enumerate()
        .map(|(at, hop)| Loss { hop, absent: Absent::at(at, hops, &stream.1.segments, context.taps) })
        .filter(|loss| context.is_long_enough(loss.hop) && !loss.absent.is_alternative)
        .collect();
    let lost = worst(&losses, Loss::certain).and_then(|worst| loss(context, stream, worst));
    findings
        .extend(lost.or_else(|| worst(&losses, Loss::all).and_then(|worst| suspect(context, stream, worst))));
    let runs = |loss: &Loss<'_>| long_runs(context, loss);
    findings.extend(worst(&losses, runs).and_then(|worst| burst_loss(context, stream, worst)));
}

/// What a hop did not see.
struct Loss<'a> {
    hop: &'a HopRecord,
    /// What became of it.
    absent: Absent,
}

impl Loss<'_> {
    /// All that the network may have lost.
    const fn all(&self) -> u64 {
        self.hop.lost().saturating_sub(self.absent.witnessed)
    }

    const fn certain(&self) -> u64 {
        self.absent.certain(self.hop.lost())
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of packets")]
    fn ratio(&self, packets: u64) -> f64 {
        packets as f64 / self.hop.expected.max(1) as f64
    }

    /// What is said beside a verdict on the rest; nothing where there is no doubt.
    fn rest(&self) -> String {
        let words = |evidence: TapEvidence| {
            format!("; of another {} it is not said: {}", self.absent.doubtful.packets, reason(evidence))
        };
        self.absent.doubtful.evidence.map(words).unwrap_or_default()
    }
}

/// The first hop that has the most of something: hops after it inherit.
fn worst<'a, 'h>(losses: &'a [Loss<'h>], figure: impl Fn(&Loss<'h>) -> u64) -> Option<&'a Loss<'h>> {
    let most = losses.iter().map(&figure).max()?;
    losses.iter().find(|loss| figure(loss) == most)
}

fn loss(context: &Context<'_>, stream: (u32, &JudgedStream), at: &Loss<'_>) -> Option<Finding> {
    let thresholds = &context.policy.thresholds;
    let lost = at.certain();
    let ratio = at.ratio(lost);
    if ratio <= thresholds.loss_ratio {
        return None;
    }
    let severity = if ratio > thresholds.poor_loss_ratio { Severity::Error } else { Severity::Warning };
    let message = format!(
        "{} lost {} of {} ({:.2} %){}",
        context.name(stream.1),
        packets(lost),
        at.hop.expected,
        ratio * 100.0,
        at.rest()
    );
    let advice = "Check drops of the class's queue on the way to this point, and first whether the mirror itself dropped.";
    Some(Finding { packets: lost, ..about(stream, at.hop, FindingKind::Loss, severity, message, advice) })
}

/// More is missing than the limit, but not for certain.
fn suspect(context: &Context<'_>, stream: (u32, &JudgedStream), at: &Loss<'_>) -> Option<Finding> {
    let why = reason(at.absent.doubtful.evidence?);
    if at.ratio(at.all()) <= context.policy.thresholds.loss_ratio {
        return None;
    }
    let message = format!(
        "{} misses {} of {}, {} of them in suspect times ({why}): no verdict on the network",
        context.name(stream.1),
        packets(at.all()),
        at.hop.expected,
        at.absent.doubtful.packets
    );
    let advice = "Mend the capture first: what is missing here may never have been lost.";
    let kind = FindingKind::Loss;
    Some(Finding { packets: at.all(), ..about(stream, at.hop, kind, Severity::Info, message, advice) })
}

fn burst_loss(context: &Context<'_>, stream: (u32, &JudgedStream), at: &Loss<'_>) -> Option<Finding> {
    let runs = long_runs(context, at);
    if runs == 0 {
        return None;
    }
    let length = context.policy.thresholds.burst_packets;
    let times = if runs == 1 { "once".to_owned() } else { format!("{runs} times") };
    let message = format!("{} lost {length} packets or more in a row, {times}", context.name(stream.1));
    let advice =
        "Concealment cannot bridge such gaps: look for link changes, roaming, queue overflow or policing.";
    Some(Finding {
        packets: at.certain(),
        ..about(stream, at.hop, FindingKind::BurstLoss, Severity::Warning, message, advice)
    })
}

/// Runs of lost packets of at least the configured length, without those that the tap may have missed.
fn long_runs(context: &Context<'_>, loss: &Loss<'_>) -> u64 {
    let least = context.policy.thresholds.burst_packets;
    // Which runs later hops saw is not known; what the network lost, the last hop lacks too.
    if loss.absent.witnessed > 0 {
        return 0;
    }
    let certain = loss
        .hop
        .loss_bursts
        .iter()
        .zip(&loss.absent.doubtful.runs)
        .map(|(all, may)| all.saturating_sub(*may));
    certain.zip(BURST_LENGTHS).filter(|&(_, length)| length >= least).map(|(runs, _)| runs).sum()
}
