//! Condition: a tap missed frames, or may have.

use super::context::Context;
use super::finding::{Finding, FindingKind, Place, Severity};
use crate::meter::{TapEvidence, TapGap};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut gaps: Vec<&TapGap> = context.outcome.gaps.iter().collect();
    gaps.sort_by_key(|gap| (gap.point, gap.evidence));
    for alike in gaps.chunk_by(|a, b| (a.point, a.evidence) == (b.point, b.evidence)) {
        findings.extend(found(context, alike));
    }
}

/// One finding on all gaps of a point that the same evidence tells of.
fn found(context: &Context<'_>, gaps: &[&TapGap]) -> Option<Finding> {
    let (first, last) = (gaps.iter().map(|gap| gap.from).min()?, gaps.iter().map(|gap| gap.to).max()?);
    let gap = gaps.first()?;
    let frames: u64 = gaps.iter().filter_map(|gap| gap.frames).fold(0, u64::saturating_add);
    let point = context.outcome.points.get(usize::from(gap.point.0)).map_or("?", String::as_str);
    let times = if gaps.len() == 1 { "once".to_owned() } else { format!("{} times", gaps.len()) };
    let missed = missed(gaps);
    let (message, advice) = match gap.evidence {
        TapEvidence::DropCount => (
            format!("the machine that captured {point} dropped {missed}, {times}"),
            "Losses of these times get no verdict. Give the capture a larger buffer, a filter or a snap length.",
        ),
        TapEvidence::TunnelSequence => (
            format!("the tunnel that carries the mirror of {point} lost {missed}, {times}"),
            "Losses of these times get no verdict. Look at the way of the mirrored traffic to this machine.",
        ),
        TapEvidence::BetweenFiles => (
            format!("nothing was captured at {point} between its files, {times}"),
            "Losses of these times get no verdict. If files are missing, read them too.",
        ),
        TapEvidence::SourceDown => (
            format!("the interface of {point} was down or gone, {times}"),
            "Losses of these times get no verdict. Look at the link and the port that it is plugged into.",
        ),
        TapEvidence::SharedGap => (
            format!(
                "at {point} most streams fell silent together, {times}: the mirror missed them, or the network \
                     was down; both are possible"
            ),
            "Losses of these times get no verdict. Compare with logs of links and with drops of the mirror's port.",
        ),
    };
    // A pause between two captures is what somebody wanted.
    let is_wanted = gap.evidence == TapEvidence::BetweenFiles;
    Some(Finding {
        kind: FindingKind::TapGap,
        severity: if is_wanted { Severity::Info } else { Severity::Warning },
        stream: None,
        call: None,
        place: Place::Point(gap.point),
        direction: None,
        from: None,
        to: None,
        packets: frames,
        first,
        last,
        message,
        advice,
    })
}

/// How many frames, in words: of some gaps it is not known.
fn missed(gaps: &[&TapGap]) -> String {
    let known: u64 = gaps.iter().filter_map(|gap| gap.frames).fold(0, u64::saturating_add);
    let are_all_known = gaps.iter().all(|gap| gap.frames.is_some());
    match (known, are_all_known) {
        (0, false) => "frames".to_owned(),
        (n, false) => format!("{n} frames or more"),
        (1, true) => "1 frame".to_owned(),
        (n, true) => format!("{n} frames"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{PointId, Timestamp};

    #[test]
    fn frames_that_nobody_counted_are_not_none() {
        let gap = |frames| TapGap {
            point: PointId(0),
            from: Timestamp(0),
            to: Timestamp(1),
            frames,
            evidence: TapEvidence::TunnelSequence,
        };
        for (frames, expected) in [
            (&[None][..], "frames"),
            (&[None, Some(3)], "3 frames or more"),
            (&[Some(1)], "1 frame"),
            (&[Some(1), Some(2)], "3 frames"),
        ] {
            let gaps: Vec<TapGap> = frames.iter().copied().map(gap).collect();
            assert_eq!(missed(&gaps.iter().collect::<Vec<_>>()), expected);
        }
    }
}
