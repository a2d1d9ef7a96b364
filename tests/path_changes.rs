//! A path that changes in mid-call has its moment; load sharing has none.
//!
//! At one point a way is told by its TTL; over several points, by who saw which packets.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::packet::VLAN;
use common::run::{findings, hops, only_finding};
use common::{Capture, Folder, Stream, Udp, ms, only_stream};
use serde_json::{Value, json};

const PACKETS: u32 = 600;
/// The packet from which on the way is another one.
const SWITCH: u32 = 350;

fn stream() -> Stream {
    Stream::g711(Udp::new("10.20.0.31:50004", "52.112.0.1:3479"))
}

/// What a point hears of the packets that pass it: with this TTL, so much later.
fn heard(ttl: u8, delay: i64, dscp: u8, passes: impl Fn(u32) -> bool) -> Capture {
    let stream = stream().ttl(ttl).dscp(dscp).at(delay);
    Capture::of(stream.frames((0..PACKETS).filter(|i| passes(*i))))
}

fn report(points: &[(&str, Capture)]) -> Value {
    let folder = Folder::new();
    let mut arguments = vec!["--format".to_owned(), "json".to_owned()];
    for (name, capture) in points {
        folder.write(&format!("{name}.pcap"), &capture.pcap());
        arguments.push(format!("{name}={name}.pcap"));
    }
    let run = folder.replay(arguments);
    assert!(run.status() < 2, "{run:?}");
    run.json()
}

/// The same frame of something else at the start and the end, so that a point was listening all the time.
fn listening(mut capture: Capture) -> Capture {
    let other = Udp::new("10.20.0.99:53", "10.20.0.98:53");
    for at in [0, ms(20) * i64::from(PACKETS)] {
        capture.add(at, other.frame(b"nothing"));
    }
    capture
}

#[test]
fn another_ttl_from_a_moment_on_is_a_change_with_that_moment() {
    let mut capture = heard(62, 0, 46, |i| i < SWITCH);
    capture
        .extend(heard(58, 0, 46, |i| i >= SWITCH).frames.into_iter().map(|frame| (frame.at, frame.octets)));
    let report = report(&[("core", capture)]);
    let finding = only_finding(&report, "path-changed");
    assert_eq!(finding["packets"], PACKETS - SWITCH);
    assert_eq!(finding["first"], "2023-11-14T22:13:27.000000000Z");
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains("62 (350), 58 (250)") && message.contains("from 7.0 s on"), "{message}");
    assert!(findings(&report, "several-ways").is_empty());
}

#[test]
fn stragglers_of_the_old_way_do_not_hide_the_change() {
    let is_old = |i: u32| i < SWITCH || i == SWITCH + 2;
    let mut capture = heard(62, 0, 46, is_old);
    capture.extend(heard(58, 0, 46, |i| !is_old(i)).frames.into_iter().map(|frame| (frame.at, frame.octets)));
    assert_eq!(only_finding(&report(&[("core", capture)]), "path-changed")["packets"], PACKETS - SWITCH - 1);
}

#[test]
fn ways_in_turn_are_load_sharing_and_no_change() {
    for period in [2, 3, 40] {
        let mut capture = heard(62, 0, 46, |i| i / (period / 2).max(1) % 2 == 0);
        let others = heard(61, 0, 46, |i| i / (period / 2).max(1) % 2 == 1);
        capture.extend(others.frames.into_iter().map(|frame| (frame.at, frame.octets)));
        let report = report(&[("core", capture)]);
        assert_eq!(only_finding(&report, "several-ways")["severity"], "info", "{period}");
        assert!(findings(&report, "path-changed").is_empty(), "{period}");
    }
}

#[test]
fn another_next_point_from_a_moment_on_is_a_change_and_no_loss() {
    for has_far_end in [true, false] {
        let mut points = vec![
            ("access", heard(63, 0, 46, |_| true)),
            ("north", listening(heard(62, ms(1), 46, |i| i < SWITCH))),
            ("south", listening(heard(62, ms(1), 46, |i| i >= SWITCH))),
        ];
        if has_far_end {
            points.push(("edge", heard(61, ms(3), 46, |_| true)));
        }
        let report = report(&points);
        let stream = only_stream(&report);
        let names: Vec<_> = hops(stream).iter().map(|hop| hop["point"].clone()).collect();
        assert_eq!(names[..3], [json!("access"), json!("north"), json!("south")]);
        for segment in stream["segments"].as_array().unwrap() {
            assert_eq!((&segment["lost"], &segment["unseen_after"]), (&json!(0), &json!(0)), "{segment}");
            assert_eq!(segment["unseen_before"], 0, "{segment}");
        }
        assert_eq!(stream["segments"][1]["alternative"], true);
        for kind in ["segment-loss", "mirror-loss"] {
            assert!(findings(&report, kind).is_empty(), "{kind}: {:#?}", report["findings"]);
        }
        let finding = only_finding(&report, "path-changed");
        assert_eq!((&finding["between"], &finding["packets"]), (&json!([1, 2]), &json!(PACKETS - SWITCH)));
        assert_eq!(finding["first"], "2023-11-14T22:13:27.001000000Z");
    }
}

#[test]
fn points_that_share_the_load_lose_nothing_and_real_loss_behind_them_is_found() {
    let is_lost = |i: u32| i % 50 == 7;
    let report = report(&[
        ("access", heard(63, 0, 46, |_| true)),
        ("north", heard(62, ms(1), 46, |i| i % 2 == 0)),
        ("south", heard(62, ms(1), 46, |i| i % 2 == 1)),
        ("edge", heard(61, ms(3), 46, |i| !is_lost(i))),
    ]);
    let segments = &only_stream(&report)["segments"];
    let lost: Vec<_> = (0..3).map(|at| segments[at]["lost"].clone()).collect();
    assert_eq!(lost, [json!(0), json!(0), json!(12)]);
    assert_eq!(only_finding(&report, "segment-loss")["between"], json!([2, 3]));
    assert_eq!(findings(&report, "several-ways").len(), 1);
    // Half of it passes elsewhere: that is no loss of the hop.
    let loss = only_finding(&report, "loss");
    assert_eq!((&loss["point"], &loss["packets"]), (&json!("edge"), &json!(12)));
    assert!(findings(&report, "burst-loss").is_empty());
}

#[test]
fn a_way_that_changes_the_marking_is_named() {
    let report = report(&[
        ("access", heard(63, 0, 46, |_| true)),
        ("north", listening(heard(62, ms(1), 46, |i| i < SWITCH))),
        ("south", listening(heard(62, ms(1), 0, |i| i >= SWITCH))),
    ]);
    let markings: Vec<_> = hops(only_stream(&report)).iter().map(|hop| hop["marking"].clone()).collect();
    assert_eq!(markings, ["conformant", "conformant", "remarked"]);
    assert_eq!(only_finding(&report, "bleached")["between"], json!([0, 2]));
}

#[test]
fn of_two_ways_in_turn_the_one_that_bleaches_is_named() {
    for bleaching in [0_u32, 1] {
        let mut behind = heard(62, ms(4), 46, |i| i % 2 != bleaching);
        behind.frames.extend(heard(62, ms(4), 0, |i| i % 2 == bleaching).frames);
        let report = report(&[
            ("access", heard(64, 0, 46, |_| true)),
            ("north", heard(63, ms(2), 46, |i| i % 2 == 0)),
            ("south", heard(63, ms(2), 46, |i| i % 2 == 1)),
            ("behind", behind),
        ]);
        let finding = only_finding(&report, "bleached");
        assert_eq!(finding["between"], json!([1 + bleaching, 3]));
        assert_eq!(finding["packets"], PACKETS / 2);
    }
}

#[test]
fn a_priority_that_changes_on_both_ways_counts_the_packets_of_both() {
    let tagged = |ttl: u8, vid: u16, pcp: u8, delay: i64, passes: &dyn Fn(u32) -> bool| {
        let stream = stream();
        let flow = stream.flow.ttl(ttl);
        let passing = (0..PACKETS).filter(|i| passes(*i));
        let frame = |i: u32| (stream.time(i) + delay, flow.tagged(&[(VLAN, vid, pcp)], &stream.payload(i)));
        Capture::of(passing.map(frame))
    };
    let report = report(&[
        ("access", tagged(63, 10, 5, 0, &|_| true)),
        ("north", tagged(62, 20, 0, ms(1), &|i| i % 3 == 0)),
        ("south", tagged(62, 20, 0, ms(1), &|i| i % 3 > 0)),
    ]);
    assert_eq!(only_stream(&report)["segments"][0]["pcp_changed"], json!({ "5>0": PACKETS }));
}

#[test]
fn a_capture_that_takes_over_from_another_is_no_change_of_the_way() {
    let report = report(&[
        ("access", heard(63, 0, 46, |_| true)),
        ("core", heard(62, ms(1), 46, |i| i < SWITCH)),
        ("edge", heard(61, ms(3), 46, |i| i >= SWITCH)),
    ]);
    assert!(findings(&report, "path-changed").is_empty());
    assert!(findings(&report, "segment-loss").is_empty());
}
