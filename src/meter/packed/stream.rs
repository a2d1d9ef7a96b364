//! What stands before a record's hops, as octets and back.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use smallvec::SmallVec;

use super::octets::{Reader, Writer};
use crate::meter::{ClockSource, FlowFacts, HopRecord, PayloadType, StreamRecord};
use crate::terms::{ClockRate, FlowKey, PointId, Ssrc, Timestamp, Transport};

/// Everything of a record but its hops.
#[derive(Debug, Clone)]
pub struct Head {
    /// Where it was seen.
    pub point: PointId,
    /// The 5-tuple of the innermost IP packet.
    pub flow: FlowKey,
    /// Synchronisation source.
    pub ssrc: Ssrc,
    /// Arrival of the first packet.
    pub first: Timestamp,
    /// Arrival of the last packet.
    pub last: Timestamp,
    /// Distinct sequence numbers at the first hop.
    pub unique: u64,
    /// Whether a hop lacks any packet.
    pub has_losses: bool,
    /// Whether a hop keeps packets that were chosen by payload.
    pub has_marks: bool,
    /// Whether its outline says all that there is to say.
    pub is_outline: bool,
    /// Payload types, most packets first.
    pub payload_types: SmallVec<[PayloadType; 2]>,
    /// Mean time between packets, in seconds.
    pub packet_interval_seconds: Option<f32>,
    /// Mean octets of the IP packet.
    pub mean_octets: f32,
    /// What STUN, TURN and DTLS on the flow said.
    pub facts: Option<Arc<FlowFacts>>,
}

impl Head {
    /// The record of which this is the head.
    #[must_use]
    pub fn with_hops(self, hops: Vec<HopRecord>) -> StreamRecord {
        let Self {
            point,
            flow,
            ssrc,
            first,
            last,
            unique: _,
            has_losses: _,
            has_marks: _,
            is_outline: _,
            payload_types,
            packet_interval_seconds,
            mean_octets,
            facts,
        } = self;
        StreamRecord {
            point,
            flow,
            ssrc,
            first,
            last,
            payload_types,
            packet_interval_seconds,
            mean_octets,
            hops,
            facts,
        }
    }
}

const HAS_INTERVAL: u8 = 1;
const HAS_FACTS: u8 = 2;
const HAS_LOSSES: u8 = 4;
const HAS_MARKS: u8 = 8;
const IS_OUTLINE: u8 = 16;

impl Head {
    /// Writes that of a record.
    pub(super) fn write(record: &StreamRecord, has_marks: bool, is_outline: bool, out: &mut Writer) {
        let StreamRecord {
            point,
            flow,
            ssrc,
            first,
            last,
            payload_types,
            packet_interval_seconds,
            mean_octets,
            hops,
            facts,
        } = record;
        out.whole(&ssrc.0.to_le_bytes());
        out.whole(&first.0.to_le_bytes());
        let flags = u8::from(packet_interval_seconds.is_some()) * HAS_INTERVAL
            + u8::from(facts.is_some()) * HAS_FACTS
            + u8::from(hops.iter().any(|hop| hop.lost() > 0)) * HAS_LOSSES
            + u8::from(has_marks) * HAS_MARKS
            + u8::from(is_outline) * IS_OUTLINE;
        out.octet(flags | flags_of(flow));
        write_address(flow.source, out);
        write_address(flow.destination, out);
        out.number(point.0.into());
        out.moment(*last, *first);
        out.number(hops.first().map_or(0, |hop| hop.unique));
        if let Some(seconds) = packet_interval_seconds {
            out.whole(&seconds.to_le_bytes());
        }
        out.whole(&mean_octets.to_le_bytes());
        out.count(payload_types.len());
        for kind in payload_types {
            out.octet(kind.number);
            out.number(kind.packets);
            out.number(kind.clock_rate.map_or(0, |rate| rate.hz().into()));
            out.octet(kind.clock_source as u8);
        }
        if let Some(facts) = facts {
            write_facts(facts, out);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let Start { ssrc, first, flags, point, flow, last, unique, packet_interval_seconds, mean_octets } =
            Start::read(from);
        let payload_types = (0..from.count()).map(|_| read_kind(from)).collect();
        let facts = (flags & HAS_FACTS != 0).then(|| Arc::new(read_facts(from)));
        Self {
            point,
            flow,
            ssrc,
            first,
            last,
            unique,
            has_losses: flags & HAS_LOSSES != 0,
            has_marks: flags & HAS_MARKS != 0,
            is_outline: flags & IS_OUTLINE != 0,
            payload_types,
            packet_interval_seconds,
            mean_octets,
            facts,
        }
    }
}

/// What stands before the payload types.
pub(super) struct Start {
    pub(super) ssrc: Ssrc,
    pub(super) first: Timestamp,
    flags: u8,
    pub(super) point: PointId,
    pub(super) flow: FlowKey,
    pub(super) last: Timestamp,
    unique: u64,
    pub(super) packet_interval_seconds: Option<f32>,
    pub(super) mean_octets: f32,
}

impl Start {
    #[inline]
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let ssrc = Ssrc(u32::from_le_bytes(from.whole()));
        let first = Timestamp(i64::from_le_bytes(from.whole()));
        let flags = from.octet();
        Self {
            ssrc,
            first,
            flags,
            flow: read_flow(flags, from),
            point: PointId(from.short()),
            last: from.moment(first),
            unique: from.number(),
            packet_interval_seconds: (flags & HAS_INTERVAL != 0).then(|| f32::from_le_bytes(from.whole())),
            mean_octets: f32::from_le_bytes(from.whole()),
        }
    }
}

#[inline]
pub(super) fn read_kind(from: &mut Reader<'_>) -> PayloadType {
    PayloadType {
        number: from.octet(),
        packets: from.number(),
        clock_rate: ClockRate::from_hz(from.small()),
        clock_source: match from.octet() {
            0 => ClockSource::Static,
            1 => ClockSource::Configured,
            2 => ClockSource::Inferred,
            _ => ClockSource::Unknown,
        },
    }
}

/// What records are sorted, grouped and chosen by stands first, and is as long everywhere.
pub(super) struct Peek {
    pub(super) ssrc: Ssrc,
    pub(super) first: Timestamp,
    pub(super) has_losses: bool,
    pub(super) has_marks: bool,
    pub(super) is_outline: bool,
}

impl Peek {
    pub(super) fn at(octets: &[u8]) -> Self {
        let mut from = Reader(octets);
        let ssrc = Ssrc(u32::from_le_bytes(from.whole()));
        let first = Timestamp(i64::from_le_bytes(from.whole()));
        let flags = from.octet();
        Self {
            ssrc,
            first,
            has_losses: flags & HAS_LOSSES != 0,
            has_marks: flags & HAS_MARKS != 0,
            is_outline: flags & IS_OUTLINE != 0,
        }
    }
}

const IS_TCP: u8 = 32;
const SOURCE_IS_V6: u8 = 64;
const DESTINATION_IS_V6: u8 = 128;

/// What of a flow stands among the flags.
fn flags_of(flow: &FlowKey) -> u8 {
    u8::from(flow.transport == Transport::Tcp) * IS_TCP
        + u8::from(flow.source.is_ipv6()) * SOURCE_IS_V6
        + u8::from(flow.destination.is_ipv6()) * DESTINATION_IS_V6
}

fn read_flow(flags: u8, from: &mut Reader<'_>) -> FlowKey {
    FlowKey {
        source: read_address(flags & SOURCE_IS_V6 != 0, from),
        destination: read_address(flags & DESTINATION_IS_V6 != 0, from),
        transport: if flags & IS_TCP == 0 { Transport::Udp } else { Transport::Tcp },
    }
}

fn write_address(address: SocketAddr, out: &mut Writer) {
    match address.ip() {
        IpAddr::V4(ip) => out.whole(&ip.octets()),
        IpAddr::V6(ip) => out.whole(&ip.octets()),
    }
    out.whole(&address.port().to_le_bytes());
}

fn read_address(is_v6: bool, from: &mut Reader<'_>) -> SocketAddr {
    let ip = if is_v6 { IpAddr::from(from.whole::<16>()) } else { IpAddr::from(from.whole::<4>()) };
    SocketAddr::new(ip, u16::from_le_bytes(from.whole()))
}

fn write_facts(facts: &FlowFacts, out: &mut Writer) {
    let FlowFacts { stun, dtls, zrtp, rtcp, turn, modality, relayed, mapped, peer } = facts;
    let flags = [*stun, *dtls, *zrtp, *rtcp, *turn];
    out.octet(flags.iter().rev().fold(0, |all, &flag| all << 1 | u8::from(flag)));
    out.number(modality.map_or(0, |m| u64::from(m) + 1));
    for address in [relayed, mapped, peer] {
        match address {
            None => out.octet(0),
            Some(address) => {
                out.octet(if address.is_ipv6() { 2 } else { 1 });
                write_address(*address, out);
            }
        }
    }
}

fn read_facts(from: &mut Reader<'_>) -> FlowFacts {
    let flags = from.octet();
    let has = |bit: u8| flags >> bit & 1 == 1;
    let modality = from.number().checked_sub(1).and_then(|m| u16::try_from(m).ok());
    let mut address = || match from.octet() {
        0 => None,
        kind => Some(read_address(kind == 2, from)),
    };
    FlowFacts {
        stun: has(0),
        dtls: has(1),
        zrtp: has(2),
        rtcp: has(3),
        turn: has(4),
        modality,
        relayed: address(),
        mapped: address(),
        peer: address(),
    }
}
