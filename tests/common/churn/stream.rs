//! One stream: what it is, and when its packets pass.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::random::Random;
use super::PACKETS;
use super::frame::{Headers, record};

/// Between two packets.
pub(super) const CADENCE: i64 = 20_000_000;
/// From one hop to the next.
const TRANSIT: i64 = 1_000_000;
/// Packets before this one are all heard: they prove the stream.
const SAFE: u8 = 12;
/// How long before the first packet STUN asks, and is answered.
pub(super) const STUN_ASKS: i64 = 60_000_000;
const STUN_ANSWERS: i64 = 30_000_000;

/// A stream that is on its way.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    source: SocketAddr,
    destination: SocketAddr,
    vlan: Option<u16>,
    ssrc: u32,
    start: i64,
    sequence: u16,
    timestamp: u32,
    kind: Kind,
    /// At the first hop, and at the second, where there is one.
    dscp: [Option<u8>; 2],
    /// Bits of packets that are lost before the first hop, and before the second.
    lost: [u32; 2],
    stun: Stun,
    /// How many packets it sends.
    packets: u32,
    step: Step,
    random: Random,
}

/// What it carries.
#[derive(Debug, Clone, Copy)]
struct Kind {
    payload_type: u8,
    /// Of the timestamps, in 20 ms.
    ticks: u32,
    octets: usize,
    port: u16,
    dscp: u8,
}

/// Of each class of a profile, one that no rule knows, and one whose payload type tells what it is.
const KINDS: [Kind; 5] = [
    Kind { payload_type: 111, ticks: 960, octets: 100, port: 50_000, dscp: 46 },
    Kind { payload_type: 0, ticks: 160, octets: 160, port: 50_000, dscp: 46 },
    Kind { payload_type: 96, ticks: 1800, octets: 900, port: 50_020, dscp: 34 },
    Kind { payload_type: 97, ticks: 1800, octets: 1100, port: 50_040, dscp: 18 },
    Kind { payload_type: 8, ticks: 160, octets: 160, port: 16_384, dscp: 46 },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stun {
    None,
    Answered,
    Unanswered,
}

/// What comes next of it.
#[derive(Debug, Clone, Copy)]
enum Step {
    Asks,
    Answers,
    Packet { number: u32, hop: u8 },
}

/// What was written by one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrote {
    Request {
        is_answered: bool,
    },
    Response,
    Packet {
        hop: u8,
    },
    /// A packet that did not come so far.
    Nothing {
        hop: u8,
    },
}

impl Stream {
    /// The stream of a number. Every second one is, mostly, the way back of the one before.
    pub(super) fn new(seed: u64, number: u64, start: i64) -> Self {
        let mut call = Random::new(seed ^ (number / 2).wrapping_mul(0x9E37_79B9));
        let is_pair = call.below(4) != 0;
        let mut random = Random::new(seed.rotate_left(32) ^ number.wrapping_mul(0x2545_F491_4F6C_DD1D));
        if !is_pair {
            call = random.clone();
        }
        let kind = call.pick(&KINDS);
        let index = if is_pair { number & !1 } else { number };
        let is_v6 = call.below(2) == 0;
        let port = kind.port + call.below(20) as u16;
        let far_port = call.pick(&[3479_u16, 3480, 3481, 40_000]).wrapping_add(call.below(8) as u16);
        let near = SocketAddr::new(address(is_v6, index, 10, 0xFD00), port);
        let far = SocketAddr::new(address(is_v6, call.next() & 0xFF_FFFF, 52, 0x2600), far_port);
        let is_back = is_pair && number & 1 == 1;
        let (source, destination) = if is_back { (far, near) } else { (near, far) };
        let first = match random.below(10) {
            0 | 1 => 0,
            2 => 8,
            _ => kind.dscp,
        };
        let second = match random.below(10) {
            0 => Some(first),
            1 => Some(if first == 0 { kind.dscp } else { 0 }),
            _ => None,
        };
        let loses = random.below(4) == 0;
        let stun = match random.below(16) {
            0..=2 => Stun::Answered,
            3 => Stun::Unanswered,
            _ => Stun::None,
        };
        let mut lose = |may: bool| if may { lost(&mut random) } else { 0 };
        let lost = [lose(loses), lose(loses && second.is_some())];
        Self {
            source,
            destination,
            vlan: (call.below(8) == 0).then_some(100),
            ssrc: random.u32(),
            start,
            sequence: random.u16(),
            timestamp: random.u32(),
            kind,
            dscp: [Some(first), second],
            lost,
            stun,
            packets: u32::from(PACKETS),
            step: if stun == Stun::None { Step::Packet { number: 0, hop: 0 } } else { Step::Asks },
            random,
        }
    }

    /// The same without STUN: a crowd of those that ask fills tables of its own.
    pub(super) fn without_stun(self) -> Self {
        Self { stun: Stun::None, step: Step::Packet { number: 0, hop: 0 }, ..self }
    }

    /// The same, but of so many packets, of which none is lost.
    pub(super) fn lasting(self, packets: u32) -> Self {
        Self { packets, lost: [0, 0], ..self.without_stun() }
    }

    /// When the next thing of it is to be written; none where it is over.
    pub(super) fn due(&self) -> Option<i64> {
        match self.step {
            Step::Asks => Some(self.start - STUN_ASKS),
            Step::Answers => Some(self.start - STUN_ANSWERS),
            Step::Packet { number, .. } if number >= self.packets => None,
            Step::Packet { number, hop } => {
                let jitter = self.jitter(number);
                Some(self.start + i64::from(number) * CADENCE + jitter + i64::from(hop) * TRANSIT)
            }
        }
    }

    /// The same packet is as late at each hop.
    fn jitter(&self, number: u32) -> i64 {
        let mixed = (self.ssrc ^ number.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B);
        i64::from(mixed >> 12)
    }

    /// Writes it, and goes on.
    pub(super) fn write(&mut self, at: i64, out: &mut Vec<u8>) -> Wrote {
        let headers =
            |source, destination, dscp, ttl| Headers { source, destination, dscp, ttl, vlan: self.vlan };
        match self.step {
            Step::Asks => {
                let is_answered = self.stun == Stun::Answered;
                self.step = if is_answered { Step::Answers } else { Step::Packet { number: 0, hop: 0 } };
                record(out, at, &headers(self.source, self.destination, 0, 64), &self.stun(0x0001), 20);
                Wrote::Request { is_answered }
            }
            Step::Answers => {
                self.step = Step::Packet { number: 0, hop: 0 };
                record(out, at, &headers(self.destination, self.source, 0, 55), &self.stun(0x0101), 20);
                Wrote::Response
            }
            Step::Packet { number, hop } => {
                let has_second = self.dscp[1].is_some();
                self.step = if hop == 0 && has_second {
                    Step::Packet { number, hop: 1 }
                } else {
                    Step::Packet { number: number + 1, hop: 0 }
                };
                let lost = self.lost[0] | if hop == 1 { self.lost[1] } else { 0 };
                if number < 32 && lost >> number & 1 == 1 {
                    return Wrote::Nothing { hop };
                }
                let dscp = self.dscp[usize::from(hop)].unwrap_or(0);
                let headers = headers(self.source, self.destination, dscp, 64 - hop);
                record(out, at, &headers, &self.rtp(number), 12 + self.kind.octets);
                Wrote::Packet { hop }
            }
        }
    }

    fn rtp(&self, number: u32) -> [u8; 44] {
        let mut packet = [0; 44];
        packet[0] = 0x80;
        packet[1] = self.kind.payload_type;
        packet[2..4].copy_from_slice(&self.sequence.wrapping_add(number as u16).to_be_bytes());
        let timestamp = self.timestamp.wrapping_add(number.wrapping_mul(self.kind.ticks));
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        let mut content = Random::new(u64::from(self.ssrc) << 32 | u64::from(number));
        for part in packet[12..].chunks_mut(8) {
            part.copy_from_slice(&content.next().to_le_bytes());
        }
        packet
    }

    fn stun(&self, kind: u16) -> [u8; 20] {
        let mut message = [0; 20];
        message[..2].copy_from_slice(&kind.to_be_bytes());
        message[4..8].copy_from_slice(&0x2112_A442_u32.to_be_bytes());
        message[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        message[12..20].copy_from_slice(&self.random.clone().next().to_be_bytes());
        message
    }
}

/// One to three packets in the second half, never the last.
fn lost(random: &mut Random) -> u32 {
    let one = |random: &mut Random| 1_u32 << random.between(i64::from(SAFE), i64::from(PACKETS) - 2);
    (0..=random.below(3)).fold(0, |lost, _| lost | one(random))
}

/// An address that is `number`'s own, in one of these networks.
fn address(is_v6: bool, number: u64, v4: u8, v6: u16) -> IpAddr {
    let [.., a, b, c] = number.to_be_bytes();
    if is_v6 {
        let low = number as u32;
        Ipv6Addr::new(v6, 0xDB8, 0, 0, 0, 0, (low >> 16) as u16, low as u16).into()
    } else {
        Ipv4Addr::new(v4, a, b, c).into()
    }
}
