//! Whether two hops saw the same stream, and how their numbers compare.
//!
//! By RTP's own identity: the same sequence number with the same timestamp, over and over. Never by addresses. Where a
//! relay writes RTP anew, by payload.

use smallvec::SmallVec;

use super::marks;
use crate::meter::{Anchor, HopRecord, Part};

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

/// The parts that two hops have in common by RTP's own identity.
pub(super) fn by_rtp(one: &HopRecord, other: &HopRecord) -> Matches {
    if one.ssrc != other.ssrc {
        return Matches::new();
    }
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
    let fewest = ours.len().min(theirs.len());
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
