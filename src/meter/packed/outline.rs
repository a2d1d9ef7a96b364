//! What most records come to, read without taking the record apart.

use super::has;
use super::hop::read_float;
use super::octets::Reader;
use super::stream::{Start, read_kind};
use crate::meter::{PayloadType, StreamRecord};
use crate::terms::{FlowKey, PointId, Timestamp, Transport};

/// A stream of one hop that came over UDP, one way and with one marking, of which every packet was heard once and in
/// order, and on whose flow nothing but media was heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outline {
    /// Where it was seen.
    pub point: PointId,
    /// The 5-tuple of the innermost IP packet.
    pub flow: FlowKey,
    /// Arrival of the first packet.
    pub first: Timestamp,
    /// Arrival of the last packet.
    pub last: Timestamp,
    /// Packets seen, and as many were expected.
    pub packets: u64,
    /// The codepoint of all packets.
    pub dscp: u8,
    /// The priority code point of their innermost VLAN tags, where they have any.
    pub pcp: Option<u8>,
    /// The payload type that most packets have.
    pub payload_type: Option<PayloadType>,
    /// Median time between packets, in seconds.
    pub packet_interval_seconds: Option<f32>,
    /// Mean octets of the IP packet.
    pub mean_octets: f32,
    /// Mean interarrival jitter, in seconds.
    pub jitter_seconds: Option<f64>,
}

impl Outline {
    /// Whether an outline is all that there is to say of a record whose hops have these flags.
    pub(super) fn suffices(record: &StreamRecord, flags: &[u64]) -> bool {
        let ([hop], [flags]) = (&*record.hops, flags) else { return false };
        let has_more = flags & !(has::JITTER | has::PCP | has::PARTS) != 0;
        !has_more && hop.packets > 0 && record.facts.is_none() && record.flow.transport == Transport::Udp
    }

    /// Reads a record of which it is known that an outline suffices.
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let Start { point, flow, first, last, packet_interval_seconds, mean_octets, .. } = Start::read(from);
        let mut kinds = (0..from.count()).map(|_| read_kind(from));
        let payload_type = kinds.next();
        kinds.for_each(drop);
        let _hops = from.count();
        let flags = from.number();
        let _path = from.number();
        let (packets, _octets, _ttl) = (from.number(), from.number(), from.octet());
        let jitter_seconds = (flags & has::JITTER != 0).then(|| {
            let (_last, mean, _max, _updates) =
                (read_float(from), read_float(from), read_float(from), from.number());
            mean
        });
        let (dscp, _ecn) = (from.octet(), from.octet());
        let pcp = (flags & has::PCP != 0).then(|| from.octet());
        Self {
            point,
            flow,
            first,
            last,
            packets,
            dscp,
            pcp,
            payload_type,
            packet_interval_seconds,
            mean_octets,
            jitter_seconds,
        }
    }
}
