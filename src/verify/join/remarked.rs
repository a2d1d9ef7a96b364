//! Which packets a segment re-marked, and how.

use std::collections::BTreeMap;

use super::identity::matches;
use super::intervals::Intervals;
use super::order::chosen_by_both;
use super::seen::Seen;
use crate::meter::HopRecord;
use crate::terms::{Dscp, Timestamp};

/// Packets whose codepoint a segment changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remarked {
    /// Codepoint before.
    pub from: Dscp,
    /// Codepoint after.
    pub to: Dscp,
    /// How many, of those that both hops saw.
    pub packets: u64,
    /// The first of them, by the clock of the hop after.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// The hop before: of several ways the one over which most of them came.
    pub before: usize,
}

/// Changes of all ways, equal ones as one.
pub(super) fn together(mut changes: Vec<Remarked>) -> Vec<Remarked> {
    let mut all: Vec<Remarked> = Vec::with_capacity(changes.len());
    // The way that most came over stands first, and gives its name to all.
    changes.sort_by_key(|change| std::cmp::Reverse(change.packets));
    for change in changes {
        match all.iter_mut().find(|known| (known.from, known.to) == (change.from, change.to)) {
            Some(known) => {
                known.packets += change.packets;
                (known.first, known.last) = (known.first.min(change.first), known.last.max(change.last));
            }
            None => all.push(change),
        }
    }
    all
}

/// The codepoint of all packets of a hop.
pub(super) fn only_marking(hop: &HopRecord) -> Option<u8> {
    let mut values = hop.dscp.iter().filter(|d| d.1 > 0).map(|d| d.0);
    values.next().filter(|_| values.next().is_none())
}

/// Which codepoint each number had at a hop, as intervals; none where packets overtook a change, so that numbers do not
/// tell.
fn markings(hop: &HopRecord, seen: &Seen) -> Option<Vec<(u8, Intervals)>> {
    if let Some(only) = only_marking(hop) {
        return Some(vec![(only, seen.numbers.clone())]);
    }
    if hop.dscp_change_count > hop.dscp_changes.len() as u64 {
        return None;
    }
    let mut marked: Vec<(u8, Intervals)> = Vec::new();
    let mut from = i64::MIN;
    let mut value = hop.dscp_changes.first()?.from.value();
    let mut put = |value: u8, start: i64, end: i64| {
        let numbers = seen.numbers.within(start, end);
        match marked.iter_mut().find(|m| m.0 == value) {
            Some(known) => known.1 = known.1.or(&numbers),
            None => marked.push((value, numbers)),
        }
    };
    for change in &hop.dscp_changes {
        let base = seen.bases.get(usize::from(change.part))?;
        let at = base + i64::from(change.sequence);
        if at < from {
            return None;
        }
        put(value, from, at);
        (from, value) = (at, change.to.value());
    }
    put(value, from, i64::MAX);
    let packets = |value: u8| hop.dscp.iter().find(|d| d.0 == value).map_or(0, |d| d.1);
    marked.iter().all(|(value, numbers)| numbers.count() <= packets(*value)).then_some(marked)
}

/// Changes between two hops, of the packets that both saw.
pub(super) fn remarked(
    before: &HopRecord,
    after: &HopRecord,
    a: &Seen,
    b: &Seen,
    both: &Intervals,
) -> Vec<Remarked> {
    if only_marking(before).is_some_and(|marking| only_marking(after) == Some(marking)) {
        return Vec::new();
    }
    let (Some(was), Some(is)) = (markings(before, a), markings(after, b)) else {
        return by_samples(before, after, both.count());
    };
    let mut changes = Vec::new();
    for (from, numbers) in &was {
        for (to, others) in is.iter().filter(|(to, _)| to != from) {
            let packets = numbers.and(others).count();
            if packets > 0 {
                changes.push(change(*from, *to, packets, after));
            }
        }
    }
    changes
}

/// Where markings change too often to be listed: the share among the packets that both hops chose.
pub(super) fn by_samples(before: &HopRecord, after: &HopRecord, both: u64) -> Vec<Remarked> {
    let mut counts: BTreeMap<(u8, u8), u64> = BTreeMap::new();
    let mut all = 0;
    for (from, to) in
        chosen_by_both(&matches(before, after), before, after, |s| s.traffic_class, |m| m.traffic_class)
    {
        all += 1;
        *counts.entry((from.dscp().value(), to.dscp().value())).or_default() += 1;
    }
    let changed = counts.into_iter().filter(|((from, to), _)| from != to);
    changed.map(|((from, to), n)| change(from, to, n * both / all.max(1), after)).collect()
}

/// A change to a codepoint that the hop after had, with the time in which it had it.
pub(super) fn change(from: u8, to: u8, packets: u64, after: &HopRecord) -> Remarked {
    let dscp = |value| Dscp::try_from(value).unwrap_or_default();
    let began = after.dscp_changes.iter().find(|c| c.to == dscp(to)).map(|c| c.at);
    let started_so = after.dscp_changes.first().is_none_or(|c| c.from == dscp(to));
    let ended = after.dscp_changes.iter().rev().find(|c| c.from == dscp(to)).map(|c| c.at);
    let ends_so = after.dscp_changes.last().is_none_or(|c| c.to == dscp(to));
    Remarked {
        from: dscp(from),
        to: dscp(to),
        packets,
        first: if started_so { after.first } else { began.unwrap_or(after.first) },
        last: if ends_so { after.last } else { ended.unwrap_or(after.last) },
        before: 0,
    }
}

/// The commonest priorities, where they differ: before, after, packets.
pub(super) fn pcp_changed(before: &HopRecord, after: &HopRecord, both: u64) -> Vec<(u8, u8, u64)> {
    let main = |hop: &HopRecord| hop.pcp().iter().max_by_key(|p| p.1).map(|p| p.0);
    match (main(before), main(after)) {
        (Some(from), Some(to)) if from != to && both > 0 => vec![(from, to, both)],
        _ => Vec::new(),
    }
}

/// Changes of priority over all ways, equal ones as one.
pub(super) fn priorities_together(changes: Vec<(u8, u8, u64)>) -> Vec<(u8, u8, u64)> {
    let mut all: Vec<(u8, u8, u64)> = Vec::new();
    for (from, to, packets) in changes {
        match all.iter_mut().find(|known| (known.0, known.1) == (from, to)) {
            Some(known) => known.2 += packets,
            None => all.push((from, to, packets)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::meter::DscpChange;
    use crate::verify::join::identity::{JoinedBy, Matches};
    use crate::verify::join::numbering::Numbering;
    use crate::verify::tests_support::hop;

    #[test]
    fn markings_are_told_by_number_unless_packets_overtook_a_change() {
        let change = |from: Dscp, to: Dscp, sequence: u32| DscpChange {
            at: Timestamp(0),
            from,
            to,
            sequence,
            part: 0,
        };
        let (ef, df) = (Dscp::EF, Dscp::DF);
        for (name, changes, dscp, is_told) in [
            ("one change", vec![change(ef, df, 5)], [(46, 5), (0, 5)], true),
            ("and back", vec![change(ef, df, 5), change(df, ef, 8)], [(46, 7), (0, 3)], true),
            (
                "a late packet with a change",
                vec![change(ef, df, 8), change(df, ef, 5)],
                [(46, 7), (0, 3)],
                false,
            ),
            ("a late packet without one", vec![change(ef, df, 5)], [(46, 4), (0, 6)], false),
        ] {
            let mut hop = hop(64, &dscp);
            (hop.dscp_change_count, hop.dscp_changes) = (changes.len() as u64, changes);
            let mut numbers = Intervals::default();
            numbers.push(0, 10);
            let seen = Seen {
                numbers,
                bases: smallvec![0],
                is_incomplete: false,
                numbering: Numbering::default(),
                before: (Matches::new(), JoinedBy::Rtp),
            };
            let told = markings(&hop, &seen);
            assert_eq!(told.is_some(), is_told, "{name}");
            if let Some(told) = told {
                let counts: Vec<_> = told.iter().map(|(value, numbers)| (*value, numbers.count())).collect();
                assert_eq!(counts, dscp, "{name}");
            }
        }
    }
}
