//! Between neighbouring hops: loss, marking, delay, order.

use super::clock::{ClockRelation, Clocks};
use super::doubt::{Losses, divide};
use super::identity::{JoinedBy, matches};
use super::intervals::Intervals;
use super::numbering::Numbering;
use super::order::{timed, timed_by};
use super::seen::{Seen, recorded, seen_by_hop};
use super::stage::stages;
use crate::meter::{HopRecord, StreamRecord};
use crate::terms::{Dscp, Timestamp};
use crate::verify::tap::{Taps, reason};

/// What one segment does to one stream, between hops `index` and `index + 1` of its record.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Distinct packets at the hop before.
    pub packets_in: u64,
    /// Distinct packets at the hop after.
    pub packets_out: u64,
    /// The two hops are not in a row: a packet passes the one or the other. All figures of packets are 0 then.
    pub is_alternative: bool,
    /// Seen before, not after, and at no later hop; none where that cannot be told, or not of all.
    pub lost: Option<u64>,
    /// Those of them that fall into no time in which the taps behind may have missed them.
    pub lost_certain: Option<u64>,
    /// Those that do.
    pub lost_suspect: Option<u64>,
    /// Seen before, not after, but at a later hop: missed by the mirror after.
    pub unseen_after: u64,
    /// Seen after, not before: missed by the mirror before.
    pub unseen_before: u64,
    /// Packets out of order that were in order before.
    pub reordered_added: u64,
    /// Changes of codepoint.
    pub remarked: Vec<Remarked>,
    /// Changes of the priority code point of the VLAN tag: before, after, packets.
    pub pcp_changed: Vec<(u8, u8, u64)>,
    /// Time from hop to hop, where the clocks are one.
    pub delay: Option<Delay>,
    /// How much later than the fastest packet the others were.
    pub delay_variation: Option<Variation>,
    /// How the clocks of the two hops stand to each other.
    pub clock: ClockRelation,
    /// By what the packets of the two hops are known to be the same.
    pub joined_by: JoinedBy,
    /// Whether the numbers of the two hops compare, so that what is missing is told.
    pub is_counted: bool,
    /// Why no verdict on loss is given.
    pub suspect: Vec<&'static str>,
}

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

/// Delays of the packets that both hops chose, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay {
    /// Smallest.
    pub min: f64,
    /// Mean.
    pub mean: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
    /// How many packets.
    pub samples: u64,
}

/// Delays over the smallest, in seconds (RFC 5481, section 4.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variation {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

/// Why it is not said of packets that were lost before this tap or behind it.
const NOT_RECORDING: &str = "the point behind was not recording yet, or no longer";

/// The segments of a stream, one less than its hops.
pub(in crate::verify) fn segments(stream: &StreamRecord, clocks: &Clocks, taps: &Taps) -> Vec<Segment> {
    if stream.hops.len() < 2 {
        return Vec::new();
    }
    let seen = seen_by_hop(&stream.hops);
    let firsts = stages(&stream.hops, &seen, clocks, taps);
    let way = Way { hops: &stream.hops, seen: &seen, firsts: &firsts, clocks, taps };
    (1..stream.hops.len()).filter_map(|after| way.segment(after)).collect()
}

/// The hops of a stream, and which of them are side by side.
struct Way<'a> {
    hops: &'a [HopRecord],
    seen: &'a [Seen],
    /// For each hop the first one of its stage.
    firsts: &'a [usize],
    clocks: &'a Clocks,
    taps: &'a Taps,
}

impl Way<'_> {
    /// The hops of the stage that a hop belongs to.
    fn stage(&self, hop: usize) -> std::ops::Range<usize> {
        let first = self.firsts.get(hop).copied().unwrap_or(hop);
        let others = self.firsts.iter().skip(first).take_while(|&&f| f == first).count();
        first..first + others
    }

    fn hops(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = (&HopRecord, &Seen)> {
        let both = self.hops.iter().zip(self.seen);
        both.skip(range.start).take(range.len())
    }

    /// What any of some hops saw.
    fn numbers(&self, range: std::ops::Range<usize>) -> Intervals {
        let mut all = self.hops(range).map(|(_, seen)| &seen.numbers);
        let first = all.next().cloned().unwrap_or_default();
        all.fold(first, |either, numbers| either.or(numbers))
    }

    /// Between a hop and the one before it.
    fn segment(&self, at: usize) -> Option<Segment> {
        let (before, after) = (self.hops.get(at.checked_sub(1)?)?, self.hops.get(at)?);
        let clock = self.clocks.between(before.point, after.point);
        let (from, to) = (self.stage(at - 1), self.stage(at));
        if from == to {
            return Some(Segment::between_ways(clock));
        }
        let numbering = self.seen.get(at)?.numbering;
        if !numbering.is_counted() {
            return Some(uncounted(before, after, numbering, clock));
        }
        let (a, b) = (self.numbers(from.clone()), self.numbers(to.clone()));
        let end = self.end_of_numbers(to.end);
        let later = self.numbers(to.end..end);
        let gone = a.without(&b);
        let (start, stop) = self.recorded(before, &a, after, &b);
        let missing = gone.without(&later);
        let lost = missing.within(start, stop);
        // What a later tap would have heard was lost somewhere on the way there.
        let elsewhere = self.missed_behind(&missing.without(&lost), before, &a, to.end..end).count();
        let unseen_after = gone.and(&later).within(start, stop).count();
        let (start, stop) = self.recorded(after, &b, before, &a);
        let unseen_before = b.without(&a).within(start, stop).count();
        let is_incomplete = self.hops(from.start..to.end).any(|(_, seen)| seen.is_incomplete);
        let Losses { certain, suspect, evidence } = self.losses(&lost, before, to.start..end);
        let suspect = suspect + elsewhere;
        let mut reasons: Vec<&'static str> = evidence.map(reason).into_iter().collect();
        if elsewhere > 0 {
            reasons.push(NOT_RECORDING);
        }
        if is_incomplete {
            reasons.push("more runs of loss than are kept");
        }
        let mut remarked = Vec::new();
        let mut delays = Vec::new();
        let mut pcp = Vec::new();
        for (way, (x, a)) in from.clone().zip(self.hops(from.clone())) {
            for (y, b) in self.hops(to.clone()) {
                let both = a.numbers.and(&b.numbers);
                let changes = self::remarked(x, y, a, b, &both).into_iter();
                remarked.extend(changes.map(|change| Remarked { before: way, ..change }));
                pcp.extend(pcp_changed(x, y, both.count()));
                let clock = self.clocks.between(x.point, y.point);
                let timed =
                    if from.len() == 1 && to.len() == 1 { timed_by(&b.before, x, y) } else { timed(x, y) };
                delays.extend(timed.into_iter().map(|(at, delay)| clock.corrected(at, delay)));
            }
        }
        let sum = |range, of: fn(&HopRecord) -> u64| self.hops(range).map(|(hop, _)| of(hop)).sum::<u64>();
        let reordered = |hop: &HopRecord| hop.reordered;
        Some(Segment {
            packets_in: sum(from.clone(), |hop| hop.unique),
            packets_out: sum(to.clone(), |hop| hop.unique),
            is_alternative: false,
            lost: reasons.is_empty().then_some(certain),
            lost_certain: (!is_incomplete).then_some(certain),
            lost_suspect: (!is_incomplete).then_some(suspect),
            unseen_after,
            unseen_before,
            reordered_added: sum(to, reordered).saturating_sub(sum(from, reordered)),
            remarked: together(remarked),
            pcp_changed: pcp,
            delay: clock.shared.then(|| delay(&delays)).flatten(),
            delay_variation: variation(delays),
            clock,
            joined_by: numbering.joined_by(),
            is_counted: true,
            suspect: reasons,
        })
    }

    /// The numbers of a hop for which another one's point was recording.
    fn recorded(
        &self,
        hop: &HopRecord,
        numbers: &Intervals,
        other: &HopRecord,
        others: &Intervals,
    ) -> (i64, i64) {
        let clock = self.clocks.between(hop.point, other.point);
        recorded(hop, other, self.taps.span(other.point), numbers, others, &clock)
    }

    /// Of what no hop behind saw, that for which any of these was recording.
    fn missed_behind(
        &self,
        missing: &Intervals,
        before: &HopRecord,
        numbers: &Intervals,
        hops: std::ops::Range<usize>,
    ) -> Intervals {
        if missing.count() == 0 {
            return Intervals::default();
        }
        self.hops(hops).fold(Intervals::default(), |all, (hop, seen)| {
            let (start, stop) = self.recorded(before, numbers, hop, &seen.numbers);
            all.or(&missing.within(start, stop))
        })
    }

    /// The first hop from here on of which the numbers are others.
    fn end_of_numbers(&self, start: usize) -> usize {
        let is_other = |seen: &Seen| !seen.numbering.is_counted();
        let other = self.seen.iter().skip(start).position(is_other);
        other.map_or(self.hops.len(), |more| start + more)
    }

    /// Divides what was lost before the first of these hops into what is certain and what is not.
    fn losses(&self, lost: &Intervals, before: &HopRecord, hops: std::ops::Range<usize>) -> Losses {
        if lost.count() == 0 {
            return Losses::default();
        }
        let mut behind = Vec::new();
        let mut at = hops.start;
        while at < hops.end {
            let stage = self.stage(at);
            at = stage.end.max(at + 1);
            behind.push(self.hops(stage).collect());
        }
        divide(lost, before, &behind, self.clocks, self.taps)
    }
}

impl Segment {
    /// Between two hops of one stage: no packet passes both.
    fn between_ways(clock: ClockRelation) -> Self {
        Self {
            packets_in: 0,
            packets_out: 0,
            is_alternative: true,
            lost: Some(0),
            lost_certain: Some(0),
            lost_suspect: Some(0),
            unseen_after: 0,
            unseen_before: 0,
            reordered_added: 0,
            remarked: Vec::new(),
            pcp_changed: Vec::new(),
            delay: None,
            delay_variation: None,
            clock,
            joined_by: JoinedBy::Rtp,
            is_counted: true,
            suspect: Vec::new(),
        }
    }
}

/// Changes of all ways, equal ones as one.
fn together(mut changes: Vec<Remarked>) -> Vec<Remarked> {
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

/// A segment whose hops number their packets each in its own way: what is missing is not told.
fn uncounted(before: &HopRecord, after: &HopRecord, numbering: Numbering, clock: ClockRelation) -> Segment {
    let delays: Vec<i64> =
        timed(before, after).into_iter().map(|(at, delay)| clock.corrected(at, delay)).collect();
    let both = before.unique.min(after.unique);
    Segment {
        packets_in: before.unique,
        packets_out: after.unique,
        is_alternative: false,
        lost: None,
        lost_certain: None,
        lost_suspect: None,
        unseen_after: 0,
        unseen_before: 0,
        reordered_added: after.reordered.saturating_sub(before.reordered),
        remarked: match (only_marking(before), only_marking(after)) {
            (Some(from), Some(to)) if from == to => Vec::new(),
            (Some(from), Some(to)) => vec![change(from, to, both, after)],
            _ => by_samples(before, after, both),
        },
        pcp_changed: pcp_changed(before, after, both),
        delay: clock.shared.then(|| delay(&delays)).flatten(),
        delay_variation: variation(delays),
        clock,
        joined_by: numbering.joined_by(),
        is_counted: false,
        suspect: numbering.doubt().into_iter().collect(),
    }
}

/// The codepoint of all packets of a hop.
fn only_marking(hop: &HopRecord) -> Option<u8> {
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

fn remarked(before: &HopRecord, after: &HopRecord, a: &Seen, b: &Seen, both: &Intervals) -> Vec<Remarked> {
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
fn by_samples(before: &HopRecord, after: &HopRecord, both: u64) -> Vec<Remarked> {
    let mut counts: std::collections::BTreeMap<(u8, u8), u64> = std::collections::BTreeMap::new();
    let mut all = 0;
    for (from, to) in super::order::chosen_by_both(
        &matches(before, after),
        before,
        after,
        |s| s.traffic_class,
        |m| m.traffic_class,
    ) {
        all += 1;
        *counts.entry((from.dscp().value(), to.dscp().value())).or_default() += 1;
    }
    let changed = counts.into_iter().filter(|((from, to), _)| from != to);
    changed.map(|((from, to), n)| change(from, to, n * both / all.max(1), after)).collect()
}

fn change(from: u8, to: u8, packets: u64, after: &HopRecord) -> Remarked {
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

fn pcp_changed(before: &HopRecord, after: &HopRecord, both: u64) -> Vec<(u8, u8, u64)> {
    let main = |hop: &HopRecord| hop.pcp().iter().max_by_key(|p| p.1).map(|p| p.0);
    match (main(before), main(after)) {
        (Some(from), Some(to)) if from != to => vec![(from, to, both)],
        _ => Vec::new(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "nanoseconds of a delay")]
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// The value at a share of a sorted list, by nearest rank.
fn at_share(sorted: &[i64], percent: usize) -> i64 {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

#[allow(clippy::cast_precision_loss, reason = "a count of packets")]
fn delay(delays: &[i64]) -> Option<Delay> {
    let mut sorted = delays.to_vec();
    sorted.sort_unstable();
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let sum: f64 = sorted.iter().map(|&ns| seconds(ns)).sum();
    Some(Delay {
        min: seconds(first),
        mean: sum / sorted.len() as f64,
        p99: seconds(at_share(&sorted, 99)),
        max: seconds(last),
        samples: sorted.len() as u64,
    })
}

fn variation(mut delays: Vec<i64>) -> Option<Variation> {
    delays.sort_unstable();
    let (first, last) = (*delays.first()?, *delays.last()?);
    let over = |ns: i64| seconds(ns.saturating_sub(first));
    Some(Variation { p50: over(at_share(&delays, 50)), p99: over(at_share(&delays, 99)), max: over(last) })
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::meter::DscpChange;
    use crate::verify::join::identity::Matches;
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

    #[test]
    fn delays_at_the_ends_of_time_are_taken() {
        let delays = vec![i64::MAX, 0, i64::MIN];
        assert_eq!(delay(&delays).map(|d| d.samples), Some(3));
        assert!(variation(delays).is_some_and(|v| v.p50 > 0.0 && v.p50 <= v.max));
    }
}
