//! Relays with two addresses, and hosts that count alike.
//!
//! Of a relay's legs no address is one of the other, so only packets, times and the way back tell.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::random::Random;
use common::run::{Heard, hops, only_finding, report_on, streams};
use common::{Udp, ms};
use serde_json::{Value, json};

const PACKETS: u32 = 300;
const CLIENT: &str = "10.45.0.7:50004";
const INSIDE: &str = "100.64.9.1:3500";
const OUTSIDE: &str = "100.64.9.2:3600";
const SERVER: &str = "52.112.10.5:3479";

/// G.711 with payloads of a sender's own, from this number and timestamp on.
fn sent(flow: &Udp, ssrc: u32, (first, voice): (u16, u64), at: i64) -> Heard {
    let packet = |i: u32| {
        let mut random = Random::new(voice * 1_000_000 + u64::from(i));
        let mut packet = vec![0x80, 8];
        packet.extend_from_slice(&first.wrapping_add(u16::try_from(i).unwrap()).to_be_bytes());
        packet.extend_from_slice(&(u32::from(first) * 160 + i * 160).to_be_bytes());
        packet.extend_from_slice(&ssrc.to_be_bytes());
        packet.extend((0..160).map(|_| random.u8()));
        (at + i64::from(i) * ms(20), flow.frame(&packet))
    };
    (0..PACKETS).map(packet).collect()
}

fn leg(from: &str, to: &str, ttl: u8, dscp: u8) -> Udp {
    Udp::new(from, to).ttl(ttl).dscp(dscp)
}

/// Each place of a call: what is heard of both directions there. The relay marks what goes out, and bleaches what comes in.
fn places() -> [Heard; 4] {
    let out = |from, to, ttl, dscp, at| sent(&leg(from, to, ttl, dscp), 0x1111, (1000, 1), ms(at));
    let back = |from, to, ttl, dscp, at| sent(&leg(from, to, ttl, dscp), 0x2222, (40_000, 2), ms(at));
    [
        [out(CLIENT, INSIDE, 64, 0, 0), back(INSIDE, CLIENT, 62, 0, 13)].concat(),
        [out(CLIENT, INSIDE, 62, 0, 4), back(INSIDE, CLIENT, 64, 0, 9)].concat(),
        [out(OUTSIDE, SERVER, 64, 46, 7), back(SERVER, OUTSIDE, 51, 46, 6)].concat(),
        [out(OUTSIDE, SERVER, 60, 46, 12), back(SERVER, OUTSIDE, 55, 46, 1)].concat(),
    ]
}

fn column(stream: &Value, key: &str) -> Vec<Value> {
    hops(stream).iter().map(|hop| hop[key].clone()).collect()
}

/// Two streams in the order of travel, and the relay to blame for the way back.
fn assert_followed(report: &Value) {
    assert_eq!(streams(report).len(), 2, "{:#}", report["joins"]);
    for stream in streams(report) {
        let is_back = stream["direction"] == "reverse";
        let (ttls, change) = if is_back { ([55, 51, 64, 62], "46>0") } else { ([64, 62, 64, 60], "0>46") };
        assert_eq!(column(stream, "ttl"), ttls);
        assert_eq!(stream["segments"][1]["remarked"][change]["packets"], PACKETS);
        assert_eq!(stream["segments"][1]["joined_by"], "rtp");
    }
    assert_eq!(only_finding(report, "bleached")["between"], json!([1, 2]));
    assert_eq!(report["joins"], json!([]));
}

#[test]
fn a_relay_that_raises_the_ttl_stands_where_its_sides_say() {
    let [access, inside, outside, far] = places();
    assert_followed(&report_on(&[("access", access), ("in", inside), ("out", outside), ("far", far)]));
}

#[test]
fn at_one_point_the_way_back_tells_that_it_is_a_relay() {
    assert_followed(&report_on(&[("mirror", places().concat())]));
}

#[test]
fn at_one_point_one_direction_alone_does_not() {
    let forward = |to| sent(&to, 0x1111, (1000, 1), 0);
    let legs =
        [forward(leg(CLIENT, INSIDE, 62, 0)), sent(&leg(OUTSIDE, SERVER, 64, 46), 0x1111, (1000, 1), ms(3))];
    let report = report_on(&[("mirror", legs.concat())]);
    assert_eq!(streams(&report).len(), 2);
    let reason = report["joins"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("the way back does not tell"), "{reason}");
}

#[test]
fn two_calls_that_play_one_file_are_no_relay() {
    let call = |near: &str, far: &str, at: i64| {
        let there = sent(&leg(near, far, 60, 46), 0x1111, (1000, 1), at);
        [there, sent(&leg(far, near, 50, 46), 0x2222, (9000, 2), at)].concat()
    };
    let calls = [call("10.1.0.1:4000", "10.2.0.1:4000", 0), call("10.3.0.1:4000", "10.4.0.1:4000", ms(40))];
    assert_eq!(streams(&report_on(&[("mirror", calls.concat())])).len(), 4);
}

#[test]
fn hosts_that_begin_with_the_same_numbers_are_told_apart_by_what_they_carry() {
    let near = ["10.0.0.5:50004", "10.9.0.5:50004"];
    let far = ["52.112.1.1:3479", "52.112.2.2:3479"];
    let host = |n: usize, source: &str, ttl, at| {
        sent(&leg(source, far[n], ttl, 46), 0xBEEF, (1000, n as u64), ms(at))
    };
    // At points of their own, and then both translated at the exit.
    let (a, b) = (host(0, near[0], 64, 0), host(1, near[1], 64, 0));
    let apart = report_on(&[("a", a.clone()), ("b", b.clone())]);
    assert_eq!(streams(&apart).len(), 2);
    assert!(apart["joins"][0]["reason"].as_str().unwrap().contains("payloads are not"));
    let exit = [host(0, "203.0.113.9:40001", 62, 2), host(1, "203.0.113.9:40002", 62, 2)].concat();
    let together = report_on(&[("a", a), ("b", b), ("exit", exit)]);
    assert_eq!(streams(&together).len(), 2);
    for stream in streams(&together) {
        assert_eq!(hops(stream).len(), 2);
        assert_eq!(stream["segments"][0]["lost"], 0);
    }
}

#[test]
fn an_offset_of_hours_is_known_to_milliseconds_where_clocks_drift_too() {
    let by = |heard: Heard, offset: i64, ppm: i64| -> Heard {
        heard.into_iter().map(|(at, frame)| (at + offset + at / 1_000_000 * ppm, frame)).collect()
    };
    let [access, _, _, far] = places();
    let report = report_on(&[("a", access), ("b", by(far, 7_200 * 1_000_000_000, 50))]);
    for stream in streams(&report) {
        let clock = &stream["segments"][0]["clock"];
        let offset = clock["offset_seconds"].as_f64().unwrap().abs();
        assert!((offset - 7200.0).abs() < 0.02, "{clock}");
        assert!(clock["uncertainty_seconds"].as_f64().unwrap() < 0.02, "{clock}");
    }
}
