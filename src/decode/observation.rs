//! What one packet came to: who, where, how marked, and what it carried.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::path::PathId;
use super::payload::Payload;
use super::stun::StunMessage;
use crate::terms::{FlowKey, RtpTime, Ssrc, Timestamp, TrafficClass, Transport};

/// The addresses of the innermost IP packet, as they stand in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// IPv4.
    V4 {
        /// Source, host byte order.
        source: u32,
        /// Destination, host byte order.
        destination: u32,
    },
    /// IPv6.
    V6 {
        /// Source, host byte order.
        source: u128,
        /// Destination, host byte order.
        destination: u128,
    },
}

impl Addresses {
    /// Source and destination in the standard library's type.
    #[must_use]
    pub const fn pair(self) -> (IpAddr, IpAddr) {
        match self {
            Self::V4 { source, destination } => {
                (IpAddr::V4(Ipv4Addr::from_bits(source)), IpAddr::V4(Ipv4Addr::from_bits(destination)))
            }
            Self::V6 { source, destination } => {
                (IpAddr::V6(Ipv6Addr::from_bits(source)), IpAddr::V6(Ipv6Addr::from_bits(destination)))
            }
        }
    }
}

/// What ties the fragments of one datagram together (RFC 791, RFC 8200 section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// The Identification field.
    pub identification: u32,
    /// Whether it is the first one, which holds the ports.
    pub is_first: bool,
}

/// One packet: everything the meter needs, nothing that it does not.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// Capture time.
    pub timestamp: Timestamp,
    /// Innermost addresses.
    pub addresses: Addresses,
    /// Source port; 0 in a later fragment.
    pub source_port: u16,
    /// Destination port; 0 in a later fragment.
    pub destination_port: u16,
    /// UDP or TCP.
    pub transport: Transport,
    /// DSCP and ECN of the innermost IP header.
    pub traffic_class: TrafficClass,
    /// Time to live, or hop limit, of the innermost IP header.
    pub ttl: u8,
    /// Interface, tags and tunnels.
    pub path: PathId,
    /// Length of the innermost IP packet in octets, by its header and so also of a snapped frame.
    pub octets: u16,
    /// Set on a packet that is a fragment.
    pub fragment: Option<Fragment>,
    /// What the packet carried.
    pub message: Message<'a>,
}

impl Observation<'_> {
    /// The 5-tuple.
    #[must_use]
    pub const fn flow(&self) -> FlowKey {
        let (source, destination) = self.addresses.pair();
        FlowKey {
            source: SocketAddr::new(source, self.source_port),
            destination: SocketAddr::new(destination, self.destination_port),
            transport: self.transport,
        }
    }
}

/// What a packet carried, told by its first octets (RFC 7983). That it *looks like* RTP is no more than that:
/// the meter decides over several packets.
#[derive(Debug, Clone, Copy)]
pub enum Message<'a> {
    /// Has the form of an RTP packet.
    Rtp(RtpHeader<'a>),
    /// Has the form of an RTCP packet.
    Rtcp(RtcpHeader),
    /// STUN or TURN, other than indications and channels, which are opened.
    Stun(StunMessage<'a>),
    /// A DTLS record.
    Dtls,
    /// A ZRTP packet.
    Zrtp,
    /// A fragment other than the first.
    LaterFragment,
    /// Anything else.
    Other,
}

/// The fields of an RTP header that count (RFC 3550, section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader<'a> {
    /// Synchronisation source.
    pub ssrc: Ssrc,
    /// RTP timestamp.
    pub timestamp: RtpTime,
    /// Sequence number as on the wire.
    pub sequence: u16,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// What follows.
    pub payload: Payload<'a>,
}

/// What an RTCP packet, or the first of a compound one, says in clear (RFC 3550, section 6; RFC 5506).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtcpHeader {
    /// Who sends it.
    pub ssrc: Ssrc,
    /// 200 SR, 201 RR, 202 SDES, 203 BYE, 204 APP, 205 RTPFB, 206 PSFB, 207 XR.
    pub packet_type: u8,
    /// Whether what follows the first eight octets does not read as RTCP, so is SRTCP.
    pub encrypted: bool,
}
