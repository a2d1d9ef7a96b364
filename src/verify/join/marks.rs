//! Packets that two hops have in common by what they carry.

use crate::meter::{HopRecord, PayloadMark};

use super::identity::{Match, Matches};

/// One packet at two hops.
pub(in crate::verify) type Pair = (PayloadMark, PayloadMark);

/// Packets of two hops with equal payloads whose RTP timestamps advance alike: all of one pair of parts are the same
/// number of ticks apart. What comes again within either stream is passed over. In the order of the first hop.
pub(in crate::verify) fn pairs(ours: &[PayloadMark], theirs: &[PayloadMark]) -> Vec<Pair> {
    let mut found: Vec<Pair> = Vec::new();
    let mut rest = theirs.iter().peekable();
    for mark in ours {
        while rest.next_if(|m| m.hash < mark.hash).is_some() {}
        if let Some(other) = rest.peek().filter(|m| m.hash == mark.hash)
            && !mark.repeats
            && !other.repeats
        {
            found.push((*mark, **other));
        }
    }
    let key = |(a, b): &Pair| (a.part, b.part, b.timestamp.0.wrapping_sub(a.timestamp.0));
    found.sort_by_key(|pair| (key(pair), pair.0.sequence));
    // Of the distances within one pair of parts the commonest is right, and one packet tells no distance.
    let mut alike: Vec<Pair> = Vec::new();
    for parts in found.chunk_by(|p, q| (p.0.part, p.1.part) == (q.0.part, q.1.part)) {
        let groups = parts.chunk_by(|p, q| key(p) == key(q));
        if let Some(best) = groups.max_by_key(|group| group.len()).filter(|group| group.len() > 1) {
            alike.extend_from_slice(best);
        }
    }
    alike.sort_by_key(|(a, _)| (a.part, a.sequence));
    alike
}

/// The parts that two hops have in common by payload, where the other hop's numbers are this one's and a constant. A
/// relay that numbers packets anew has no such constant.
pub(super) fn matches(one: &HopRecord, other: &HopRecord) -> Matches {
    let mut pairs = pairs(&one.marks, &other.marks);
    pairs.sort_by_key(|(a, b)| (a.part, b.part, a.sequence));
    let mut found: Vec<Match> = Vec::new();
    for parts in pairs.chunk_by(|p, q| (p.0.part, p.1.part) == (q.0.part, q.1.part)) {
        let Some((a, b)) = parts.first() else { continue };
        let shift = distance(a, b);
        if parts.iter().any(|(a, b)| distance(a, b) != shift) {
            continue;
        }
        let m = Match { one: a.part.into(), other: b.part.into(), shift, equal: parts.len() };
        if !ends_contradict(one, other, &m, parts) {
            found.push(m);
        }
    }
    // A part that continues two parts of the other hop was numbered anew.
    let is_alone = |m: &&Match| found.iter().filter(|n| n.one == m.one || n.other == m.other).count() == 1;
    found.iter().filter(is_alone).copied().collect()
}

/// Marks of either hop that must be missing at the other before their packets are other packets.
const DISPROOF: usize = 4;

/// Whether packets with the same numbers carry other payloads: of what either hop would have chosen of the part that
/// both heard, nothing is at the other.
pub(super) fn carry_other_payload(one: &HopRecord, other: &HopRecord, m: &Match) -> bool {
    let (Some(ours), Some(theirs)) = (one.parts.get(m.one), other.parts.get(m.other)) else { return false };
    // Marks of the rarer kinds, which both have kept.
    let rarest = |marks: &[PayloadMark]| marks.iter().map(PayloadMark::rank).max().unwrap_or(0);
    let rank = rarest(&one.marks).min(rarest(&other.marks));
    let telling = |mark: &PayloadMark| !mark.repeats && mark.rank() <= rank;
    let in_both = |marks: &[PayloadMark], part: usize, shift: u32, there: &crate::meter::Part| {
        let heard = there.lowest..=there.highest;
        let of_part = marks.iter().filter(|mark| usize::from(mark.part) == part && telling(mark));
        of_part.filter(|mark| heard.contains(&mark.sequence.wrapping_add(shift))).count()
    };
    in_both(&one.marks, m.one, m.shift, theirs) >= DISPROOF
        && in_both(&other.marks, m.other, m.shift.wrapping_neg(), ours) >= DISPROOF
        && !one.marks.iter().any(|mark| other.marks.iter().any(|theirs| theirs.hash == mark.hash))
}

fn distance(a: &PayloadMark, b: &PayloadMark) -> u32 {
    b.sequence.wrapping_sub(a.sequence)
}

/// Whether the first or the last packets of both hops are the same by their timestamps and not by their numbers: then
/// what was lost before or behind all marks was numbered away. Where a frame takes several packets, that is not told.
fn ends_contradict(
    one: &HopRecord,
    other: &HopRecord,
    m: &Match,
    parts: &[(PayloadMark, PayloadMark)],
) -> bool {
    let (Some(part), Some(same), Some((mark, copy))) =
        (one.parts.get(m.one), other.parts.get(m.other), parts.first())
    else {
        return false;
    };
    let apart = copy.timestamp.0.wrapping_sub(mark.timestamp.0);
    let mut stamps: Vec<u32> = one.marks.iter().map(|m| m.timestamp.0).collect();
    stamps.extend(one.samples.iter().filter(|s| usize::from(s.part) == m.one).map(|s| s.timestamp.0));
    let by_hash = one.marks.len();
    let has_frames = {
        let (marks, samples) = stamps.split_at_mut(by_hash);
        [marks, samples].into_iter().any(|list| {
            list.sort_unstable();
            list.windows(2).any(|two| two.first() == two.last())
        })
    };
    let contradicts = |here: crate::meter::Anchor, there: crate::meter::Anchor| {
        there.timestamp.0.wrapping_sub(here.timestamp.0) == apart
            && there.sequence.wrapping_sub(here.sequence) != m.shift
    };
    !has_frames && (contradicts(part.begin, same.begin) || contradicts(part.end, same.end))
}
