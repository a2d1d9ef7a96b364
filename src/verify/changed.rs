//! Condition: a segment between two hops changes the codepoint.

use super::context::{Context, about, dscp, most_common};
use super::finding::{Finding, FindingKind, Place, Severity};
use super::outcome::JudgedStream;
use crate::meter::HopRecord;
use crate::policy::remarking_pattern;
use crate::terms::Dscp;

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let enough = context.policy.thresholds.marking_min_packets;
    let hops = &stream.record.hops;
    for (j, after) in (0_u16..).zip(hops).skip(1) {
        let found = stream.hop_before(usize::from(j)).and_then(|i| change_behind(stream, i, after));
        let Some((i, change)) = found else { continue };
        let (Ok(place), Some(before)) = (u16::try_from(i), hops.get(i)) else { continue };
        let is_right = |d: Dscp| stream.expected.contains(&d);
        // A segment that mends the marking is what an edge is for.
        if change.packets < enough || (is_right(change.to) && !is_right(change.from)) {
            continue;
        }
        let kind = if change.to == Dscp::DF { FindingKind::Bleached } else { FindingKind::Remarked };
        let severity = if is_right(change.from) { Severity::Error } else { Severity::Warning };
        let pattern =
            remarking_pattern(change.from, change.to).map(|p| format!(" ({p})")).unwrap_or_default();
        let message = format!(
            "{} is re-marked from {} to {} between {} and {}{pattern}",
            context.name(stream),
            change.from,
            change.to,
            context.place(before),
            context.place(after),
        );
        findings.push(Finding {
            place: Place::Between(place, j),
            from: Some(change.from),
            to: Some(change.to),
            packets: change.packets,
            first: change_time(after, change).unwrap_or(after.first),
            ..about(
                (number, stream),
                after,
                kind,
                severity,
                message,
                "Look at the device between these two hops: trust state of the port, its QoS policy and \
                 re-marking tables.",
            )
        });
    }
}

/// Packets that had one codepoint before a segment and another after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    from: Dscp,
    to: Dscp,
    packets: u64,
}

/// The largest change from one hop to the next, and the hop that it comes behind.
///
/// Of hops side by side the histogram of one does not compare with that of the hop behind, so packets tell: it is the
/// one over which most of the change came.
fn change_behind(stream: &JudgedStream, i: usize, after: &HopRecord) -> Option<(usize, Change)> {
    let segment = |at: usize| stream.segments.get(at);
    let is_way = i.checked_sub(1).and_then(segment).is_some_and(|segment| segment.is_alternative);
    if !is_way {
        return Some((i, change(stream.record.hops.get(i)?, after)?));
    }
    let most = segment(i)?.remarked.iter().max_by_key(|change| change.packets)?;
    Some((most.before, Change { from: most.from, to: most.to, packets: most.packets }))
}

/// The largest change of codepoint from one hop to the next, told by how their histograms differ.
///
/// What the later hop has more of, the earlier hop has less of; packets that were lost in between make the earlier
/// hop's share larger, never the later one's.
fn change(before: &HopRecord, after: &HopRecord) -> Option<Change> {
    let count = |hop: &HopRecord, value: u8| hop.dscp.iter().find(|d| d.0 == value).map_or(0, |d| d.1);
    let gained = after.dscp.iter().map(|&(value, n)| (value, n.saturating_sub(count(before, value))));
    let (to, packets) = gained.max_by_key(|&(value, n)| (n, std::cmp::Reverse(value)))?;
    let (from, _) =
        most_common(&before.dscp, |value| value != to && count(before, value) > count(after, value))?;
    (packets > 0).then(|| Change { from: dscp(from), to: dscp(to), packets })
}

/// When the later hop first saw the new codepoint, where that was after its start.
fn change_time(after: &HopRecord, change: Change) -> Option<crate::terms::Timestamp> {
    after.dscp_changes.iter().find(|c| c.to == change.to).map(|c| c.at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests_support::hop;

    #[test]
    #[allow(clippy::type_complexity, reason = "a table of cases")]
    fn a_change_is_what_the_later_hop_gained() {
        let cases: &[(&str, &[(u8, u64)], &[(u8, u64)], Option<(u8, u8, u64)>)] = &[
            ("all bleached, some lost", &[(46, 500)], &[(0, 475)], Some((46, 0, 475))),
            ("nothing changed, some lost", &[(46, 500)], &[(46, 475)], None),
            ("a part", &[(46, 500)], &[(46, 300), (40, 200)], Some((46, 40, 200))),
            ("mixed before and after", &[(46, 250), (0, 250)], &[(46, 250), (0, 250)], None),
            ("the marked part only", &[(46, 250), (0, 250)], &[(0, 500)], Some((46, 0, 250))),
        ];
        for (name, before, after, wanted) in cases {
            let got =
                change(&hop(64, before), &hop(63, after)).map(|c| (c.from.value(), c.to.value(), c.packets));
            assert_eq!(got, *wanted, "{name}");
        }
    }
}
