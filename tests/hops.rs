//! Copies of a packet at several places are hops, in order of travel.
//!
//! Changes of marking name the two hops between which they are.

#![allow(clippy::indexing_slicing, reason = "a report that lacks a key has failed")]

mod common;

use common::packet::VLAN;
use common::run::{findings, hops, kinds, only_finding, streams};
use common::{Capture, Stream, Udp, ms, only_stream, report, tunnel};
use serde_json::{Value, json};

const PACKETS: u32 = 200;
/// How long a packet takes from one hop to the next, in nanoseconds.
const DELAY: i64 = 300_000;

/// A call from the managed side to outside, so that its class is audio by the client's port.
fn stream() -> Stream {
    Stream::g711(Udp::new("10.1.1.1:50004", "52.112.0.1:3479"))
}

/// What a hop makes of a packet: the frame that is seen there, or none.
type Hop = dyn Fn(u32, Udp, &[u8]) -> Option<Vec<u8>>;

/// The same packets at several hops, each a little later: what `hops` makes of the flow at each.
fn at_hops(hops: &[&Hop]) -> Capture {
    let stream = stream();
    let mut capture = Capture::new();
    for i in 0..PACKETS {
        for (n, hop) in (0..).zip(hops) {
            if let Some(frame) = hop(i, stream.flow, &stream.payload(i)) {
                capture.add(stream.time(i) + n * DELAY, frame);
            }
        }
    }
    capture
}

/// What a hop sees of the flow at this TTL and with this marking.
fn seen(ttl: u8, dscp: u8) -> impl Fn(u32, Udp, &[u8]) -> Option<Vec<u8>> {
    move |_, flow, payload| Some(flow.ttl(ttl).dscp(dscp).frame(payload))
}

fn column(report: &Value, key: &str) -> Vec<Value> {
    hops(only_stream(report)).iter().map(|hop| hop[key].clone()).collect()
}

#[test]
fn copies_with_a_lower_ttl_are_the_next_hops() {
    let report = report(&at_hops(&[&seen(64, 46), &seen(63, 46), &seen(60, 46)]));
    assert_eq!(column(&report, "ttl"), [64, 63, 60]);
    assert_eq!(column(&report, "unique"), [200, 200, 200]);
    assert_eq!(column(&report, "duplicates"), [0, 0, 0]);
    assert_eq!(column(&report, "marking"), ["conformant", "conformant", "conformant"]);
    assert_eq!(findings(&report, "bleached").len() + findings(&report, "remarked").len(), 0);
}

#[test]
fn hops_are_in_the_order_of_travel_also_where_a_later_one_is_heard_first() {
    let report = report(&at_hops(&[&seen(60, 0), &seen(64, 46), &seen(62, 46)]));
    assert_eq!(column(&report, "ttl"), [64, 62, 60]);
    assert_eq!(column(&report, "marking"), ["conformant", "conformant", "remarked"]);
    assert_eq!(only_finding(&report, "bleached")["between"], json!([1, 2]));
}

#[test]
fn copies_in_another_vlan_are_another_hop_and_in_another_priority_are_not() {
    let tagged = |vid: u16, pcp: u8| {
        move |_: u32, flow: Udp, payload: &[u8]| Some(flow.tagged(&[(VLAN, vid, pcp)], payload))
    };
    let two = report(&at_hops(&[&tagged(10, 5), &tagged(20, 5)]));
    assert_eq!(column(&two, "vlan"), [json!([10]), json!([20])]);
    assert_eq!(column(&two, "unique"), [200, 200]);
    let one = report(&at_hops(&[&|i, flow, payload| {
        let pcp = if i < 120 { 5 } else { 0 };
        Some(flow.tagged(&[(VLAN, 10, pcp)], payload))
    }]));
    assert_eq!(column(&one, "unique"), [200]);
    assert_eq!(column(&one, "pcp"), [json!({ "0": 80, "5": 120 })]);
    let copies = report(&at_hops(&[&tagged(10, 5), &tagged(10, 0)]));
    assert_eq!(column(&copies, "unique"), [200]);
    assert_eq!(column(&copies, "duplicates"), [200]);
}

#[test]
fn copies_in_a_tunnel_are_another_hop() {
    let report = report(&at_hops(&[&seen(64, 46), &|_, flow, payload| {
        Some(tunnel::vxlan(7, &flow.ttl(63).frame(payload)))
    }]));
    assert_eq!(column(&report, "ttl"), [64, 63]);
    assert_eq!(column(&report, "encapsulation"), [json!([]), json!(["ip 172.16.0.1>172.16.0.2", "vxlan 7"])]);
    let same_ttl = self::report(&at_hops(&[&seen(64, 46), &|_, flow, payload| {
        Some(tunnel::erspan_2(9, &flow.frame(payload)))
    }]));
    assert_eq!(column(&same_ttl, "unique"), [200, 200]);
}

#[test]
fn copies_that_differ_in_nothing_are_duplicates_of_the_mirror() {
    let report = report(&at_hops(&[&seen(64, 46), &seen(64, 46)]));
    assert_eq!(column(&report, "unique"), [200]);
    assert_eq!(column(&report, "duplicates"), [200]);
    assert_eq!(column(&report, "packets"), [400]);
    assert_eq!(only_finding(&report, "mirror-duplicates")["packets"], 200);
}

#[test]
fn ttls_of_different_packets_are_two_ways_to_one_hop() {
    let shared = report(&at_hops(&[&|i, flow, payload| {
        Some(flow.ttl(if i % 3 == 0 { 61 } else { 62 }).frame(payload))
    }]));
    assert_eq!(column(&shared, "unique"), [200]);
    assert_eq!(column(&shared, "lost"), [0]);
    assert_eq!(
        column(&shared, "ways"),
        [json!([{ "ttl": 62, "packets": 133 }, { "ttl": 61, "packets": 67 }])]
    );
    assert_eq!(column(&shared, "ttl"), [62]);
    assert_eq!(only_finding(&shared, "several-ways")["severity"], "info");
    assert_eq!(findings(&shared, "path-changed").len(), 0);
    let rerouted =
        report(&at_hops(&[&|i, flow, payload| Some(flow.ttl(if i < 140 { 62 } else { 58 }).frame(payload))]));
    assert_eq!(column(&rerouted, "unique"), [200]);
    assert_eq!(
        column(&rerouted, "ways"),
        [json!([{ "ttl": 62, "packets": 140 }, { "ttl": 58, "packets": 60 }])]
    );
}

#[test]
fn a_route_that_changes_at_a_second_hop_leaves_two_hops() {
    let report = report(&at_hops(&[&seen(64, 46), &|i, flow, payload| {
        Some(flow.ttl(if i < 100 { 62 } else { 60 }).frame(payload))
    }]));
    assert_eq!(column(&report, "unique"), [200, 200]);
    assert_eq!(column(&report, "lost"), [0, 0]);
}

#[test]
fn a_hop_that_appears_in_mid_call_is_a_hop() {
    let report = report(&at_hops(&[&seen(64, 46), &|i, flow, payload| {
        (i >= 90).then(|| flow.ttl(61).frame(payload))
    }]));
    assert_eq!(column(&report, "ttl"), [64, 61]);
    assert_eq!(column(&report, "unique"), [200, 110]);
    assert_eq!(column(&report, "lost"), [0, 0]);
}

#[test]
fn what_is_lost_before_the_second_hop_is_missing_there_only() {
    let report = report(&at_hops(&[&seen(64, 46), &|i, flow, payload| {
        (i % 20 != 7).then(|| flow.ttl(63).frame(payload))
    }]));
    assert_eq!(column(&report, "lost"), [0, 10]);
    assert_eq!(column(&report, "expected"), [200, 200]);
}

#[test]
fn bleaching_names_the_pair_of_hops() {
    let report = report(&at_hops(&[&seen(64, 46), &seen(63, 46), &seen(62, 0)]));
    assert_eq!(column(&report, "marking"), ["conformant", "conformant", "remarked"]);
    let finding = only_finding(&report, "bleached");
    assert_eq!(finding["between"], json!([1, 2]));
    assert_eq!((&finding["from"], &finding["to"]), (&json!(46), &json!(0)));
    assert_eq!((&finding["severity"], &finding["packets"]), (&json!("error"), &json!(200)));
    assert!(findings(&report, "remarked").is_empty() && findings(&report, "unmarked-at-source").is_empty());
}

#[test]
fn remarking_names_its_pattern() {
    // RFC 9435, section 4.
    for (to, pattern) in [
        (6, "upper three bits set to zero"),
        (40, "upper three bits kept, lower three set to zero"),
        (14, "upper three bits rewritten"),
        (34, "another codepoint"),
    ] {
        let report = report(&at_hops(&[&seen(64, 46), &seen(63, to)]));
        let finding = only_finding(&report, "remarked");
        assert_eq!((&finding["from"], &finding["to"]), (&json!(46), &json!(to)));
        let message = finding["message"].as_str().unwrap();
        assert!(message.contains(pattern), "{to}: {message}");
    }
}

#[test]
fn what_comes_after_a_change_inherits_it() {
    let report = report(&at_hops(&[&seen(64, 46), &seen(63, 0), &seen(62, 0), &seen(61, 0)]));
    assert_eq!(column(&report, "marking"), ["conformant", "remarked", "inherited", "inherited"]);
    assert_eq!(only_finding(&report, "bleached")["between"], json!([0, 1]));
    assert_eq!(kinds(&report).iter().filter(|kind| kind.contains("mark")).count(), 0, "{:?}", kinds(&report));
}

#[test]
fn what_is_wrong_from_the_start_is_nobodys_change() {
    let report = report(&at_hops(&[&seen(64, 0), &seen(63, 0)]));
    assert_eq!(column(&report, "marking"), ["unmarked", "inherited"]);
    assert_eq!(only_finding(&report, "unmarked-at-source")["severity"], "error");
    assert!(findings(&report, "bleached").is_empty() && findings(&report, "remarked").is_empty());
}

#[test]
fn an_edge_that_marks_is_no_fault() {
    let report = report(&at_hops(&[&seen(64, 0), &seen(63, 46)]));
    assert_eq!(column(&report, "marking"), ["unmarked", "conformant"]);
    assert!(findings(&report, "remarked").is_empty());
}

#[test]
fn a_change_of_some_packets_is_mixed() {
    let report = report(&at_hops(&[&seen(64, 46), &|i, flow, payload| {
        Some(flow.ttl(63).dscp(if i % 2 == 0 { 46 } else { 0 }).frame(payload))
    }]));
    assert_eq!(column(&report, "marking"), ["conformant", "mixed"]);
    let finding = only_finding(&report, "bleached");
    assert_eq!((&finding["between"], &finding["packets"]), (&json!([0, 1]), &json!(100)));
}

#[test]
fn two_changes_on_one_way_are_two_findings() {
    let report = report(&at_hops(&[&seen(64, 46), &seen(63, 34), &seen(62, 0)]));
    assert_eq!(column(&report, "marking"), ["conformant", "remarked", "remarked"]);
    assert_eq!(only_finding(&report, "remarked")["between"], json!([0, 1]));
    assert_eq!(only_finding(&report, "bleached")["between"], json!([1, 2]));
}

#[test]
fn both_directions_have_hops_of_their_own() {
    let out = stream();
    let back = Stream { flow: out.flow.reversed(), ssrc: 0x0BAC_0001, ..out };
    let mut capture = Capture::new();
    for i in 0..PACKETS {
        // Inwards the far hop is heard first.
        for (stream, near, far, delay) in [(out, 64, 63, DELAY), (back, 51, 52, -DELAY)] {
            let at = stream.time(i) + ms(5);
            capture.add(at, stream.flow.ttl(near).frame(&stream.payload(i)));
            capture.add(
                at + delay,
                stream.flow.ttl(far).dscp(if far == 52 { 0 } else { 46 }).frame(&stream.payload(i)),
            );
        }
    }
    let report = report(&capture);
    let by_direction = |direction: &str| {
        let found = streams(&report).iter().find(|stream| stream["direction"] == direction);
        hops(found.unwrap())
            .iter()
            .map(|hop| (hop["ttl"].clone(), hop["marking"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(by_direction("forward"), [(json!(64), json!("conformant")), (json!(63), json!("conformant"))]);
    // Unmarked from outside, and marked at the edge: as it should be.
    assert_eq!(by_direction("reverse"), [(json!(52), json!("unmarked")), (json!(51), json!("conformant"))]);
    assert!(kinds(&report).is_empty(), "{:?}", kinds(&report));
}
