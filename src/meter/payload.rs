//! Payload sketch: packets of a hop that are chosen by what they carry.
//!
//! A relay may write SSRC, sequence numbers and timestamps anew, and header extensions with them. What stays is the
//! payload, so both of its sides choose the same packets by it. A hop that has too many keeps those of the rarer
//! kind: what is left is still what the other side chose too. Payloads that come again within a stream (silence,
//! comfort noise, tones) say nothing; they are known by being remembered once.

use super::hop::Digest;
use super::samples::{Most, Sampling};
use crate::decode::{Payload, PlainRtp};
use crate::terms::{PayloadChoice, RtpTime, Timestamp, TrafficClass};

/// One packet that was chosen by its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadMark {
    /// What the payload comes to. Its upper half is the rank: of marks, a hop keeps those of the lowest rank.
    pub hash: u64,
    /// When it was captured.
    pub arrival: Timestamp,
    /// Its extended sequence number within the part.
    pub sequence: u32,
    /// Its RTP timestamp.
    pub timestamp: RtpTime,
    /// The part of the stream: restarts before it.
    pub part: u16,
    /// Its marking here.
    pub traffic_class: TrafficClass,
    /// Whether another packet of the stream carried the same, so that it proves nothing.
    pub repeats: bool,
}

impl PayloadMark {
    /// By what marks are chosen: the lower, the rarer.
    #[must_use]
    pub const fn rank(&self) -> u32 {
        (self.hash >> 32) as u32
    }
}

/// For so many streams at a time the marks would take more memory than all that is counted.
const TOO_MANY: usize = 8192;
/// Octets of the payload that are looked at.
const OCTETS: usize = 32;
/// A payload with fewer octets than these is silence, comfort noise or a telephone event, and comes again. Of these the
/// latter eight choose: the former hold the payload formats' own headers, which are much alike.
const FEWEST: usize = 16;
/// The packets that any meter may look at. What is added keeps the common kinds of silence from being chosen, so that
/// they cost no look.
pub const MOST_CHOSEN: PayloadChoice =
    PayloadChoice { plus: 0x2B37_D817_1B4C_24C2, times: 0x9E37_79B9_7F4A_7C15, below: Choice::FINE.0 };

/// A packet's payload in eight octets; nothing for a packet that was not chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print(u64);

impl Print {
    /// Of a packet that was not chosen.
    pub(super) const NONE: Self = Self(u64::MAX);

    /// A print of these octets.
    #[cfg(test)]
    pub(super) const fn of_test(print: u64) -> Self {
        Self(print)
    }

    /// By how much the rank is below what chooses any packet: levels of two bits, one more than the level that it
    /// is chosen at; 0 where it is not chosen.
    #[inline]
    const fn grade(self) -> u32 {
        let grade = self.0.leading_zeros() / 2;
        if grade < HIGHEST_GATE { grade } else { HIGHEST_GATE }
    }

    /// Whether a hop whose sketch is this full wants it. Per packet.
    #[inline]
    pub(super) const fn passes(self, gate: Gate) -> bool {
        // Only what is not chosen has the uppermost bit.
        self.0.cast_signed() >= 0 && self.grade() > gate as u32
    }
}

/// How rare a payload must be for a hop to look at it: at gate n one packet in 4^(n+1) is.
pub(super) type Gate = u8;

/// The gate that nothing passes.
pub(super) const CLOSED: Gate = 7;
const HIGHEST_GATE: u32 = CLOSED as u32;

/// Which packets of a point are looked at: those whose rank is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice(u32);

impl Choice {
    /// One packet in four.
    const FINE: Self = Self(1 << 30);
    /// One in eight.
    const COARSE: Self = Self(1 << 29);
    /// None: there is no other point where a stream could be heard again, or streams are too many.
    pub(super) const NOTHING: Self = Self(0);

    /// For so many streams at a time.
    pub(super) const fn of_point(streams: usize, has_other_points: bool) -> Self {
        match (Sampling::is_crowd(streams), has_other_points) {
            (false, true) => Self::FINE,
            (true, true) if streams < TOO_MANY => Self::COARSE,
            _ => Self::NOTHING,
        }
    }

    /// The same for hops none of which wants a payload that is less rare than this gate asks for.
    pub(super) const fn at_gate(self, gate: Gate) -> Self {
        // Grades beyond the highest are not told apart, so that gate lets nothing pass.
        let below = if gate as u32 >= HIGHEST_GATE { 0 } else { 1 << (30 - 2 * gate as u32) };
        if below < self.0 { Self(below) } else { self }
    }

    /// The print of a packet of the commonest kind, if it is chosen: as [`Self::print_of`], with a look at the one word that
    /// chooses first. Per packet.
    #[inline]
    pub(super) fn print_of_plain(self, packet: &PlainRtp<'_>) -> Print {
        if self == Self::NOTHING {
            return Print::NONE;
        }
        let word = packet.behind().get(FEWEST - 8..FEWEST).and_then(|word| word.first_chunk());
        match word {
            Some(word) if rank(u64::from_le_bytes(*word)) < self.0 => self.print_of(|| packet.payload()),
            _ => Print::NONE,
        }
    }

    /// The print of a packet, if it is chosen. The same at every point: no secret, no state. Per packet.
    #[inline]
    pub(super) fn print_of<'a>(self, payload: impl FnOnce() -> Payload<'a>) -> Print {
        if self == Self::NOTHING {
            return Print::NONE;
        }
        let payload = payload();
        let Some(head) = payload.kept.first_chunk::<FEWEST>() else { return Print::NONE };
        let Some(word) = head.last_chunk() else { return Print::NONE };
        let word = u64::from_le_bytes(*word);
        let rank = rank(word);
        if rank < self.0 { print(word, rank, payload) } else { Print::NONE }
    }
}

/// The upper half depends on every octet.
#[inline]
const fn rank(word: u64) -> u32 {
    MOST_CHOSEN.rank(word)
}

/// The print of a packet that is chosen, unless its payload proves nothing.
#[inline(never)]
fn print(word: u64, rank: u32, payload: Payload<'_>) -> Print {
    // One or two samples over and over are silence.
    match payload.kept.get(..OCTETS.min(payload.octets)) {
        Some(kept) if word.rotate_left(32) != word => {
            Print(u64::from(rank) << 32 | u64::from(mixed(kept, payload.octets)))
        }
        _ => Print::NONE,
    }
}

/// What octets and their number come to.
fn mixed(kept: &[u8], octets: usize) -> u32 {
    let mut mixed = octets as u64;
    for piece in kept.chunks(8) {
        let mut eight = [0; 8];
        for (to, from) in eight.iter_mut().zip(piece) {
            *to = *from;
        }
        let word = mixed ^ u64::from_le_bytes(eight) ^ 0x2D35_8DCC_AA6C_78A5;
        mixed = word.wrapping_mul(0x8BB8_4B93_962E_ACC9).rotate_left(29) ^ word >> 31;
    }
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

/// The marks of one hop.
#[derive(Debug, Clone, Default)]
pub(super) struct Sketch {
    kept: Vec<PayloadMark>,
    /// How many upper bits of the rank are 0 in all that is kept.
    level: u32,
}

impl Sketch {
    /// Keeps a packet that was chosen; gives the gate from now on. `most` is how many may be kept.
    pub(super) fn keep(&mut self, d: &Digest, sequence: u32, part: u16, most: usize) -> Gate {
        let hash = d.print.0;
        let level_of = |hash: u64| hash.leading_zeros().min(u32::BITS);
        if level_of(hash) < self.level {
            return self.gate();
        }
        if let Some(known) = self.kept.iter_mut().find(|m| m.hash == hash) {
            known.repeats = true;
            return self.gate();
        }
        while self.kept.len() >= most {
            if self.level >= u32::BITS {
                // Somebody made payloads of the lowest rank: the first of them do.
                return self.gate();
            }
            self.level += 1;
            let level = self.level;
            self.kept.retain(|m| level_of(m.hash) >= level);
        }
        if level_of(hash) >= self.level {
            let Digest { arrival, timestamp, traffic_class, .. } = *d;
            let mark =
                PayloadMark { hash, arrival, sequence, timestamp, part, traffic_class, repeats: false };
            self.kept.push(mark);
        }
        self.gate()
    }

    #[allow(clippy::cast_possible_truncation, reason = "at most 6")]
    const fn gate(&self) -> Gate {
        let gate = (self.level / 2).saturating_sub(1);
        if gate < HIGHEST_GATE { gate as Gate } else { (HIGHEST_GATE - 1) as Gate }
    }

    /// The marks by hash.
    pub(super) fn into_kept(mut self) -> Vec<PayloadMark> {
        self.kept.sort_unstable_by_key(|m| m.hash);
        self.kept
    }
}

impl Most {
    /// Marks that are kept of a stream, whatever its length: more where streams are few and points several.
    pub(super) const fn marks(self) -> usize {
        if self.base <= Sampling::BASE_OF_FEW { 16 } else { 32 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::PathId;

    fn packet(first: u8, behind: &[u8], payload: &[u8]) -> Vec<u8> {
        [&[first, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4][..], behind, payload].concat()
    }

    fn print_of(packet: &[u8], octets: usize) -> Print {
        Choice(u32::MAX).print_of(|| Payload::of_packet(packet, octets))
    }

    #[test]
    fn at_a_gate_just_those_are_chosen_that_pass_it() {
        for gate in 0..=CLOSED {
            for rank in (0..32).flat_map(|bit| [1_u32 << bit, (1 << bit) - 1, 3 << bit >> 1]) {
                let print = Print(u64::from(rank) << 32);
                let choice = Choice::FINE.at_gate(gate);
                assert_eq!(rank < choice.0, rank < Choice::FINE.0 && print.passes(gate), "{gate} {rank:x}");
            }
        }
        assert_eq!(Choice::COARSE.at_gate(0), Choice::COARSE);
    }

    fn noise(n: u64) -> Vec<u8> {
        let word = |i: u64| {
            (n * 20 + i)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(31)
                .wrapping_mul(0xBF58_476D_1CE4_E5B9)
        };
        (0..20).flat_map(|i| word(i).to_le_bytes()).collect()
    }

    #[test]
    fn what_a_relay_writes_anew_changes_nothing() {
        let payload = noise(1);
        let plain = packet(0x80, &[], &payload);
        let expected = print_of(&plain, plain.len());
        assert_ne!(expected, Print::NONE);
        for (name, other) in [
            ("an extension", packet(0x90, &[0xBE, 0xDE, 0, 1, 1, 2, 3, 4], &payload)),
            ("contributing sources", packet(0x82, &[9; 8], &payload)),
        ] {
            assert_eq!(print_of(&other, other.len()), expected, "{name}");
        }
        let mut renumbered = plain.clone();
        renumbered[1..12].fill(77);
        assert_eq!(print_of(&renumbered, plain.len()), expected, "numbers, SSRC and payload type");
        let mut changed = plain.clone();
        changed[12 + 31] ^= 1;
        assert_ne!(print_of(&changed, plain.len()), expected, "one bit of the last octet that counts");
        assert_ne!(print_of(&plain, plain.len() + 1), expected, "another length");
    }

    #[test]
    fn as_many_octets_as_a_packet_has_or_32_are_needed() {
        let long = packet(0x80, &[], &noise(1));
        let whole = print_of(&long, long.len());
        assert_eq!(print_of(&long[..44], long.len()), whole);
        assert_eq!(print_of(&long[..43], long.len()), Print::NONE);
        let short = packet(0x80, &[], &noise(1)[..20]);
        assert_ne!(print_of(&short, 32), Print::NONE);
        assert_eq!(print_of(&short[..31], 32), Print::NONE);
        // What the link added to a short packet is not of it.
        assert_eq!(print_of(&long, 12 + 15), Print::NONE);
    }

    #[test]
    fn silence_is_not_chosen_and_costs_no_look() {
        for octet in [0x00, 0x7E, 0x7F, 0x80, 0xD5, 0x54, 0x55, 0xFE, 0xFF] {
            let word = u64::from_le_bytes([octet; 8]);
            assert!(rank(word) >= Choice::FINE.0, "{octet:#x}");
            let silence = packet(0x80, &[], &[octet; 160]);
            assert_eq!(print_of(&silence, 172), Print::NONE, "{octet:#x}");
        }
    }

    #[test]
    fn as_many_are_chosen_as_a_choice_says() {
        for (choice, one_in) in [(Choice::FINE, 4), (Choice::COARSE, 8), (Choice::NOTHING, usize::MAX)] {
            let packets: Vec<_> = (0..4000).map(|n| packet(0x80, &[], &noise(n))).collect();
            let prints = packets.iter().map(|p| choice.print_of(|| Payload::of_packet(p, p.len())));
            let chosen: Vec<Print> = prints.filter(|p| *p != Print::NONE).collect();
            assert!(chosen.len().abs_diff(4000 / one_in) < 120, "{choice:?}: {}", chosen.len());
            assert!(chosen.iter().all(|p| p.passes(0)));
        }
        assert!(!Print::NONE.passes(0));
    }

    fn digest(print: u64, n: u32) -> Digest {
        Digest {
            arrival: Timestamp(i64::from(n)),
            timestamp: RtpTime(n * 160),
            sequence: 0,
            octets: 200,
            path: PathId(0),
            ttl: 64,
            traffic_class: TrafficClass(0),
            payload_type: 0,
            print: Print(print),
        }
    }

    #[test]
    fn two_hops_keep_the_same_however_many_the_one_has_missed() {
        let prints: Vec<u64> = (0..20_000_u64).map(|n| (n + 1).wrapping_mul(0xD134_2543_DE82_EF95)).collect();
        let sketch = |every: usize| {
            let (mut sketch, mut gate) = (Sketch::default(), 0);
            for (n, print) in (0..).zip(&prints).filter(|(n, _)| *n as usize % every != 1) {
                let d = digest(print >> 2, n);
                if d.print.passes(gate) {
                    gate = sketch.keep(&d, n, 0, 32);
                }
            }
            sketch.into_kept()
        };
        let (all, most) = (sketch(usize::MAX), sketch(10));
        assert!((16..=32).contains(&all.len()), "{} kept", all.len());
        let common = most.iter().filter(|m| all.iter().any(|n| n.hash == m.hash)).count();
        assert!(common >= 12, "{common} in common of {} and {}", all.len(), most.len());
        let halves = all.iter().filter(|m| m.sequence < 10_000).count();
        assert!((4..=28).contains(&halves), "spread over its life: {halves} of {}", all.len());
    }

    #[test]
    fn what_comes_again_is_kept_once_and_marked() {
        let mut sketch = Sketch::default();
        for n in 0..10_000 {
            sketch.keep(&digest(0x0123_4567_89AB_CDEF, n), n, 0, 32);
        }
        sketch.keep(&digest(0x0223_4567_89AB_CDEF, 1), 1, 0, 32);
        let repeats: Vec<bool> = sketch.into_kept().iter().map(|m| m.repeats).collect();
        assert_eq!(repeats, [true, false]);
    }

    proptest! {
        #[test]
        fn marks_are_bounded_whatever_comes(prints in prop::collection::vec(prop_oneof![0..200_u64, any::<u64>()], 0..2000)) {
            let mut sketch = Sketch::default();
            for (n, print) in (0..).zip(&prints) {
                prop_assert!(sketch.keep(&digest(print >> 2, n), n, 0, 16) < 7);
            }
            prop_assert!(sketch.into_kept().len() <= 16);
        }
    }
}
