//! RTP is found from its first packet, whatever it is wrapped in, and counted right.

#![allow(clippy::indexing_slicing, reason = "a report that lacks a key has failed")]

mod common;

use common::capture::{RADIOTAP, RAW_IP};
use common::packet::{PROVIDER_VLAN, VLAN, ethernet, tagged};
use common::run::{hops, names, streams};
use common::{Capture, Stream, Udp, hop, ms, only_stream, report, rtp, tunnel};
use serde_json::json;

fn call() -> Udp {
    Udp::new("10.1.1.1:50004", "10.2.2.2:50006")
}

/// Times and payloads of packets, with the number of distinct ones.
type Sent = (Vec<(i64, Vec<u8>)>, u64);

/// What is sent of a stream at these times: sequence number, timestamp, payload type, payload octets.
fn sent(packets: impl IntoIterator<Item = (i64, u16, u32, u8, usize)>) -> Sent {
    let packets: Vec<_> = packets
        .into_iter()
        .map(|(at, sequence, timestamp, kind, octets)| {
            (at, rtp(kind, sequence, timestamp, 0xCAFE_0001, octets))
        })
        .collect();
    let unique = packets.len() as u64;
    (packets, unique)
}

/// Packets of G.711 with these numbers.
fn g711(numbers: impl IntoIterator<Item = u32>) -> Sent {
    sent(numbers.into_iter().map(|i| (ms(20) * i64::from(i), i as u16, i * 160, 0, 160)))
}

#[test]
fn streams_of_every_kind_are_counted_from_their_first_packet() {
    let audio = |i: u32| ms(20) * i64::from(i);
    let cases: Vec<(&str, Sent)> = vec![
        ("G.711", g711(0..100)),
        ("the shortest", g711(0..5)),
        ("one packet in ten is lost", g711((0..100).filter(|i| i % 10 != 7))),
        ("the second to fourth packets are lost", g711((0..100).filter(|i| !(1..4).contains(i)))),
        ("opus", sent((0..100).map(|i| (audio(i), i as u16, i * 960, 111, 70)))),
        (
            "opus that is silent for 400 ms after each second",
            sent(
                (0..1000)
                    .filter(|i| i % 70 < 50 || i % 70 == 60)
                    .enumerate()
                    .map(|(n, i)| (audio(i), n as u16, i * 960, 111, 40)),
            ),
        ),
        (
            "opus that begins in silence",
            sent((0..20).map(|i| (ms(400) * i64::from(i), i as u16, i * 19_200, 111, 6))),
        ),
        (
            "G.729 with comfort noise",
            sent(
                (0..200)
                    .filter(|i| i % 40 < 25 || i % 40 == 32)
                    .enumerate()
                    .map(|(n, i)| (audio(i), n as u16, i * 160, if i % 40 == 32 { 13 } else { 18 }, 20)),
            ),
        ),
        ("AAC at 44.1 kHz", sent((0..100).map(|i| (23_219_955 * i64::from(i), i as u16, i * 1024, 97, 300)))),
        (
            "a gateway that reads a clock of 8 kHz",
            sent((0..100).map(|i| {
                let at = audio(i) + ms(i64::from(i * 7 % 4)) / 2;
                (at, i as u16, (at / 125_000) as u32, 99, 160)
            })),
        ),
        (
            "H.264, 12 packets a picture, 30 pictures a second",
            sent((0..360).map(|i| {
                let picture = i64::from(i) / 12;
                (
                    picture * 33_333_333 + i64::from(i) % 12 * 200_000,
                    i as u16,
                    (picture * 3000) as u32,
                    107,
                    1100,
                )
            })),
        ),
        (
            "H.264 whose first picture has 300 packets",
            sent((0..400_i64).map(|i| {
                let picture = if i < 300 { 0 } else { 1 + (i - 300) / 10 };
                (picture * ms(40) + i * 50_000, i as u16, (picture * 3600) as u32, 107, 1100)
            })),
        ),
        (
            "H.264 with pictures that are predicted from later ones",
            sent((0..120_i64).map(|i| {
                let shown = [0, 3, 1, 2][(i % 4) as usize] + i / 4 * 4;
                (ms(33) * i, i as u16, 90_000 + (shown * 3000) as u32, 96, 1100)
            })),
        ),
        (
            "video of a browser, one packet a picture, by its camera's clock",
            sent((0..60_i64).map(|i| {
                let at = ms(33) * i + ms(i * 5 % 3);
                (at, i as u16, (at / 1_000_000 * 90) as u32, 98, 700)
            })),
        ),
        (
            "telephone events only: three keys of ten packets",
            sent(
                (0..30_i64)
                    .map(|i| (ms(50) * i + ms(120) * (i / 10), i as u16, (i / 10 * 4960) as u32, 101, 4)),
            ),
        ),
        (
            "a burst of 25 packets first",
            sent(
                (0..100_u32)
                    .map(|i| (audio(i.saturating_sub(25)) + i64::from(i) * 1000, i as u16, i * 960, 111, 70)),
            ),
        ),
        (
            "jitter of 15 ms",
            sent((0..100).map(|i| (audio(i) + ms(i64::from(i * 11 % 16)), i as u16, i * 160, 8, 160))),
        ),
        (
            "the sequence number and the timestamp wrap",
            sent((0..100_u32).map(|i| {
                (audio(i), 65_500_u16.wrapping_add(i as u16), 0xFFFF_F000_u32.wrapping_add(i * 160), 0, 160)
            })),
        ),
        (
            "audio, then redundancy, then audio again",
            sent(
                (0..90)
                    .map(|i| (audio(i), i as u16, i * 320, if (30..60).contains(&i) { 97 } else { 104 }, 60)),
            ),
        ),
        ("10 ms a packet", sent((0..100_u32).map(|i| (ms(10) * i64::from(i), i as u16, i * 80, 0, 80)))),
        (
            "one millisecond a packet at 48 kHz",
            sent((0..200_u32).map(|i| (ms(1) * i64::from(i), i as u16, i * 48, 98, 144))),
        ),
    ];
    for (name, (packets, unique)) in cases {
        let capture = Capture::of(packets.iter().map(|(at, payload)| (*at, call().frame(payload))));
        let report = report(&capture);
        assert_eq!(streams(&report).len(), 1, "{name}: {}", names(&report));
        let hop = hop(&report);
        assert_eq!(hop["unique"], unique, "{name}");
        assert_eq!(hop["packets"], unique, "{name}");
        assert_eq!(hop["dscp"], json!({ "46": unique }), "{name}");
        assert_eq!(hop["reordered"], 0, "{name}");
    }
}

#[test]
fn the_first_packets_may_come_twice_or_in_another_order() {
    let order = |numbers: Vec<u32>| {
        let packets = numbers
            .iter()
            .zip(0..)
            .map(|(&i, n)| (ms(20) * n, call().frame(&rtp(0, i as u16, i * 160, 0xCAFE_0001, 160))));
        report(&Capture::of(packets))
    };
    for (name, numbers, unique, duplicates, reordered) in [
        ("second first", vec![1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 12, 0, 1),
        ("first fourth", vec![1, 2, 3, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12], 13, 0, 1),
        ("first twice", vec![0, 0, 1, 2, 3, 4, 5, 6, 7], 8, 1, 0),
        ("each twice", (0..40).map(|n| n / 2).collect(), 20, 20, 0),
        ("first again later", vec![0, 1, 2, 0, 3, 4, 5, 6, 7, 8], 9, 1, 0),
    ] {
        let report = order(numbers);
        let hop = hop(&report);
        assert_eq!((&hop["unique"], &hop["duplicates"]), (&json!(unique), &json!(duplicates)), "{name}");
        assert_eq!((&hop["reordered"], &hop["lost"]), (&json!(reordered), &json!(0)), "{name}");
    }
}

#[test]
fn both_directions_and_many_ssrcs_of_one_flow_are_streams_of_their_own() {
    let mut capture = Capture::new();
    for n in 0..25 {
        let flow = if n % 2 == 0 { call() } else { call().reversed() };
        let stream = Stream::opus(flow).ssrc(0x5000_0000 + n).sequence(n as u16 * 999).at(ms(i64::from(n)));
        capture.extend(stream.frames(0..50));
    }
    let report = report(&capture);
    assert_eq!(streams(&report).len(), 25, "{}", names(&report));
    for stream in streams(&report) {
        assert_eq!(hops(stream)[0]["unique"], 50, "{stream}");
        let is_forward = stream["source"] == "10.1.1.1:50004";
        assert_eq!(stream["direction"], if is_forward { "forward" } else { "reverse" });
    }
    let paired = streams(&report).iter().filter(|stream| !stream["reverse_of"].is_null()).count();
    assert_eq!(paired, 24);
}

#[test]
fn another_ssrc_on_the_same_ports_is_another_stream() {
    let mut capture = Capture::new();
    let first = Stream::g711(call());
    capture.extend(first.frames(0..50));
    capture.extend(first.ssrc(0x0BAD_CAFE).at(first.time(50)).sequence(7).frames(0..60));
    let report = report(&capture);
    let unique: Vec<_> = streams(&report).iter().map(|s| hops(s)[0]["unique"].clone()).collect();
    assert_eq!(unique, [50, 60]);
}

#[test]
fn streams_in_ipv6_are_found() {
    let flow = Udp::new("[2001:db8::1]:50004", "[2001:db8:ffff::2]:3479").ecn(1).dscp(34);
    let report = report(&Capture::of(Stream::opus(flow).frames(0..30)));
    let stream = only_stream(&report);
    assert_eq!(
        (&stream["source"], &stream["destination"]),
        (&json!("[2001:db8::1]:50004"), &json!("[2001:db8:ffff::2]:3479"))
    );
    assert_eq!((&hop(&report)["dscp"], &hop(&report)["ecn"]), (&json!({ "34": 30 }), &json!({ "1": 30 })));
}

#[test]
fn wrappers_of_media_are_opened_and_named() {
    type Wrap = fn(&Udp, &[u8]) -> Vec<u8>;
    let frame_of = |flow: &Udp, payload: &[u8]| flow.frame(payload);
    let _ = frame_of;
    let outer_ip = "ip 172.16.0.1>172.16.0.2";
    let none = || json!([]);
    let cases: Vec<(&str, Wrap, serde_json::Value, serde_json::Value)> = vec![
        ("plain", |f, p| f.frame(p), none(), json!({})),
        (
            "TURN channel",
            |f, p| f.frame(&tunnel::channel_data(0x4001, p)),
            json!(["turn-channel 0x4001"]),
            json!({}),
        ),
        (
            "Send indication",
            |f, p| f.frame(&tunnel::indication(0x16, p)),
            json!(["turn-indication"]),
            json!({}),
        ),
        (
            "Data indication",
            |f, p| f.frame(&tunnel::indication(0x17, p)),
            json!(["turn-indication"]),
            json!({}),
        ),
        ("multiplexed TURN", |f, p| f.frame(&tunnel::multiplexed_turn(77, p)), json!(["ms-turn"]), json!({})),
        ("VLAN", |f, p| f.tagged(&[(VLAN, 30, 5)], p), none(), json!({ "vlan": [30], "pcp": { "5": 60 } })),
        (
            "tag in tag",
            |f, p| f.tagged(&[(PROVIDER_VLAN, 900, 1), (VLAN, 30, 6)], p),
            none(),
            json!({ "vlan": [900, 30], "pcp": { "6": 60 } }),
        ),
        (
            "MPLS",
            |f, p| tunnel::mpls(&[(70_000, 1), (17, 5)], &f.packet(p)),
            json!(["mpls 70000", "mpls 17"]),
            json!({ "mpls_tc": { "5": 60 } }),
        ),
        ("PPPoE", |f, p| tunnel::pppoe(12, &f.packet(p)), json!(["pppoe 12"]), json!({})),
        (
            "GRE",
            |f, p| tunnel::gre(99, &f.packet(p)),
            json!([outer_ip, "gre 99"]),
            json!({ "outer_dscp": { "8": 60 } }),
        ),
        (
            "IP in IP",
            |f, p| tunnel::ip_in_ip(&f.packet(p)),
            json!([outer_ip]),
            json!({ "outer_dscp": { "8": 60 } }),
        ),
        (
            "ERSPAN I",
            |f, p| tunnel::erspan_1(&f.frame(p)),
            json!([outer_ip, "gre", "erspan1 0"]),
            json!({ "outer_dscp": { "8": 60 } }),
        ),
        (
            "ERSPAN II, of a tagged frame",
            |f, p| tunnel::erspan_2(300, &f.tagged(&[(VLAN, 30, 5)], p)),
            json!([outer_ip, "gre", "erspan2 300"]),
            json!({ "outer_dscp": { "8": 60 }, "vlan": [30], "pcp": { "5": 60 } }),
        ),
        (
            "ERSPAN III",
            |f, p| tunnel::erspan_3(1000, &f.frame(p)),
            json!([outer_ip, "gre", "erspan3 1000 egress"]),
            json!({ "outer_dscp": { "8": 60 } }),
        ),
        (
            "VXLAN",
            |f, p| tunnel::vxlan(5000, &f.frame(p)),
            json!([outer_ip, "vxlan 5000"]),
            json!({ "outer_dscp": { "8": 60 } }),
        ),
        (
            "GENEVE",
            |f, p| tunnel::geneve(6000, &f.frame(p)),
            json!([outer_ip, "geneve 6000"]),
            json!({ "outer_dscp": { "8": 60 } }),
        ),
        (
            "TZSP",
            |f, p| tunnel::tzsp(&f.frame(p)),
            json!([outer_ip, "tzsp"]),
            json!({ "outer_dscp": { "8": 60 } }),
        ),
        (
            "GTP-U",
            |f, p| tunnel::gtpu(0xBEEF, &f.packet(p)),
            json!([outer_ip, "gtp-u 48879"]),
            json!({ "outer_dscp": { "8": 60 } }),
        ),
        (
            "TURN in GRE in MPLS behind a tag",
            |f, p| {
                let inner = f.packet(&tunnel::channel_data(0x4001, p));
                let gre = tunnel::gre(1, &inner);
                let mpls = tunnel::mpls(&[(16, 4)], &gre[14..]);
                tagged(&[(VLAN, 7, 3)], 0x8847, &mpls[14..])
            },
            json!(["mpls 16", outer_ip, "gre 1", "turn-channel 0x4001"]),
            json!({ "outer_dscp": { "8": 60 }, "vlan": [7], "pcp": { "3": 60 }, "mpls_tc": { "4": 60 } }),
        ),
    ];
    let stream = Stream::opus(call());
    for (name, wrap, encapsulation, more) in cases {
        let capture = Capture::of(stream.wrapped(0..60, wrap));
        let report = report(&capture);
        assert_eq!(streams(&report).len(), 1, "{name}: {}", names(&report));
        let hop = hop(&report);
        assert_eq!(hop["encapsulation"], encapsulation, "{name}");
        assert_eq!(
            (&hop["unique"], &hop["lost"], &hop["ttl"]),
            (&json!(60), &json!(0), &json!(64)),
            "{name}"
        );
        assert_eq!(hop["dscp"], json!({ "46": 60 }), "{name}: the marking of the innermost header");
        assert_eq!(only_stream(&report)["source"], "10.1.1.1:50004", "{name}");
        for (key, value) in more.as_object().unwrap() {
            assert_eq!(&hop[key], value, "{name}: {key}");
        }
    }
}

#[test]
fn wi_fi_frames_keep_their_user_priority() {
    let mut capture = Capture::of_link(RADIOTAP);
    let stream = Stream::opus(call());
    capture.extend(stream.wrapped(0..60, |flow, payload| tunnel::radiotap(6, &flow.packet(payload))));
    let report = report(&capture);
    let hop = hop(&report);
    assert_eq!((&hop["unique"], &hop["dscp"]), (&json!(60), &json!({ "46": 60 })));
    assert_eq!((&hop["user_priority"], &hop["encapsulation"]), (&json!({ "6": 60 }), &json!(["802.11"])));
}

#[test]
fn captures_without_a_link_are_read() {
    let mut capture = Capture::of_link(RAW_IP);
    let stream = Stream::opus(call());
    capture.extend(stream.wrapped(0..60, Udp::packet));
    assert_eq!(hop(&report(&capture))["unique"], 60);
}

#[test]
fn media_on_tcp_is_found_and_said_to_be() {
    let flow = Udp::new("10.1.1.1:50004", "52.112.0.1:443");
    let stream = Stream::opus(flow);
    let mut sequence = 1;
    let mut capture = Capture::new();
    for i in 0..60 {
        let data = tunnel::rfc4571(&stream.payload(i));
        capture.add(stream.time(i), flow.segment(sequence, &data));
        sequence += data.len() as u32;
    }
    let report = report(&capture);
    let hop = hop(&report);
    assert_eq!((&hop["unique"], &hop["encapsulation"]), (&json!(60), &json!(["rfc4571"])));
    assert_eq!(only_stream(&report)["transport"], "tcp");
    assert_eq!(common::run::findings(&report, "media-over-tcp").len(), 1);
}

#[test]
fn fragments_count_once_and_their_markings_are_kept() {
    let stream = Stream { octets: 2400, ..Stream::opus(call()) };
    let mut capture = Capture::new();
    for i in 0..40 {
        let flow = stream.flow.identification(i as u16 + 1);
        for (n, fragment) in (0..).zip(flow.fragments(&stream.payload(i), 1000)) {
            capture.add(stream.time(i) + n * 1000, fragment);
        }
    }
    let report = report(&capture);
    let hop = hop(&report);
    assert_eq!((&hop["packets"], &hop["unique"]), (&json!(40), &json!(40)));
    assert_eq!(hop["fragments"], json!({ "46": 80 }));
}

#[test]
fn frames_cut_to_64_octets_count_like_whole_ones() {
    let stream = Stream { octets: 900, ..Stream::opus(call()) };
    let whole = Capture::of(stream.frames(0..60));
    let (cut, whole) = (report(&whole.clone().snapped(64)), report(&whole));
    assert_eq!(hop(&cut), hop(&whole));
    assert_eq!(hop(&cut)["octets"], 60 * (20 + 8 + 12 + 900));
}

#[test]
fn padding_of_short_frames_is_not_counted() {
    let stream = Stream { octets: 1, ..Stream::opus(call()) };
    let mut capture = Capture::new();
    for i in 0..20 {
        let mut frame = ethernet(stream.flow.ethertype(), &stream.flow.packet(&stream.payload(i)));
        frame.resize(60, 0);
        capture.add(stream.time(i), frame);
    }
    assert_eq!(hop(&report(&capture))["octets"], 20 * 41);
}
