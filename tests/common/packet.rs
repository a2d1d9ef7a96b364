//! One UDP or TCP packet in IP, and what goes around it on a link.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    EtherType, Ethernet2Header, IpDscp, IpEcn, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header,
    SingleVlanHeader, TcpHeader, UdpHeader, VlanId, VlanPcp,
};

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86DD;
pub(crate) const VLAN: u16 = 0x8100;
pub(crate) const PROVIDER_VLAN: u16 = 0x88A8;

/// One direction of a flow, with what its IP headers carry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Udp {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) dscp: u8,
    pub(crate) ecn: u8,
    pub(crate) ttl: u8,
    pub(crate) identification: u16,
}

impl Udp {
    /// From one end to the other, marked EF, with a TTL of 64.
    pub(crate) fn new(source: &str, destination: &str) -> Self {
        let end = |text: &str| text.parse().expect("an address and a port");
        Self {
            source: end(source),
            destination: end(destination),
            dscp: 46,
            ecn: 0,
            ttl: 64,
            identification: 1,
        }
    }

    pub(crate) fn between(source: SocketAddr, destination: SocketAddr) -> Self {
        Self { source, destination, ..Self::new("10.0.0.1:1", "10.0.0.2:1") }
    }

    pub(crate) fn dscp(self, dscp: u8) -> Self {
        Self { dscp, ..self }
    }

    pub(crate) fn ecn(self, ecn: u8) -> Self {
        Self { ecn, ..self }
    }

    pub(crate) fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    pub(crate) fn identification(self, identification: u16) -> Self {
        Self { identification, ..self }
    }

    pub(crate) fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source, ..self }
    }

    pub(crate) fn ethertype(&self) -> u16 {
        if self.source.is_ipv4() { IPV4 } else { IPV6 }
    }

    /// The IP packet with this protocol and payload.
    pub(crate) fn ip(&self, protocol: IpNumber, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::with_capacity(40 + payload.len());
        let dscp = IpDscp::try_new(self.dscp).expect("six bits");
        let ecn = IpEcn::try_new(self.ecn).expect("two bits");
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let length = u16::try_from(payload.len()).expect("a datagram");
                let mut header =
                    Ipv4Header::new(length, self.ttl, protocol, source.octets(), destination.octets())
                        .expect("a datagram");
                (header.dscp, header.ecn, header.identification) = (dscp, ecn, self.identification);
                header.dont_fragment = false;
                header.header_checksum = header.calc_header_checksum();
                header.write(&mut packet).expect("memory");
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = Ipv6Header {
                    traffic_class: self.dscp << 2 | self.ecn,
                    flow_label: Ipv6FlowLabel::ZERO,
                    payload_length: u16::try_from(payload.len()).expect("a datagram"),
                    next_header: protocol,
                    hop_limit: self.ttl,
                    source: source.octets(),
                    destination: destination.octets(),
                };
                header.write(&mut packet).expect("memory");
            }
            _ => panic!("two versions of IP in one flow"),
        }
        packet.extend_from_slice(payload);
        packet
    }

    /// The UDP datagram, without IP.
    pub(crate) fn datagram(&self, payload: &[u8]) -> Vec<u8> {
        let (source, destination) = (self.source.port(), self.destination.port());
        let header = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let ip =
                    Ipv6Header { source: from.octets(), destination: to.octets(), ..Ipv6Header::default() };
                UdpHeader::with_ipv6_checksum(source, destination, &ip, payload)
            }
            _ => UdpHeader::without_ipv4_checksum(source, destination, payload.len()),
        };
        let mut datagram = header.expect("a datagram").to_bytes().to_vec();
        datagram.extend_from_slice(payload);
        datagram
    }

    /// The IP packet with a UDP datagram.
    pub(crate) fn packet(&self, payload: &[u8]) -> Vec<u8> {
        self.ip(IpNumber::UDP, &self.datagram(payload))
    }

    /// The Ethernet frame with a UDP datagram.
    pub(crate) fn frame(&self, payload: &[u8]) -> Vec<u8> {
        ethernet(self.ethertype(), &self.packet(payload))
    }

    /// The Ethernet frame with a UDP datagram behind VLAN tags, outermost first: type, identifier, priority.
    pub(crate) fn tagged(&self, tags: &[(u16, u16, u8)], payload: &[u8]) -> Vec<u8> {
        tagged(tags, self.ethertype(), &self.packet(payload))
    }

    /// The Ethernet frame with a TCP segment.
    pub(crate) fn segment(&self, sequence: u32, data: &[u8]) -> Vec<u8> {
        let mut header = TcpHeader::new(self.source.port(), self.destination.port(), sequence, 4000);
        header.acknowledgment_number = 1;
        (header.ack, header.psh) = (true, true);
        let mut segment = header.to_bytes().to_vec();
        segment.extend_from_slice(data);
        ethernet(self.ethertype(), &self.ip(IpNumber::TCP, &segment))
    }

    /// The datagram in fragments of so many octets of IP payload, a multiple of eight (IPv4).
    pub(crate) fn fragments(&self, payload: &[u8], octets: usize) -> Vec<Vec<u8>> {
        let datagram = self.datagram(payload);
        let last = datagram.len().div_ceil(octets) - 1;
        let fragment = |(i, part): (usize, &[u8])| {
            let mut packet = self.ip(IpNumber::UDP, part);
            let field = u16::try_from(i * octets / 8).unwrap() | if i < last { 0x2000 } else { 0 };
            packet[6..8].copy_from_slice(&field.to_be_bytes());
            ethernet(IPV4, &packet)
        };
        datagram.chunks(octets).enumerate().map(fragment).collect()
    }
}

/// An Ethernet frame.
pub(crate) fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let header = Ethernet2Header {
        source: [2, 0, 0, 0, 0, 1],
        destination: [2, 0, 0, 0, 0, 2],
        ether_type: EtherType(ethertype),
    };
    [&header.to_bytes()[..], payload].concat()
}

/// An Ethernet frame with VLAN tags, outermost first: type, identifier, priority.
pub(crate) fn tagged(tags: &[(u16, u16, u8)], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut kind = ethertype;
    let mut inner = payload.to_vec();
    for &(own_type, identifier, priority) in tags.iter().rev() {
        let tag = SingleVlanHeader {
            pcp: VlanPcp::try_new(priority).expect("three bits"),
            drop_eligible_indicator: false,
            vlan_id: VlanId::try_new(identifier).expect("twelve bits"),
            ether_type: EtherType(kind),
        };
        inner = [&tag.to_bytes()[..], &inner].concat();
        kind = own_type;
    }
    ethernet(kind, &inner)
}
