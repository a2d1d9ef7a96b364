//! STUN requests are paired with their responses.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::tunnel::stun;
use common::{Capture, Stream, Udp, ms, report, s};
use serde_json::{Value, json};

const BINDING: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const ALLOCATE: u16 = 0x0003;
const ALLOCATE_ERROR: u16 = 0x0113;

fn flow() -> Udp {
    Udp::new("10.20.0.31:50004", "52.112.0.1:3478")
}

fn records(report: &Value) -> &[Value] {
    report["stun"].as_array().unwrap()
}

#[test]
fn round_trips_are_from_request_to_response() {
    let mut capture = Capture::new();
    for (n, milliseconds) in (0..).zip([10, 20, 30, 40]) {
        let at = s(5) * i64::from(n);
        capture.add(at, flow().dscp(46).frame(&stun(BINDING, [n; 12], &[])));
        capture.add(
            at + ms(milliseconds),
            flow().reversed().dscp(0).frame(&stun(BINDING_SUCCESS, [n; 12], &[])),
        );
    }
    let report = report(&capture);
    let record = &records(&report)[0];
    assert_eq!(
        (&record["client"], &record["server"]),
        (&json!("10.20.0.31:50004"), &json!("52.112.0.1:3478"))
    );
    assert_eq!(
        (&record["kind"], &record["requests"], &record["responses"]),
        (&json!("binding"), &json!(4), &json!(4))
    );
    assert_eq!(record["unanswered"], 0);
    for (key, seconds) in [("min", 0.01), ("mean", 0.025), ("max", 0.04), ("p99", 0.04)] {
        let seen = record["round_trip_seconds"][key].as_f64().unwrap();
        assert!((seen - seconds).abs() < 1e-6, "{key}: {seen}");
    }
    assert_eq!(record["round_trip_seconds"]["samples"], 4);
}

#[test]
fn a_request_that_is_sent_again_is_one_transaction_and_its_round_trip_that_of_the_last() {
    let mut capture = Capture::new();
    for at in [0, 500, 1500] {
        capture.add(ms(at), flow().frame(&stun(BINDING, [1; 12], &[])));
    }
    capture.add(ms(1530), flow().reversed().frame(&stun(BINDING_SUCCESS, [1; 12], &[])));
    let report = report(&capture);
    let record = &records(&report)[0];
    assert_eq!(
        (&record["requests"], &record["responses"], &record["unanswered"]),
        (&json!(1), &json!(1), &json!(0))
    );
    let seen = record["round_trip_seconds"]["mean"].as_f64().unwrap();
    assert!((seen - 0.03).abs() < 1e-6, "{seen}");
}

#[test]
fn copies_of_a_request_at_a_second_hop_are_no_retransmissions() {
    let mut capture = Capture::new();
    for n in 0..20_u8 {
        let at = s(1) * i64::from(n);
        for (ttl, later) in [(64, 0), (63, 100_000)] {
            capture.add(at + later, flow().ttl(ttl).frame(&stun(BINDING, [n; 12], &[])));
            let back = flow().reversed().ttl(ttl - 10);
            capture.add(at + ms(20) - later, back.frame(&stun(BINDING_SUCCESS, [n; 12], &[])));
        }
    }
    let report = report(&capture);
    let record = &records(&report)[0];
    assert_eq!(
        (&record["requests"], &record["responses"], &record["unanswered"]),
        (&json!(20), &json!(20), &json!(0))
    );
    assert!(record["retransmitted"].is_null() || record["retransmitted"] == 0, "{record}");
}

#[test]
fn requests_without_an_answer_and_errors_are_counted() {
    let mut capture = Capture::new();
    for n in 0..5_u8 {
        capture.add(s(1) * i64::from(n), flow().frame(&stun(ALLOCATE, [n; 12], &[])));
    }
    let unauthorized = [0, 9, 0, 4, 0, 0, 4, 1];
    capture.add(ms(30), flow().reversed().frame(&stun(ALLOCATE_ERROR, [0; 12], &unauthorized)));
    // So that their time is over.
    capture.add(s(60), flow().frame(&stun(BINDING, [9; 12], &[])));
    capture.add(s(60) + ms(3), flow().reversed().frame(&stun(BINDING_SUCCESS, [9; 12], &[])));
    let report = report(&capture);
    let record = records(&report).iter().find(|record| record["kind"] == "allocate").unwrap();
    assert_eq!(
        (&record["requests"], &record["responses"], &record["unanswered"]),
        (&json!(5), &json!(1), &json!(4))
    );
    assert_eq!(record["error_codes"]["401"], 1, "{record}");
}

#[test]
fn a_streams_round_trip_is_that_of_stun_on_its_flow() {
    let mut capture = Capture::of(Stream::g711(flow()).frames(0..400));
    for n in 0..4_u8 {
        capture.add(s(2) * i64::from(n), flow().frame(&stun(BINDING, [n; 12], &[])));
        capture.add(
            s(2) * i64::from(n) + ms(140),
            flow().reversed().frame(&stun(BINDING_SUCCESS, [n; 12], &[])),
        );
    }
    let report = report(&capture);
    let quality = &common::only_stream(&report)["quality"];
    assert!((quality["round_trip_seconds"].as_f64().unwrap() - 0.14).abs() < 1e-6, "{quality}");
    assert_eq!(common::only_stream(&report)["facts"]["heard"], json!(["stun"]));
}
