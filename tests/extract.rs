//! A stream taken out of captures is the same as it was among others.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a report that lacks a key has failed"
)]

mod common;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::run::{Run, hopmark, hops, replay, streams};
use common::synth::{calls, made};
use common::tunnel::numbered_erspan;
use common::{Capture, Folder, Stream, Udp, ms};
use serde_json::Value;

/// Runs `hopmark extract`.
fn extract<I: AsRef<OsStr>>(out: &Path, arguments: impl IntoIterator<Item = I>) -> Run {
    Run::of(hopmark().arg("extract").arg("-o").arg(out).args(arguments))
}

#[track_caller]
fn extracted<I: AsRef<OsStr>>(out: &Path, arguments: impl IntoIterator<Item = I>) -> PathBuf {
    let run = extract(out, arguments);
    assert_eq!(run.status(), 0, "{run:?}");
    assert_eq!(run.stdout(), "");
    out.to_owned()
}

/// What is known of a stream, without what counts from its neighbours: numbers, and where files named it.
fn figures(stream: &Value) -> Value {
    let mut stream = stream.clone();
    let members = stream.as_object_mut().unwrap();
    for key in ["id", "call", "reverse_of", "facts"] {
        members.remove(key);
    }
    for hop in members["hops"].as_array_mut().unwrap() {
        hop.as_object_mut().unwrap().remove("interface");
    }
    stream
}

/// The stream of this SSRC at its first hop.
#[track_caller]
fn of_ssrc<'a>(report: &'a Value, ssrc: &Value) -> &'a Value {
    let mut found = streams(report).iter().filter(|stream| stream["ssrc"] == *ssrc);
    let stream = found.next().unwrap_or_else(|| panic!("no stream {ssrc}"));
    assert!(found.next().is_none(), "several streams {ssrc}");
    stream
}

/// Extracts every stream of captures, and holds its figures against those that it had among the others.
#[track_caller]
fn check_every_stream(captures: &[String], more: &[&str], folder: &Folder) {
    let arguments = || more.iter().map(|&argument| argument.to_owned()).chain(captures.iter().cloned());
    let whole = replay(arguments());
    assert!(!streams(&whole).is_empty());
    for stream in streams(&whole) {
        let id = stream["id"].as_str().unwrap();
        let out = folder.path().join(format!("{id}.pcapng"));
        let named = ["--stream".to_owned(), id.to_owned()].into_iter().chain(arguments());
        extracted(&out, named);
        let alone = replay([OsStr::new("--points"), OsStr::new("interface"), out.as_os_str()]);
        assert_eq!(streams(&alone).len(), 1, "{id}: nothing else is in the file");
        assert_eq!(figures(of_ssrc(&alone, &stream["ssrc"])), figures(stream), "{id}");
    }
}

/// Calls both ways between two points: an address translator and a router that re-marks and loses are between them, and
/// the first mirror delivers some packets twice.
const TRANSLATED: &str = r#"
seed = 5

[[point]]
name = "inside"
mirror_duplicates = 0.01

[[point]]
name = "outside"
ttl_drop = 1
delay = 0.004
nat = "198.51.100.7"

[[point.segment]]
direction = "forward"
lose = [120, 121, 122, 300]
remark = [{ from = "EF", to = 0 }]

[[stream]]
name = "marked-late"
source = "10.3.1.1:50008"
destination = "52.112.9.1:3479"
ssrc = 0x0BADCAFE
sequence = 65400
packets = 400
dscp_change = [{ at = 200, dscp = 0 }]
"#;

fn scenario(folder: &Folder, text: &str, format: &str) -> Vec<String> {
    let file = folder.write("scenario.toml", text.as_bytes());
    made([file.as_os_str(), OsStr::new("--format"), OsStr::new(format)], folder.path()).1
}

#[test]
fn a_stream_has_the_same_figures_alone() {
    for format in ["pcap", "pcapng"] {
        let folder = Folder::new();
        let captures = scenario(&folder, &[TRANSLATED, &calls(2, 8.0)].concat(), format);
        check_every_stream(&captures, &[], &folder);
    }
}

#[test]
fn a_stream_is_followed_through_tunnels_and_a_relay() {
    let folder = Folder::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/core/scenario.toml");
    let (_, captures) = made([file], folder.path());
    check_every_stream(&captures, &[], &folder);
}

#[test]
fn sessions_and_interfaces_stay_points() {
    let stream = Stream::g711(Udp::new("10.20.0.31:50004", "52.112.0.1:3479"));
    let other = Stream { flow: Udp::new("10.20.0.32:50004", "52.112.0.1:3479"), ssrc: 7, ..stream };
    let mut sessions = Capture::new();
    let mut interfaces = Capture::new();
    for i in 0..500 {
        for (place, switch) in (0..).zip(["10.255.0.1", "10.255.0.2", "10.255.0.3"]) {
            // The second switch does not hear everything, and its mirror loses none of what it heard.
            for (n, stream) in [(0, stream), (1, other)].into_iter().filter(|_| place != 1 || i % 50 != 7) {
                let stream = stream.ttl(64 - place).at(ms(i64::from(place)) + ms(n));
                let (at, frame) = stream.frame(i);
                let number = if place == 1 { 2 * (i - (i + 43) / 50) } else { 2 * i };
                let number = number + u32::try_from(n).unwrap();
                interfaces.add_on(u32::from(place), at, frame.clone());
                sessions.add(at, numbered_erspan(switch, 12, number, &frame));
            }
        }
    }
    let folder = Folder::new();
    let sessions = folder.write("sessions.pcap", &sessions.pcap());
    let interfaces = folder.write("interfaces.pcapng", &interfaces.pcapng(&["access", "core", "edge"]));
    for (file, points) in [(sessions, "session"), (interfaces, "interface")] {
        let file = file.to_str().unwrap().to_owned();
        assert_eq!(hops(&streams(&replay(["--points", points, &file]))[0]).len(), 3, "{points}");
        check_every_stream(&[file], &["--points", points], &folder);
    }
}

#[test]
fn drawn_streams_have_the_same_counts_alone() {
    // Clocks and delays are better known where more streams are heard.
    let counts = |stream: &Value| {
        let mut counts = figures(stream);
        for hop in counts["hops"].as_array_mut().unwrap() {
            hop.as_object_mut().unwrap().remove("jitter_seconds");
        }
        let keys =
            ["from", "to", "packets_in", "packets_out", "lost", "lost_certain", "lost_suspect", "remarked"];
        let segments = stream["segments"].as_array().unwrap().iter();
        let segments: Vec<Value> =
            segments.map(|segment| keys.iter().map(|key| segment[key].clone()).collect()).collect();
        (counts["hops"].clone(), counts["class"].clone(), segments)
    };
    // Through tunnels that number their frames, through relays, over clocks that differ.
    for seed in [9, 12, 20, 40] {
        let folder = Folder::new();
        let (_, captures) = made(["--draw", &seed.to_string(), "--kind", "path"], folder.path());
        let whole = replay(&captures);
        for stream in streams(&whole).iter().take(2) {
            let out = folder.path().join("out.pcapng");
            let named = ["--with-control", "--stream", stream["id"].as_str().unwrap()].map(String::from);
            extracted(&out, named.iter().chain(&captures));
            let alone = replay([OsStr::new("--points"), OsStr::new("interface"), out.as_os_str()]);
            let alone = of_ssrc(&alone, &stream["ssrc"]);
            assert_eq!(counts(alone), counts(stream), "seed {seed}, {}", stream["id"]);
        }
    }
}

#[test]
fn what_a_tap_missed_is_in_doubt_also_in_an_excerpt() {
    for counts in ["packets", "statistics"] {
        let folder = Folder::new();
        let text = format!(
            "seed = 5\n[[point]]\nname = \"access\"\n[[point]]\nname = \"edge\"\ndrop_counts = \"{counts}\"\n\
             mirror_gaps = [{{ at = 4.0, lasting = 0.6 }}]\n{}",
            calls(2, 10.0)
        );
        let captures = scenario(&folder, &text, "pcapng");
        let whole = replay(&captures);
        let forward = streams(&whole).iter().find(|stream| stream["direction"] == "forward").unwrap();
        assert_eq!(forward["segments"][0]["lost"], Value::Null, "{counts}");
        let out = folder.path().join("out.pcapng");
        extracted(
            &out,
            ["--stream", forward["id"].as_str().unwrap()].map(String::from).iter().chain(&captures),
        );
        let alone = replay([OsStr::new("--points"), OsStr::new("interface"), out.as_os_str()]);
        let segment = |stream: &Value, key: &str| stream["segments"][0][key].clone();
        let alone = of_ssrc(&alone, &forward["ssrc"]);
        for key in ["lost", "lost_certain", "lost_suspect", "suspect"] {
            assert_eq!(segment(alone, key), segment(forward, key), "{counts}: {key}");
        }
    }
}

/// Two streams over one switch, whose mirror numbers the frames of both.
fn numbered_mirror(lost: std::ops::Range<u32>) -> Capture {
    let mut capture = Capture::new();
    let first = Stream::g711(Udp::new("10.20.0.31:50004", "52.112.0.1:3479"));
    let second = Stream { flow: Udp::new("10.20.0.32:50004", "52.112.0.1:3479"), ssrc: 7, ..first };
    for i in (0..500_u32).filter(|i| !lost.contains(i)) {
        for (number, stream) in [(2 * i, first), (2 * i + 1, second.at(ms(3)))] {
            let (at, frame) = stream.frame(i);
            capture.add(at, numbered_erspan("10.255.0.1", 12, 7_000 + number, &frame));
        }
    }
    capture
}

#[test]
fn numbers_that_a_mirror_gave_to_other_streams_are_no_gaps() {
    for (lost, suspect) in [(0..0, 0), (200..210, 1)] {
        let folder = Folder::new();
        let file = folder.write("mirror.pcap", &numbered_mirror(lost).pcap());
        let whole = replay([&file]);
        let out = folder.path().join("out.pcapng");
        let named = ["--stream", "0x00000007"].map(OsStr::new);
        extracted(&out, named.into_iter().chain([file.as_os_str()]));
        let alone = replay([&out]);
        assert_eq!(alone["captures"][0]["tunnel_lost"], Value::Null);
        let gaps = |report: &Value| report["gaps"].as_array().unwrap().len();
        assert_eq!((gaps(&whole), gaps(&alone)), (suspect, suspect));
        let quality = |report: &Value| of_ssrc(report, &Value::from("0x00000007"))["quality"].clone();
        assert_eq!(quality(&alone), quality(&whole));
    }
}

/// What `tshark` prints of a file; none where it is not installed.
fn tshark(file: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("tshark").arg("-r").arg(file).args(arguments).output().ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn comments_say_what_happens_where() {
    let folder = Folder::new();
    let captures = scenario(&folder, TRANSLATED, "pcap");
    let out = folder.path().join("out.pcapng");
    extracted(&out, ["--stream", "0x0badcafe"].map(String::from).iter().chain(&captures));
    let report = replay(&captures);
    let [inside, outside] = hops(&streams(&report)[0]) else { panic!("two hops") };
    let packets = |hop: &Value| hop["packets"].as_u64().unwrap();
    assert_eq!((packets(outside), &inside["lost"]), (396, &Value::from(0)));

    let comments = comments(&std::fs::read(&out).unwrap());
    let (section, of_packets) = comments.split_first().unwrap();
    assert!(section.starts_with("s1: audio, forward, SSRC 0x0badcafe"), "{section}");
    assert!(section.contains("198.51.100.7"), "{section}");
    let findings = report["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    for finding in findings.iter().filter(|finding| finding["stream"] == "s1") {
        for key in ["message", "advice", "kind"] {
            assert!(section.contains(finding[key].as_str().unwrap()), "{key} of {finding}: {section}");
        }
    }
    let count = |text: &str| of_packets.iter().filter(|comment| comment.contains(text)).count();
    let (a, b) = ("s1 hop 1 of 2 (inside, TTL 128)", "s1 hop 2 of 2 (outside, TTL 127)");
    for (text, expected) in [
        (format!("{a}: first packet, EF(46)"), 1),
        (format!("{b}: first packet, DF(0)"), 1),
        (format!("{a}: codepoint EF(46) → DF(0)"), 1),
        (format!("{b}: codepoint"), 0),
        // 65400 + 120 and so on; numbers begin anew behind 65535.
        (format!("{b}: 3 missing before this packet, sequence numbers 65520 to 65522"), 1),
        (format!("{b}: 1 missing before this packet, sequence number 164"), 1),
        (format!("{a}: last packet, {} of", packets(inside)), 1),
        (format!("{b}: last packet, 396 of 396"), 1),
        (" missing before".to_owned(), 2),
    ] {
        assert_eq!(count(&text), expected, "{text}: {of_packets:#?}");
    }
    let duplicates = inside["duplicates"].as_u64().unwrap();
    assert!(duplicates > 0);
    assert_eq!(count("duplicate of sequence number") as u64, duplicates);

    if let Some(seen) = tshark(&out, &["-Y", "frame.comment", "-T", "fields", "-e", "frame.comment"]) {
        assert_eq!(seen.matches("s1 hop").count(), of_packets.len(), "{seen}");
        let names = tshark(&out, &["-T", "fields", "-e", "frame.interface_name"]).unwrap();
        assert_eq!(names.lines().filter(|name| *name == "outside").count(), 396);
        assert_eq!(names.lines().filter(|name| *name == "inside").count() as u64, packets(inside));
    } else {
        eprintln!("skipped in part: tshark is not installed");
    }
}

/// All comments of a little-endian pcapng file, in order: of the section, then of packets.
fn comments(file: &[u8]) -> Vec<String> {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let mut all = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let (kind, length) = (number(at), number(at + 4));
        let mut option = match kind {
            0x0A0D_0D0A => at + 24,
            6 => at + 28 + number(at + 20).next_multiple_of(4),
            _ => at + length - 4,
        };
        while option + 4 < at + length {
            let head = number(option);
            let (code, octets) = (head & 0xFFFF, head >> 16);
            if code == 1 {
                all.push(String::from_utf8(file[option + 4..option + 4 + octets].to_vec()).unwrap());
            }
            option += 4 + octets.next_multiple_of(4);
        }
        at += length;
    }
    all
}

#[test]
fn the_other_direction_and_control_come_with_it_where_asked_for() {
    let folder = Folder::new();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo/capture.pcapng");
    let out = folder.path().join("out.pcapng");
    let run = |more: &[&str]| {
        let arguments = ["--stream", "s2"].iter().chain(more).map(OsStr::new).chain([demo.as_os_str()]);
        replay([extracted(&out, arguments)])
    };
    let whole = replay([&demo]);
    let alone = run(&[]);
    assert_eq!((streams(&alone).len(), alone["stun"].as_array().unwrap().len()), (1, 0));
    let both = run(&["--with-reverse", "--with-control"]);
    assert_eq!(streams(&both).len(), 2);
    assert_eq!(both["summary"]["two_way_calls"], 1);
    for stream in streams(&both) {
        let before = of_ssrc(&whole, &stream["ssrc"]);
        assert_eq!(stream["facts"], before["facts"]);
        assert_eq!(figures(stream), figures(before));
    }
    // What was heard on other flows is not there.
    assert_eq!(both["stun"].as_array().unwrap().len(), 2);
}

#[test]
fn of_headers_only_no_payload_is_left() {
    let folder = Folder::new();
    let captures = scenario(&folder, TRANSLATED, "pcap");
    let out = folder.path().join("out.pcapng");
    let arguments = ["--headers", "--stream", "s1"].map(String::from);
    extracted(&out, arguments.iter().chain(&captures));
    let (whole, alone) =
        (replay(&captures), replay([OsStr::new("--points"), OsStr::new("interface"), out.as_os_str()]));
    assert_eq!(figures(&streams(&alone)[0]), figures(&streams(&whole)[0]));
    let capture = &alone["captures"][0];
    // Ethernet, IPv4, UDP and RTP.
    assert_eq!(capture["bytes"].as_u64().unwrap(), capture["packets"].as_u64().unwrap() * (14 + 20 + 8 + 12));
}

#[test]
fn what_cannot_be_extracted_is_said() {
    let folder = Folder::new();
    let stream = Stream::g711(Udp::new("10.20.0.31:50004", "52.112.0.1:3479"));
    let other = Stream { flow: Udp::new("10.20.0.32:50004", "52.112.0.9:3479"), ..stream };
    let frames = stream.frames(0..200).chain(other.at(ms(7)).sequence(9).frames(0..200));
    let file = folder.write("two.pcap", &Capture::of(frames).pcap());
    let empty = folder.write("none.pcap", &Capture::new().pcap());
    let (file, empty) = (file.to_str().unwrap(), empty.to_str().unwrap());
    let out = folder.path().join("out.pcapng");
    for (arguments, expected) in [
        (vec!["--stream", "s1", "-"], "standard input (-): extract reads the captures twice"),
        (vec!["--stream", "s1", "a=-"], "standard input (-): extract reads the captures twice"),
        (vec!["--stream", "s3", file], "there is no stream s3: the captures hold s1 to s2"),
        (vec!["--stream", "0x00000001", file], "no stream has SSRC 0x00000001"),
        (
            vec!["--stream", "0x1c0415b1", file],
            "2 streams have SSRC 0x1c0415b1; name one by its id:\n  s1  10.20.0.31:50004",
        ),
        (vec!["--stream", "s1", empty], "the captures hold no RTP stream"),
        (vec!["--stream", "7", file], "write the id that the report prints"),
    ] {
        let run = extract(&out, &arguments);
        assert_eq!(run.status(), 2, "{arguments:?}: {run:?}");
        assert!(run.stderr().contains(expected), "{arguments:?}: {}", run.stderr());
        assert!(!out.exists(), "{arguments:?}");
    }
    let run = extract(Path::new(file), ["--stream", "s1", file]);
    assert!(run.stderr().contains("this is one of the captures that are read"), "{run:?}");
    let nowhere = folder.path().join("no/such/out.pcapng");
    let run = extract(&nowhere, ["--stream", "s1", file]);
    assert!(run.status() == 2 && run.stderr().contains("cannot be written"), "{run:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left behind: {left:?}");
}

#[test]
fn standard_output_takes_the_file_too() {
    let folder = Folder::new();
    let stream = Stream::g711(Udp::new("10.20.0.31:50004", "52.112.0.1:3479"));
    let file = folder.write("one.pcap", &Capture::of(stream.frames(0..200)).pcap());
    let run = extract(Path::new("-"), [OsStr::new("--stream"), OsStr::new("s1"), file.as_os_str()]);
    assert_eq!(run.status(), 0, "{}", run.stderr());
    let out = folder.path().join("out.pcapng");
    std::fs::write(&out, &run.0.stdout).unwrap();
    assert_eq!(replay([&out])["captures"][0]["packets"], 200);
}
