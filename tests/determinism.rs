//! The same captures give the same report, however they are read.

#![allow(clippy::indexing_slicing, reason = "a report that lacks a key has failed")]

mod common;

use std::ffi::OsString;

use common::{Capture, Folder, Stream, Udp, rich};

/// Runs with these arguments and gives the report.
fn report(folder: &Folder, arguments: &[&str]) -> String {
    let run = folder.replay(arguments);
    assert!(run.status() < 2, "{run:?}");
    run.stdout().to_owned()
}

/// Six points, of which each heard a part of the same calls at another TTL.
fn points(folder: &Folder) -> Vec<String> {
    let rich = rich::capture();
    let part = |n: usize| {
        let mut part = rich.clone();
        part.frames.retain(|frame| frame.octets.len() % 6 != n);
        part
    };
    let name = |n: usize| {
        folder.write(&format!("{n}.pcap"), &part(n).pcap());
        format!("point{n}={n}.pcap")
    };
    (0..6).map(name).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_report() {
    let folder = Folder::new();
    let points = points(&folder);
    for format in ["text", "json"] {
        let report = |threads: &str| {
            let mut arguments = vec!["--format", format, "--threads", threads];
            arguments.extend(points.iter().map(String::as_str));
            report(&folder, &arguments)
        };
        let first = report("1");
        for threads in if format == "json" { 1..=8 } else { 8..=8 } {
            assert_eq!(report(&threads.to_string()), first, "{threads} threads, {format}");
            assert_eq!(report(&threads.to_string()), first, "{threads} threads, {format}, again");
        }
    }
}

/// A capture split over files, so that frames of one instant are in several, in a way that order could matter.
fn split(folder: &Folder) -> [&'static str; 4] {
    let mut files = [Capture::new(), Capture::new(), Capture::new(), Capture::new()];
    for (n, frame) in rich::capture().in_order().into_iter().enumerate() {
        files[n % 3].frames.push(frame.clone());
    }
    let stream = Stream::g711(Udp::new("10.7.7.7:50004", "10.8.8.8:50006")).ssrc(0x7777_0001);
    for i in 0..200 {
        // At one instant: two packets in two files, and a copy of each with the same TTL in another tag.
        let (at, other) = (stream.time(i / 2 * 2), (i % 2) as usize);
        files[other].add(at, stream.flow.frame(&stream.payload(i)));
        files[2 + other].add(at, stream.flow.tagged(&[(0x8100, 9, 5)], &stream.payload(i)));
    }
    folder.write("a.pcap", &files[0].pcap());
    folder.write("b.pcapng", &files[1].pcapng(&["eth1"]));
    folder.write("c.snoop", &files[2].snoop());
    folder.write("d.pcapng", &files[3].pcapng(&["eth0", ""]));
    ["a.pcap", "b.pcapng", "c.snoop", "d.pcapng"]
}

#[test]
fn the_order_in_which_files_of_a_point_are_named_changes_only_the_list_of_captures() {
    let folder = Folder::new();
    let [a, b, c, d] = split(&folder);
    let report = |files: [&str; 4]| {
        let text = report(&folder, &[&["--format", "json"], &files[..]].concat());
        let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
        let captures = report["captures"].take();
        let named: Vec<_> = captures.as_array().unwrap().iter().map(|c| c["file"].clone()).collect();
        assert_eq!(named, files);
        let mut captures: Vec<String> =
            captures.as_array().unwrap().iter().map(ToString::to_string).collect();
        captures.sort();
        (captures, report.to_string())
    };
    let first = report([a, b, c, d]);
    for files in [[d, c, b, a], [b, a, d, c], [c, d, a, b], [a, c, b, d]] {
        assert_eq!(report(files), first, "{files:?}");
    }
}

#[test]
fn a_point_that_is_given_the_name_it_has_anyway_is_the_same_point() {
    let folder = Folder::new();
    folder.write("a.pcap", &rich::capture().pcap());
    let plain = report(&folder, &["--format", "json", "a.pcap"]);
    let named = report(&folder, &["--format", "json", "capture=a.pcap"]);
    assert_eq!(plain, named);
}

#[test]
fn a_pipe_and_a_file_give_the_same_report() {
    let folder = Folder::new();
    let octets = rich::capture().pcap();
    folder.write("-x", &octets);
    let by_file = folder.replay(["--", "-x"]).stdout().replace("-x", "-");
    let run = folder.replay_with_input([OsString::from("-")], &octets);
    assert_eq!(run.stdout(), by_file);
}
