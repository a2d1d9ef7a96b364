//! Packets that look like RTP, until several of them prove it.
//!
//! Evidence is gathered per (flow, SSRC) and over several packets: a steady SSRC, sequence numbers that count
//! up, timestamps that advance as a media clock does. Never one packet, never a port. The packets are kept, so
//! that a stream's counts start at its first one.

use std::collections::VecDeque;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::Histogram;
use super::clock::seconds;
use super::hop::Digest;
use super::key::{Key, Kind};
use super::prefetch::prefetch;
use crate::terms::RtpTime;

/// The packets of a candidate, in order of arrival.
pub(super) type Held = SmallVec<[Digest; 5]>;

/// Proof without any help: this many packets, all in order and on time ...
const PROOF: usize = 5;
/// ... and with STUN, DTLS or RTCP on the flow.
const PROOF_WITH_CONTEXT: usize = 4;
/// Proof when timestamps are odd but sequence numbers are not.
const PROOF_BY_SEQUENCE: usize = 12;
/// The most packets that are kept of a candidate; then the oldest is forgotten.
const MOST: usize = 32;
/// A step in sequence that counts as "goes on": some loss in between is no counter-evidence.
const NEAR: i16 = 16;

/// What the packets of a candidate come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Proven,
    Open,
    /// The oldest packet speaks against it.
    ForgetOldest,
}

/// Something seen on the same flow that makes RTP likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) is_likely_media: bool,
}

fn weigh(held: &[Digest], context: Context) -> Weight {
    // Copies of a packet (mirror duplicates, hops) are no evidence of their own.
    let mut distinct: SmallVec<[&Digest; MOST]> = SmallVec::new();
    for d in held {
        if !distinct.iter().any(|e| e.sequence == d.sequence && e.timestamp == d.timestamp) {
            distinct.push(d);
        }
    }
    let steps = distinct.len() - 1;
    let (mut near, mut forward, mut on_time) = (0, 0, 0);
    for (a, b) in distinct.iter().zip(distinct.iter().skip(1)) {
        let step = b.sequence.wrapping_sub(a.sequence).cast_signed();
        if step != 0 && (-NEAR..=NEAR).contains(&step) {
            near += 1;
            forward += usize::from(step > 0);
            on_time += usize::from(is_on_time(a, b));
        }
    }
    let enough = if context.is_likely_media { PROOF_WITH_CONTEXT } else { PROOF };
    let is_regular = near == steps && forward * 4 >= steps * 3 && on_time == steps;
    if distinct.len() >= enough && is_regular && has_media_clock(&distinct, context) {
        return Weight::Proven;
    }
    if distinct.len() >= PROOF_BY_SEQUENCE && near * 10 >= steps * 9 && forward * 4 >= steps * 3 {
        // Odd timestamps: believed only of a counter that runs on for long, and not of a constant.
        let moves = distinct.iter().skip(1).any(|d| d.timestamp != distinct[0].timestamp);
        if moves && (context.is_likely_media || is_static(distinct[0].payload_type) || on_time * 2 >= steps) {
            return Weight::Proven;
        }
    }
    let first_is_alone = distinct.len() >= 2 && {
        let step = distinct[1].sequence.wrapping_sub(distinct[0].sequence).cast_signed();
        step == 0 || !(-NEAR..=NEAR).contains(&step)
    };
    if first_is_alone || held.len() >= MOST { Weight::ForgetOldest } else { Weight::Open }
}

/// Whether timestamps advance no faster than a 90 kHz clock would, and not back by more than frames' order.
fn is_on_time(a: &Digest, b: &Digest) -> bool {
    let step = i64::from(b.sequence.wrapping_sub(a.sequence).cast_signed());
    let ticks = i64::from(b.timestamp.since(a.timestamp)) * step.signum();
    let elapsed = seconds(b.arrival.nanos_since(a.arrival).saturating_abs());
    #[allow(clippy::cast_possible_truncation, reason = "a bound, rounded")]
    let most = ((elapsed + 0.5) * 100_000.0) as i64 + 10_000 * step.abs();
    (-20_000..=most).contains(&ticks)
}

/// Whether the timestamps, over the whole time, advance at the pace of a media clock.
#[allow(clippy::cast_precision_loss, reason = "ticks of some packets")]
fn has_media_clock(distinct: &[&Digest], context: Context) -> bool {
    let (Some(first), Some(last)) = (distinct.first(), distinct.last()) else { return false };
    let elapsed = seconds(last.arrival.nanos_since(first.arrival));
    let ticks = f64::from(last.timestamp.since(first.timestamp));
    let is_trusted = context.is_likely_media || is_static(first.payload_type);
    if ticks == 0.0 {
        // One video frame in several packets, or a telephone event: more must follow, or others must vouch.
        return is_trusted && elapsed < 1.0;
    }
    let pace = ticks / elapsed;
    // A burst out of a queue says little of pace. Over a longer time it must be that of a clock in use; where
    // others vouch, a pace that no media clock has is still none.
    if elapsed < 0.03 {
        true
    } else if is_trusted {
        context.is_likely_media || elapsed < 1.0 || pace > 500.0
    } else {
        (3_000.0..=300_000.0).contains(&pace)
    }
}

/// Payload types that RFC 3551 assigns.
const fn is_static(payload_type: u8) -> bool {
    matches!(payload_type, 0 | 3..=18 | 25 | 26 | 28 | 31..=34)
}

struct Candidate {
    kind: Kind,
    key: Key,
    held: Held,
    fragments: Histogram,
    /// Tells this use of the slot from an earlier one in the queue.
    born: u32,
}

/// What the index holds of a candidate: its place, and enough of its hash to ask for its memory unseen.
#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    place: u32,
}

const fn tag(hash: u64) -> u32 {
    (hash >> 25 & 0xFFFF_FFFF) as u32
}

/// All candidates, the oldest pushed out when the table is full.
pub(super) struct Candidates {
    slots: Vec<Candidate>,
    free: Vec<u32>,
    index: HashTable<Slot>,
    /// Slots by birth, with the number of the birth.
    queue: VecDeque<(u32, u32)>,
    births: u32,
    bound: usize,
    pub(super) evicted: u64,
    /// Packets that were given up and not yet asked for.
    given_up: Vec<(Kind, Key, Digest)>,
}

impl Candidates {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            queue: VecDeque::new(),
            births: 0,
            bound: bound.max(1),
            evicted: 0,
            given_up: Vec::new(),
        }
    }

    fn find(&self, kind: Kind, key: &Key, hash: u64) -> Option<u32> {
        let is_it = |slot: &Slot| {
            let candidate = self.slots.get(slot.place as usize);
            slot.tag == tag(hash) && candidate.is_some_and(|c| c.key == *key && c.kind == kind)
        };
        self.index.find(hash, is_it).map(|slot| slot.place)
    }

    /// Asks for the memory of the candidate with this hash, if there is one.
    pub(super) fn prepare(&self, hash: u64) {
        if let Some(slot) = self.index.find(hash, |slot| slot.tag == tag(hash)) {
            prefetch(&self.slots, slot.place as usize);
        }
    }

    /// Adds a packet; gives all packets of the candidate back once they prove a stream.
    pub(super) fn add(
        &mut self,
        (kind, key): (Kind, Key),
        hash: impl Fn(&Key) -> u64,
        d: &Digest,
        max_silence_ns: i64,
        context: impl FnOnce() -> Context,
    ) -> Option<(Held, Histogram)> {
        let wanted = hash(&key);
        let Some(slot) = self.find(kind, &key, wanted) else {
            self.insert(kind, key, d, wanted, &hash);
            return None;
        };
        let candidate = self.slots.get_mut(slot as usize)?;
        let given_up = &mut self.given_up;
        let mut give_up = |packets: &[Digest]| given_up.extend(packets.iter().map(|d| (kind, key, *d)));
        if candidate.held.last().is_some_and(|last| is_over(last, d, max_silence_ns)) {
            give_up(&candidate.held);
            candidate.held.clear();
        }
        candidate.held.push(*d);
        if candidate.held.len() < PROOF_WITH_CONTEXT {
            return None;
        }
        let context = context();
        loop {
            match weigh(&candidate.held, context) {
                Weight::Open => return None,
                Weight::Proven => break,
                Weight::ForgetOldest => {
                    give_up(&[candidate.held.remove(0)]);
                    if candidate.held.len() < 2 {
                        return None;
                    }
                }
            }
        }
        let held = std::mem::take(&mut candidate.held);
        let fragments = std::mem::take(&mut candidate.fragments);
        self.release(slot, &hash);
        Some((held, fragments))
    }

    /// Counts a later fragment for a candidate; false where there is none of that key.
    pub(super) fn add_fragment(&mut self, kind: Kind, key: Key, hash: u64, dscp: u8) -> bool {
        let found = self.find(kind, &key, hash);
        let Some(candidate) = found.and_then(|i| self.slots.get_mut(i as usize)) else { return false };
        super::add(&mut candidate.fragments, dscp, 1);
        true
    }

    fn insert(&mut self, kind: Kind, key: Key, d: &Digest, wanted: u64, hash: &impl Fn(&Key) -> u64) {
        if self.free.is_empty() && self.slots.len() >= self.bound {
            self.evict_oldest(hash);
        }
        self.births = self.births.wrapping_add(1);
        let mut held = Held::new();
        held.push(*d);
        let candidate = Candidate { kind, key, held, fragments: Histogram::new(), born: self.births };
        let slot = if let Some(slot) = self.free.pop() {
            if let Some(place) = self.slots.get_mut(slot as usize) {
                *place = candidate;
            }
            slot
        } else {
            self.slots.push(candidate);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        };
        let slots = &self.slots;
        let rehash = |slot: &Slot| slots.get(slot.place as usize).map_or(0, |c| hash(&c.key));
        self.index.insert_unique(wanted, Slot { tag: tag(wanted), place: slot }, rehash);
        self.queue.push_back((slot, self.births));
        // Slots that were released stay in the queue until they reach its head: keep it in proportion.
        if self.queue.len() > 2 * self.bound + 1024 {
            let slots = &self.slots;
            self.queue.retain(|&(i, born)| slots.get(i as usize).is_some_and(|c| c.born == born));
        }
    }

    fn evict_oldest(&mut self, hash: &impl Fn(&Key) -> u64) {
        while let Some((slot, born)) = self.queue.pop_front() {
            let Some(candidate) = self.slots.get(slot as usize) else { continue };
            if candidate.born == born {
                let (kind, key) = (candidate.kind, candidate.key);
                self.given_up.extend(candidate.held.iter().map(|d| (kind, key, *d)));
                self.evicted += 1;
                self.release(slot, hash);
                return;
            }
        }
    }

    fn release(&mut self, slot: u32, hash: &impl Fn(&Key) -> u64) {
        let Some(candidate) = self.slots.get_mut(slot as usize) else { return };
        candidate.born = 0;
        candidate.held = Held::new();
        let wanted = hash(&candidate.key);
        if let Ok(entry) = self.index.find_entry(wanted, |s| s.place == slot) {
            entry.remove();
            self.free.push(slot);
        }
    }

    /// Packets that were given up since the last call.
    pub(super) fn take_given_up(&mut self) -> Vec<(Kind, Key, Digest)> {
        std::mem::take(&mut self.given_up)
    }

    /// Gives up everything that is still open.
    pub(super) fn close(&mut self) {
        for candidate in std::mem::take(&mut self.slots) {
            let (kind, key) = (candidate.kind, candidate.key);
            self.given_up.extend(candidate.held.iter().map(|d| (kind, key, *d)));
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
        && d.timestamp.since(timestamp).unsigned_abs() < 90_000
}

/// Capture times further apart than this, one day, are no measure of a packet's delay.
pub(super) const CLOCK_STEP_NS: i64 = 86_400_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::PathId;
    use crate::terms::{Timestamp, TrafficClass};

    const ALONE: Context = Context { is_likely_media: false };
    const WITH_STUN: Context = Context { is_likely_media: true };

    fn packet(ms: i64, sequence: u16, timestamp: u32, payload_type: u8) -> Digest {
        Digest {
            arrival: Timestamp(ms * 1_000_000),
            timestamp: RtpTime(timestamp),
            sequence,
            octets: 200,
            path: PathId(0),
            ttl: 64,
            traffic_class: TrafficClass(0),
            payload_type,
        }
    }

    fn stream(n: u16) -> Vec<Digest> {
        (0..n)
            .map(|i| packet(i64::from(i) * 20, 65_534_u16.wrapping_add(i), u32::from(i) * 960, 111))
            .collect()
    }

    #[test]
    fn five_packets_in_order_prove_a_stream_and_four_do_with_stun() {
        assert_eq!(weigh(&stream(4), ALONE), Weight::Open);
        assert_eq!(weigh(&stream(5), ALONE), Weight::Proven);
        assert_eq!(weigh(&stream(4), WITH_STUN), Weight::Proven);
        assert_eq!(weigh(&stream(3), WITH_STUN), Weight::Open);
    }

    #[test]
    fn copies_are_no_evidence() {
        let held: Vec<_> = stream(2).into_iter().flat_map(|d| [d, d, d]).collect();
        assert_eq!(weigh(&held, WITH_STUN), Weight::Open);
    }

    #[test]
    fn random_sequence_numbers_prove_nothing() {
        let held: Vec<_> = (0..12_u16)
            .map(|i| packet(i64::from(i) * 20, i.wrapping_mul(40_503), u32::from(i) * 960, 111))
            .collect();
        assert_ne!(weigh(&held, WITH_STUN), Weight::Proven);
    }

    #[test]
    fn a_counter_with_a_millisecond_clock_is_a_game() {
        let held: Vec<_> = (0..8).map(|i| packet(i64::from(i) * 50, i, u32::from(i) * 50, 100)).collect();
        assert_eq!(weigh(&held, ALONE), Weight::Open);
    }

    #[test]
    fn a_counter_with_a_constant_timestamp_is_nothing() {
        let held: Vec<_> = (0..14).map(|i| packet(i64::from(i) * 50, i, 77, 100)).collect();
        assert_eq!(weigh(&held, ALONE), Weight::Open);
    }

    #[test]
    fn the_oldest_candidate_makes_room() {
        let key = |n: u32| {
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
        };
        let hash = |k: &Key| u64::from(k.ssrc().0);
        let mut candidates = Candidates::new(10);
        for n in 0..25 {
            assert!(candidates.add(key(n), hash, &packet(0, 1, 1, 0), i64::MAX, || ALONE).is_none());
        }
        assert_eq!(candidates.evicted, 15);
        for i in 1..5_u16 {
            let next = packet(i64::from(i) * 20, 1 + i, 1 + 160 * u32::from(i), 0);
            let proven = candidates.add(key(24), hash, &next, i64::MAX, || ALONE);
            assert_eq!(proven.is_some(), i == 4);
        }
        candidates.close();
        assert_eq!((candidates.take_given_up().len(), candidates.evicted), (24, 15));
    }
}
