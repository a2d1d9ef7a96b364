//! Frames, and how many octets of each the filter is to keep.

#![allow(dead_code, reason = "each test uses its own part")]

use etherparse::IpNumber;

use crate::common::packet::{IPV4, IPV6, PROVIDER_VLAN, VLAN, ethernet, tagged};
use crate::common::{Udp, tunnel};

/// One frame, and what is to become of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) frame: Vec<u8>,
    /// Octets kept by the eBPF program, 0 for none.
    pub(crate) keep: usize,
    /// Octets kept by the classic program.
    pub(crate) classic: usize,
}

/// Octets of the payload of [`rtp`], and how many of them are cut off.
const PAYLOAD: usize = 160;
const CUT: usize = PAYLOAD - 32;

pub(crate) fn call() -> Udp {
    Udp::new("10.1.1.1:50004", "10.2.2.2:50006")
}

pub(crate) fn call_6() -> Udp {
    Udp::new("[2001:db8::1]:50004", "[2001:db8::2]:50006")
}

/// RTP with these first octets: version, flags and sources, then payload type; all further ones differ.
fn rtp_as(first: u8, second: u8, sources: usize, extension: Option<u8>) -> Vec<u8> {
    let mut packet = vec![first, second, 0, 1, 0, 0, 0, 160, 0xCA, 0xFE, 0xCA, 0xFE];
    packet.extend(vec![9; sources * 4]);
    if let Some(words) = extension {
        packet.extend([0xBE, 0xDE, 0, words]);
        packet.extend(vec![8; usize::from(words) * 4]);
    }
    packet.extend((0..PAYLOAD).map(|i| u8::try_from(i).unwrap()));
    packet
}

pub(crate) fn rtp() -> Vec<u8> {
    rtp_as(0x80, 111, 0, None)
}

pub(crate) fn rtcp() -> Vec<u8> {
    [&[0x80, 200, 0, 6][..], &[3; 24], &[0x81, 202, 0, 9], &[5; 36]].concat()
}

pub(crate) fn dtls() -> Vec<u8> {
    [&[22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 1, 0, 90][..], &[1; 90]].concat()
}

pub(crate) fn binding() -> Vec<u8> {
    tunnel::stun(1, [7; 12], &[0x00, 0x06, 0, 4, b'a', b':', b'b', b'c'])
}

/// IPv6 with extension headers: hop by hop, routing, authentication, destination options.
pub(crate) fn extended(payload: &[u8]) -> Vec<u8> {
    let hop_by_hop = [43, 0, 5, 2, 0, 0, 1, 0];
    let routing = [51, 0, 0, 0, 0, 0, 0, 0];
    let authentication = [60, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    let options = [17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let headers =
        [&hop_by_hop[..], &routing, &authentication, &options, &call_6().datagram(payload)].concat();
    ethernet(IPV6, &call_6().ip(IpNumber::IPV6_HEADER_HOP_BY_HOP, &headers))
}

/// A fragment of IPv6, at an offset in octets.
pub(crate) fn fragment_6(offset: u16, payload: &[u8]) -> Vec<u8> {
    let [o0, o1] = (offset | 1).to_be_bytes();
    let header = [&[17, 0, o0, o1, 0, 0, 0, 9][..], payload].concat();
    ethernet(IPV6, &call_6().ip(IpNumber::IPV6_FRAGMENTATION_HEADER, &header))
}

pub(crate) fn tcp(port: u16) -> Vec<u8> {
    let mut flow = call();
    flow.destination.set_port(port);
    flow.segment(1, &tunnel::rfc4571(&rtp()))
}

fn to_port(port: u16) -> Vec<u8> {
    let mut flow = call();
    flow.destination.set_port(port);
    flow.frame(&rtp())
}

/// Every wrapping of a datagram that the filter looks into.
pub(crate) type Wrap = fn(&[u8]) -> Vec<u8>;
pub(crate) const WRAPS: &[(&str, Wrap)] = &[
    ("Ethernet", |p| call().frame(p)),
    ("IPv6", |p| call_6().frame(p)),
    ("IPv6 with extension headers", extended),
    ("802.1Q", |p| call().tagged(&[(VLAN, 7, 5)], p)),
    ("802.1ad and 802.1Q", |p| call().tagged(&[(PROVIDER_VLAN, 9, 1), (VLAN, 7, 5)], p)),
    ("three tags, IPv6", |p| call_6().tagged(&[(0x9100, 9, 1), (VLAN, 8, 0), (VLAN, 7, 5)], p)),
    ("channel", |p| call().frame(&tunnel::channel_data(0x4001, p))),
    ("multiplexed TURN", |p| call().frame(&tunnel::multiplexed_turn(9, p))),
    ("802.3 with SNAP", |p| {
        let inner = [&[0xAA, 0xAA, 3, 0, 0, 0, 8, 0][..], &call().packet(p)].concat();
        ethernet(u16::try_from(inner.len()).unwrap(), &inner)
    }),
    ("VN-Tag", |p| ethernet(0x8926, &[&[0, 1, 0, 2, 0x81, 0, 0, 7, 8, 0][..], &call().packet(p)].concat())),
    ("provider backbone", |p| ethernet(0x88E7, &[&[0, 0, 0, 9][..], &call().frame(p)].concat())),
    ("MPLS", |p| tunnel::mpls(&[(16, 5), (17, 1)], &call().packet(p))),
    ("MPLS, IPv6", |p| tunnel::mpls(&[(16, 5)], &call_6().packet(p))),
    ("pseudo-wire", |p| tunnel::mpls(&[(16, 5)], &[&[0; 4][..], &call().frame(p)].concat())),
    ("pseudo-wire without control word", |p| tunnel::mpls(&[(16, 5)], &call().frame(p))),
    ("PPPoE", |p| tunnel::pppoe(7, &call().packet(p))),
    ("GRE", |p| tunnel::gre(9, &call().packet(p))),
    ("GRE with Ethernet", |p| {
        let gre = [&[0, 0, 0x65, 0x58][..], &call().frame(p)].concat();
        ethernet(IPV4, &tunnel::outer().ip(IpNumber::GRE, &gre))
    }),
    ("PPTP", |p| {
        let packet = call().packet(p);
        let length = u16::try_from(packet.len() + 4).unwrap().to_be_bytes();
        let gre = [&[0x30, 0x81, 0x88, 0x0B][..], &length, &[0, 9], &[0; 8], &[0xFF, 3, 0, 0x21], &packet];
        ethernet(IPV4, &tunnel::outer().ip(IpNumber::GRE, &gre.concat()))
    }),
    ("IP in IP", |p| tunnel::ip_in_ip(&call().packet(p))),
    ("IPv6 in IP", |p| ethernet(IPV4, &tunnel::outer().ip(IpNumber::IPV6, &call_6().packet(p)))),
    ("ERSPAN I", |p| tunnel::erspan_1(&call().frame(p))),
    ("ERSPAN II", |p| tunnel::erspan_2(9, &call().frame(p))),
    ("ERSPAN II, tagged", |p| tunnel::erspan_2(9, &call().tagged(&[(VLAN, 7, 5)], p))),
    ("ERSPAN III", |p| tunnel::erspan_3(9, &call().frame(p))),
    ("ERSPAN III without platform header", |p| {
        tunnel::erspan_from("172.16.0.7", 9, 1, Some(true), &call_6().frame(p))
    }),
    ("VXLAN", |p| tunnel::vxlan(9, &call().frame(p))),
    ("VXLAN in ERSPAN II", |p| tunnel::erspan_2(9, &tunnel::vxlan(9, &call().frame(p)))),
    ("GENEVE", |p| tunnel::geneve(9, &call().frame(p))),
    ("GTP-U", |p| tunnel::gtpu(9, &call().packet(p))),
    ("TZSP without tags", |p| {
        let mut flow = tunnel::outer();
        flow.destination.set_port(37_008);
        flow.frame(&[&[1, 0, 0, 1, 1][..], &call().frame(p)].concat())
    }),
];

/// Wrappings that are left to the decoder, so kept whole.
pub(crate) const KEPT: &[(&str, Wrap)] = &[
    ("TZSP with a tag", |p| tunnel::tzsp(&call().frame(p))),
    ("indication", |p| call().frame(&tunnel::indication(0x16, p))),
    ("GTP-U with an extension header", |p| {
        let packet = call().packet(p);
        let length = u16::try_from(packet.len() + 8).unwrap().to_be_bytes();
        let header = [&[0x34, 255][..], &length, &[0, 0, 0, 9, 0, 7, 0, 0x85, 1, 0, 0, 0]].concat();
        let mut flow = tunnel::outer();
        flow.destination.set_port(2152);
        flow.frame(&[&header[..], &packet].concat())
    }),
    ("VXLAN with a group policy on a port of one's own", |p| {
        let mut flow = tunnel::outer();
        flow.destination.set_port(14_789);
        flow.frame(&[&[0x88, 0, 0, 7, 0, 0, 9, 0][..], &call().frame(p)].concat())
    }),
];

/// Wrappings that the classic program looks into too.
pub(crate) const CLASSIC: &[&str] = &[
    "Ethernet",
    "IPv6",
    "IPv6 with extension headers",
    "802.1Q",
    "802.1ad and 802.1Q",
    "three tags, IPv6",
    "channel",
    "multiplexed TURN",
];

fn case(name: &'static str, frame: Vec<u8>, keep: usize) -> Case {
    Case { name, frame, keep, classic: keep }
}

/// All cases, for a filter that excludes UDP ports 53 and 5060 to 5061.
pub(crate) fn all() -> Vec<Case> {
    let whole = |name, frame: Vec<u8>| case(name, frame.clone(), frame.len());
    let drop = |name, frame| case(name, frame, 0);
    let cut = |name, frame: Vec<u8>| case(name, frame.clone(), frame.len() - CUT);
    // Kept by the classic program, where the other one looks inside.
    let unlike = |case: Case| Case { classic: case.frame.len(), ..case };

    let mut all: Vec<Case> = Vec::new();
    for (name, wrap) in WRAPS {
        let case = cut(name, wrap(&rtp()));
        all.push(if CLASSIC.contains(name) { case } else { unlike(case) });
        for message in [rtcp(), dtls(), binding()] {
            all.push(whole(name, wrap(&message)));
        }
    }
    all.extend(KEPT.iter().map(|(name, wrap)| whole(name, wrap(&rtp()))));
    all.extend(datagrams(whole, cut));
    all.extend([
        drop("ARP", ethernet(0x0806, &[0; 46])),
        drop("LLDP", ethernet(0x88CC, &[0; 46])),
        drop("spanning tree", ethernet(38, &[&[0x42, 0x42, 3][..], &[0; 43]].concat())),
        drop("tagged ARP", tagged(&[(VLAN, 7, 0)], 0x0806, &[0; 46])),
        drop("ICMP", ethernet(IPV4, &call().ip(IpNumber::ICMP, &[8; 60]))),
        drop("ICMPv6", ethernet(IPV6, &call_6().ip(IpNumber::IPV6_ICMP, &[128; 60]))),
        drop("ESP", ethernet(IPV4, &call().ip(IpNumber::ENCAPSULATING_SECURITY_PAYLOAD, &[9; 60]))),
        drop("OSPF", ethernet(IPV4, &call().ip(IpNumber::OSPFIGP, &[2; 60]))),
        drop("UDP to an excluded port", to_port(53)),
        drop("UDP from an excluded port", {
            let mut flow = call();
            flow.source.set_port(5061);
            flow.frame(&rtp())
        }),
        cut("UDP beside an excluded port", to_port(5062)),
        drop("TCP to a web server", tcp(80)),
        whole("TCP to a relay", tcp(443)),
        whole("TCP to a relay of Microsoft's", tcp(3480)),
        drop("TCP beside a relay's port", tcp(3482)),
        drop("later fragment of ICMP", {
            let mut packet = call().ip(IpNumber::ICMP, &[8; 100]);
            packet[6..8].copy_from_slice(&[0, 6]);
            ethernet(IPV4, &packet)
        }),
        unlike(drop("ARP in VXLAN", tunnel::vxlan(9, &ethernet(0x0806, &[0; 46])))),
        unlike(drop("TCP in VXLAN", tunnel::vxlan(9, &tcp(80)))),
        unlike(drop("UDP to an excluded port in GRE", tunnel::gre(9, &to_port(53)[14..]))),
        // The numbers of a mirror's tunnel would have holes. 14 + 20 + 8 + 8 octets stand before the frame.
        unlike(case("ARP in ERSPAN", tunnel::erspan_2(9, &ethernet(0x0806, &[0; 46])), 50 + 14 + 8)),
        unlike(case(
            "ICMP in ERSPAN",
            tunnel::erspan_2(9, &ethernet(IPV4, &call().ip(IpNumber::ICMP, &[8; 60]))),
            50 + 14 + 20 + 8,
        )),
        unlike(case("TCP in ERSPAN", tunnel::erspan_2(9, &tcp(80)), 50 + 14 + 20 + 20)),
        unlike(case(
            "UDP to an excluded port in ERSPAN",
            tunnel::erspan_2(9, &to_port(53)),
            50 + 14 + 20 + 8,
        )),
        whole("TCP to a relay in ERSPAN", tunnel::erspan_2(9, &tcp(443))),
        whole("ends in Ethernet", vec![1; 13]),
        whole("ends in IPv4", call().frame(&rtp())[..20].to_vec()),
        whole("ends in UDP", call().frame(&rtp())[..40].to_vec()),
        whole("ends in RTP", call().frame(&rtp())[..50].to_vec()),
        whole("ends in an extension header", extended(&rtp())[..57].to_vec()),
        whole("IPv4 by its type, and not by its version", ethernet(IPV4, &[0; 60])),
        whole("IPv4 with a header that is too short", ethernet(IPV4, &[0x44; 60])),
        whole("a UDP length of 7", {
            let mut frame = call().frame(&rtp());
            frame[38..40].copy_from_slice(&[0, 7]);
            frame
        }),
    ]);
    all
}

/// What a datagram carries.
fn datagrams(
    whole: impl Fn(&'static str, Vec<u8>) -> Case,
    cut: impl Fn(&'static str, Vec<u8>) -> Case,
) -> Vec<Case> {
    let frame = |payload: &[u8]| call().frame(payload);
    let long = call().frame(&[&rtp()[..], &[7; 1300]].concat());
    let jumbo = call().frame(&[&rtp()[..], &[7; 8700]].concat());
    let whole_datagram = [&rtp()[..], &[7; 1000]].concat();
    let fragments = call().fragments(&whole_datagram, 600);
    let datagram_6 = call_6().datagram(&whole_datagram);
    vec![
        case("RTP of MTU size", long, 14 + 20 + 8 + 12 + 32),
        case("jumbo", jumbo, 14 + 20 + 8 + 12 + 32),
        cut("RTP with sources", frame(&rtp_as(0x83, 111, 3, None))),
        cut("RTP with an extension", frame(&rtp_as(0x90, 111, 0, Some(3)))),
        cut("RTP with sources and an extension", frame(&rtp_as(0xB2, 111, 2, Some(1)))),
        cut("RTP with an extension, in a channel", {
            frame(&tunnel::channel_data(0x4001, &rtp_as(0x90, 111, 0, Some(3))))
        }),
        whole("RTP with eight sources, or VXLAN with a group policy", frame(&rtp_as(0x88, 111, 8, None))),
        whole("RTP with an extension that is said to be longer than the packet", {
            let mut packet = rtp_as(0x90, 111, 0, Some(3));
            packet[14] = 200;
            frame(&packet)
        }),
        whole("RTP with 32 octets", frame(&rtp()[..44])),
        case("RTP with 33 octets", frame(&rtp()[..45]), 14 + 20 + 8 + 44),
        cut("RTP with marker", frame(&rtp_as(0x80, 0xEF, 0, None))),
        cut("RTP of type 72 without marker, which is no RTCP", frame(&rtp_as(0x80, 72, 0, None))),
        whole("RTCP, one of the lowest type", frame(&rtp_as(0x80, 192, 0, None))),
        whole("RTCP, one of the highest type", frame(&rtp_as(0x80, 223, 0, None))),
        cut("RTP of type 96 with marker", frame(&rtp_as(0x80, 224, 0, None))),
        whole("STUN of RFC 3489", frame(&[&[0, 1, 0, 0][..], &[3; 16]].concat())),
        whole("ZRTP", frame(b"\x10\x00\x12\x34ZRTP0000000000000000000000000000000000000000")),
        whole("a channel of something else", frame(&tunnel::channel_data(0x4001, &dtls()))),
        whole("something like a channel that does not fill the datagram", {
            frame(&[&tunnel::channel_data(0x4001, &rtp())[..], &[0; 4]].concat())
        }),
        whole("QUIC", frame(&[0xC3; 1200])),
        whole("SIP", frame(b"INVITE sip:someone@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n\r\n")),
        whole("STUN on the port of a tunnel", {
            let mut flow = call();
            flow.destination.set_port(6081);
            flow.frame(&binding())
        }),
        cut("RTP on the port of a tunnel", to_port(4789)),
        whole("nothing", frame(&[])),
        whole("three octets", frame(&[0x80, 0, 0])),
        case("first fragment", fragments[0].clone(), 14 + 20 + 8 + 12 + 32),
        case("later fragment", fragments[1].clone(), 14 + 20 + 32),
        case("first fragment, IPv6", fragment_6(0, &datagram_6[..600]), 14 + 40 + 8 + 8 + 12 + 32),
        case("later fragment, IPv6", fragment_6(600, &datagram_6[600..]), 14 + 40 + 8 + 32),
        case(
            "a datagram of segmentation offload",
            {
                let mut frame = call().frame(&[&rtp()[..], &[7; 60_000]].concat());
                frame[16..18].copy_from_slice(&[0, 0]);
                frame[38..40].copy_from_slice(&[0, 0]);
                frame
            },
            14 + 20 + 8 + 12 + 32,
        ),
        case(
            "IPv4 with options",
            {
                let mut packet = call().packet(&rtp());
                packet[0] = 0x47;
                let length = u16::try_from(packet.len() + 8).unwrap();
                packet[2..4].copy_from_slice(&length.to_be_bytes());
                packet.splice(20..20, [7, 7, 4, 0, 0, 0, 0, 0]);
                ethernet(IPV4, &packet)
            },
            14 + 28 + 8 + 12 + 32,
        ),
    ]
}
