//! Between neighbouring hops: loss, marking, delay, order.

use super::clock::{ClockRelation, Clocks};
use super::doubt::{Losses, divide};
use super::identity::JoinedBy;
use super::intervals::Intervals;
use super::numbering::Numbering;
use super::order::{timed, timed_by};
use super::remarked::{
    Remarked, by_samples, change, only_marking, pcp_changed, priorities_together, remarked, together,
};
use super::seen::{Seen, recorded, seen_by_hop};
use super::stage::stages;
use crate::meter::{HopRecord, StreamRecord};
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
    // From the last one on: what later hops saw is added up once, however many they are.
    let mut later = Later { from: stream.hops.len(), numbers: Intervals::default() };
    let mut all: Vec<Segment> =
        (1..stream.hops.len()).rev().filter_map(|after| way.segment(after, &mut later)).collect();
    all.reverse();
    all
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

/// What any hop from one on saw, up to the next one of which the numbers are others.
struct Later {
    from: usize,
    numbers: Intervals,
}

impl Later {
    /// Takes in the hops before, back to this one.
    fn reach(&mut self, from: usize, seen: &[Seen]) -> &Intervals {
        while self.from > from
            && let Some(hop) = seen.get(self.from - 1)
        {
            self.from -= 1;
            self.numbers =
                if hop.numbering.is_counted() { hop.numbers.or(&self.numbers) } else { Intervals::default() };
        }
        &self.numbers
    }
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
    fn segment(&self, at: usize, later: &mut Later) -> Option<Segment> {
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
        let later = later.reach(to.end, self.seen);
        let gone = a.without(&b);
        let (start, stop) = self.recorded(at - 1, &a, after, &b);
        let missing = gone.without(later);
        let lost = missing.within(start, stop);
        // What a later tap would have heard was lost somewhere on the way there.
        let elsewhere = self.missed_behind(&missing.without(&lost), at - 1, &a, to.end..end).count();
        let unseen_after = gone.and(later).within(start, stop).count();
        let (start, stop) = self.recorded(at, &b, before, &a);
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
        let mut changes = Vec::new();
        let mut delays = Vec::new();
        let mut pcp = Vec::new();
        for (way, (x, a)) in from.clone().zip(self.hops(from.clone())) {
            for (y, b) in self.hops(to.clone()) {
                let both = a.numbers.and(&b.numbers);
                let found = remarked(x, y, a, b, &both).into_iter();
                changes.extend(found.map(|change| Remarked { before: way, ..change }));
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
            remarked: together(changes),
            pcp_changed: priorities_together(pcp),
            delay: clock.shared.then(|| delay(&delays)).flatten(),
            delay_variation: variation(delays),
            clock,
            joined_by: numbering.joined_by(),
            is_counted: true,
            suspect: reasons,
        })
    }

    /// The numbers of a hop for which another one's point was recording.
    fn recorded(&self, hop: usize, numbers: &Intervals, other: &HopRecord, others: &Intervals) -> (i64, i64) {
        let both = self.hops.get(hop).zip(self.seen.get(hop));
        let Some((hop, seen)) = both else { return (i64::MIN, i64::MAX) };
        let clock = self.clocks.between(hop.point, other.point);
        recorded((hop, seen), other, self.taps.span(other.point), numbers, others, &clock)
    }

    /// Of what no hop behind saw, that for which any of these was recording.
    fn missed_behind(
        &self,
        missing: &Intervals,
        before: usize,
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

    use crate::verify::join::identity::Matches;

    use super::*;

    #[test]
    fn what_later_hops_saw_ends_where_numbers_are_others() {
        let seen: Vec<Seen> =
            [Numbering::Same, Numbering::Same, Numbering::Anew, Numbering::Same, Numbering::Same]
                .into_iter()
                .zip((0..).step_by(10))
                .map(|(numbering, start)| {
                    let mut numbers = Intervals::default();
                    numbers.push(start, start + 3);
                    let before = (Matches::new(), JoinedBy::Rtp);
                    Seen { numbers, bases: smallvec![0], is_incomplete: false, numbering, before }
                })
                .collect();
        let mut later = Later { from: seen.len(), numbers: Intervals::default() };
        let counts: Vec<u64> = (0..=5).rev().map(|from| later.reach(from, &seen).count()).collect();
        assert_eq!(counts, [0, 3, 6, 0, 3, 6]);
        assert_eq!(later.numbers.bounds(), Some((0, 13)));
    }

    #[test]
    fn delays_at_the_ends_of_time_are_taken() {
        let delays = vec![i64::MAX, 0, i64::MIN];
        assert_eq!(delay(&delays).map(|d| d.samples), Some(3));
        assert!(variation(delays).is_some_and(|v| v.p50 > 0.0 && v.p50 <= v.max));
    }
}
