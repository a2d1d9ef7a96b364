//! What other programs may rely on in the JSON report.

use serde_json::Value;

use super::*;
use crate::report::{Anonymizer, example};

fn written(outcome: &Outcome, options: &Options) -> String {
    let mut out = Vec::new();
    write_json(outcome, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn options() -> Options {
    Options { version: "1.2.3".into(), ..Options::default() }
}

fn parsed(outcome: &Outcome) -> Value {
    serde_json::from_str(&written(outcome, &options())).unwrap()
}

#[test]
fn the_report_of_everything() {
    insta::assert_snapshot!(written(&example::outcome(), &options()));
}

#[test]
fn the_report_of_nothing() {
    insta::assert_snapshot!(written(&Outcome::default(), &options()));
}

#[test]
fn promised_keys_are_there() {
    let report = parsed(&example::outcome());
    for (pointer, keys) in [
        ("", "schema version captures gaps streams stun joins findings summary counters"),
        ("/gaps/0", "point from to frames evidence"),
        ("/captures/0", "file point format packets bytes first last truncated undecoded dropped"),
        (
            "/streams/0",
            "id ssrc source destination transport direction reverse_of call class class_evidence payload_types codec \
             clock_rate_hz clock_rate_source first last expected_dscp hops segments quality",
        ),
        (
            "/streams/2/hops/0",
            "point interface ttl vlan encapsulation source destination packets unique expected lost duplicates \
             stray reordered resets jitter_seconds loss_bursts dscp dscp_changes dscp_change_count ecn pcp \
             bitrate_bps marking",
        ),
        ("/streams/0/hops/0/jitter_seconds", "last mean max updates"),
        ("/streams/0/hops/0/loss_bursts", "1 2 3-4 5-9 10-19 20+"),
        ("/streams/4/hops/0/ways/0", "ttl packets"),
        ("/streams/4/hops/0/dscp_changes/0", "at from to"),
        ("/streams/0/quality", "loss_ratio jitter_seconds round_trip_seconds mos_estimate verdict reasons"),
        (
            "/stun/0",
            "client server requests responses unanswered round_trip_seconds dscp kind transport errors error_codes \
             retransmitted consent_checks unmatched dscp_responses relayed mapped peer modality",
        ),
        ("/stun/0/round_trip_seconds", "min mean p99 max samples"),
        (
            "/findings/0",
            "kind severity stream call between direction from to packets first last message advice",
        ),
        (
            "/findings/2",
            "kind severity stream call point direction from to packets first last message advice",
        ),
        ("/summary", "streams conformant conformant_calls by_class by_point findings"),
        ("/summary/by_point/core", "streams conformant"),
    ] {
        let object = report.pointer(pointer).and_then(Value::as_object).unwrap();
        for key in keys.split_whitespace() {
            assert!(object.contains_key(key), "{pointer}/{key}");
        }
    }
}

#[test]
fn values_have_the_promised_form() {
    let report = parsed(&example::outcome());
    for (pointer, expected) in [
        ("/schema", "\"hopmark/report/v1\""),
        ("/streams/0/id", "\"s1\""),
        ("/streams/1/reverse_of", "\"s1\""),
        ("/streams/0/ssrc", "\"0x1c0415b1\""),
        ("/streams/0/first", "\"2023-11-14T22:13:20.000000005Z\""),
        ("/streams/0/expected_dscp", "[46]"),
        ("/streams/0/class_evidence", "\"client-port 50012\""),
        ("/streams/4/source", "\"[2001:db8:1234:5678:9abc:def0:1234:5678]:50024\""),
        ("/streams/4/class_evidence", "\"cadence\""),
        ("/streams/4/clock_rate_source", "null"),
        ("/streams/4/hops/0/jitter_seconds", "null"),
        ("/streams/4/hops/0/dscp", r#"{"0":1500,"34":3500}"#),
        ("/streams/4/hops/0/ways/1", r#"{"interface":"eth1","packets":1500,"ttl":60}"#),
        ("/streams/5/hops/1/encapsulation", r#"["ip 192.0.2.1>192.0.2.2","gre 7","turn-channel 0x4001"]"#),
        ("/streams/2/hops/1/vlan", "[30]"),
        ("/streams/2/hops/1/interface", "\"eth1\""),
        ("/streams/2/segments", "[]"),
        ("/findings/0/between", "[0,1]"),
        ("/findings/2/point", "\"core\""),
        ("/captures/0/truncated", "null"),
        ("/stun/2/error_codes", r#"{"401":1,"438":1}"#),
        ("/stun/1/modality", "\"video\""),
        ("/summary/by_class/unclassified", r#"{"conformant":0,"streams":1}"#),
        ("/summary/conformant_calls", "1"),
    ] {
        assert_eq!(report.pointer(pointer).unwrap().to_string(), expected, "{pointer}");
    }
}

#[test]
fn histograms_ascend_by_number() {
    let mut outcome = example::outcome();
    outcome.streams.whole()[0].record.hops[0].dscp = [(46, 1), (8, 2), (10, 3)].into_iter().collect();
    assert!(written(&outcome, &options()).contains(r#""dscp":{"8":2,"10":3,"46":1}"#));
}

#[test]
fn every_stream_has_a_line_of_its_own() {
    let report = written(&example::outcome(), &options());
    assert_eq!(report.lines().filter(|line| line.starts_with(r#"{"id":"s"#)).count(), 6);
}

#[test]
fn an_anonymized_report_holds_no_address() {
    let options = Options { anonymize: Some(Anonymizer::new(&[7; 32])), ..options() };
    let report = written(&example::outcome(), &options);
    let plain = written(&example::outcome(), &self::options());
    for secret in [
        "10.20.0.",
        "52.112.100.",
        "198.51.100.",
        "203.0.113.",
        "192.0.2.",
        "2001:db8:",
        "2603:1063",
        "mirror/",
    ] {
        assert!(plain.contains(secret), "{secret} is not in the example");
        assert!(!report.contains(secret), "{secret}");
    }
    assert!(report.contains(":50012\""), "ports stay");
}
