//! What may become streams: packets kept until they prove one.
//!
//! The packets are kept, so that a stream's counts start at its first one.

use std::collections::VecDeque;

use super::Histogram;
use super::arena::Arena;
use super::held::{HeldPackets, Packets};
use super::hop::Digest;
use super::index::{Index, Tag};
use super::key::{Key, Kind};
use super::proof::{Context, PROOF, PROOF_WITH_CONTEXT, Weight, weigh};
use crate::decode::PathId;
use crate::terms::RtpTime;

/// Packets that are kept of a candidate: a large video frame has hundreds, all of one timestamp.
const MOST: usize = 512;
/// Packets that are kept of a candidate that is in doubt, and of each while there are many: while, on average, more than
/// [`HELD_IN_A_CROWD`] are kept of all that may be.
const MOST_IN_A_CROWD: usize = 32;
const HELD_IN_A_CROWD: usize = 8;
/// A candidate with more doubt than this has failed too often for a long look.
const TRUSTED_DOUBT: u8 = 2;
/// Free slots, fewer of which are let be.
const MANY_FREE: usize = 4096;
/// Doubts beyond this many change nothing.
const MOST_DOUBT: u8 = 16;

/// Two cache lines.
#[repr(C, align(64))]
struct Candidate {
    key: Key,
    tag: Tag,
    /// Tells this use of the slot from an earlier one in the queue; 0 where the slot is free.
    born: u32,
    kind: Kind,
    /// How often its packets have failed to be a stream.
    doubt: u8,
    held: HeldPackets,
    /// Later fragments of its packets; most have none.
    fragments: Option<Box<Histogram>>,
}

const _: () = assert!(size_of::<Candidate>() == 128);

impl Candidate {
    /// Whether this is one, and no free slot.
    const fn is_taken(&self) -> bool {
        self.born != 0
    }
}

/// All candidates, the oldest pushed out when the table is full.
pub(super) struct Candidates {
    slots: Arena<Candidate>,
    free: Vec<u32>,
    index: Index,
    /// Slots by birth, with the number of the birth.
    queue: VecDeque<(u32, u32)>,
    births: u32,
    bound: usize,
    /// Packets that all candidates hold.
    held: usize,
    pub(super) evicted: u64,
    /// Packets that were given up and not yet asked for.
    given_up: Vec<(Kind, Key, Digest)>,
}

impl Candidates {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            slots: Arena::new(),
            free: Vec::new(),
            index: Index::default(),
            queue: VecDeque::new(),
            births: 0,
            bound: bound.max(1),
            held: 0,
            evicted: 0,
            given_up: Vec::new(),
        }
    }

    fn find(&self, kind: Kind, key: &Key, tag: Tag) -> Option<u32> {
        let is_it = |place: u32| self.slots.get(place).is_some_and(|c| c.key == *key && c.kind == kind);
        self.index.find(tag, is_it)
    }

    /// Keys of all candidates, and of some that were.
    pub(super) fn keys(&self) -> impl Iterator<Item = (Kind, Key)> + '_ {
        self.slots.iter().map(|candidate| (candidate.kind, candidate.key))
    }

    /// Paths by which packets came that are held.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathId> + '_ {
        let held = self.slots.iter().flat_map(|candidate| candidate.held.iter());
        held.chain(self.given_up.iter().map(|(_, _, d)| *d)).map(|d| d.path)
    }

    /// Asks for the memory that [`Self::prepare`] will need. Per packet.
    #[inline]
    pub(super) fn prepare_index(&self, tag: Tag) {
        if self.held > 0 {
            self.index.prepare(tag);
        }
    }

    /// Asks for the memory of the candidate with this tag, if there is one.
    pub(super) fn prepare(&self, tag: Tag) {
        if let Some(place) = self.index.first(tag) {
            self.slots.prepare(place);
        }
    }

    /// Adds a packet; gives all packets of the candidate back once they prove a stream.
    pub(super) fn add(
        &mut self,
        (kind, key, tag): (Kind, Key, Tag),
        d: &Digest,
        max_silence_ns: i64,
        context: impl FnOnce() -> Context,
    ) -> Option<(Packets, Histogram)> {
        let Some(slot) = self.find(kind, &key, tag) else {
            self.insert((kind, key, tag), d);
            return None;
        };
        let candidate = self.slots.get_mut(slot)?;
        let given_up = &mut self.given_up;
        let mut give_up = |packets: &[Digest]| given_up.extend(packets.iter().map(|d| (kind, key, *d)));
        if candidate.held.last().is_some_and(|last| is_over(&last, d, max_silence_ns)) {
            self.held -= candidate.held.len();
            give_up(&candidate.held.take());
            candidate.doubt = 0;
        }
        self.held += 1;
        let kept = candidate.held.len() + 1;
        if kept < PROOF_WITH_CONTEXT {
            candidate.held.push(d);
            return None;
        }
        let is_crowded = self.held > self.bound.saturating_mul(HELD_IN_A_CROWD);
        let is_doubted = candidate.doubt > TRUSTED_DOUBT;
        let most = if is_crowded || is_doubted { MOST_IN_A_CROWD } else { MOST };
        // Where there are many packets, or have been many in vain, one more says little, and to weigh all takes long.
        let were_all_in_vain = candidate.doubt > 0 && kept > MOST / 2;
        let every = if were_all_in_vain {
            32
        } else if kept > MOST_IN_A_CROWD {
            8
        } else if is_doubted {
            4
        } else {
            1
        };
        if kept < most && !kept.is_multiple_of(every) {
            candidate.held.push(d);
            return None;
        }
        let context = context();
        if kept < PROOF && !context.is_likely_media && candidate.held.are_in_a_row_before(d) {
            // Nothing speaks against them, and there are too few to prove anything.
            candidate.held.push(d);
            return None;
        }
        let mut packets = candidate.held.take();
        packets.push(*d);
        loop {
            let weight = weigh(&packets, context, candidate.doubt, most);
            if weight == Weight::Proven {
                break;
            }
            if weight == Weight::ForgetOldest {
                // Of many packets half, so that the rest is not moved up once for each.
                let oldest = if packets.len() >= most { most / 2 } else { 1 };
                give_up(packets.get(..oldest).unwrap_or_default());
                packets.drain(..oldest);
                self.held -= oldest;
                candidate.doubt = (candidate.doubt + 1).min(MOST_DOUBT);
            }
            if weight == Weight::Open || packets.len() < 2 {
                candidate.held.put(packets);
                return None;
            }
        }
        self.held -= packets.len();
        let fragments = candidate.fragments.take().map(|fragments| *fragments).unwrap_or_default();
        self.release(slot);
        if self.free.len() >= MANY_FREE.max(self.slots.len() / 4) {
            self.close_ranks();
        }
        Some((packets, fragments))
    }

    /// Counts a later fragment for a candidate; false where there is none of that key.
    pub(super) fn add_fragment(&mut self, kind: Kind, key: Key, tag: Tag, dscp: u8) -> bool {
        let found = self.find(kind, &key, tag);
        let Some(candidate) = found.and_then(|i| self.slots.get_mut(i)) else { return false };
        super::add(candidate.fragments.get_or_insert_default(), dscp, 1);
        true
    }

    fn insert(&mut self, (kind, key, tag): (Kind, Key, Tag), d: &Digest) {
        if self.free.is_empty() && self.slots.len() >= self.bound {
            self.evict_oldest();
        }
        // 0 is the mark of a free slot.
        self.births = self.births.wrapping_add(1).max(1);
        let held = HeldPackets::of(d);
        let candidate = Candidate { kind, key, tag, held, fragments: None, doubt: 0, born: self.births };
        self.held += 1;
        let slot = if let Some(slot) = self.free.pop() {
            self.slots.replace(slot, candidate);
            slot
        } else {
            self.slots.push(candidate)
        };
        self.index.insert(tag, slot);
        self.queue.push_back((slot, self.births));
        // Slots that were released stay in the queue until they reach its head: keep it in proportion.
        if self.queue.len() > 2 * (self.slots.len() - self.free.len()) + 1024 {
            let slots = &self.slots;
            self.queue.retain(|&(i, born)| slots.get(i).is_some_and(|c| c.born == born));
        }
    }

    /// Moves those that are left of many together, and gives the rest of the memory back: in a capture that begins with
    /// many streams at once, more of it would lie idle than its streams take.
    fn close_ranks(&mut self) {
        let taken = self.slots.len() - self.free.len();
        let mut moved_to = vec![u32::MAX; self.free.len()];
        let free = std::mem::take(&mut self.free);
        let mut holes = free.into_iter().filter(|&place| (place as usize) < taken);
        while self.slots.len() > taken
            && let Some(last) = self.slots.pop()
        {
            let from = self.slots.len();
            if last.is_taken()
                && let Some((hole, to)) = holes.next().zip(moved_to.get_mut(from - taken))
            {
                self.index.relocate(last.tag, u32::try_from(from).unwrap_or(u32::MAX), hole);
                self.slots.replace(hole, last);
                *to = hole;
            }
        }
        let slots = &self.slots;
        self.queue.retain_mut(|(place, born)| {
            if let Some(beyond) = (*place as usize).checked_sub(taken) {
                *place = moved_to.get(beyond).copied().unwrap_or(u32::MAX);
            }
            slots.get(*place).is_some_and(|candidate| candidate.born == *born)
        });
        self.queue.shrink_to_fit();
        self.index.shrink();
    }

    fn evict_oldest(&mut self) {
        while let Some((slot, born)) = self.queue.pop_front() {
            let Some(candidate) = self.slots.get(slot) else { continue };
            if candidate.born == born {
                let (kind, key) = (candidate.kind, candidate.key);
                self.given_up.extend(candidate.held.iter().map(|d| (kind, key, d)));
                self.evicted += 1;
                self.release(slot);
                return;
            }
        }
    }

    fn release(&mut self, slot: u32) {
        let Some(candidate) = self.slots.get_mut(slot) else { return };
        candidate.born = 0;
        self.held -= candidate.held.len();
        candidate.held.take();
        candidate.fragments = None;
        if self.index.remove(candidate.tag, slot) {
            self.free.push(slot);
        }
    }

    /// Gives up those whose last packet came at a time that lies too far back.
    pub(super) fn give_up_silent(&mut self, is_over: impl Fn(i64) -> bool) {
        for slot in 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            let Some(candidate) = self.slots.get(slot) else { return };
            if candidate.held.last().is_some_and(|last| is_over(last.arrival.0)) {
                let (kind, key) = (candidate.kind, candidate.key);
                self.given_up.extend(candidate.held.iter().map(|d| (kind, key, d)));
                self.release(slot);
            }
        }
    }

    /// Whether packets were given up since they were last taken.
    pub(super) const fn has_given_up(&self) -> bool {
        !self.given_up.is_empty()
    }

    /// Packets that were given up since the last call.
    pub(super) fn take_given_up(&mut self) -> Vec<(Kind, Key, Digest)> {
        std::mem::take(&mut self.given_up)
    }

    /// Gives up everything that is still open.
    pub(super) fn close(&mut self) {
        for candidate in self.slots.iter().filter(|candidate| candidate.is_taken()) {
            let (kind, key) = (candidate.kind, candidate.key);
            self.given_up.extend(candidate.held.iter().map(|d| (kind, key, d)));
        }
        *self = Self {
            given_up: std::mem::take(&mut self.given_up),
            evicted: self.evicted,
            ..Self::new(self.bound)
        };
    }
}

/// Whether so much time lies between two packets of a key that they are not of one stream.
fn is_over(last: &Digest, d: &Digest, max_silence_ns: i64) -> bool {
    let silence = d.arrival.nanos_since(last.arrival);
    silence > max_silence_ns && !is_clock_step(silence, last.sequence, last.timestamp, d)
}

/// A capture clock that is set while it runs (from 1970 to now, say) is no silence: nobody pauses for a day and
/// then goes on with the next sequence number and the next timestamp.
pub(super) fn is_clock_step(silence_ns: i64, sequence: u16, timestamp: RtpTime, d: &Digest) -> bool {
    let ahead = d.sequence.wrapping_sub(sequence);
    silence_ns > CLOCK_STEP_NS
        && (1..4).contains(&ahead)
        && d.timestamp.since(timestamp).saturating_abs() < 90_000
}

/// Capture times further apart than this, one day, are no measure of a packet's delay.
pub(super) const CLOCK_STEP_NS: i64 = 86_400_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::payload::Print;
    use crate::terms::{Timestamp, TrafficClass};

    const ALONE: Context = Context { is_likely_media: false };

    fn packet(i: u16) -> Digest {
        Digest {
            arrival: Timestamp(i64::from(i) * 20_000_000),
            timestamp: RtpTime(160 * u32::from(i)),
            sequence: i,
            octets: 200,
            path: PathId(0),
            ttl: 64,
            traffic_class: TrafficClass(0),
            payload_type: 0,
            print: Print::NONE,
        }
    }

    fn key(n: u32) -> (Kind, Key) {
        use crate::decode::{Addresses, Message, Observation};
        let o = Observation {
            timestamp: Timestamp(0),
            addresses: Addresses::V4 { source: n, destination: 1 },
            source_port: 1,
            destination_port: 2,
            transport: crate::terms::Transport::Udp,
            traffic_class: TrafficClass(0),
            ttl: 64,
            path: PathId(0),
            octets: 100,
            fragment: None,
            message: Message::Other,
        };
        let mut book = super::super::key::AddressBook::new(1, 0);
        super::super::key::key_of(&o, crate::terms::Ssrc(n), &mut book).unwrap()
    }

    fn add(candidates: &mut Candidates, (kind, key): (Kind, Key), d: Digest) -> Option<usize> {
        let tag = Tag::of(u64::from(key.ssrc().0) << 32, kind);
        candidates.add((kind, key, tag), &d, i64::MAX, || ALONE).map(|(held, _)| held.len())
    }

    #[test]
    fn the_oldest_candidate_makes_room() {
        let mut candidates = Candidates::new(10);
        for n in 0..25 {
            assert_eq!(add(&mut candidates, key(n), packet(1)), None);
        }
        assert_eq!(candidates.evicted, 15);
        for i in 2..6 {
            assert_eq!(add(&mut candidates, key(24), packet(i)), (i == 5).then_some(5));
        }
        candidates.close();
        assert_eq!((candidates.take_given_up().len(), candidates.evicted), (24, 15));
    }

    #[test]
    fn candidates_that_came_and_went_take_no_room() {
        let mut candidates = Candidates::new(200_000);
        for n in 0..20_000 {
            let proven = (1..6).find_map(|i| add(&mut candidates, key(n), packet(i)));
            assert_eq!(proven, Some(5));
        }
        assert!(candidates.queue.len() < 2000, "{}", candidates.queue.len());
    }

    #[test]
    fn those_left_of_many_close_ranks_and_lose_nothing() {
        let mut candidates = Candidates::new(200_000);
        let all = 50_000;
        for n in 0..all {
            assert_eq!(add(&mut candidates, key(n), packet(1)), None);
        }
        // All but every hundredth go on, and become streams.
        for n in (0..all).filter(|n| n % 100 != 0) {
            let proven = (2..6).find_map(|i| add(&mut candidates, key(n), packet(i)));
            assert_eq!(proven, Some(5), "{n}");
        }
        assert!(candidates.slots.len() < 10_000, "{}", candidates.slots.len());
        assert_eq!(candidates.held, 500);
        // The oldest is still the first to go, and the rest go on where they were.
        candidates.bound = candidates.slots.len();
        let newer = (all..2 * all).find(|&n| {
            add(&mut candidates, key(n), packet(1));
            candidates.evicted > 0
        });
        assert!(newer.is_some());
        assert_eq!(candidates.take_given_up().first().map(|(_, key, _)| *key), Some(key(0).1));
        for n in (100..all).step_by(100) {
            let proven = (2..6).find_map(|i| add(&mut candidates, key(n), packet(i)));
            assert_eq!(proven, Some(5), "{n}");
        }
    }

    /// Pictures of so many packets each, until they are proven; how many packets the stream then has.
    fn add_pictures(candidates: &mut Candidates, packets: u16) -> Option<usize> {
        (0..2 * packets).find_map(|i| {
            let picture = i / packets;
            let arrival = Timestamp(i64::from(picture) * 40_000_000 + i64::from(i) * 50_000);
            let d = Digest { arrival, timestamp: RtpTime(3600 * u32::from(picture)), ..packet(i) };
            add(candidates, key(1), d)
        })
    }

    #[test]
    fn a_large_first_picture_is_kept_until_the_second_proves_it() {
        let mut candidates = Candidates::new(1000);
        // All of them: none was given up.
        assert_eq!(add_pictures(&mut candidates, 400), Some(408));
        assert_eq!(candidates.take_given_up().len(), 0);
    }

    #[test]
    fn a_stray_before_a_large_picture_delays_no_proof() {
        let mut candidates = Candidates::new(1000);
        assert_eq!(add(&mut candidates, key(1), Digest { sequence: 30_000, ..packet(0) }), None);
        assert_eq!(add_pictures(&mut candidates, 200), Some(208));
        assert_eq!(candidates.take_given_up().len(), 1);
    }

    #[test]
    fn what_is_kept_of_many_candidates_is_bounded() {
        let mut candidates = Candidates::new(100);
        for i in 0..600 {
            for n in 0..100 {
                add(&mut candidates, key(n), Digest { timestamp: RtpTime(0), ..packet(i) });
            }
            assert!(candidates.held <= 100 * (MOST_IN_A_CROWD + HELD_IN_A_CROWD));
        }
        candidates.close();
        assert_eq!(candidates.take_given_up().len(), 60_000);
    }
}
