//! Packets by structure, and a model that counts them by brute force.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use hopmark::decode::{Addresses, Layer, Message, Observation, PathTable, Payload, RtpHeader};
use hopmark::meter::Limits;
use hopmark::terms::{PointId, RtpTime, Ssrc, Timestamp, TrafficClass, Transport};

use crate::listener::{self, NARROW};
use crate::model::Model;

/// What is sent.
#[derive(Debug, Arbitrary)]
pub struct Sequence {
    is_narrow: bool,
    /// Whether each stream begins with packets that prove it.
    is_proven: bool,
    packets: Vec<Packet>,
}

#[derive(Debug, Arbitrary)]
struct Packet {
    ssrc: u8,
    sequence: Step,
    timestamp: Ticks,
    elapsed: Elapsed,
    ttl: u8,
    traffic_class: u8,
    payload_type: u8,
    path: u8,
}

/// From the stream's packet before to this one.
#[derive(Debug, Arbitrary)]
enum Step {
    Next,
    Next2,
    Near(i8),
    Far(i16),
}

#[derive(Debug, Arbitrary)]
enum Ticks {
    Usual,
    Usual2,
    Same,
    Any(i32),
}

#[derive(Debug, Arbitrary)]
enum Elapsed {
    Usual,
    None,
    HundredMicroseconds(i16),
    Seconds(i8),
    At(i64),
}

/// One SSRC as its sender has it.
#[derive(Debug, Clone, Copy)]
struct Sender {
    sequence: u16,
    timestamp: u32,
}

/// A stream that the model can follow, so far.
struct Followed {
    model: Model,
    last: i64,
}

const STREAMS: u8 = 4;
const USUAL_NS: i64 = 20_000_000;
/// Packets that prove a stream.
const PROOF: u16 = 5;
/// As the model knows nothing of it, no stream that it follows is silent for longer.
const LONGEST_SILENCE_NS: i64 = 50_000_000_000;

/// Everything on its way from senders to the meter.
struct Feed {
    meter: hopmark::meter::Meter,
    paths: PathTable,
    packets: u64,
    now: i64,
    senders: [Sender; STREAMS as usize],
    /// By SSRC; none for a stream that did what the model does not know.
    followed: BTreeMap<u8, Option<Followed>>,
}

impl Sequence {
    /// Feeds a meter with it, and compares. Panics where a law or the model is broken.
    pub fn run(&self) {
        let limits = if self.is_narrow { NARROW } else { Limits::default() };
        let mut feed = Feed {
            meter: listener::meter(PointId(0), limits, 7),
            paths: PathTable::new(7),
            packets: 0,
            now: 1_700_000_000_000_000_000,
            senders: std::array::from_fn(|i| Sender {
                sequence: 65_500 + 10 * i as u16,
                timestamp: u32::MAX - 1000,
            }),
            followed: BTreeMap::new(),
        };
        if self.is_proven {
            for _ in 0..PROOF {
                (0..STREAMS).for_each(|ssrc| feed.send(&Packet::usual(ssrc)));
            }
        }
        for packet in &self.packets {
            feed.send(packet);
        }
        feed.finish(self.is_proven);
    }
}

impl Packet {
    fn usual(ssrc: u8) -> Self {
        let (sequence, timestamp, elapsed) = (Step::Next, Ticks::Usual, Elapsed::HundredMicroseconds(50));
        Self { ssrc, sequence, timestamp, elapsed, ttl: 0, traffic_class: 0, payload_type: 0, path: 0 }
    }

    fn path(&self, paths: &mut PathTable) -> hopmark::decode::PathId {
        let tag = |vid, pcp| Layer::Vlan { vid, pcp };
        match self.path {
            0..200 => paths.intern(0, &[]),
            200..210 => paths.intern(0, &[tag(1, 5)]),
            210..220 => paths.intern(0, &[tag(1, 0)]),
            220..230 => paths.intern(0, &[tag(2, 0)]),
            other => paths.intern(1, &[tag(3, 0), Layer::Mpls { label: u32::from(other), tc: other % 8 }]),
        }
    }
}

impl Feed {
    fn send(&mut self, packet: &Packet) {
        let ssrc = packet.ssrc % STREAMS;
        self.now = match packet.elapsed {
            Elapsed::Usual => self.now.saturating_add(USUAL_NS),
            Elapsed::None => self.now,
            Elapsed::HundredMicroseconds(n) => self.now.saturating_add(i64::from(n) * 100_000),
            Elapsed::Seconds(n) => self.now.saturating_add(i64::from(n) * 1_000_000_000),
            Elapsed::At(ns) => ns,
        };
        let sender = &mut self.senders[usize::from(ssrc)];
        sender.sequence = sender.sequence.wrapping_add_signed(match packet.sequence {
            Step::Next | Step::Next2 => 1,
            Step::Near(n) => n.into(),
            Step::Far(n) => n,
        });
        sender.timestamp = sender.timestamp.wrapping_add_signed(match packet.timestamp {
            Ticks::Usual | Ticks::Usual2 => 160,
            Ticks::Same => 0,
            Ticks::Any(n) => n,
        });
        let sender = *sender;
        let is_usual_way = packet.ttl < 200 && packet.path < 200;
        self.follow(ssrc, sender.sequence, is_usual_way);
        self.packets += 1;
        let path = packet.path(&mut self.paths);
        let observation = Observation {
            timestamp: Timestamp(self.now),
            addresses: Addresses::V4 { source: 0x0A00_0001, destination: 0xC000_0202 },
            source_port: 50_000,
            destination_port: 50_002,
            transport: Transport::Udp,
            traffic_class: TrafficClass(packet.traffic_class),
            ttl: if packet.ttl < 200 { 64 } else { 64 - packet.ttl % 4 },
            path,
            octets: 200,
            fragment: None,
            message: Message::Rtp(RtpHeader {
                ssrc: Ssrc(ssrc.into()),
                timestamp: RtpTime(sender.timestamp),
                sequence: sender.sequence,
                payload_type: packet.payload_type & 0x7F,
                marker: false,
                payload: Payload::default(),
            }),
        };
        self.meter.observe(&observation, &self.paths);
    }

    fn follow(&mut self, ssrc: u8, sequence: u16, is_usual_way: bool) {
        let now = self.now;
        let begin = || Some(Followed { model: Model::new(sequence), last: now });
        let mut is_first = false;
        let entry = self.followed.entry(ssrc).or_insert_with(|| {
            is_first = true;
            begin()
        });
        if is_first {
            return;
        }
        let goes_on = entry.as_mut().is_some_and(|followed| {
            let silence = now.saturating_sub(followed.last);
            followed.last = followed.last.max(now);
            is_usual_way
                && (-LONGEST_SILENCE_NS..LONGEST_SILENCE_NS).contains(&silence)
                && followed.model.count(sequence)
        });
        if !goes_on {
            *entry = None;
        }
    }

    fn finish(self, is_proven: bool) {
        let heard = listener::finish(self.meter, &self.paths, self.packets);
        let was_full = heard.counters.streams_evicted + heard.counters.candidates_evicted > 0;
        if !is_proven || was_full {
            return;
        }
        for (ssrc, followed) in &self.followed {
            let Some(followed) = followed else { continue };
            let mut records = heard.streams.iter().filter(|s| s.ssrc == Ssrc(u32::from(*ssrc)));
            let (Some(record), None) = (records.next(), records.next()) else {
                panic!("stream {ssrc} does not have one record");
            };
            assert_eq!(record.hops.len(), 1, "stream {ssrc} came one way");
            followed.model.compare(&record.hops[0]);
        }
    }
}
