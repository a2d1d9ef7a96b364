//! Captures are read from files and pipes, and put together by point.

#![allow(clippy::indexing_slicing, reason = "a report that lacks a key has failed")]

mod common;

use common::capture::{gzip, zstandard};
use common::run::{hops, replay, streams};
use common::{Capture, Folder, Stream, Udp, hop, ms, only_stream};
use serde_json::{Value, json};

fn stream() -> Stream {
    Stream::g711(Udp::new("10.1.1.1:50004", "10.2.2.2:50006"))
}

fn capture() -> Capture {
    Capture::of(stream().frames((0..300).filter(|i| i % 50 != 20)))
}

/// A report without what tells its captures apart.
fn without_captures(mut report: Value) -> Value {
    report["captures"].take();
    report
}

#[test]
fn every_format_and_packing_gives_the_same_report() {
    let folder = Folder::new();
    let capture = capture();
    let formats: [(&str, Vec<u8>); 4] = [
        ("pcap-ns", capture.pcap()),
        ("pcap", capture.pcap_in_microseconds()),
        ("pcapng", capture.pcapng(&[""])),
        ("snoop", capture.snoop()),
    ];
    let mut reports = Vec::new();
    for (format, octets) in formats {
        for (packing, octets) in
            [("", octets.clone()), ("+gzip", gzip(&octets)), ("+zstd", zstandard(&octets))]
        {
            // What a file is called says nothing.
            let file = folder.write("capture.dat", &octets);
            let report = replay([&file]);
            let name = format!("{format}{packing}");
            assert_eq!(report["captures"][0]["format"], name);
            assert_eq!(report["captures"][0]["packets"], 294, "{name}");
            assert!(report["captures"][0]["truncated"].is_null(), "{name}: {}", report["captures"]);
            reports.push((name, without_captures(report)));
        }
    }
    for (name, report) in &reports {
        assert_eq!(*report, reports[0].1, "{name}");
    }
}

#[test]
fn gzip_of_several_members_is_read_to_its_end() {
    let folder = Folder::new();
    let octets = capture().pcap();
    let (front, back) = octets.split_at(octets.len() / 2);
    let file = folder.write("members.pcap.gz", &[gzip(front), gzip(back)].concat());
    assert_eq!(hop(&replay([&file]))["packets"], 294);
    let file = folder.write("members.pcap.zst", &[zstandard(front), zstandard(back)].concat());
    assert_eq!(hop(&replay([&file]))["packets"], 294);
}

#[test]
fn standard_input_is_read_like_a_file() {
    let folder = Folder::new();
    for octets in [capture().pcap(), gzip(&capture().pcapng(&["eth0"]))] {
        let run = folder.replay_with_input(["--format", "json", "-"], &octets);
        let report = run.json();
        assert_eq!(hop(&report)["packets"], 294);
        assert_eq!(report["captures"][0]["file"], "-");
    }
    let run = folder.replay_with_input(["-"], b"");
    assert_eq!((run.status(), run.stdout()), (2, ""));
    assert!(run.stderr().contains("standard input: is empty"), "{}", run.stderr());
}

#[test]
fn files_without_a_name_are_merged_by_time_into_one_point() {
    let folder = Folder::new();
    let stream = stream();
    folder.write("even.pcap", &Capture::of(stream.frames((0..300).filter(|i| i % 2 == 0))).pcap());
    folder.write("odd.pcapng", &Capture::of(stream.frames((0..300).filter(|i| i % 2 == 1))).pcapng(&[""]));
    let report = folder.replay(["--format", "json", "odd.pcapng", "even.pcap"]).json();
    let hop = hop(&report);
    assert_eq!((&hop["unique"], &hop["lost"], &hop["reordered"]), (&json!(300), &json!(0), &json!(0)));
    assert_eq!(hop["point"], "capture");
    let files: Vec<_> = report["captures"].as_array().unwrap().iter().map(|c| c["file"].clone()).collect();
    assert_eq!(files, ["odd.pcapng", "even.pcap"]);
}

#[test]
fn parts_of_one_capture_in_several_files_are_one_capture() {
    let folder = Folder::new();
    let stream = stream();
    for (n, part) in [(0, 0..100), (1, 100..200), (2, 200..300)] {
        folder.write(&format!("part{n}.pcap"), &Capture::of(stream.frames(part)).pcap());
    }
    let report = folder.replay(["--format", "json", "part2.pcap", "part0.pcap", "part1.pcap"]).json();
    assert_eq!((&hop(&report)["unique"], &hop(&report)["lost"]), (&json!(300), &json!(0)));
}

#[test]
fn files_that_take_turns_are_merged_by_time() {
    let folder = Folder::new();
    let stream = stream();
    for turn in [1, 32, 33, 70] {
        for (name, is_odd) in [("even.pcap", 0), ("odd.pcap", 1)] {
            let own = (0..1000).filter(|i| i / turn % 2 == is_odd);
            folder.write(name, &Capture::of(stream.frames(own)).pcap());
        }
        let report = folder.replay(["--format", "json", "odd.pcap", "even.pcap"]).json();
        let hop = hop(&report);
        let counts = (&hop["unique"], &hop["lost"], &hop["reordered"]);
        assert_eq!(counts, (&json!(1000), &json!(0), &json!(0)), "turns of {turn}");
    }
}

#[test]
fn named_files_are_points_of_their_own() {
    let folder = Folder::new();
    let stream = stream();
    folder.write("a.pcap", &Capture::of(stream.frames(0..300)).pcap());
    folder.write("b.pcap", &Capture::of(stream.ttl(60).at(ms(1)).frames(0..150)).pcap());
    folder.write("c=c.pcap", &Capture::of(stream.ttl(60).at(ms(1)).frames(150..300)).pcap());
    let arguments = ["--format", "json", "access=a.pcap", "edge=b.pcap", "--point", "edge=c=c.pcap"];
    let report = folder.replay(arguments).json();
    let mut seen: Vec<(String, u64)> = streams(&report)
        .iter()
        .flat_map(hops)
        .map(|hop| (hop["point"].as_str().unwrap().to_owned(), hop["unique"].as_u64().unwrap()))
        .collect();
    seen.sort();
    assert_eq!(seen, [("access".to_owned(), 300), ("edge".to_owned(), 300)]);
    let run = folder.replay(["=a.pcap"]);
    assert_eq!(run.status(), 2);
}

#[test]
fn interfaces_of_a_capture_are_hops_or_points() {
    let folder = Folder::new();
    let stream = stream();
    let mut capture = Capture::new();
    for i in 0..200 {
        capture.add_on(0, stream.time(i), stream.flow.frame(&stream.payload(i)));
        capture.add_on(1, stream.time(i) + ms(1), stream.flow.frame(&stream.payload(i)));
    }
    folder.write("two.pcapng", &capture.pcapng(&["lan", "wan"]));
    let report = folder.replay(["--format", "json", "two.pcapng"]).json();
    let hops = hops(only_stream(&report));
    let places: Vec<_> = hops.iter().map(|hop| (hop["point"].clone(), hop["interface"].clone())).collect();
    assert_eq!(places, [(json!("capture"), json!("lan")), (json!("capture"), json!("wan"))]);
    let report = folder.replay(["--format", "json", "--points", "interface", "two.pcapng"]).json();
    let points: std::collections::BTreeSet<_> = streams(&report)
        .iter()
        .flat_map(common::run::hops)
        .map(|hop| hop["point"].as_str().unwrap())
        .collect();
    assert_eq!(points.into_iter().collect::<Vec<_>>(), ["lan", "wan"]);
}

#[test]
fn a_file_that_is_cut_off_is_read_up_to_there() {
    let folder = Folder::new();
    let octets = capture().pcap();
    // A frame has 16 octets of header and 214 of its own.
    let whole = 24 + 100 * 230;
    let file = folder.write("cut.pcap", &octets[..whole + 77]);
    let report = replay([&file]);
    assert_eq!(hop(&report)["packets"], 100);
    let said = report["captures"][0]["truncated"].as_str().unwrap();
    assert!(
        said.contains("101") && said.contains(&(whole + 16).to_string()) || said.contains(&whole.to_string()),
        "{said}"
    );
    let text = folder.replay([&file]);
    assert!(text.stdout().contains("cut.pcap"), "{}", text.stdout());
    assert!(text.stdout().contains("cut off"), "{}", text.stdout());
}

#[test]
fn a_capture_without_media_is_a_report_too() {
    let folder = Folder::new();
    let nothing = folder.write("nothing.pcap", &Capture::new().pcap());
    let report = replay([&nothing]);
    assert!(streams(&report).is_empty());
    assert_eq!(report["summary"]["streams"], 0);
    assert!(report["captures"][0]["first"].is_null());
    let text = folder.replay([&nothing]);
    assert_eq!(text.status(), 0);
    assert!(text.stdout().to_lowercase().contains("no rtp"), "{}", text.stdout());
}
