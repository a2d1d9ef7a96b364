//! Protocols in each other: which layers are seen, and whose addresses.

use super::build::*;
use super::*;
use crate::terms::{Dscp, LinkType, Transport};

/// A frame, and the layers it has.
pub(super) struct Stack {
    pub(super) name: &'static str,
    pub(super) link: LinkType,
    pub(super) frame: Vec<u8>,
    pub(super) layers: Vec<Layer>,
}

const VLAN: Layer = Layer::Vlan { vid: 7, pcp: 5 };
const GRE: Layer = Layer::Gre { key: None };
const CHANNEL: Layer = Layer::ChannelData { channel: 0x4001 };

fn outer_ip() -> Layer {
    let dscp = Dscp::try_from(8).unwrap();
    Layer::Ip { source: [172, 16, 0, 1].into(), destination: [172, 16, 0, 2].into(), dscp }
}

fn channel(inner: &[u8]) -> Vec<u8> {
    put(&[0x40, 1, 0, u8::try_from(inner.len()).unwrap()], inner)
}

fn stun(message_type: u16, inner: &[u8]) -> Vec<u8> {
    let mut data = put(&[0, 0x13, 0, u8::try_from(inner.len()).unwrap()], inner);
    data.resize(data.len().next_multiple_of(4), 0);
    let length = u8::try_from(data.len()).unwrap();
    let header = [&message_type.to_be_bytes()[..], &[0, length, 0x21, 0x12, 0xA4, 0x42], &[9; 12]].concat();
    put(&header, &data)
}

fn length(octets: usize) -> [u8; 2] {
    u16::try_from(octets).unwrap().to_be_bytes()
}

fn gre(protocol: u16, inner: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &outer(47, &put(&[&[0, 0][..], &protocol.to_be_bytes()].concat(), inner)))
}

fn over_udp(port: u16, header: &[u8], inner: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &outer(17, &udp_ports(49_999, port, &put(header, inner))))
}

/// Every one carries the same datagram of RTP, from 10.0.0.1 or `2001:db8::1`.
pub(super) fn all() -> Vec<Stack> {
    let mut stacks = links();
    stacks.extend(tags());
    stacks.extend(tunnels());
    stacks.extend(relays());
    stacks
}

fn links() -> Vec<Stack> {
    let wlan = |control: [u8; 2], rest: &[u8]| [&control[..], &[0; 22], rest].concat();
    let qos = put(&wlan([0x88, 0x01], &[0x06, 0]), &snap(0x0800, &media()));
    let aggregate = [&[1; 12][..], &length(8 + media().len()), &snap(0x0800, &media()), &[0; 3]].concat();
    let wlan_6 = vec![Layer::Wlan { up: Some(6) }];
    let plain = |name, link, frame| Stack { name, link, frame, layers: vec![] };
    let mut cooked = vec![0; 16];
    cooked[14..].copy_from_slice(&[0x08, 0]);
    let mut cooked_2 = vec![0; 20];
    cooked_2[..2].copy_from_slice(&[0x86, 0xDD]);
    let ieee = |inner: Vec<u8>| ethernet(u16::try_from(inner.len()).unwrap(), &inner);
    vec![
        plain("ethernet", LinkType::ETHERNET, media_frame()),
        plain("ethernet, padded", LinkType::ETHERNET, put(&media_frame(), &[0; 30])),
        plain("ethernet, IPv6", LinkType::ETHERNET, ethernet(0x86DD, &media_6())),
        plain("802.3 with SNAP", LinkType::ETHERNET, ieee(snap(0x0800, &media()))),
        plain("cooked", LinkType::LINUX_SLL, put(&cooked, &media())),
        plain("cooked 2", LinkType::LINUX_SLL2, put(&cooked_2, &media_6())),
        plain("raw", LinkType::RAW, media_6()),
        plain("ipv4", LinkType::IPV4, media()),
        plain("ipv6", LinkType::IPV6, media_6()),
        plain("loopback, little end", LinkType::NULL, put(&[30, 0, 0, 0], &media_6())),
        plain("loopback, big end", LinkType::LOOP, put(&[0, 0, 0, 2], &media())),
        plain("ppp", LinkType::PPP, put(&[0x00, 0x21], &media())),
        plain("ppp, framed", LinkType::PPP_HDLC, put(&[0xFF, 0x03, 0x57], &media_6())),
        Stack {
            name: "pppoe link",
            link: LinkType::PPP_ETHER,
            frame: [&[0x11, 0, 0, 9][..], &length(2 + media().len()), &[0, 0x21], &media()].concat(),
            layers: vec![Layer::Pppoe { session: 9 }],
        },
        Stack { name: "802.11", link: LinkType::IEEE802_11, frame: qos.clone(), layers: wlan_6.clone() },
        Stack {
            name: "802.11 aggregate",
            link: LinkType::IEEE802_11,
            frame: put(&wlan([0x88, 0x01], &[0x86, 0]), &aggregate),
            layers: wlan_6.clone(),
        },
        Stack {
            name: "radiotap with check sequence",
            link: LinkType::IEEE802_11_RADIOTAP,
            frame: [&[0, 0, 9, 0, 2, 0, 0, 0, 0x10][..], &qos, &[0xEE; 4]].concat(),
            layers: wlan_6,
        },
        Stack {
            name: "802.11 without QoS",
            link: LinkType::IEEE802_11,
            frame: put(&wlan([0x08, 0x02], &[]), &snap(0x86DD, &media_6())),
            layers: vec![Layer::Wlan { up: None }],
        },
    ]
}

fn tags() -> Vec<Stack> {
    let tag = [0xA0, 7, 0x08, 0];
    let stack = |name, frame, layers| Stack { name, link: LinkType::ETHERNET, frame, layers };
    let label = |tc: u8| Layer::Mpls { label: 16, tc };
    vec![
        stack("802.1Q", ethernet(0x8100, &put(&tag, &media())), vec![VLAN]),
        stack(
            "802.1ad",
            ethernet(0x88A8, &[&[0x20, 100, 0x81, 0][..], &tag, &media()].concat()),
            vec![Layer::Vlan { vid: 100, pcp: 1 }, VLAN],
        ),
        stack(
            "three tags",
            ethernet(0x9100, &[&[0xA0, 7, 0x91, 0, 0xA0, 7, 0x81, 0][..], &tag, &media()].concat()),
            vec![VLAN; 3],
        ),
        stack("tag and SNAP", ethernet(0x8100, &put(&[0xA0, 7, 0, 68], &snap(0x0800, &media()))), vec![VLAN]),
        stack(
            "vn-tag, 802.1Q",
            ethernet(0x8926, &[&[0, 1, 0, 2, 0x81, 0][..], &tag, &media()].concat()),
            vec![Layer::Other { name: "vn-tag" }, VLAN],
        ),
        stack(
            "MPLS",
            ethernet(0x8847, &[&[0, 1, 0x0A, 64, 0, 1, 0x03, 64][..], &media()].concat()),
            vec![label(5), label(1)],
        ),
        stack("MPLS, IPv6", ethernet(0x8847, &put(&[0, 1, 0x0B, 64], &media_6())), vec![label(5)]),
        stack(
            "pseudo-wire",
            ethernet(0x8847, &[&[0, 1, 0x01, 64, 0, 0, 0, 0][..], &media_frame()].concat()),
            vec![label(0)],
        ),
        stack(
            "pseudo-wire without control word",
            ethernet(0x8847, &put(&[0, 1, 0x01, 64], &media_frame())),
            vec![label(0)],
        ),
        stack(
            "PPPoE in 802.1Q",
            ethernet(
                0x8100,
                &[&[0xA0, 7, 0x88, 0x64, 0x11, 0, 0x12, 0x34][..], &length(62), &[0, 0x21], &media()]
                    .concat(),
            ),
            vec![VLAN, Layer::Pppoe { session: 0x1234 }],
        ),
        stack(
            "provider backbone",
            ethernet(0x88E7, &put(&[0, 0, 0, 9], &media_frame())),
            vec![Layer::Other { name: "pbb" }],
        ),
    ]
}

fn tunnels() -> Vec<Stack> {
    let stack = |name, frame, inner: &[Layer]| Stack {
        name,
        link: LinkType::ETHERNET,
        frame,
        layers: [&[outer_ip()], inner].concat(),
    };
    let erspan = |version, session, egress| Layer::Erspan { version, session, egress };
    let tagged = ethernet(0x8100, &put(&[0xA0, 7, 0x08, 0], &media()));
    let gre_with = |header: &[u8], inner: &[u8]| ethernet(0x0800, &outer(47, &put(header, inner)));
    let two = [0x10, 0, 0x88, 0xBE, 0, 0, 0, 1, 0x10, 0, 0, 9, 0, 0, 0, 0];
    let three =
        [0x10, 0, 0x22, 0xEB, 0, 0, 0, 1, 0x20, 0, 0, 9, 1, 2, 3, 4, 0, 0, 0, 0x09, 9, 9, 9, 9, 9, 9, 9, 9];
    let pptp_length = length(media().len() + 4);
    let pptp = [0x30, 0x01, 0x88, 0x0B, pptp_length[0], pptp_length[1], 0, 5, 0, 0, 0, 1, 0xFF, 3, 0, 0x21];
    let gtpu_length = length(media().len() + 8);
    let gtpu = [0x34, 255, gtpu_length[0], gtpu_length[1], 0, 0, 0, 7, 0, 0, 0, 0x85, 1, 0x10, 9, 0];
    let vxlan = [0x08, 0, 0, 0, 0, 0, 5, 0];
    let wlan = [&[0x88, 0x01][..], &[0; 22], &[0x06, 0], &snap(0x0800, &media())].concat();
    let vxlan_layer = Layer::Vxlan { vni: 5 };
    vec![
        stack("IPv4 in IPv4", ethernet(0x0800, &outer(4, &media())), &[]),
        stack("IPv6 in IPv4", ethernet(0x0800, &outer(41, &media_6())), &[]),
        stack("GRE", gre(0x0800, &media()), &[GRE]),
        stack("GRE, Ethernet", gre(0x6558, &tagged), &[GRE, VLAN]),
        stack(
            "GRE, MPLS",
            gre(0x8847, &put(&[0, 1, 0x01, 64], &media())),
            &[GRE, Layer::Mpls { label: 16, tc: 0 }],
        ),
        stack(
            "PPTP",
            gre_with(&pptp, &media()),
            &[Layer::Gre { key: Some(5) }, Layer::Other { name: "ppp" }],
        ),
        stack("ERSPAN I", gre(0x88BE, &media_frame()), &[GRE, erspan(1, 0, None)]),
        stack("ERSPAN II", gre_with(&two, &tagged), &[GRE, erspan(2, 9, None), VLAN]),
        stack("ERSPAN III", gre_with(&three, &media_frame()), &[GRE, erspan(3, 9, Some(true))]),
        stack("VXLAN", over_udp(4789, &vxlan, &tagged), &[vxlan_layer, VLAN]),
        stack(
            "GENEVE with options",
            over_udp(6081, &[2, 0, 0x65, 0x58, 0, 0, 6, 0, 1, 1, 1, 1, 1, 1, 1, 1], &media_frame()),
            &[Layer::Geneve { vni: 6 }],
        ),
        stack("GTP-U with extension", over_udp(2152, &gtpu, &media()), &[Layer::Gtpu { teid: 7 }]),
        stack("TZSP", over_udp(37_008, &[1, 0, 0, 1, 0x0A, 1, 200, 1], &media_frame()), &[Layer::Tzsp]),
        stack(
            "TZSP, 802.11",
            over_udp(37_008, &[1, 0, 0, 0x12, 1], &wlan),
            &[Layer::Tzsp, Layer::Wlan { up: Some(6) }],
        ),
        stack(
            "CAPWAP",
            over_udp(5247, &[0, 0x10, 0x43, 0, 0, 0, 0, 0], &wlan),
            &[Layer::Other { name: "capwap" }, Layer::Wlan { up: Some(6) }],
        ),
        stack(
            "L2TP",
            over_udp(1701, &[0, 2, 0, 1, 0, 2, 0xFF, 3, 0, 0x21], &media()),
            &[Layer::Other { name: "l2tp" }],
        ),
        stack(
            "VXLAN in ERSPAN",
            gre_with(&two, &over_udp(4789, &vxlan, &media_frame())),
            &[GRE, erspan(2, 9, None), outer_ip(), vxlan_layer],
        ),
    ]
}

fn relays() -> Vec<Stack> {
    let stack = |name, payload: &[u8], layers| Stack {
        name,
        link: LinkType::ETHERNET,
        frame: ethernet(0x0800, &ipv4(17, &udp(payload))),
        layers,
    };
    let multiplexed =
        [&[0xFF, 0x10][..], &length(rtp().len() + 8), &[0, 0, 0, 0, 0, 0, 0, 9], &rtp()].concat();
    vec![
        stack("channel", &channel(&rtp()), vec![CHANNEL]),
        stack("indication", &stun(0x0016, &rtp()), vec![Layer::TurnIndication]),
        stack("channel in indication", &stun(0x0017, &channel(&rtp())), vec![Layer::TurnIndication, CHANNEL]),
        stack("multiplexed", &multiplexed, vec![Layer::MultiplexedTurn { session: 9 }]),
    ]
}

#[test]
fn the_innermost_datagram_counts_and_the_rest_are_layers() {
    for Stack { name, link, frame, layers } in all() {
        let seen = see(link, &frame, frame.len()).unwrap_or_else(|reason| panic!("{name}: {reason:?}"));
        let [seen] = &seen[..] else { panic!("{name}: {seen:?}") };
        assert_eq!(seen.layers, layers, "{name}");
        assert_eq!((seen.message, seen.fragment), ("rtp", None), "{name}");
        let (source, dscp, ttl) = if seen.flow.source.is_ipv4() {
            ("10.0.0.1:50000", 46, 63)
        } else {
            ("[2001:db8::1]:50000", 34, 61)
        };
        assert_eq!(seen.flow.source, source.parse().unwrap(), "{name}");
        assert_eq!((seen.dscp, seen.ttl, seen.flow.destination.port()), (dscp, ttl, 3478), "{name}");
    }
}

#[test]
fn what_is_no_media_has_its_reason() {
    let quoted = put(&[3, 3, 0, 0, 0, 0, 0, 0], &media());
    for (name, frame, reason) in [
        ("ARP", ethernet(0x0806, &[0; 28]), Undecoded::NotIp),
        ("LLDP", ethernet(0x88CC, &[0; 28]), Undecoded::NotIp),
        ("a packet quoted in ICMP", ethernet(0x0800, &ipv4(1, &quoted)), Undecoded::Icmp),
        ("a packet quoted in ICMPv6", ethernet(0x86DD, &ipv6(58, &quoted)), Undecoded::Icmp),
        ("SCTP", ethernet(0x0800, &ipv4(132, &[0; 12])), Undecoded::NotUdpOrTcp),
        ("ESP", ethernet(0x0800, &ipv4(50, &[0; 40])), Undecoded::Encrypted),
        ("ESP behind AH", ethernet(0x0800, &ipv4(51, &put(&[50, 4], &[0; 30]))), Undecoded::Encrypted),
        (
            "a fragment of GRE",
            ethernet(0x0800, &ipv4_as(0, [0, 9], [1; 4], [2; 4], 47, &[0; 9])),
            Undecoded::TunnelFragment,
        ),
        ("a tag without end", ethernet(0x8100, &[0xA0, 7, 0x81, 0].repeat(40)), Undecoded::TooDeep),
    ] {
        assert_eq!(see(LinkType::ETHERNET, &frame, frame.len()), Err(reason), "{name}");
    }
    assert_eq!(see(LinkType(9999), &media(), 60), Err(Undecoded::UnsupportedLinkType));
}

#[test]
fn fragments_are_told_apart() {
    let datagram = udp(&put(&rtp(), &[0; 100]));
    let first =
        ethernet(0x0800, &ipv4_as(0xB8, [0x20, 0], [10, 0, 0, 1], [192, 0, 2, 9], 17, &datagram[..48]));
    let later = ethernet(0x0800, &ipv4_as(0xB8, [0, 6], [10, 0, 0, 1], [192, 0, 2, 9], 17, &datagram[48..]));
    let identification = 0xABCD;
    let seen = see(LinkType::ETHERNET, &first, first.len()).unwrap().remove(0);
    assert_eq!(seen.message, "rtp");
    assert_eq!(seen.fragment, Some(Fragment { identification, is_first: true }));
    let seen = see(LinkType::ETHERNET, &later, later.len()).unwrap().remove(0);
    assert_eq!((seen.message, seen.flow.source.port(), seen.dscp), ("fragment", 0, 46));
    assert_eq!(seen.fragment, Some(Fragment { identification, is_first: false }));
}

#[test]
fn octets_are_those_of_the_innermost_header() {
    let whole = u16::try_from(media().len()).unwrap();
    for (name, frame, wire_len) in [
        ("padded", put(&media_frame(), &[0; 20]), 94),
        ("snapped", media_frame()[..54].to_vec(), 74),
        ("tunnelled", gre(0x0800, &media()), 98),
    ] {
        assert_eq!(see(LinkType::ETHERNET, &frame, wire_len).unwrap()[0].octets, whole, "{name}");
    }
}

#[test]
fn messages_of_a_segment_share_its_octets() {
    let framed = put(&length(rtp().len()), &rtp());
    let packet = ipv4(6, &tcp(&framed.repeat(3)));
    let seen = see(LinkType::IPV4, &packet, packet.len()).unwrap();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen.iter().map(|s| usize::from(s.octets)).sum::<usize>(), packet.len());
    assert!(seen.iter().all(|s| s.message == "rtp" && s.layers == [Layer::TcpFraming]));
    assert!(seen.iter().all(|s| s.flow.transport == Transport::Tcp));
}

#[test]
fn a_segment_without_media_is_something_else_and_one_without_data_is_nothing() {
    let seen = |data: &[u8]| see(LinkType::IPV4, &ipv4(6, &tcp(data)), 200).unwrap();
    assert_eq!(seen(b"GET / HTTP/1.1\r\n\r\n")[0].message, "other");
    assert_eq!(seen(b""), []);
}

#[test]
fn the_depth_is_what_the_operator_says() {
    let frame = ethernet(0x8100, &put(&[0xA0, 7, 0x08, 0], &media()));
    let frame = Frame {
        timestamp: Timestamp(0),
        data: &frame,
        wire_len: u32::try_from(frame.len()).unwrap(),
        link: LinkType::ETHERNET,
        interface: 0,
    };
    for (max_depth, expected) in [(0, Err(Undecoded::TooDeep)), (1, Ok(())), (usize::MAX, Ok(()))] {
        let mut decoder = Decoder::new(1, Options { max_depth, ..Options::default() });
        assert_eq!(decoder.decode(&frame, |_, _| ()), expected, "{max_depth}");
    }
}

#[test]
fn mirrors_that_number_their_frames_say_so_of_every_frame() {
    let numbered = |protocol: [u8; 2], erspan: &[u8], inner: &[u8]| {
        let header = [&[0x10, 0][..], &protocol, &[1, 2, 3, 4], erspan].concat();
        ethernet(0x0800, &outer(47, &put(&header, inner)))
    };
    let two = |inner: &[u8]| numbered([0x88, 0xBE], &[0x10, 0, 0, 9, 0, 0, 0, 0], inner);
    let three = |inner: &[u8]| numbered([0x22, 0xEB], &[0x20, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1, 0x58], inner);
    let frame = |hardware| MirroredFrame {
        source: [172, 16, 0, 1].into(),
        destination: [172, 16, 0, 2].into(),
        session: 9,
        hardware,
        sequence: 0x0102_0304,
    };
    let mut decoder = Decoder::new(1, Options::default());
    for (name, octets, expected) in [
        ("II", two(&media_frame()), Some(frame(0))),
        ("II around what is no media", two(&ethernet(0x0806, &[0; 28])), Some(frame(0))),
        ("II cut off", two(&[]), Some(frame(0))),
        ("III", three(&media_frame()), Some(frame(0x15))),
        ("II in III", three(&two(&media_frame())), Some(frame(0x15))),
        ("plain", media_frame(), None),
        ("ERSPAN I", gre(0x88BE, &media_frame()), None),
        ("numbered GRE", numbered([0x08, 0], &[], &media()), None),
    ] {
        let wire_len = u32::try_from(octets.len()).unwrap();
        let timestamp = Timestamp(0);
        let frame = Frame { timestamp, data: &octets, wire_len, link: LinkType::ETHERNET, interface: 0 };
        let _ = decoder.decode(&frame, |_, _| ());
        assert_eq!(decoder.take_mirrored(), expected, "{name}");
        assert_eq!(decoder.take_mirrored(), None, "{name}: once");
    }
}
