//! An RTP sender: the packets of one stream, as they are sent.

use std::collections::VecDeque;

use super::check::{AFTER, BEFORE, OPENING};
use super::datagram::{Datagram, RtpTally, Tally};
use super::media::{COMFORT_NOISE, Coding, TELEPHONE_EVENT, nanoseconds};
use super::plan::{PlannedSender, frame_packets};
use super::random::Random;

/// RTCP goes out every so often.
const RTCP_INTERVAL: i64 = 5_000_000_000;

/// What is left of one stream.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    plan: &'a PlannedSender,
    carrier: usize,
    random: Random,
    coding: Coding,
    dscp: u8,
    /// Packets sent so far.
    sent: u64,
    /// Number of the packet that opened the slot before.
    previous: Option<u64>,
    part: u32,
    sequence: u64,
    /// Time, timestamp and number of the slot from which times are counted.
    origin: (i64, i64),
    slot: i64,
    marker: bool,
    /// Timestamp and packets left of a telephone event.
    event: Option<(i64, u64)>,
    next_rtcp: i64,
    ready: VecDeque<Datagram>,
}

/// What differs between the packets of one slot.
struct Packet {
    at: i64,
    sequence: u64,
    timestamp: i64,
    payload_type: u8,
    marker: bool,
    octets: u16,
    stray: bool,
}

impl<'a> Sender<'a> {
    pub(super) fn new(plan: &'a PlannedSender, carrier: usize) -> Self {
        let mut random = Random::new(plan.seed, &[1, plan.number as u64]);
        let sequence = plan.stream.sequence.unwrap_or(random.next_u16());
        let timestamp = plan.stream.timestamp.unwrap_or(random.next_u32());
        Self {
            plan,
            carrier,
            random,
            coding: plan.coding,
            dscp: plan.dscp,
            sent: 0,
            previous: None,
            part: 0,
            sequence: u64::from(sequence),
            origin: (plan.start, i64::from(timestamp)),
            slot: 0,
            marker: true,
            event: None,
            next_rtcp: plan.start + RTCP_INTERVAL / 2,
            ready: VecDeque::new(),
        }
    }

    /// When the next packet is sent.
    pub(super) fn next_at(&mut self) -> Option<i64> {
        if self.ready.is_empty() {
            self.fill();
        }
        self.ready.front().map(|datagram| datagram.at)
    }

    /// The next packet.
    pub(super) fn take(&mut self) -> Option<Datagram> {
        self.next_at()?;
        self.ready.pop_front()
    }

    /// Readies the packets of one slot: one, or those of a frame.
    fn fill(&mut self) {
        if self.sent >= self.plan.packets {
            return;
        }
        let first_of_slot = self.sent;
        self.jump(first_of_slot);
        self.change(first_of_slot);
        self.pause(first_of_slot);
        self.previous = Some(first_of_slot);
        if self.sent >= self.plan.packets {
            return;
        }
        if self.coding.frame_rate.is_some() {
            self.frame();
        } else {
            self.single();
        }
        self.slot += 1;
        self.rtcp();
    }

    /// Whether what stands at packet `at` happens now: in the first slot that does not open before it.
    fn is_due(&self, at: u64, number: u64) -> bool {
        at <= number && self.previous.is_none_or(|previous| at > previous)
    }

    /// Time and timestamp of the slot that comes next.
    fn now(&self) -> (i64, i64) {
        let ((time, timestamp), slot) = (self.origin, self.slot);
        let clock = i64::from(self.coding.clock_rate);
        if let Some(rate) = self.coding.frame_rate.map(i64::from) {
            return (time + slot * 1_000_000_000 / rate, timestamp + slot * clock / rate);
        }
        let step = (self.plan.interval * clock + 500_000_000) / 1_000_000_000;
        (time + slot * self.plan.interval, timestamp + slot * step)
    }

    /// Counts time from here on.
    fn rebase(&mut self) {
        self.origin = self.now();
        self.slot = 0;
    }

    /// Restarts and outages.
    fn jump(&mut self, number: u64) {
        let stream = &self.plan.stream;
        if stream.restart.iter().any(|&at| self.is_due(at, number)) {
            self.rebase();
            self.part += 1;
            // Far from what came before in both numbers, so that it cannot be taken for an outage.
            let far = self.random.between(5_000, 60_000);
            self.sequence = (self.sequence + far) & 0xFFFF;
            let jump = self.random.between(1 << 30, 3 << 30);
            self.origin.1 = (self.origin.1 + i64::try_from(jump).unwrap_or(0)) & 0xFFFF_FFFF;
        }
        let due = stream.outage.iter().find(|run| self.is_due(run.at, number));
        if let Some(run) = due {
            let mut left = run.packets;
            while left > 0 {
                let frame = if self.coding.frame_rate.is_some() { self.frame_size().min(left) } else { 1 };
                self.sequence += frame;
                left -= frame;
                self.slot += 1;
            }
        }
    }

    /// Changes of codec and codepoint.
    fn change(&mut self, number: u64) {
        let stream = &self.plan.stream;
        if let Some(change) = stream.codec_change.iter().find(|change| self.is_due(change.at, number)) {
            self.rebase();
            self.coding = change.codec.coding();
        }
        if let Some(change) = stream.dscp_change.iter().rev().find(|change| change.at <= number) {
            self.dscp = change.dscp.0.value();
        }
        if self.event.is_none()
            && let Some(event) = stream.event.iter().find(|event| self.is_due(event.at, number))
        {
            self.event = Some((self.now().1, event.packets));
            self.marker = true;
        }
    }

    /// Silence, with or without a packet of comfort noise to open it.
    fn pause(&mut self, number: u64) {
        let Some(silence) = self.plan.stream.silence.iter().find(|silence| self.is_due(silence.at, number))
        else {
            return;
        };
        if silence.comfort_noise && self.coding.frame_rate.is_none() {
            let (at, timestamp) = self.now();
            let sequence = self.sequence;
            self.push(&Packet {
                at,
                sequence,
                timestamp,
                payload_type: COMFORT_NOISE,
                marker: false,
                octets: 12,
                stray: false,
            });
            self.slot += 1;
            self.sequence += 1;
            self.sent += 1;
        }
        self.slot += nanoseconds(silence.seconds) / self.plan.interval.max(1);
        self.marker = silence.marker.unwrap_or(true);
    }

    fn single(&mut self) {
        let (at, timestamp) = self.now();
        let mut packet = Packet {
            at,
            sequence: self.sequence,
            timestamp,
            payload_type: self.coding.payload_type,
            marker: std::mem::take(&mut self.marker),
            octets: self.coding.payload,
            stray: false,
        };
        if let Some((timestamp, left)) = self.event {
            packet = Packet { timestamp, payload_type: TELEPHONE_EVENT, octets: 14, ..packet };
            self.event = (left > 1).then_some((timestamp, left - 1));
        }
        self.send(&packet);
    }

    fn frame(&mut self) {
        let (start, timestamp) = self.now();
        let size = self.frame_size().min(self.plan.packets - self.sent);
        self.marker = false;
        for place in 1..=size {
            let last = place == size;
            let shortened =
                u16::try_from(self.random.below(u64::from(self.coding.payload / 2).max(1))).unwrap_or(0);
            self.send(&Packet {
                at: start + i64::try_from(place - 1).unwrap_or(0) * self.spacing(),
                sequence: self.sequence,
                timestamp,
                payload_type: self.coding.payload_type,
                marker: last,
                octets: if last { self.coding.payload - shortened } else { self.coding.payload },
                stray: false,
            });
        }
    }

    /// Sends the stream's next packet, and the stray that follows it where one is due.
    fn send(&mut self, packet: &Packet) {
        self.push(packet);
        if self.plan.stream.stray.contains(&self.sent) {
            let far = self.random.between(5_000, 60_000);
            let at = packet.at + self.spacing() / 4;
            self.push(&Packet { at, sequence: packet.sequence + far, marker: false, stray: true, ..*packet });
        }
        self.sequence += 1;
        self.sent += 1;
    }

    fn frame_size(&mut self) -> u64 {
        let (least, most) = frame_packets(&self.plan.stream);
        self.random.between(u64::from(least), u64::from(most))
    }

    /// Nanoseconds between packets that follow each other closest.
    fn spacing(&self) -> i64 {
        match self.coding.frame_rate {
            Some(_) => {
                let most = i64::from(frame_packets(&self.plan.stream).1);
                (self.plan.interval / (2 * most)).min(200_000)
            }
            None => self.plan.interval,
        }
    }

    fn is_calm(&self, number: u64) -> bool {
        let stream = &self.plan.stream;
        let breaks = stream.restart.iter().chain(&stream.stray).copied();
        let mut breaks = breaks.chain(stream.outage.iter().map(|run| run.at));
        // A break waits for the next frame.
        let after = AFTER + u64::from(frame_packets(stream).1);
        number < OPENING || breaks.any(|at| (at.saturating_sub(BEFORE)..at + after).contains(&number))
    }

    fn push(&mut self, packet: &Packet) {
        let mut payload = Vec::with_capacity(20 + usize::from(packet.octets));
        let extension = self.plan.stream.header_extension;
        payload.push(0x80 | u8::from(extension) << 4);
        payload.push(packet.payload_type | u8::from(packet.marker) << 7);
        payload.extend(low_16(packet.sequence).to_be_bytes());
        payload.extend(low_32(packet.timestamp).to_be_bytes());
        payload.extend(self.plan.ssrc.to_be_bytes());
        if extension {
            // RFC 8285: one element of one octet, the audio level of RFC 6464, then padding.
            payload.extend([0xBE, 0xDE, 0, 1, 0x10, 0x7F, 0, 0]);
        }
        let header = payload.len();
        payload.resize(header + usize::from(packet.octets), 0);
        self.random.fill(&mut payload[header..]);
        let tally = Tally::Rtp(RtpTally {
            stream: self.plan.number,
            part: self.part,
            sequence: packet.sequence,
            sent_as: packet.sequence,
            timestamp: packet.timestamp,
            clock_rate: self.coding.clock_rate,
            payload_type: packet.payload_type,
            stray: packet.stray,
        });
        let datagram = self.datagram(packet.at, payload, tally, packet.stray || self.is_calm(self.sent));
        self.ready.push_back(Datagram { number: (!packet.stray).then_some(self.sent), ..datagram });
    }

    /// An encrypted sender report on the media's own ports (RFC 3711, RFC 5761), where it is time for one.
    fn rtcp(&mut self) {
        let Some(at) = self.ready.back().map(|last| last.at + self.spacing() / 8) else { return };
        if !self.plan.stream.rtcp || at < self.next_rtcp {
            return;
        }
        self.next_rtcp += RTCP_INTERVAL;
        let mut payload = vec![0x80, 200, 0, 6];
        payload.extend(self.plan.ssrc.to_be_bytes());
        payload.resize(42, 0);
        self.random.fill(&mut payload[8..]);
        let datagram = self.datagram(at, payload, Tally::Nothing, true);
        self.ready.push_back(datagram);
    }

    fn datagram(&self, at: i64, payload: Vec<u8>, tally: Tally, calm: bool) -> Datagram {
        Datagram {
            at,
            flow: self.plan.flow,
            reverse: self.plan.reverse,
            to_relay: false,
            carrier: self.carrier,
            dscp: self.dscp,
            ecn: self.plan.stream.ecn,
            ttl: self.plan.ttl,
            number: None,
            identification: low_16(self.sent + self.plan.number as u64 * 4_099),
            spacing: self.spacing(),
            calm,
            payload,
            tally,
        }
    }
}

/// What of a number that never wraps is on the wire.
#[allow(clippy::cast_possible_truncation, reason = "the wire has the lower 16 bits")]
pub(super) const fn low_16(number: u64) -> u16 {
    number as u16
}

/// What of a timestamp that never wraps is on the wire.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the wire has the lower 32 bits")]
pub(super) const fn low_32(timestamp: i64) -> u32 {
    timestamp as u32
}
