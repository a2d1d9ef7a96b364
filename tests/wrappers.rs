//! RTP is found in tags, tunnels and TURN, marked as in its own header.

#![allow(clippy::indexing_slicing, reason = "a report that lacks a key has failed")]
#![allow(clippy::cast_possible_truncation, reason = "segments of some kilobytes")]

mod common;

use common::capture::{RADIOTAP, RAW_IP};
use common::packet::{PROVIDER_VLAN, VLAN, tagged};
use common::run::{names, streams};
use common::{Capture, Stream, Udp, hop, only_stream, report, tunnel};
use serde_json::json;

fn call() -> Udp {
    Udp::new("10.1.1.1:50004", "10.2.2.2:50006")
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn wrappers_of_media_are_opened_and_named() {
    type Wrap = fn(&Udp, &[u8]) -> Vec<u8>;
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
