//! Whether two hops saw the same stream, and how their numbers compare.
//!
//! By RTP's own identity: the same sequence number with the same timestamp, over and over. Never by addresses. Where a
//! relay writes RTP anew, by payload.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::marks;
use crate::meter::{Anchor, HopRecord, Part, Sample};

/// A part at one hop and the same part at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) struct Match {
    pub(in crate::verify) one: usize,
    pub(in crate::verify) other: usize,
    /// What to add to a number at the one to have it at the other: whole cycles, unless a relay adds a constant.
    pub(in crate::verify) shift: u32,
    /// Packets that both chose and that are equal; 0 where only the ranges agree.
    pub(in crate::verify) equal: usize,
}

/// A packet that a hop remembers: number on the wire, timestamp, then part and extended number.
type Memory = (u16, u32, usize, u32);

#[allow(clippy::stable_sort_primitive, reason = "the stable sort merges runs")]
fn memories(hop: &HopRecord) -> SmallVec<[Memory; 16]> {
    let wire = |sequence: u32| (sequence & 0xFFFF) as u16;
    let anchor = |part: usize, a: Anchor| (wire(a.sequence), a.timestamp.0, part, a.sequence);
    let ends = hop.parts.iter().enumerate().flat_map(|(i, p)| [anchor(i, p.begin), anchor(i, p.end)]);
    let samples =
        hop.samples.iter().map(|s| (wire(s.sequence), s.timestamp.0, usize::from(s.part), s.sequence));
    let mut all: SmallVec<[Memory; 16]> = samples.chain(ends).collect();
    // Samples stand in order, but for where numbers begin anew: the stable sort merges such runs.
    all.sort();
    all.dedup();
    all
}

/// The parts that two hops have in common, and whether by RTP or by payload.
pub(in crate::verify) fn matches(one: &HopRecord, other: &HopRecord) -> Common {
    let found = by_rtp(one, other);
    if !found.is_empty() {
        return (found, JoinedBy::Rtp);
    }
    let mut found = marks::matches(one, other);
    if one.ssrc == other.ssrc {
        // Other numbers of one count: what they carry alike comes again, as tones and loops do.
        found.retain(|m| {
            let parts = one.parts.get(m.one).zip(other.parts.get(m.other));
            let is_whole_cycles = m.shift.trailing_zeros() >= 16;
            is_whole_cycles || !parts.is_some_and(|(a, b)| is_one_count(a, b))
        });
    }
    let is_by_payload = one.ssrc != other.ssrc || !found.is_empty();
    (found, if is_by_payload { JoinedBy::Payload } else { JoinedBy::Rtp })
}

/// The parts that two hops have in common, and by what that is known.
pub(in crate::verify) type Common = (Matches, JoinedBy);

/// Mostly one: a stream of one part.
pub(in crate::verify) type Matches = SmallVec<[Match; 1]>;

/// By what two hops are known to have heard the same packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinedBy {
    /// RTP's own identity.
    Rtp,
    /// Equal payloads.
    Payload,
}

impl JoinedBy {
    /// As the report writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rtp => "rtp",
            Self::Payload => "payload",
        }
    }
}

/// The packets that both hops remember, by parts and by what to add to their numbers; and how many the one of them remembers
/// that remembers fewer.
fn equal(one: &HopRecord, other: &HopRecord) -> (Matches, usize) {
    let (ours, theirs) = (memories(one), memories(other));
    let mut found = Matches::new();
    let mut rest = theirs.iter().peekable();
    for &(wire, timestamp, part, sequence) in &ours {
        while rest.next_if(|t| (t.0, t.1) < (wire, timestamp)).is_some() {}
        let Some(&&(_, _, their_part, their_sequence)) =
            rest.peek().filter(|t| (t.0, t.1) == (wire, timestamp))
        else {
            continue;
        };
        let shift = their_sequence.wrapping_sub(sequence);
        let same = |m: &&mut Match| (m.one, m.other, m.shift) == (part, their_part, shift);
        match found.iter_mut().find(same) {
            Some(known) => known.equal += 1,
            None => found.push(Match { one: part, other: their_part, shift, equal: 1 }),
        }
    }
    (found, ours.len().min(theirs.len()))
}

/// The same of two hops of one part each, the packets of which stand in order and all within one cycle of numbers: then
/// equal numbers on the wire are equal numbers. Most are such, and need no sorting. `None` of all others.
fn equal_in_order(one: &HopRecord, other: &HopRecord) -> Option<(Matches, usize)> {
    let (ours, theirs) = (InOrder::of(one)?, InOrder::of(other)?);
    let (lowest, highest) = (ours.begin.0.min(theirs.begin.0), ours.end.0.max(theirs.end.0));
    if highest - lowest > u32::from(u16::MAX) {
        return None;
    }
    let ends = ours.ends().iter().filter(|&&end| theirs.has(end)).count()
        + theirs.ends().iter().filter(|&&end| ours.has_between(end)).count();
    let equal = ends + equal_between(ours.between, theirs.between);
    let found = (equal > 0).then_some(Match { one: 0, other: 0, shift: 0, equal });
    Some((found.into_iter().collect(), ours.len().min(theirs.len())))
}

/// How many samples are in both of two lists, each of which has higher and higher numbers.
fn equal_between(mut ours: &[Sample], mut theirs: &[Sample]) -> usize {
    let mut equal = 0;
    while let ([one, behind_one @ ..], [other, behind_other @ ..]) = (ours, theirs) {
        match one.sequence.cmp(&other.sequence) {
            Ordering::Less => ours = behind_one,
            Ordering::Greater => theirs = behind_other,
            Ordering::Equal => {
                equal += usize::from(one.timestamp == other.timestamp);
                (ours, theirs) = (behind_one, behind_other);
            }
        }
    }
    equal
}

/// Whether samples are all of the first part, each with a higher number than the one before.
pub(super) fn are_in_order(samples: &[Sample]) -> bool {
    samples.first().is_none_or(|first| first.part == 0)
        && samples.is_sorted_by(|a, b| a.sequence < b.sequence && b.part == 0)
}

/// A packet by its extended number and its timestamp.
type Numbered = (u32, u32);

const fn numbered(sample: &Sample) -> Numbered {
    (sample.sequence, sample.timestamp.0)
}

/// What a hop of one part remembers, where its samples stand in order: each packet once.
struct InOrder<'a> {
    begin: Numbered,
    /// The samples that are neither the first packet nor the last.
    between: &'a [Sample],
    end: Numbered,
}

impl<'a> InOrder<'a> {
    fn of(hop: &'a HopRecord) -> Option<Self> {
        let [Part { begin, end, .. }] = &hop.parts[..] else { return None };
        let [begin, end] = [begin, end].map(|a| (a.sequence, a.timestamp.0));
        let mut between = &hop.samples[..];
        if !are_in_order(between) || begin.0 >= end.0 {
            return None;
        }
        if let [first, rest @ ..] = between
            && numbered(first) == begin
        {
            between = rest;
        }
        if let [rest @ .., last] = between
            && numbered(last) == end
        {
            between = rest;
        }
        let is_in_order = between.first().is_none_or(|first| begin.0 < first.sequence)
            && between.last().is_none_or(|last| last.sequence < end.0);
        is_in_order.then_some(Self { begin, between, end })
    }

    const fn len(&self) -> usize {
        self.between.len() + 2
    }

    const fn ends(&self) -> [Numbered; 2] {
        [self.begin, self.end]
    }

    fn has_between(&self, packet: Numbered) -> bool {
        let found = self.between.binary_search_by_key(&packet.0, |sample| sample.sequence);
        found.ok().and_then(|i| self.between.get(i)).map(numbered) == Some(packet)
    }

    fn has(&self, packet: Numbered) -> bool {
        self.ends().contains(&packet) || self.has_between(packet)
    }
}

/// The parts that two hops have in common by RTP's own identity.
pub(super) fn by_rtp(one: &HopRecord, other: &HopRecord) -> Matches {
    if one.ssrc != other.ssrc {
        return Matches::new();
    }
    let (mut found, fewest) = equal_in_order(one, other).unwrap_or_else(|| equal(one, other));
    for (i, a) in one.parts.iter().enumerate() {
        for (j, b) in other.parts.iter().enumerate() {
            if !found.iter().any(|m| m.one == i || m.other == j)
                && let Some(shift) = overlap(a, b)
            {
                found.push(Match { one: i, other: j, shift, equal: 0 });
            }
        }
    }
    // Of a part that seems to match several ways, the way with the most packets is right.
    found.sort_by_key(|m| std::cmp::Reverse(m.equal));
    let mut best = Matches::new();
    for m in found {
        if !best.iter().any(|b| b.one == m.one || b.other == m.other) {
            best.push(m);
        }
    }
    // Where all that the one remembers is at the other, nothing can contradict.
    best.retain(|m| m.equal >= fewest || !contradicts(one, other, m));
    best
}

/// Whether one part's numbers and timestamps go on as the other's do, to two packets.
fn is_one_count(a: &Part, b: &Part) -> bool {
    let packets = a.end.sequence.wrapping_sub(a.begin.sequence).cast_signed();
    let pace = f64::from(a.end.timestamp.since(a.begin.timestamp)) / f64::from(packets).max(1.0);
    let steps = (b.begin.sequence.wrapping_sub(a.begin.sequence) & 0xFFFF) as u16;
    let expected = f64::from(steps.cast_signed()) * pace;
    let off = f64::from(b.begin.timestamp.since(a.begin.timestamp)) - expected;
    packets > 0 && off.abs() <= 2.0 * pace.abs()
}

/// The shift by whole cycles under which both numbers and timestamps of two parts overlap, if there is one.
fn overlap(a: &Part, b: &Part) -> Option<u32> {
    let cycles = (i64::from(a.lowest) - i64::from(b.lowest)) >> 16;
    (cycles - 1..=cycles + 1).find_map(|n| {
        let shift = u32::try_from((-n * 65_536).rem_euclid(1 << 32)).ok()?;
        let (low, high) = (a.lowest.wrapping_add(shift), a.highest.wrapping_add(shift));
        // First, because it costs the least: parts may be many.
        if low > b.highest || b.lowest > high {
            return None;
        }
        let pace = f64::from(a.end.timestamp.since(a.begin.timestamp))
            / f64::from(a.end.sequence.wrapping_sub(a.begin.sequence).cast_signed()).max(1.0);
        // Where the other part's first packet should stand in time, if numbers advance as they did here.
        let steps = b.begin.sequence.wrapping_sub(a.begin.sequence.wrapping_add(shift)).cast_signed();
        let expected = f64::from(steps) * pace;
        let off = (f64::from(b.begin.timestamp.since(a.begin.timestamp)) - expected).abs();
        (off <= 90_000.0 + expected.abs() * 0.1).then_some(shift)
    })
}

/// Whether the same number has another timestamp at the other hop.
#[allow(clippy::stable_sort_primitive, reason = "the stable sort merges runs")]
fn contradicts(one: &HopRecord, other: &HopRecord, m: &Match) -> bool {
    let of_part = |hop: &HopRecord, part: usize, shift: u32| {
        let samples = hop.samples.iter().filter(move |s| usize::from(s.part) == part);
        let mut all: SmallVec<[(u32, u32); 16]> =
            samples.map(|s| (s.sequence.wrapping_add(shift), s.timestamp.0)).collect();
        all.sort();
        all
    };
    let (ours, theirs) = (of_part(one, m.one, m.shift), of_part(other, m.other, 0));
    let mut rest = theirs.iter().peekable();
    let mut wrong = 0;
    for &(sequence, timestamp) in &ours {
        while rest.next_if(|t| t.0 < sequence).is_some() {}
        wrong += usize::from(rest.peek().is_some_and(|t| t.0 == sequence && t.1 != timestamp));
    }
    wrong > m.equal / 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::terms::{RtpTime, Timestamp, TrafficClass};
    use crate::verify::tests_support;

    /// A hop that remembers packets: steps of number and timestamp, whether each is a sample, and where numbers begin.
    fn hop(begin: u32, packets: &[(u32, u32, bool)]) -> HopRecord {
        let (mut at, mut all) = ((begin, 900), Vec::new());
        for &(step, ticks, is_sample) in packets {
            at = (at.0 + step, at.1 + ticks);
            all.push((at, is_sample));
        }
        let anchor =
            |(sequence, timestamp)| Anchor { sequence, timestamp: RtpTime(timestamp), arrival: Timestamp(0) };
        let sample = |&((sequence, timestamp), _): &(Numbered, bool)| Sample {
            arrival: Timestamp(0),
            sequence,
            timestamp: RtpTime(timestamp),
            part: 0,
            traffic_class: TrafficClass(0),
        };
        let (first, last) = (all[0].0, all[all.len() - 1].0);
        let part = Part {
            lowest: first.0,
            highest: last.0,
            begin: anchor(first),
            end: anchor(last),
            missing: Vec::new(),
            missing_unlisted: 0,
        };
        HopRecord {
            parts: vec![part],
            samples: all.iter().filter(|(_, is_sample)| *is_sample).map(sample).collect(),
            ..tests_support::hop(64, &[(46, 10)])
        }
    }

    fn packets() -> impl Strategy<Value = Vec<(u32, u32, bool)>> {
        // Some numbers and timestamps stand still, so that ends and samples differ in one of them.
        prop::collection::vec((0_u32..4, 0_u32..2, any::<bool>()), 1..60)
    }

    proptest! {
        /// Across the wrap of the number on the wire, and a cycle apart.
        #[test]
        fn in_order_the_same_packets_are_equal(
            (one, other) in (packets(), packets()),
            is_same in any::<bool>(),
            (here, there) in (131_000_u32..131_100, 131_000_u32..131_100),
            cycles in 0_u32..2,
        ) {
            let other = if is_same { hop(here + cycles * 65_536, &one) } else { hop(there, &other) };
            let one = hop(here, &one);
            if let Some(found) = equal_in_order(&one, &other) {
                prop_assert_eq!(found, equal(&one, &other));
            }
        }
    }

    #[test]
    fn what_many_streams_are_like_is_in_order() {
        let packets: Vec<_> = (0..50).map(|n| (1, 160, n % 3 == 0)).collect();
        let (found, fewest) = equal_in_order(&hop(65_600, &packets), &hop(65_600, &packets)).unwrap();
        assert_eq!((found[0].equal, found[0].shift, fewest), (18, 0, 18));
        let late = hop(65_600, &[(0, 0, true), (9, 160, true), (1, 160, true)]);
        let mut swapped = late.clone();
        swapped.samples.swap(0, 1);
        assert!(equal_in_order(&late, &swapped).is_none());
        assert!(equal_in_order(&hop(65_600, &packets), &hop(131_200, &packets)).is_none());
    }
}
