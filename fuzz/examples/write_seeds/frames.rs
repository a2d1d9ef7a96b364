//! One frame of each link type, tag and tunnel.

use hopmark_fuzz::packet::{Message, tcp_frame, udp_frame};

use super::Seed;

pub const RTP: [u8; 16] = [0x80, 0, 0, 1, 0, 0, 0, 160, 0xCA, 0xFE, 0xCA, 0xFE, 0xD5, 0xD5, 0xD5, 0xD5];

pub fn message(payload: &[u8]) -> Message<'_> {
    Message { is_reply: false, ttl: 64, traffic_class: 0xB8, elapsed_ns: 0, snapped: 0, payload }
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind.to_be_bytes(), payload].concat()
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let header =
        [0x45, 0xB8, length[0], length[1], 0, 1, 0, 0, 64, protocol, 0, 0, 172, 16, 0, 1, 172, 16, 0, 2];
    [&header[..], payload].concat()
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let address = |last: u8| [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    [&[0x6B, 0x80, 0, 0, length[0], length[1], next, 63][..], &address(1), &address(2), payload].concat()
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    [&50_000_u16.to_be_bytes()[..], &port.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

pub fn seeds() -> Vec<Seed> {
    let media = udp_frame(&message(&RTP));
    let packet = &media[14..];
    let media6 = ipv6(17, &udp(50_002, &RTP));
    let tunnel = |port: u16, header: &[u8], inner: &[u8]| {
        ethernet(0x0800, &ipv4(17, &udp(port, &[header, inner].concat())))
    };
    let gre = |header: &[u8], inner: &[u8]| ethernet(0x0800, &ipv4(47, &[header, inner].concat()));
    let extended = [&[17, 0, 0, 0, 0, 0, 0, 0][..], &udp(50_002, &RTP)].concat();
    let first_fragment = [&[17, 0, 0, 1, 0, 0, 0, 7][..], &udp(50_002, &RTP)].concat();
    let later_fragment = [&[17, 0, 0, 8, 0, 0, 0, 7][..], &RTP].concat();
    let qos = [0x88, 1, 0, 0, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 3, 0, 0, 6, 0];
    let snap = [0xAA, 0xAA, 3, 0, 0, 0, 8, 0];
    let wlan = [&qos[..], &snap, packet].concat();
    let cooked = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0][..], packet].concat();
    let cooked_2 = [&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], packet].concat();
    // Link by its place in the list of link types, octets not kept by eights, frame.
    let seed = |link: u8, frame: &[u8]| [&[link, 0], frame].concat();
    vec![
        ("ethernet.bin", seed(0, &media)),
        ("tcp.bin", seed(0, &tcp_frame(&message(&[&[0, 16][..], &RTP].concat())))),
        ("tag.bin", seed(0, &ethernet(0x8100, &[&[0xA0, 7, 8, 0][..], packet].concat()))),
        ("vlan.bin", seed(0, &ethernet(0x8100, &[&[0xA0, 7, 0x81, 0, 0xA0, 8, 8, 0][..], packet].concat()))),
        ("mpls.bin", seed(0, &ethernet(0x8847, &[&[0, 1, 0x0A, 64, 0, 1, 0x1B, 64][..], packet].concat()))),
        ("pppoe.bin", seed(0, &ethernet(0x8864, &[&[0x11, 0, 0, 1, 0, 46, 0, 0x21][..], packet].concat()))),
        ("llc.bin", seed(0, &ethernet(52, &[&snap[..], packet].concat()))),
        ("macsec.bin", seed(0, &ethernet(0x88E5, &[&[0, 0, 0, 0, 0, 1, 8, 0][..], packet].concat()))),
        ("nsh.bin", seed(0, &ethernet(0x894F, &[&[0x0F, 0xC2, 2, 1, 0, 0, 1, 0xFF][..], packet].concat()))),
        ("ipv6.bin", seed(0, &ethernet(0x86DD, &media6))),
        ("ipv6-options.bin", seed(0, &ethernet(0x86DD, &ipv6(0, &extended)))),
        ("ipv6-first-fragment.bin", seed(0, &ethernet(0x86DD, &ipv6(44, &first_fragment)))),
        ("ipv6-later-fragment.bin", seed(0, &ethernet(0x86DD, &ipv6(44, &later_fragment)))),
        ("ip-in-ip.bin", seed(0, &ethernet(0x0800, &ipv4(4, &ipv4(41, &media6))))),
        ("gre.bin", seed(0, &gre(&[0x20, 0, 8, 0, 0, 0, 0, 9], packet))),
        (
            "erspan-2.bin",
            seed(0, &gre(&[0x10, 0, 0x88, 0xBE, 0, 0, 0, 1, 0x10, 1, 0, 9, 0, 0, 0, 0], &media)),
        ),
        (
            "erspan-3.bin",
            seed(0, &gre(&[0x10, 0, 0x22, 0xEB, 0, 0, 0, 1, 0x20, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0], &media)),
        ),
        ("vxlan.bin", seed(0, &tunnel(4789, &[8, 0, 0, 0, 0, 0, 9, 0], &media))),
        ("geneve.bin", seed(0, &tunnel(6081, &[0, 0, 0x65, 0x58, 0, 0, 9, 0], &media))),
        ("gtp-u.bin", seed(0, &tunnel(2152, &[0x30, 0xFF, 0, 44, 0, 0, 0, 9], packet))),
        ("tzsp.bin", seed(0, &tunnel(37_008, &[1, 0, 0, 1, 1], &media))),
        ("capwap.bin", seed(0, &tunnel(5247, &[0, 0x10, 0x03, 0, 0, 0, 0, 0], &wlan))),
        (
            "token-ring.bin",
            seed(2, &[&[0x10, 0x40, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2][..], &snap, packet].concat()),
        ),
        ("fddi.bin", seed(4, &[&[0x50, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2][..], &snap, packet].concat())),
        ("ppp.bin", seed(3, &[&[0xFF, 3, 0, 0x21][..], packet].concat())),
        ("raw.bin", seed(9, &media6)),
        ("wlan.bin", seed(11, &wlan)),
        ("loopback.bin", seed(1, &[&[2, 0, 0, 0][..], packet].concat())),
        ("cooked.bin", seed(13, &cooked)),
        ("radiotap.bin", seed(14, &[&[0, 0, 8, 0, 0, 0, 0, 0][..], &wlan].concat())),
        ("cooked-2.bin", seed(17, &cooked_2)),
        ("snapped.bin", [&[0, 20], &media[..54]].concat()),
    ]
}
