//! A stream heard at several points is one stream with several hops.
//!
//! It is followed through NAT and relays, and each segment says what it lost, changed and delayed.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::run::{findings, hops, only_finding, streams};
use common::{Capture, Folder, Stream, Udp, ms, only_stream, s, tunnel};
use serde_json::{Value, json};

const PACKETS: u32 = 500;

fn out() -> Stream {
    Stream::g711(Udp::new("10.20.0.31:50004", "52.112.0.1:3479"))
}

/// What a point hears: times and frames.
type Heard = Vec<(i64, Vec<u8>)>;

/// What a point hears of a stream at this TTL, so many nanoseconds after it was sent.
fn heard(stream: &Stream, ttl: u8, delay: i64) -> Heard {
    stream.ttl(ttl).at(stream.at + delay).frames(0..PACKETS).collect()
}

/// The report on these points, in this order on the command line.
fn report(points: &[(&str, Heard)], more: &[&str]) -> Value {
    let folder = Folder::new();
    let mut arguments: Vec<String> = more.iter().map(|&argument| argument.to_owned()).collect();
    for (name, heard) in points {
        let file = format!("{name}.pcap");
        folder.write(&file, &Capture::of(heard.iter().cloned()).pcap());
        arguments.push(format!("{name}={file}"));
    }
    let run = folder.replay(["--format", "json"].map(String::from).into_iter().chain(arguments));
    assert!(run.status() < 2, "{run:?}");
    run.json()
}

fn column(stream: &Value, key: &str) -> Vec<Value> {
    hops(stream).iter().map(|hop| hop[key].clone()).collect()
}

#[test]
fn hops_of_several_points_are_in_the_order_of_travel() {
    let (stream, back) = (out(), Stream { flow: out().flow.reversed(), ssrc: 9, ..out() });
    let access = [heard(&stream, 63, 0), heard(&back, 50, ms(9))].concat();
    let core = [heard(&stream, 62, ms(1)), heard(&back, 51, ms(8))].concat();
    let edge = [heard(&stream, 61, ms(3)), heard(&back, 52, ms(6))].concat();
    let named = [("access", access), ("core", core), ("edge", edge)];
    let turned = [named[2].clone(), named[0].clone(), named[1].clone()];
    for points in [named, turned] {
        let report = report(&points, &[]);
        assert_eq!(streams(&report).len(), 2);
        for stream in streams(&report) {
            let expected = match stream["direction"].as_str().unwrap() {
                "forward" => ["access", "core", "edge"],
                _ => ["edge", "core", "access"],
            };
            assert_eq!(column(stream, "point"), expected);
            assert_eq!(column(stream, "unique"), [PACKETS, PACKETS, PACKETS]);
            assert_eq!(stream["segments"].as_array().unwrap().len(), 2);
        }
        assert!(findings(&report, "segment-loss").is_empty());
    }
}

#[test]
fn a_change_between_two_points_names_both() {
    let stream = out();
    let points = [
        ("access", heard(&stream, 63, 0)),
        ("core", heard(&stream, 62, ms(1))),
        ("edge", heard(&stream.dscp(0), 61, ms(3))),
    ];
    let report = report(&points, &[]);
    assert_eq!(column(only_stream(&report), "marking"), ["conformant", "conformant", "remarked"]);
    assert_eq!(only_finding(&report, "bleached")["between"], json!([1, 2]));
    let segments = &only_stream(&report)["segments"];
    assert_eq!(segments[0]["remarked"], json!({}));
    assert_eq!(segments[1]["remarked"]["46>0"]["packets"], PACKETS);
}

#[test]
fn what_a_segment_loses_is_told_from_what_a_mirror_misses() {
    let stream = out();
    let without = |heard: Heard, lost: fn(usize) -> bool| -> Heard {
        heard.into_iter().enumerate().filter(|(i, _)| !lost(*i)).map(|(_, frame)| frame).collect()
    };
    // The network loses every 25th packet behind the core; the core's mirror misses every 40th.
    let points = [
        ("access", heard(&stream, 63, 0)),
        ("core", without(heard(&stream, 62, ms(1)), |i| i % 40 == 12)),
        ("edge", without(heard(&stream, 61, ms(3)), |i| i % 25 == 7)),
    ];
    let report = report(&points, &[]);
    let segments = &only_stream(&report)["segments"];
    let figures = |n: usize| {
        ["packets_in", "packets_out", "lost", "unseen_after", "unseen_before"]
            .map(|key| segments[n][key].clone())
    };
    // A packet that the core did not hear, and nobody after it, is lost before it for all that anybody knows.
    let missed = (0..500).filter(|i| i % 40 == 12).count();
    let lost = (0..500).filter(|i| i % 25 == 7).count();
    let both = (0..500).filter(|i| i % 40 == 12 && i % 25 == 7).count();
    assert_eq!(figures(0), [500, 500 - missed, both, missed - both, 0].map(|n| json!(n)));
    assert_eq!(figures(1), [500 - missed, 500 - lost, lost - both, 0, missed - both].map(|n| json!(n)));
}

#[test]
fn what_only_a_mirror_missed_is_no_loss_of_the_stream() {
    let stream = out();
    let core = heard(&stream, 62, ms(1)).into_iter().enumerate();
    let core: Heard = core.filter(|(i, _)| i % 40 != 12 && !(200..230).contains(i)).map(|(_, f)| f).collect();
    let points = [("access", heard(&stream, 63, 0)), ("core", core), ("edge", heard(&stream, 61, ms(3)))];
    let report = report(&points, &[]);
    assert_eq!(hops(only_stream(&report))[1]["lost"], 42);
    for kind in ["loss", "burst-loss", "segment-loss"] {
        assert!(findings(&report, kind).is_empty(), "{kind}: {:#?}", report["findings"]);
    }
    assert_eq!(only_finding(&report, "mirror-loss")["packets"], 42);
}

#[test]
fn a_stream_is_followed_through_nat() {
    let inside = out();
    let outside = Stream { flow: Udp::new("203.0.113.9:31337", "52.112.0.1:3479"), ..inside };
    let report = report(&[("inside", heard(&inside, 63, 0)), ("outside", heard(&outside, 61, ms(2)))], &[]);
    let stream = only_stream(&report);
    assert_eq!(column(stream, "source"), ["10.20.0.31:50004", "203.0.113.9:31337"]);
    assert_eq!(column(stream, "point"), ["inside", "outside"]);
    assert_eq!((&stream["direction"], &stream["source"]), (&json!("forward"), &json!("10.20.0.31:50004")));
    assert_eq!(stream["segments"][0]["lost"], 0);
}

#[test]
fn a_stream_is_followed_into_a_relay_and_a_tunnel() {
    let stream = out();
    let later = stream.at(ms(2));
    let relayed: Heard = later
        .wrapped(0..PACKETS, |flow, payload| flow.ttl(62).frame(&tunnel::channel_data(0x4001, payload)))
        .collect();
    let tunnelled: Heard =
        later.wrapped(0..PACKETS, |flow, payload| tunnel::gre(7, &flow.ttl(62).packet(payload))).collect();
    for (name, second) in [("relay", relayed), ("tunnel", tunnelled)] {
        let report = report(&[("access", heard(&stream, 63, 0)), ("core", second)], &[]);
        assert_eq!(streams(&report).len(), 1, "{name}");
        assert_eq!(column(only_stream(&report), "point"), ["access", "core"], "{name}");
    }
}

#[test]
fn points_whose_clocks_differ_are_joined_all_the_same() {
    let (stream, back) = (out(), Stream { flow: out().flow.reversed(), ssrc: 9, ..out() });
    for offset in [ms(250), -ms(250), s(4), -s(4)] {
        let access = [heard(&stream, 63, 0), heard(&back, 50, ms(10))].concat();
        let edge = [heard(&stream, 61, offset + ms(3)), heard(&back, 52, offset + ms(7))].concat();
        // So that no time is before the start of the captures.
        let shift = |heard: Heard| heard.into_iter().map(|(at, frame)| (at + s(10), frame)).collect();
        let report = report(&[("access", shift(access)), ("edge", shift(edge))], &[]);
        assert_eq!(streams(&report).len(), 2, "{offset}");
        for stream in streams(&report) {
            assert_eq!(stream["segments"][0]["lost"], 0, "{offset}");
            assert_eq!(stream["segments"][0]["packets_out"], PACKETS, "{offset}");
        }
        assert!(findings(&report, "segment-delay").is_empty(), "{offset}");
    }
}

#[test]
fn other_calls_with_the_same_ssrc_are_not_joined() {
    let one = out();
    let other = Stream {
        flow: Udp::new("10.30.0.7:50010", "52.112.0.9:3479"),
        sequence: 30_000,
        timestamp: 0x4000_0000,
        ..one
    };
    let report = report(&[("access", heard(&one, 63, 0)), ("edge", heard(&other, 61, ms(2)))], &[]);
    assert_eq!(streams(&report).len(), 2);
    assert!(streams(&report).iter().all(|stream| hops(stream).len() == 1));
}

fn operators_file(path: &str) -> String {
    let points = "[[point]]\nname = \"a\"\n[[point]]\nname = \"b\"\n";
    format!("{points}[[path]]\nname = \"p\"\npoints = [{path}]\n")
}

#[test]
fn a_configured_path_orders_points_that_ttl_and_time_do_not() {
    let stream = out();
    let points = [("a", heard(&stream, 63, 0)), ("b", heard(&stream, 63, 0))];
    let folder = Folder::new();
    for (path, expected) in [("\"a\", \"b\"", ["a", "b"]), ("\"b\", \"a\"", ["b", "a"])] {
        let file = folder.write("path.toml", operators_file(path).as_bytes());
        let report = report(&points, &["--config", file.to_str().unwrap()]);
        assert_eq!(column(only_stream(&report), "point"), expected);
    }
}
