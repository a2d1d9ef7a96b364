//! What no capture of a point covers is neither lost nor missed there.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::run::{Heard, findings, only_finding, report_on};
use common::{Capture, Folder, Stream, Udp, ms, only_stream};
use serde_json::{Value, json};

const PACKETS: u32 = 300;

/// The packets of one stream at three points, each of which records for a part of the time in milliseconds.
fn windows(spans: [(i64, i64); 3], is_lost: impl Fn(u32) -> bool) -> Vec<(&'static str, Heard)> {
    let place = |(n, (from, to)): (i64, (i64, i64))| {
        let stream = Stream::g711(Udp::new("10.45.0.7:50004", "52.112.10.5:3479"));
        let stream = stream.ttl(64 - u8::try_from(n).unwrap()).at(stream.at + ms(2 * n));
        let kept = stream
            .frames(0..PACKETS)
            .zip(0..)
            .filter(|((at, _), i)| (ms(from)..ms(to)).contains(at) && !(n == 2 && is_lost(*i)));
        kept.map(|(frame, _)| frame).collect::<Heard>()
    };
    ["a", "b", "c"].into_iter().zip((0..).zip(spans).map(place)).collect()
}

#[test]
fn what_a_point_did_not_record_is_neither_lost_nor_missed() {
    for (name, spans) in [
        ("begins and ends late", [(0, 6000), (2000, 6000), (0, 4000)]),
        ("begins a little late", [(0, 6000), (400, 5500), (200, 6000)]),
        ("one after the other", [(0, 6000), (4000, 6000), (0, 1000)]),
        ("one after the other, on the way back", [(0, 1000), (4000, 6000), (0, 6000)]),
    ] {
        let report = report_on(&windows(spans, |_| false));
        for segment in only_stream(&report)["segments"].as_array().unwrap() {
            let told = ["lost", "unseen_after", "unseen_before"].map(|key| segment[key].clone());
            assert_eq!(told, [0, 0, 0], "{name}: {segment}");
        }
        for kind in ["mirror-loss", "segment-loss"] {
            assert!(findings(&report, kind).is_empty(), "{name}: {kind}");
        }
    }
}

#[test]
fn what_was_lost_before_a_point_recorded_may_have_been_lost_behind_it() {
    let report = report_on(&windows([(0, 6000), (3001, 6000), (0, 6000)], |i| i % 25 == 7));
    let segments = &only_stream(&report)["segments"];
    assert_eq!((&segments[0]["lost"], &segments[0]["lost_suspect"]), (&Value::Null, &json!(6)));
    assert_eq!(segments[0]["suspect"], json!(["the point behind was not recording yet, or no longer"]));
    assert_eq!(segments[1]["lost"], 6);
    assert!(
        findings(&report, "segment-loss")
            .iter()
            .all(|f| f["severity"] == "info" || f["between"] == json!([1, 2]))
    );
}

#[test]
fn what_no_file_of_a_point_covers_is_not_lost() {
    let points = windows([(0, 6000); 3], |_| false);
    let folder = Folder::new();
    let mut arguments = ["--format", "json"].map(str::to_owned).to_vec();
    for (name, heard) in points {
        let spans = if name == "c" { vec![(0, 2000), (4000, 6000)] } else { vec![(0, 6000)] };
        for (from, to) in spans {
            let file = format!("{name}-{from}.pcap");
            let part = heard.iter().filter(|(at, _)| (ms(from)..ms(to)).contains(at)).cloned();
            folder.write(&file, &Capture::of(part).pcap());
            arguments.push(format!("{name}={file}"));
        }
    }
    let report = folder.replay(arguments).json();
    let segment = &only_stream(&report)["segments"][1];
    assert_eq!((&segment["lost"], &segment["lost_certain"]), (&Value::Null, &json!(0)));
    assert_eq!(
        (&segment["lost_suspect"], &report["gaps"][0]["evidence"]),
        (&json!(100), &json!("between-files"))
    );
    assert_eq!(only_finding(&report, "tap-gap")["severity"], "info");
    for kind in ["loss", "burst-loss", "segment-loss"] {
        assert!(findings(&report, kind).iter().all(|finding| finding["severity"] == "info"), "{kind}");
    }
}
