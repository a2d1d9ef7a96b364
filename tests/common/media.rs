//! RTP as senders make it.

use super::{Udp, ms};

/// An RTP packet with a payload of so many octets.
pub(crate) fn rtp(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32, octets: usize) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    // Looks like nothing else, and is another in each packet.
    packet.extend(
        (0..octets)
            .map(|i| (i as u16).wrapping_mul(167).wrapping_add(sequence.wrapping_mul(31)) as u8 | 0xC0),
    );
    packet
}

/// A stream of packets at a fixed interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) flow: Udp,
    pub(crate) payload_type: u8,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    /// Timestamp ticks from one packet to the next.
    pub(crate) step: u32,
    /// Nanoseconds from one packet to the next.
    pub(crate) interval: i64,
    /// Payload octets.
    pub(crate) octets: usize,
    /// When the first packet is sent.
    pub(crate) at: i64,
}

impl Stream {
    /// G.711: 20 ms a packet.
    pub(crate) const fn g711(flow: Udp) -> Self {
        Self {
            flow,
            payload_type: 0,
            ssrc: 0x1C04_15B1,
            sequence: 1000,
            timestamp: 50_000,
            step: 160,
            interval: ms(20),
            octets: 160,
            at: 0,
        }
    }

    /// Opus as browsers send it: payload type 111, 20 ms a packet.
    pub(crate) const fn opus(flow: Udp) -> Self {
        Self { payload_type: 111, step: 960, octets: 80, ..Self::g711(flow) }
    }

    pub(crate) const fn at(self, at: i64) -> Self {
        Self { at, ..self }
    }

    pub(crate) const fn ssrc(self, ssrc: u32) -> Self {
        Self { ssrc, ..self }
    }

    pub(crate) const fn sequence(self, sequence: u16) -> Self {
        Self { sequence, ..self }
    }

    pub(crate) fn dscp(self, dscp: u8) -> Self {
        Self { flow: self.flow.dscp(dscp), ..self }
    }

    pub(crate) fn ttl(self, ttl: u8) -> Self {
        Self { flow: self.flow.ttl(ttl), ..self }
    }

    /// When the i-th packet is sent.
    pub(crate) const fn time(&self, i: u32) -> i64 {
        self.at + i as i64 * self.interval
    }

    /// The i-th packet from RTP on.
    pub(crate) fn payload(&self, i: u32) -> Vec<u8> {
        let sequence = self.sequence.wrapping_add(i as u16);
        let timestamp = self.timestamp.wrapping_add(i.wrapping_mul(self.step));
        rtp(self.payload_type, sequence, timestamp, self.ssrc, self.octets)
    }

    /// Time and frame of the i-th packet.
    pub(crate) fn frame(&self, i: u32) -> (i64, Vec<u8>) {
        (self.time(i), self.flow.frame(&self.payload(i)))
    }

    /// Times and frames of these packets.
    pub(crate) fn frames(
        self,
        packets: impl IntoIterator<Item = u32>,
    ) -> impl Iterator<Item = (i64, Vec<u8>)> {
        packets.into_iter().map(move |i| self.frame(i))
    }

    /// Times and frames of these packets, each in what `wrap` makes of the Ethernet frame's inner packet.
    pub(crate) fn wrapped<'a>(
        &'a self,
        packets: impl IntoIterator<Item = u32> + 'a,
        wrap: impl Fn(&Udp, &[u8]) -> Vec<u8> + 'a,
    ) -> impl Iterator<Item = (i64, Vec<u8>)> + 'a {
        packets.into_iter().map(move |i| (self.time(i), wrap(&self.flow, &self.payload(i))))
    }
}
