//! Laws that hold for any octets: no panic, and cuts tell no lies.

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;
use crate::terms::LinkType;

const LINKS: [u16; 17] = [0, 1, 6, 9, 10, 12, 50, 51, 101, 104, 105, 108, 113, 127, 228, 229, 276];

#[test]
fn a_frame_cut_anywhere_gives_the_same_flow_or_a_reason() {
    for stacks::Stack { name, link, frame, .. } in stacks::all() {
        let whole = see(link, &frame, frame.len()).unwrap();
        for kept in 0..frame.len() {
            let Ok(seen) = see(link, &frame[..kept], frame.len()) else { continue };
            assert_eq!(seen.len(), 1, "{name}, {kept} kept");
            assert_eq!(seen[0].flow, whole[0].flow, "{name}, {kept} kept");
            assert_eq!(seen[0].octets, whole[0].octets, "{name}, {kept} kept");
        }
    }
}

#[test]
fn a_frame_that_lost_its_end_without_a_word_does_no_harm() {
    for stacks::Stack { link, frame, .. } in stacks::all() {
        for kept in 0..frame.len() {
            let _ = see(link, &frame[..kept], kept);
        }
    }
}

proptest! {
    #[test]
    fn random_octets_never_panic(
        link in proptest::sample::select(&LINKS[..]),
        data in proptest::collection::vec(any::<u8>(), 0..300),
        more in 0_usize..2000,
    ) {
        let _ = see(LinkType(link), &data, data.len() + more);
    }

    #[test]
    fn a_good_frame_with_wrong_octets_never_panics(
        which in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let stacks = stacks::all();
        let stack = which.get(&stacks);
        let mut frame = stack.frame.clone();
        for (at, octet) in changes {
            let at = at.index(frame.len());
            frame[at] = octet;
        }
        let _ = see(stack.link, &frame, frame.len());
    }

    #[test]
    fn random_payloads_never_panic(
        first in any::<u8>(),
        rest in proptest::collection::vec(any::<u8>(), 0..120),
        is_tcp in any::<bool>(),
    ) {
        let payload = [&[first][..], &rest].concat();
        let (protocol, segment) =
            if is_tcp { (6, build::tcp(&payload)) } else { (17, build::udp(&payload)) };
        let packet = build::ipv4(protocol, &segment);
        prop_assert!(see(LinkType::IPV4, &packet, packet.len()).is_ok());
    }

    #[test]
    fn etherparse_builds_what_is_read(
        vlan in proptest::option::of(0_u16..4096),
        six in any::<bool>(),
        ttl in any::<u8>(),
        ports in any::<(u16, u16)>(),
        addresses in any::<([u8; 16], [u8; 16])>(),
        payload in proptest::collection::vec(0xC0_u8..=0xFE, 0..200),
    ) {
        let (source, destination) = addresses;
        let link = PacketBuilder::ethernet2([1; 6], [2; 6]);
        let four = |a: [u8; 16]| [a[0], a[1], a[2], a[3]];
        let ip = match (vlan, six) {
            (None, true) => link.ipv6(source, destination, ttl),
            (None, false) => link.ipv4(four(source), four(destination), ttl),
            (Some(vid), six) => {
                let tagged = link.single_vlan(vid.try_into().unwrap());
                if six {
                    tagged.ipv6(source, destination, ttl)
                } else {
                    tagged.ipv4(four(source), four(destination), ttl)
                }
            }
        };
        let udp = ip.udp(ports.0, ports.1);
        let mut frame = Vec::with_capacity(udp.size(payload.len()));
        udp.write(&mut frame, &payload).unwrap();

        let seen = see(LinkType::ETHERNET, &frame, frame.len()).unwrap().remove(0);
        prop_assert_eq!(seen.ttl, ttl);
        prop_assert_eq!((seen.flow.source.port(), seen.flow.destination.port()), ports);
        let expected: std::net::IpAddr = if six { source.into() } else { four(source).into() };
        prop_assert_eq!(seen.flow.source.ip(), expected);
        let layers: Vec<Layer> = vlan.map(|vid| Layer::Vlan { vid, pcp: 0 }).into_iter().collect();
        prop_assert_eq!(seen.layers, layers);
        prop_assert_eq!(usize::from(seen.octets), payload.len() + if six { 48 } else { 28 });
    }
}
