//! All streams of a profile, their packets in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use super::super::random::Random;
use super::frame::{Headers, begin, record};
use super::stream::{CADENCE, STUN_ASKS, Stream, Wrote};
use super::{Profile, SECOND};

/// When the first stream may begin: noon of some day.
const EPOCH: i64 = 1_760_000_400 * SECOND;
/// How much later than at its turn a stream may begin.
const LATE: i64 = 4 * SECOND;
/// What follows when all streams have ended: time in which everything of them is forgotten.
const TAIL: i64 = 150 * SECOND;

/// What was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) frames: u64,
    pub(crate) streams: u64,
    /// RTP packets at the first hop and at the second.
    pub(crate) packets: [u64; 2],
    /// Packets that did not come as far as the first hop, and the second.
    pub(crate) lost: [u64; 2],
    pub(crate) requests: u64,
    pub(crate) unanswered: u64,
}

/// Traffic in the making.
pub(crate) struct Traffic {
    profile: Profile,
    random: Random,
    made: Made,
    /// Streams that are on their way, by when they go on.
    running: BinaryHeap<Reverse<(i64, u32)>>,
    slots: Vec<Option<Stream>>,
    free: Vec<u32>,
    /// The number of the next stream of the even flow, of the next burst's, and how many that burst has begun.
    next: u64,
    next_of_burst: (i64, u64),
    /// When the next packet comes that belongs to no stream.
    heartbeat: i64,
}

impl Traffic {
    pub(crate) fn new(profile: &Profile) -> Self {
        let mut traffic = Self {
            random: Random::new(profile.seed),
            profile: profile.clone(),
            made: Made::default(),
            running: BinaryHeap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            next: 0,
            next_of_burst: (0, 0),
            heartbeat: 0,
        };
        let packets = (profile.seconds * SECOND / CADENCE) as u32;
        for _ in 0..profile.lasting {
            let number = traffic.number();
            let start = traffic.random.between(0, SECOND);
            traffic.add(Stream::new(profile.seed, number, start).lasting(packets));
        }
        traffic
    }

    /// The head of the capture.
    pub(crate) fn begin(out: &mut Vec<u8>) {
        begin(out);
    }

    pub(crate) const fn made(&self) -> Made {
        self.made
    }

    /// Numbers are given once, whatever begins in which order.
    const fn number(&mut self) -> u64 {
        self.made.streams += 1;
        self.made.streams - 1
    }

    fn add(&mut self, stream: Stream) {
        let Some(due) = stream.due() else { return };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize] = Some(stream);
        self.running.push(Reverse((due, slot)));
    }

    /// When the next stream of the even flow has its turn.
    fn turn(&self) -> Option<i64> {
        let all = i128::from(self.profile.streams);
        let part = i128::from(self.profile.seconds * SECOND - LATE) * i128::from(self.next) / all;
        (self.next < self.profile.streams).then_some(part as i64)
    }

    /// When the next stream of a burst has its turn: in the middle of every so many seconds.
    fn turn_of_burst(&self) -> Option<i64> {
        let burst = self.profile.burst?;
        let (round, begun) = self.next_of_burst;
        let begins = (round * burst.every + burst.every / 2) * SECOND;
        let turn = begins + burst.within * SECOND / burst.streams.cast_signed() * begun.cast_signed();
        (turn < self.profile.seconds * SECOND - LATE).then_some(turn)
    }

    /// Writes the next record; gives its time since the start, or none where all is over.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) -> Option<i64> {
        let end = self.profile.seconds * SECOND + TAIL;
        loop {
            let due = self.running.peek().map(|Reverse((due, _))| *due);
            let turn = self.turn();
            let burst = self.turn_of_burst();
            let first = [due, turn, burst].into_iter().flatten().min().unwrap_or(i64::MAX);
            if self.heartbeat <= first {
                if self.heartbeat >= end {
                    return None;
                }
                return Some(self.beat(out));
            }
            if turn == Some(first) {
                self.next += 1;
                let number = self.number();
                let start = first + STUN_ASKS + self.random.between(0, LATE - SECOND);
                self.add(Stream::new(self.profile.seed, number, start));
            } else if burst == Some(first) {
                let of_each = self.profile.burst.map_or(0, |burst| burst.streams);
                let (round, begun) = self.next_of_burst;
                self.next_of_burst = if begun + 1 < of_each { (round, begun + 1) } else { (round + 1, 0) };
                let number = self.number();
                self.add(Stream::new(self.profile.seed, number, first + STUN_ASKS).without_stun());
            } else {
                self.step(out);
                return Some(first);
            }
        }
    }

    /// Once a second something comes that is no media: time goes on though no stream runs.
    fn beat(&mut self, out: &mut Vec<u8>) -> i64 {
        let at = self.heartbeat;
        self.heartbeat += SECOND;
        let headers = Headers {
            source: SocketAddr::from(([10, 0, 0, 1], 5353)),
            destination: SocketAddr::from(([10, 0, 0, 2], 5353)),
            dscp: 0,
            ttl: 64,
            vlan: None,
        };
        record(out, EPOCH + at, &headers, &[0; 12], 12);
        self.made.frames += 1;
        at
    }

    fn step(&mut self, out: &mut Vec<u8>) {
        let Some(Reverse((at, slot))) = self.running.pop() else { return };
        let Some(stream) = &mut self.slots[slot as usize] else { return };
        let wrote = stream.write(EPOCH + at, out);
        if let Some(due) = stream.due() {
            self.running.push(Reverse((due, slot)));
        } else {
            self.slots[slot as usize] = None;
            self.free.push(slot);
        }
        let made = &mut self.made;
        made.frames += 1;
        match wrote {
            Wrote::Request { is_answered } => {
                made.requests += 1;
                made.unanswered += u64::from(!is_answered);
            }
            Wrote::Response => {}
            Wrote::Packet { hop } => made.packets[usize::from(hop)] += 1,
            Wrote::Nothing { hop } => {
                made.lost[usize::from(hop)] += 1;
                made.frames -= 1;
            }
        }
    }
}
