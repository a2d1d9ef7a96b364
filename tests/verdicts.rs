//! Each stream is held against its class, by evidence and direction.

#![allow(clippy::indexing_slicing, reason = "a report that lacks a key has failed")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of packets are small")]

mod common;

use common::capture::RADIOTAP;
use common::packet::VLAN;
use common::run::{findings, hops, kinds, only_finding, report_by, report_with, streams};
use common::tunnel::{multiplexed_turn, radiotap};
use common::{Capture, Stream, Udp, hop, ms, only_stream, report, rtp, s};
use serde_json::{Value, json};

const CLIENT: &str = "10.20.0.31";

fn out(port: u16, service: &str) -> Udp {
    Udp::new(&format!("{CLIENT}:{port}"), service)
}

/// A class and what it was told by, for one stream of this flow.
fn class_of(stream: Stream, arguments: &[&str]) -> (Value, Value) {
    let report = report_with(&Capture::of(stream.frames(0..200)), arguments);
    let stream = only_stream(&report);
    (stream["class"].clone(), stream["class_evidence"].clone())
}

#[test]
fn unmarked_outbound_is_an_error_and_unmarked_inbound_a_warning() {
    let flow = out(50_004, "52.112.0.1:3479");
    let outbound = report(&Capture::of(Stream::g711(flow.dscp(0)).frames(0..200)));
    let finding = only_finding(&outbound, "unmarked-at-source");
    assert_eq!((&finding["severity"], &finding["direction"]), (&json!("error"), &json!("forward")));
    assert_eq!((&finding["from"], &finding["to"], &finding["packets"]), (&json!(46), &json!(0), &json!(200)));
    let inbound = report(&Capture::of(Stream::g711(flow.reversed().dscp(0)).frames(0..200)));
    let finding = only_finding(&inbound, "unmarked-at-source");
    assert_eq!((&finding["severity"], &finding["direction"]), (&json!("warning"), &json!("reverse")));
    let within = report(&Capture::of(Stream::g711(out(50_004, "10.30.0.1:50004").dscp(0)).frames(0..200)));
    assert_eq!(only_finding(&within, "unmarked-at-source")["severity"], "error");
}

#[test]
fn codepoints_of_all_editions_of_the_documentation_are_right() {
    for (port, right, wrong) in [
        (50_004, vec![46], vec![34, 40]),
        (50_024, vec![34, 36], vec![46, 18]),
        (50_044, vec![18, 34], vec![46, 24]),
        (50_074, vec![40, 46], vec![34, 18]),
    ] {
        for (dscps, is_right) in [(right, true), (wrong, false)] {
            for dscp in dscps {
                let stream = Stream::g711(out(port, "52.112.0.1:3478").dscp(dscp));
                let report = report(&Capture::of(stream.frames(0..200)));
                let marking = if is_right { "conformant" } else { "unexpected" };
                assert_eq!(hop(&report)["marking"], marking, "port {port}, DSCP {dscp}");
                assert_eq!(
                    findings(&report, "unexpected-dscp").len(),
                    usize::from(!is_right),
                    "port {port}, DSCP {dscp}"
                );
            }
        }
    }
}

#[test]
fn a_call_that_is_right_in_one_direction_only_is_asymmetric() {
    let forward = Stream::g711(out(50_004, "52.112.0.1:3479"));
    let back = Stream { flow: forward.flow.reversed().dscp(0), ssrc: 7, ..forward };
    let report = report(&Capture::of(forward.frames(0..200).chain(back.frames(0..200))));
    assert_eq!(only_finding(&report, "asymmetric-marking")["direction"], "reverse");
    assert_eq!(streams(&report)[0]["reverse_of"], streams(&report)[1]["id"]);
    let both = Stream { flow: back.flow.dscp(46), ..back };
    let report = self::report(&Capture::of(forward.frames(0..200).chain(both.frames(0..200))));
    assert!(kinds(&report).is_empty(), "{:?}", kinds(&report));
    assert_eq!(report["summary"]["conformant_calls"], 1);
}

#[test]
fn a_change_of_marking_in_mid_call_says_when() {
    let stream = Stream::g711(out(50_004, "52.112.0.1:3479"));
    let frames = stream.frames(0..300).chain(stream.dscp(0).frames(300..500));
    let report = report(&Capture::of(frames));
    let finding = only_finding(&report, "marking-changed-mid-call");
    assert_eq!((&finding["from"], &finding["to"], &finding["packets"]), (&json!(46), &json!(0), &json!(200)));
    assert_eq!(finding["first"], "2023-11-14T22:13:26.000000000Z");
    assert_eq!(finding["severity"], "error");
    let changes = json!([{ "at": "2023-11-14T22:13:26.000000000Z", "from": 46, "to": 0 }]);
    assert_eq!(hop(&report)["dscp_changes"], changes);
    // A few packets are no change.
    let few = stream.frames(0..300).chain(stream.dscp(0).frames(300..305)).chain(stream.frames(305..500));
    let report = self::report(&Capture::of(few));
    assert!(findings(&report, "marking-changed-mid-call").is_empty());
    assert_eq!(hop(&report)["marking"], "conformant");
}

#[test]
fn a_priority_that_does_not_fit_the_codepoint_is_found() {
    for (dscp, pcp, severity) in [
        (46, 5, None),
        // IEEE 802.1D put voice into 6.
        (46, 6, Some("info")),
        (46, 0, Some("warning")),
        (34, 4, None),
        (34, 1, Some("warning")),
        (0, 5, None),
    ] {
        let port = if dscp == 34 { 50_024 } else { 50_004 };
        let stream = Stream::g711(out(port, "52.112.0.1:3478").dscp(dscp));
        let capture =
            Capture::of(stream.wrapped(0..200, |flow, payload| flow.tagged(&[(VLAN, 8, pcp)], payload)));
        let report = report(&capture);
        let found = findings(&report, "pcp-mismatch");
        assert_eq!(
            found.first().map(|f| f["severity"].as_str().unwrap()),
            severity,
            "DSCP {dscp}, PCP {pcp}"
        );
    }
}

#[test]
fn wi_fi_that_puts_voice_into_the_video_queue_is_found() {
    for (user_priority, is_found) in [(6, false), (5, true), (0, true)] {
        let mut capture = Capture::of_link(RADIOTAP);
        let stream = Stream::g711(out(50_004, "52.112.0.1:3478"));
        capture
            .extend(stream.wrapped(0..200, |flow, payload| radiotap(user_priority, &flow.packet(payload))));
        let report = report(&capture);
        let found = findings(&report, "pcp-mismatch");
        assert_eq!(found.len(), usize::from(is_found), "user priority {user_priority}");
        for finding in found {
            assert_eq!(finding["severity"], "warning");
            assert!(finding["message"].as_str().unwrap().contains("802.11"), "{finding}");
        }
    }
}

/// An Allocate request of MS-TURN that says which media the relay is for.
fn allocate(modality: u8) -> Vec<u8> {
    let attributes = [0, 0x0F, 0, 4, 0x72, 0xC6, 0x4B, 0xC6, 0x80, 0x55, 0, 4, 0, modality, 0, 0];
    [&[0, 3, 0, 16][..], &[9; 16], &attributes].concat()
}

#[test]
fn the_class_is_told_by_the_strongest_evidence() {
    let audio = |port, service: &str| Stream::g711(out(port, service));
    // What the relay was asked for is stronger than any port.
    let stream = audio(50_024, "52.112.0.1:3480");
    for (modality, class) in [(1, "audio"), (2, "video"), (3, "video"), (4, "sharing")] {
        let mut capture = Capture::new();
        capture.add(0, stream.flow.frame(&allocate(modality)));
        let media = stream.at(ms(50));
        capture.extend(media.wrapped(0..200, |flow, payload| flow.frame(&multiplexed_turn(5, payload))));
        let report = report(&capture);
        let stream = only_stream(&report);
        assert_eq!((&stream["class"], &stream["class_evidence"]), (&json!(class), &json!("turn-modality")));
    }
    for (name, stream, class, evidence) in [
        ("client port", audio(50_024, "52.112.0.1:3479"), "video", "client-port 50024"),
        (
            "client port, inbound",
            Stream { flow: out(50_044, "52.112.0.1:3478").reversed(), ..audio(1, "52.112.0.1:1") },
            "sharing",
            "client-port 50044",
        ),
        ("service port", audio(40_000, "52.112.0.1:3480"), "video", "service-port 3480"),
        ("payload type of RFC 3551", audio(40_000, "52.112.0.1:3478"), "audio", "payload-type 0"),
        (
            "payload type by convention",
            Stream {
                payload_type: 107,
                step: 3000,
                interval: 33_333_333,
                octets: 60,
                ..audio(40_000, "52.112.0.1:3478")
            },
            "video",
            "payload-type 107",
        ),
        (
            "cadence of audio",
            Stream { payload_type: 119, step: 960, ..audio(40_000, "52.112.0.1:3478") },
            "audio",
            "cadence",
        ),
        (
            "cadence of video",
            Stream {
                payload_type: 119,
                step: 3000,
                interval: 33_333_333,
                octets: 1100,
                ..audio(40_000, "52.112.0.1:3478")
            },
            "video",
            "cadence",
        ),
    ] {
        assert_eq!(class_of(stream, &[]), (json!(class), json!(evidence)), "{name}");
    }
    // Nothing tells: 90 kHz in small packets.
    let unknown = Stream {
        payload_type: 119,
        step: 9000,
        interval: ms(100),
        octets: 60,
        ..audio(40_000, "52.112.0.1:3478")
    };
    let (class, evidence) = class_of(unknown, &[]);
    assert_eq!((class, evidence), (Value::Null, json!("none")));
}

#[test]
fn what_has_no_class_has_no_verdict() {
    let unknown = Stream {
        payload_type: 119,
        step: 9000,
        interval: ms(100),
        octets: 60,
        ..Stream::g711(out(40_000, "52.112.0.1:3478").dscp(10))
    };
    let report = report(&Capture::of(unknown.frames(0..200)));
    assert_eq!(hop(&report)["marking"], "unclassified");
    assert!(findings(&report, "unexpected-dscp").is_empty());
}

#[test]
fn profiles_have_expectations_of_their_own() {
    let stream = Stream::g711(out(8802, "203.0.113.5:8801").dscp(56));
    for (profile, marking) in [("teams", "unexpected"), ("zoom", "conformant")] {
        let report = report_with(&Capture::of(stream.frames(0..200)), &["--profile", profile]);
        assert_eq!(hop(&report)["marking"], marking, "{profile}");
    }
    let lync = Stream::g711(out(50_024, "198.51.100.7:50001"));
    assert_eq!(class_of(lync, &["--profile", "teams"]).0, "video");
    assert_eq!(class_of(lync, &["--profile", "lync-2013"]).0, "audio");
}

#[test]
fn the_operators_file_overrides_the_profile() {
    let stream = Stream::g711(out(50_004, "52.112.0.1:3479").dscp(40));
    let capture = Capture::of(stream.frames(0..200));
    assert_eq!(hop(&report(&capture))["marking"], "unexpected");
    for (name, file, marking) in [
        ("another codepoint", "[class.audio]\ndscp = 40\n", "conformant"),
        ("one more codepoint", "[class.audio]\nalso = [40]\n", "conformant"),
        (
            "a class of one's own",
            "[class.paging]\ndscp = 40\n[[rule]]\nclass = \"paging\"\nclient_ports = 50004\n",
            "conformant",
        ),
        (
            "nothing is expected here",
            "[[point]]\nname = \"capture\"\nexpect = { forward = \"any\", reverse = \"any\" }\n",
            "unclassified",
        ),
        (
            "no marking is expected here",
            "[[point]]\nname = \"capture\"\nexpect = { forward = \"unmarked\" }\n",
            "unexpected",
        ),
        ("more packets are needed", "[thresholds]\nmarking_min_packets = 201\n", "unclassified"),
    ] {
        let report = report_by(&capture, file);
        assert_eq!(hop(&report)["marking"], marking, "{name}");
    }
    let managed = report_by(&capture, "managed = [\"52.112.0.0/14\"]\n");
    assert_eq!(only_stream(&managed)["direction"], "reverse");
}

#[test]
fn limits_of_the_operators_file_are_kept() {
    let stream = Stream::g711(out(50_004, "52.112.0.1:3479"));
    let capture = Capture::of(stream.frames((0..1000).filter(|i| i % 250 != 7)));
    assert!(findings(&report(&capture), "loss").is_empty());
    assert_eq!(findings(&report_by(&capture, "[thresholds]\nloss_ratio = 0.003\n"), "loss").len(), 1);
    let gap = Capture::of(stream.frames(0..100).chain(stream.at(s(20)).frames(100..200)));
    assert_eq!(streams(&report(&gap)).len(), 1);
    assert_eq!(streams(&report_by(&gap, "[limits]\nstream_timeout = \"10s\"\n")).len(), 2);
    let clocked = report_by(
        &Capture::of(
            (0..200_u32)
                .map(|i| (ms(20) * i64::from(i), stream.flow.frame(&rtp(105, i as u16, i * 320, 5, 60)))),
        ),
        "[[payload_type]]\nnumber = 105\ncodec = \"AMR-WB\"\nclock_rate = 16000\nclass = \"audio\"\n",
    );
    let stream = only_stream(&clocked);
    assert_eq!((&stream["codec"], &stream["clock_rate_hz"]), (&json!("AMR-WB"), &json!(16_000)));
    assert_eq!(stream["clock_rate_source"], "configured");
}

#[test]
fn audio_that_runs_one_way_and_relays_that_do_not_answer_are_found() {
    let report = report(&Capture::of(Stream::g711(out(50_004, "52.112.0.1:3479")).frames(0..400)));
    assert_eq!(only_finding(&report, "one-way-stream")["severity"], "info");
    let report = self::report(&common::rich::capture());
    assert_eq!(only_finding(&report, "udp-blocked")["severity"], "error");
    assert!(hops(&streams(&report)[0]).len() == 1);
}
