//! Very many plain streams at one tap: one frame as a pattern.
//!
//! A block of streams crosses the path unharmed, so at every tap it is the same packets in the same order, a
//! constant time later. Memory is at most one number a stream, whatever the length.

use std::net::IpAddr;

use super::SynthError;
use super::datagram::{Arrival, RtpTally, Tally};
use super::frame::{Hearing, frame};
use super::plan::{Plan, PlannedSender, drawn_ssrc};
use super::random::mix;
use super::scenario::Encapsulation;
use super::schedule::Schedule;
use super::sender::{low_16, low_32};

/// Where ERSPAN counts its frames, when it is the only tunnel: behind Ethernet, IPv4 and four octets of GRE.
const TUNNEL_SEQUENCE: usize = 38;

/// A block as one tap hears it.
#[derive(Debug)]
pub(super) struct Block<'a> {
    plan: &'a PlannedSender,
    seed: u64,
    pub tap: usize,
    /// What is equal in all packets: place, marking, flow.
    pub arrival: Arrival,
    bytes: Vec<u8>,
    /// Where the inner IP header begins, and where RTP does.
    ip: usize,
    rtp: usize,
    /// Sums of all octets that no packet changes, of the IP header and of what the UDP checksum covers.
    sums: (u32, u32),
    counts_frames: bool,
    source: u32,
    schedule: Schedule,
}

impl<'a> Block<'a> {
    /// A block at a tap, from one packet of it as heard there.
    pub(super) fn new(
        plan: &'a Plan,
        sender: &'a PlannedSender,
        arrival: Arrival,
    ) -> Result<Self, SynthError> {
        let hearing = Hearing {
            tap: &plan.taps[arrival.tap],
            place: arrival.tap,
            reverse: arrival.reverse,
            dscp: arrival.dscp,
            frames: 0,
            at: arrival.at,
        };
        let mut bytes = frame(&arrival.packet, &hearing)?;
        let ip = bytes.len() - arrival.packet.len();
        let rtp = bytes.len() - 12 - usize::from(sender.coding.payload);
        let source = match plan.flows[sender.flow].ends(arrival.tap, arrival.reverse).0.ip() {
            IpAddr::V4(v4) => v4.to_bits(),
            IpAddr::V6(v6) => u32::try_from(v6.to_bits() & 0xFFFF_FFFF).unwrap_or(0),
        };
        let is_v4 = bytes[ip] >> 4 == 4;
        let address = if is_v4 { ip + 12 } else { ip + 20 };
        let udp = rtp - 8;
        for range in [address..address + 4, rtp + 2..rtp + 12, udp + 6..udp + 8] {
            bytes[range].fill(0);
        }
        let mut sums = (0, sum(&bytes[udp..]) + 17 + u32::try_from(bytes.len() - udp).unwrap_or(0));
        if is_v4 {
            bytes[ip + 4..ip + 6].fill(0);
            bytes[ip + 10..ip + 12].fill(0);
            sums = (sum(&bytes[ip..ip + 20]), sums.1 + sum(&bytes[ip + 12..ip + 20]));
        } else {
            sums.1 += sum(&bytes[ip + 8..ip + 40]);
        }
        let tunnels = &plan.taps[arrival.tap].encapsulation;
        Ok(Self {
            plan: sender,
            seed: mix(plan.seed ^ sender.number as u64),
            tap: arrival.tap,
            bytes,
            ip,
            rtp,
            sums,
            counts_frames: matches!(tunnels[..], [Encapsulation::Erspan2 | Encapsulation::Erspan3]),
            source,
            schedule: Schedule::new(sender),
            arrival,
        })
    }

    /// When the next packet is heard. Per frame.
    pub(super) fn next_at(&self) -> Option<i64> {
        self.schedule.next_at().map(|after| self.arrival.at + after)
    }

    /// Makes the next packet's frame and says what is to be known of it. Per frame.
    pub(super) fn advance(&mut self, frames: u32) -> Tally {
        let (stream, tick) = self.schedule.take();
        let drawn = mix(self.seed ^ u64::from(stream));
        let first = self.plan.stream.sequence.unwrap_or(low_16(drawn));
        let sequence = u64::from(first) + tick;
        let start = self.plan.stream.timestamp.map_or((drawn >> 32).cast_signed(), i64::from);
        let step = self.plan.interval * i64::from(self.plan.coding.clock_rate) / 1_000_000_000;
        let timestamp = start + i64::try_from(tick).unwrap_or(0) * step;
        self.patch(stream, sequence, timestamp, frames);
        Tally::Rtp(RtpTally {
            stream: self.plan.number + stream as usize,
            part: 0,
            sequence,
            sent_as: sequence,
            timestamp,
            clock_rate: self.plan.coding.clock_rate,
            payload_type: self.plan.coding.payload_type,
            stray: false,
        })
    }

    /// The frame made last.
    pub(super) fn frame(&self) -> &[u8] {
        &self.bytes
    }

    fn patch(&mut self, stream: u32, sequence: u64, timestamp: i64, frames: u32) {
        let (ip, rtp) = (self.ip, self.rtp);
        let ssrc = match self.plan.stream.ssrc {
            Some(ssrc) => ssrc.wrapping_add(stream),
            None => drawn_ssrc(self.plan.seed, self.plan.number + stream as usize),
        };
        let (sequence, timestamp) = (low_16(sequence), low_32(timestamp));
        let source = self.source.wrapping_add(stream);
        let is_v4 = self.bytes[ip] >> 4 == 4;
        let address = if is_v4 { ip + 12 } else { ip + 20 };
        self.bytes[address..address + 4].copy_from_slice(&source.to_be_bytes());
        self.bytes[rtp + 2..rtp + 4].copy_from_slice(&sequence.to_be_bytes());
        self.bytes[rtp + 4..rtp + 8].copy_from_slice(&timestamp.to_be_bytes());
        self.bytes[rtp + 8..rtp + 12].copy_from_slice(&ssrc.to_be_bytes());
        if is_v4 {
            self.bytes[ip + 4..ip + 6].copy_from_slice(&sequence.to_be_bytes());
            let header = self.sums.0 + halves(source) + u32::from(sequence);
            self.bytes[ip + 10..ip + 12].copy_from_slice(&folded(header).to_be_bytes());
        }
        let whole = self.sums.1 + halves(source) + u32::from(sequence) + halves(timestamp) + halves(ssrc);
        // RFC 768: a sum of zero is sent as all ones.
        let checksum = match folded(whole) {
            0 => 0xFFFF,
            other => other,
        };
        self.bytes[rtp - 2..rtp].copy_from_slice(&checksum.to_be_bytes());
        if self.counts_frames {
            self.bytes[TUNNEL_SEQUENCE..TUNNEL_SEQUENCE + 4].copy_from_slice(&frames.to_be_bytes());
        }
    }
}

/// Sum of 16-bit words, as RFC 1071 adds them.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0))).sum()
}

const fn halves(word: u32) -> u32 {
    (word >> 16) + (word & 0xFFFF)
}

/// The ones' complement of a sum (RFC 1071).
#[allow(clippy::cast_possible_truncation, reason = "two folds leave 16 bits")]
const fn folded(sum: u32) -> u16 {
    let once = (sum & 0xFFFF) + (sum >> 16);
    let twice = (once & 0xFFFF) + (once >> 16);
    !(twice as u16)
}
