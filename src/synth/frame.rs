//! The octets of a frame: IP, UDP, tags and tunnels.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use etherparse::{
    EtherType, Ethernet2Header, IpDscp, IpEcn, IpHeaders, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header,
    PacketBuilder, SingleVlanHeader, VlanId, VlanPcp,
};

use super::error::SynthError;
use super::plan::Tap;
use super::scenario::Encapsulation;

/// Where a mirror tunnel ends: the collector.
const COLLECTOR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 250);

/// A whole IP packet with one UDP datagram in it, checksums and all.
pub(super) fn ip_packet(
    source: SocketAddr,
    destination: SocketAddr,
    traffic_class: u8,
    ttl: u8,
    identification: u16,
    payload: &[u8],
) -> Result<Vec<u8>, SynthError> {
    let headers =
        ip_headers(source.ip(), destination.ip(), traffic_class, ttl, identification, IpNumber::UDP);
    let builder = PacketBuilder::ip(headers).udp(source.port(), destination.port());
    let mut packet = Vec::with_capacity(builder.size(payload.len()));
    let written = builder.write(&mut packet, payload);
    written.map_err(|reason| SynthError::Packet { octets: payload.len(), reason: reason.to_string() })?;
    Ok(packet)
}

/// The header of an IP packet. Ends of different versions are refused long before; here they become IPv6.
pub(super) fn ip_headers(
    source: IpAddr,
    destination: IpAddr,
    traffic_class: u8,
    ttl: u8,
    identification: u16,
    protocol: IpNumber,
) -> IpHeaders {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = Ipv4Header {
                dscp: IpDscp::try_new(traffic_class >> 2).unwrap_or_default(),
                ecn: IpEcn::try_new(traffic_class & 3).unwrap_or_default(),
                identification,
                time_to_live: ttl,
                protocol,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv4Header::default()
            };
            IpHeaders::Ipv4(header, etherparse::Ipv4Extensions::default())
        }
        (source, destination) => {
            let octets = |address: IpAddr| match address {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            };
            let header = Ipv6Header {
                traffic_class,
                flow_label: Ipv6FlowLabel::ZERO,
                next_header: protocol,
                hop_limit: ttl,
                source: octets(source),
                destination: octets(destination),
                ..Ipv6Header::default()
            };
            IpHeaders::Ipv6(header, etherparse::Ipv6Extensions::default())
        }
    }
}

/// What a frame says about where it was heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hearing<'a> {
    pub tap: &'a Tap,
    /// Number of the tap.
    pub place: usize,
    /// Whether the packet runs from the far end to the near end.
    pub reverse: bool,
    /// Codepoint of the packet, which priority bits follow.
    pub dscp: u8,
    /// Frames that the mirror has seen before, heard or missed: tunnels that count, count them.
    pub frames: u32,
    /// Capture time, in nanoseconds since 1970.
    pub at: i64,
}

const MPLS: EtherType = EtherType(0x8847);
const PPPOE_SESSION: EtherType = EtherType(0x8864);

/// The whole frame around an IP packet, as a tap hears it.
pub(super) fn frame(packet: &[u8], hearing: &Hearing<'_>) -> Result<Vec<u8>, SynthError> {
    let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
    bare_frame(if is_v4 { EtherType::IPV4 } else { EtherType::IPV6 }, packet, hearing)
}

/// The same around anything that has an `EtherType`.
pub(super) fn bare_frame(
    kind: EtherType,
    packet: &[u8],
    hearing: &Hearing<'_>,
) -> Result<Vec<u8>, SynthError> {
    let mut piece = (kind, packet.to_vec());
    let mut is_tagged = false;
    for encapsulation in hearing.tap.encapsulation.iter().rev() {
        if encapsulation.carries_ethernet() {
            piece.1 = ethernet(piece.0, &piece.1, hearing, !is_tagged);
            is_tagged = true;
        }
        piece = tunnel(*encapsulation, piece.0, &piece.1, hearing)?;
    }
    Ok(ethernet(piece.0, &piece.1, hearing, !is_tagged))
}

/// Puts an Ethernet header, and the tap's tags where they belong here, before what has none.
fn ethernet(kind: EtherType, inner: &[u8], hearing: &Hearing<'_>, tagged: bool) -> Vec<u8> {
    let tags: &[u16] = if tagged { &hearing.tap.vlan } else { &[] };
    let station = |side: u8| {
        let place = u8::try_from(hearing.place).unwrap_or(u8::MAX);
        [0x02, 0, 0, 0, place, side ^ u8::from(hearing.reverse)]
    };
    // The outer of several tags is a service tag (IEEE 802.1ad).
    let tag_kind = |i: usize| {
        if i + 1 < tags.len() { EtherType::PROVIDER_BRIDGING } else { EtherType::VLAN_TAGGED_FRAME }
    };
    let ether_type = if tags.is_empty() { kind } else { tag_kind(0) };
    let header = Ethernet2Header { source: station(0), destination: station(1), ether_type };
    let mut frame = Vec::with_capacity(14 + 4 * tags.len() + inner.len());
    frame.extend(header.to_bytes());
    for (i, &vid) in tags.iter().enumerate() {
        let next = if i + 1 < tags.len() { tag_kind(i + 1) } else { kind };
        let tag = SingleVlanHeader {
            pcp: VlanPcp::try_new(priority(hearing)).unwrap_or_default(),
            drop_eligible_indicator: false,
            vlan_id: VlanId::try_new(vid).unwrap_or_default(),
            ether_type: next,
        };
        frame.extend(tag.to_bytes());
    }
    frame.extend(inner);
    frame
}

/// Priority code point of the tap's tags: fixed, or the precedence bits of the codepoint.
pub(super) fn priority(hearing: &Hearing<'_>) -> u8 {
    hearing.tap.pcp.unwrap_or(hearing.dscp >> 3)
}

/// Identifier of a tunnel: every tap has its own.
pub(super) fn tunnel_id(place: usize) -> u16 {
    100 + u16::try_from(place).unwrap_or(0)
}

/// Outer ends. A mirror sends to its collector whichever way the packet ran; an operator's turns with it.
pub(super) fn outer_ends(encapsulation: Encapsulation, place: usize, reverse: bool) -> (Ipv4Addr, Ipv4Addr) {
    let near = Ipv4Addr::new(198, 51, 100, u8::try_from(place % 200).unwrap_or(0) + 1);
    if encapsulation.carries_ethernet() {
        return (near, COLLECTOR);
    }
    let far = Ipv4Addr::new(198, 51, 101, u8::try_from(place % 200).unwrap_or(0) + 1);
    if reverse { (far, near) } else { (near, far) }
}

/// Puts one tunnel around `inner`, which begins with an Ethernet header or is of an `EtherType`.
fn tunnel(
    encapsulation: Encapsulation,
    kind: EtherType,
    inner: &[u8],
    hearing: &Hearing<'_>,
) -> Result<(EtherType, Vec<u8>), SynthError> {
    let id = tunnel_id(hearing.place);
    let (wide, shifted) = (u32::from(id), u32::from(id) << 8);
    let mut header: Vec<u8> = Vec::with_capacity(24);
    let (protocol, ports) = match encapsulation {
        Encapsulation::Erspan1 => {
            header.extend([0, 0, 0x88, 0xBE]);
            (IpNumber::GRE, None)
        }
        Encapsulation::Erspan2 => {
            header.extend([0x10, 0, 0x88, 0xBE]);
            header.extend(hearing.frames.to_be_bytes());
            header.extend((0x1000_0000_u32 | wide).to_be_bytes());
            header.extend(wide.to_be_bytes());
            (IpNumber::GRE, None)
        }
        Encapsulation::Erspan3 => {
            header.extend([0x10, 0, 0x22, 0xEB]);
            header.extend(hearing.frames.to_be_bytes());
            header.extend((0x2000_0000_u32 | wide).to_be_bytes());
            // Time in units of 100 ns (granularity 1); the frame is Ethernet; taken on the way in.
            let ticks = u32::try_from((hearing.at / 100) & 0xFFFF_FFFF).unwrap_or(0);
            header.extend(ticks.to_be_bytes());
            header.extend([0, 0, 0x80, 0x02]);
            (IpNumber::GRE, None)
        }
        Encapsulation::Gre => {
            header.extend([0, 0]);
            header.extend(kind.0.to_be_bytes());
            (IpNumber::GRE, None)
        }
        Encapsulation::Vxlan => {
            header.extend([0x08, 0, 0, 0]);
            header.extend(shifted.to_be_bytes());
            (IpNumber::UDP, Some((49_321, 4789)))
        }
        Encapsulation::Geneve => {
            header.extend([0, 0, 0x65, 0x58]);
            header.extend(shifted.to_be_bytes());
            (IpNumber::UDP, Some((49_321, 6081)))
        }
        Encapsulation::Tzsp => {
            header.extend([1, 0, 0, 1, 1]);
            (IpNumber::UDP, Some((49_321, 37_008)))
        }
        Encapsulation::GtpU => {
            header.extend([0x30, 0xFF]);
            header.extend(u16::try_from(inner.len()).unwrap_or(0).to_be_bytes());
            header.extend(wide.to_be_bytes());
            (IpNumber::UDP, Some((2152, 2152)))
        }
        Encapsulation::IpInIp if kind == EtherType::IPV6 => (IpNumber::IPV6, None),
        Encapsulation::IpInIp => (IpNumber::IPV4, None),
        Encapsulation::Mpls => {
            // Label, traffic class, bottom of stack, time to live.
            let class = u32::from(hearing.dscp >> 3) << 9;
            header.extend((wide << 12 | class | 0x100 | 0x3E).to_be_bytes());
            header.extend(inner);
            return Ok((MPLS, header));
        }
        Encapsulation::Pppoe => {
            header.extend([0x11, 0]);
            header.extend(id.to_be_bytes());
            header.extend(u16::try_from(inner.len() + 2).unwrap_or(0).to_be_bytes());
            header.extend(if kind == EtherType::IPV6 { [0x00, 0x57] } else { [0x00, 0x21] });
            header.extend(inner);
            return Ok((PPPOE_SESSION, header));
        }
    };
    header.extend(inner);
    let (source, destination) = outer_ends(encapsulation, hearing.place, hearing.reverse);
    let identification = super::sender::low_16(u64::from(hearing.frames));
    let outer = ip_headers(source.into(), destination.into(), 0, 60, identification, protocol);
    let failed = |reason: String| SynthError::Packet { octets: inner.len(), reason };
    let mut packet = Vec::with_capacity(header.len() + 28);
    match ports {
        Some((source, destination)) => {
            // Tunnels over IPv4 leave the UDP checksum out (RFC 7348, section 5).
            let udp = etherparse::UdpHeader::without_ipv4_checksum(source, destination, header.len());
            let udp = udp.map_err(|reason| failed(reason.to_string()))?;
            let mut content = udp.to_bytes().to_vec();
            content.extend(header);
            write_ip(outer, &content, &mut packet).map_err(failed)?;
        }
        None => write_ip(outer, &header, &mut packet).map_err(failed)?,
    }
    Ok((EtherType::IPV4, packet))
}

/// An IP header and what it carries, of any protocol.
pub(super) fn write_ip(headers: IpHeaders, content: &[u8], packet: &mut Vec<u8>) -> Result<(), String> {
    let protocol = match &headers {
        IpHeaders::Ipv4(header, _) => header.protocol,
        IpHeaders::Ipv6(header, _) => header.next_header,
    };
    PacketBuilder::ip(headers).write(packet, protocol, content).map_err(|reason| reason.to_string())
}
