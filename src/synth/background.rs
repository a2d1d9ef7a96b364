//! Traffic that is no media, some of it much like media.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use etherparse::{
    ArpOperation, ArpPacket, EtherType, Icmpv4Type, IpNumber, PacketBuilder, icmpv4::DestUnreachableHeader,
};

use super::error::SynthError;
use super::frame::{Hearing, bare_frame, frame, ip_headers, ip_packet};
use super::plan::Plan;
use super::random::{Random, mix};

/// How many hosts talk.
const HOSTS: u64 = 60;

/// What kinds there are. Each looks at some point like media, or like what media is found by.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// UDP with random octets: a quarter has RTP's version.
    Random,
    Tcp,
    Dns,
    /// A short header of QUIC, which shares its first octets with ChannelData.
    Quic,
    /// ESP in UDP (RFC 3948), with an index that begins like RTP.
    Esp,
    WireGuard,
    /// RTP's version, one SSRC, but a random sequence number.
    Game,
    /// An ICMP error that quotes an RTP packet.
    IcmpError,
    Arp,
}

const KINDS: [Kind; 9] = [
    Kind::Random,
    Kind::Tcp,
    Kind::Dns,
    Kind::Quic,
    Kind::Esp,
    Kind::WireGuard,
    Kind::Game,
    Kind::IcmpError,
    Kind::Arp,
];

/// The background as one tap hears it.
#[derive(Debug)]
pub(super) struct Noise<'a> {
    plan: &'a Plan,
    pub tap: usize,
    random: Random,
    sent: u64,
    packets: u64,
    start: i64,
    step: i64,
    next: i64,
    ttl: u8,
}

impl<'a> Noise<'a> {
    /// The background at a tap.
    pub(super) fn new(plan: &'a Plan, tap: usize) -> Option<Self> {
        let background = plan.background.as_ref()?;
        let (end, media) = plan.extent();
        let packets = background.packets.unwrap_or_else(|| {
            let share = background.share;
            whole(share / (1.0 - share) * to_f64(media))
        });
        let length = background.seconds.map_or(end - plan.start, super::media::nanoseconds);
        let step = length / i64::try_from(packets.max(1)).unwrap_or(i64::MAX);
        let passed = &plan.taps[..=tap];
        let delay: i64 = passed.iter().map(|tap| tap.delay).sum();
        let drops: u32 = passed.iter().map(|tap| u32::from(tap.ttl_drop)).sum();
        let mut noise = Self {
            plan,
            tap,
            random: Random::new(plan.seed, &[9]),
            sent: 0,
            packets,
            start: plan.start + delay,
            step,
            next: 0,
            ttl: 255_u8.saturating_sub(u8::try_from(drops).unwrap_or(u8::MAX)),
        };
        noise.schedule();
        Some(noise)
    }

    fn schedule(&mut self) {
        let within = self.random.below(self.step.unsigned_abs().max(1));
        let slot = i64::try_from(self.sent).unwrap_or(0) * self.step;
        self.next = self.start + slot + i64::try_from(within).unwrap_or(0);
    }

    /// When the next packet is heard.
    pub(super) fn next_at(&self) -> Option<i64> {
        (self.sent < self.packets).then_some(self.next)
    }

    /// The next packet's frame.
    pub(super) fn next_frame(&mut self, frames: u32) -> Result<Vec<u8>, SynthError> {
        let hearing = Hearing {
            tap: &self.plan.taps[self.tap],
            place: self.tap,
            reverse: false,
            dscp: 0,
            frames,
            at: self.next,
        };
        let kind = self.random.one_of(&KINDS).unwrap_or(Kind::Random);
        let built = if matches!(kind, Kind::Arp) {
            bare_frame(EtherType::ARP, &self.arp(), &hearing)
        } else {
            frame(&self.packet(kind)?, &hearing)
        };
        self.sent += 1;
        self.schedule();
        built
    }

    fn packet(&mut self, kind: Kind) -> Result<Vec<u8>, SynthError> {
        let host = self.random.below(HOSTS);
        let fixed = mix(self.plan.seed ^ host);
        let client = Ipv4Addr::from_bits(0x0A80_0000 | u32::try_from(host).unwrap_or(0));
        let server = Ipv4Addr::from_bits(0xCB00_7100 | u32::try_from(host % 200).unwrap_or(0));
        let client_port = 20_000 + super::sender::low_16(fixed) % 20_000;
        let number = super::sender::low_16(self.random.next());
        match kind {
            Kind::Tcp => return self.tcp(client, server, client_port),
            Kind::IcmpError => return self.icmp_error(client, server, client_port),
            _ => {}
        }
        let octets = usize::try_from(self.random.between(20, 900)).unwrap_or(20);
        let mut payload = vec![0; octets];
        self.random.fill(&mut payload);
        let counter = u32::try_from(self.sent & 0xFFFF_FFFF).unwrap_or(0);
        let port = match kind {
            Kind::Dns => {
                payload.truncate(60);
                payload.resize(60, 0);
                payload[2..6].copy_from_slice(&[1, 0, 0, 1]);
                53
            }
            Kind::Quic => {
                payload[0] = 0x40 | payload[0] & 0x3F;
                443
            }
            Kind::Esp => {
                payload[..4].copy_from_slice(
                    &(0x8000_0000 | super::sender::low_32((fixed >> 1).cast_signed())).to_be_bytes(),
                );
                payload[4..8].copy_from_slice(&counter.to_be_bytes());
                4500
            }
            Kind::WireGuard => {
                payload[..4].copy_from_slice(&[4, 0, 0, 0]);
                payload[8..12].copy_from_slice(&counter.to_le_bytes());
                payload[12..16].fill(0);
                51_820
            }
            Kind::Game => {
                payload[..2].copy_from_slice(&[0x80, 0x60]);
                payload[2..4].copy_from_slice(&number.to_be_bytes());
                payload[8..12].copy_from_slice(&super::sender::low_32(host.cast_signed()).to_be_bytes());
                27_015
            }
            _ => 30_000 + super::sender::low_16(fixed >> 20) % 10_000,
        };
        let source = SocketAddr::new(IpAddr::V4(client), client_port);
        ip_packet(source, SocketAddr::new(IpAddr::V4(server), port), 0, self.ttl, number, &payload)
    }

    fn tcp(&mut self, client: Ipv4Addr, server: Ipv4Addr, port: u16) -> Result<Vec<u8>, SynthError> {
        let headers =
            ip_headers(client.into(), server.into(), 0, self.ttl, self.random.next_u16(), IpNumber::TCP);
        let mut payload = vec![0; usize::try_from(self.random.below(1_200)).unwrap_or(0)];
        self.random.fill(&mut payload);
        let acknowledged = self.random.next_u32();
        let builder =
            PacketBuilder::ip(headers).tcp(port, 443, self.random.next_u32(), 64_000).ack(acknowledged);
        let mut packet = Vec::new();
        let written = builder.write(&mut packet, &payload);
        written.map_err(|reason| SynthError::Packet { octets: payload.len(), reason: reason.to_string() })?;
        Ok(packet)
    }

    /// "Port unreachable" from a server, with the first octets of what it answers (RFC 792).
    fn icmp_error(&mut self, client: Ipv4Addr, server: Ipv4Addr, port: u16) -> Result<Vec<u8>, SynthError> {
        let mut rtp = vec![0x80, 0, 0, 0];
        rtp.extend(super::sender::low_16(self.sent).to_be_bytes());
        rtp.resize(172, 0x55);
        let source = SocketAddr::new(IpAddr::V4(client), port);
        let destination = SocketAddr::new(IpAddr::V4(server), 40_000);
        let quoted = ip_packet(source, destination, 0xB8, 60, self.random.next_u16(), &rtp)?;
        let headers =
            ip_headers(server.into(), client.into(), 0, self.ttl, self.random.next_u16(), IpNumber::ICMP);
        let builder = PacketBuilder::ip(headers)
            .icmpv4(Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::Port));
        let mut packet = Vec::new();
        let written = builder.write(&mut packet, &quoted);
        written.map_err(|reason| SynthError::Packet { octets: quoted.len(), reason: reason.to_string() })?;
        Ok(packet)
    }

    fn arp(&mut self) -> Vec<u8> {
        let host = u8::try_from(self.random.below(HOSTS)).unwrap_or(0);
        let sender = [0x02, 0, 0, 1, 0, host];
        let (asks, asked) = ([10, 128, 0, host], [10, 128, 0, 254]);
        let packet = ArpPacket::new(
            etherparse::ArpHardwareId::ETHERNET,
            EtherType::IPV4,
            ArpOperation::REQUEST,
            &sender,
            &asks,
            &[0; 6],
            &asked,
        );
        packet.map(|packet| packet.to_bytes().to_vec()).unwrap_or_default()
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of packets; `as` saturates"
)]
fn whole(count: f64) -> u64 {
    count.round() as u64
}
