//! What the text report looks like, and what is always true of it.

use unicode_width::UnicodeWidthStr;

use super::*;
use crate::meter::StunRecord;
use crate::report::{Anonymizer, example};
use crate::terms::PointId;
use crate::verify::{Finding, JudgedStream, Place};

fn options() -> Options {
    Options { version: "1.2.3".into(), ..Options::default() }
}

fn written(outcome: &Outcome, options: &Options) -> String {
    let mut out = Vec::new();
    write_text(outcome, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_report_of_everything() {
    insta::assert_snapshot!(written(&example::outcome(), &options()));
}

#[test]
fn the_report_of_a_call_at_three_points() {
    insta::assert_snapshot!(written(&example::joined(), &options()));
}

#[test]
fn directions_over_different_hops_are_drawn_apart() {
    let mut outcome = example::joined();
    outcome.streams.whole()[1].record.hops.remove(1);
    outcome.streams.whole()[1].segments.remove(1);
    insta::assert_snapshot!(paths(&outcome));
}

#[test]
fn a_long_path_is_drawn_in_several_rows() {
    let mut outcome = example::joined();
    let segment = outcome.streams.whole()[0].segments[0].clone();
    for stream in outcome.streams.whole() {
        let hop = stream.record.hops[1].clone();
        let more = 6 - stream.record.hops.len();
        for _ in 0..more {
            stream.record.hops.insert(1, hop.clone());
            stream.segments.insert(1, segment.clone());
            stream.markings.insert(1, stream.markings[1]);
        }
    }
    insta::assert_snapshot!(paths(&outcome));
}

#[test]
fn findings_name_both_points_of_a_segment() {
    let mut outcome = example::joined();
    let report = written(&outcome, &options());
    assert!(report.contains("where    point core (TTL 62) → point edge (TTL 61)"), "{report}");
    // The same tags at other points are another place.
    let elsewhere = Finding { place: Place::Between(0, 1), ..outcome.findings[0].clone() };
    outcome.findings.push(elsewhere);
    let report = written(&outcome, &options());
    assert!(report.contains("point access (Gi1/0/7, TTL 64) → point core (TTL 62)"), "{report}");
    assert_eq!(report.matches("  ERROR  ").count(), 2, "{report}");
}

#[test]
fn paths_are_bounded_and_left_out_where_nothing_is_to_be_drawn() {
    let mut outcome = example::joined();
    let pair: Vec<JudgedStream> = example::joined().streams.whole().clone();
    for _ in 1..40 {
        outcome.streams.whole().extend(pair.iter().cloned());
    }
    for (number, stream) in (0..).zip(outcome.streams.whole()) {
        stream.call = number / 2;
        stream.reverse_of = Some(number ^ 1);
    }
    assert_eq!(written(&outcome, &options()).matches("PATH of call").count(), 3);
    assert_eq!(written(&outcome, &Options { worst: 0, ..options() }).matches("PATH of call").count(), 0);
    outcome.streams = pair.into();
    for stream in outcome.streams.whole() {
        stream.record.hops.truncate(1);
    }
    assert_eq!(written(&outcome, &options()).matches("PATH of call").count(), 0);
    let mut alone = example::joined();
    alone.streams.whole().truncate(1);
    assert!(paths(&alone).contains("reverse    not heard"));
}

/// The sections with pictures of paths.
fn paths(outcome: &Outcome) -> String {
    let report = written(outcome, &options());
    let (_, from) = report.split_once("PATH").unwrap();
    let (paths, _) = from.split_once("FINDINGS").unwrap();
    format!("PATH{paths}")
}

#[test]
fn the_report_without_streams() {
    insta::assert_snapshot!(written(&example::no_streams(), &options()));
}

#[test]
fn the_report_of_nothing() {
    insta::assert_snapshot!(written(&Outcome::default(), &options()));
}

#[test]
fn the_report_when_all_is_well() {
    let mut outcome = example::outcome();
    outcome.streams.whole().truncate(2);
    outcome.findings.clear();
    outcome.stun.clear();
    outcome.captures.truncate(1);
    outcome.captures[0].undecoded.clear();
    outcome.captures[0].dropped = Some(0);
    outcome.counters = crate::meter::MeterCounters::default();
    insta::assert_snapshot!(written(&outcome, &options()));
}

#[test]
fn the_report_in_colour() {
    let mut outcome = example::outcome();
    outcome.stun.clear();
    insta::assert_snapshot!(
        written(&outcome, &Options { worst: 2, colour: true, ..options() }).replace('\x1b', "␛")
    );
}

/// An outcome whose names are as long and as hostile as can be.
fn long_names() -> Outcome {
    let mut outcome = example::outcome();
    let long = format!("\x1b]0;owned\x07{}", "very-long-name ".repeat(20));
    outcome.points = vec![long.clone()];
    outcome.classes = vec!["multimedia-conferencing-with-a-long-name".into(), "東京".repeat(20)];
    for capture in &mut outcome.captures {
        capture.file.clone_from(&long);
        capture.damage = Some("x".repeat(500));
        capture.interfaces = vec![Some(long.clone()), Some("y".repeat(200)), Some("\u{202e}z\n".into())];
    }
    for stream in outcome.streams.whole() {
        stream.record.flow.source = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap();
        stream.record.flow.destination = "[2001:db8:1111:2222:3333:4444:5555:7777]:65535".parse().unwrap();
        stream.codec = Some("a-codec-with-a-long-name".into());
        stream.quality.verdict = crate::verify::QualityVerdict::Poor;
        for hop in &mut stream.record.hops {
            hop.packets = u64::MAX;
        }
        let hops = stream.record.hops.clone();
        for n in 0..12 {
            let mut hop = hops[0].clone();
            hop.dscp = [(n * 2, 7), (n * 2 + 1, 5), (46, 4), (34, 3)].into_iter().collect();
            stream.record.hops.push(hop);
        }
    }
    for finding in &mut outcome.findings {
        finding.message = long.clone();
        finding.packets = u64::MAX;
    }
    outcome.counters.streams_evicted = u64::MAX;
    outcome
}

#[test]
fn no_line_is_wider_than_the_page() {
    for (name, outcome) in [
        ("everything", example::outcome()),
        ("joined", example::joined()),
        ("long names", long_names()),
        ("no streams", example::no_streams()),
        ("nothing", Outcome::default()),
    ] {
        for (asked, width) in [(0, 80), (80, 80), (91, 91), (100, 100), (500, 100)] {
            for line in written(&outcome, &Options { width: asked, ..options() }).lines() {
                assert!(line.width() <= width, "{name}, {width} columns: {line:?}");
                assert_eq!(line, line.trim_end(), "{name}: blanks at the end");
            }
        }
    }
}

#[test]
fn nothing_steers_the_terminal() {
    let report = written(&long_names(), &options());
    let hidden: Vec<char> =
        report.chars().filter(|&c| c != '\n' && crate::report::hidden::is_hidden(c)).collect();
    assert_eq!(hidden, []);
    assert!(report.contains("\\u{1b}]0;owned\\u{7}"));
}

#[test]
fn many_findings_of_one_kind_are_one_paragraph() {
    let mut outcome =
        Outcome { points: vec!["core".into()], classes: vec!["audio".into()], ..Outcome::default() };
    for number in 0..100_000 {
        let mut stream = example::stream(number);
        // Hosts differ in the TTL they begin with; the segment is the same.
        let ttl = if number % 3 == 0 { 128 } else { 64 };
        stream.record.hops =
            [example::hop(0, &[], ttl, &[(46, 50)]), example::hop(0, &[], ttl - 1, &[(0, 50)])]
                .into_iter()
                .collect();
        outcome.streams.whole().push(stream);
        outcome.findings.push(Finding {
            stream: Some(number),
            call: Some(number / 2),
            packets: 50 + u64::from(number == 77),
            ..example::finding()
        });
    }
    let report = written(&outcome, &options());
    assert_eq!(report.matches("ERROR").count(), 1);
    assert!(report.contains("point core (TTL falls by 1)"), "{report}");
    assert!(report.contains("100,000 streams, 50,000 calls, 5,000,001 packets"), "{report}");
    assert!(report.contains("s78: 10.20.0.44:50004"), "the one with the most packets speaks: {report}");
    assert!(report.contains("So also s1, s2, s3, s4, s5 and 99,994 more."), "{report}");
    assert!(report.lines().count() < 80, "{report}");
}

#[test]
fn long_lists_are_cut_and_say_so() {
    let mut outcome = example::outcome();
    outcome.points.extend((1..200).map(|n| format!("edge-{n}")));
    outcome.findings = (1..200)
        .map(|n| Finding { place: Place::Point(PointId(n)), packets: u64::from(n), ..example::finding() })
        .collect();
    outcome.captures = (0..50).map(|n| example::capture(&format!("{n}.pcap"))).collect();
    outcome.captures[49].damage = Some("cut off".into());
    let one = outcome.stun[0].clone();
    outcome.stun = (0..40).map(|n| StunRecord { point: PointId(n), ..one.clone() }).collect();
    let report = written(&outcome, &Options { worst: 3, ..options() });
    for part in [
        "WORST 3 STREAMS of 6",
        "And 169 more at 169 other places or kinds: the JSON report has them all.",
        "edge-9: 12 requests from 1 client to 1 server: 12 answered, 0 not (0.0 %)",
        "And 30 more points.",
        "And 30 more: the JSON report has them all.",
        "50 files, 906,000 frames, 195.0 MB, 1 damaged; of these files:",
        "49.pcap (pcapng",
    ] {
        assert!(report.contains(part), "{part} is not in {report}");
    }
    assert!(report.lines().count() < 370, "{report}");
}

#[test]
fn an_anonymized_report_holds_no_address() {
    let anonymize = Some(Anonymizer::new(&[7; 32]));
    let report = written(&example::outcome(), &Options { anonymize, ..options() });
    let plain = written(&example::outcome(), &options());
    for secret in ["10.20.0.", "52.112.100.", "198.51.100.", "2001:db8:", "2603:1063", "mirror/"] {
        assert!(plain.contains(secret), "{secret} is not in the example");
        assert!(!report.contains(secret), "{secret}");
    }
    assert!(report.contains(":50012 →"), "ports stay");
}

#[test]
fn the_same_outcome_gives_the_same_report() {
    assert_eq!(written(&long_names(), &options()), written(&long_names(), &options()));
}

#[test]
fn what_is_not_joined_is_told_in_a_few_lines() {
    use crate::terms::{FlowKey, Ssrc, Transport};
    let mut outcome = example::joined();
    let end = |n: usize| format!("[2603:1063:1234:5678:9abc:def0:1234:{n:x}]:65535").parse().unwrap();
    let flow = |n: usize| FlowKey { source: end(n), destination: end(n + 1), transport: Transport::Udp };
    let join = |ssrc: u32, reason| crate::verify::Unjoined {
        ssrc: Ssrc(ssrc),
        views: (0..16).map(|n| (PointId(0), flow(n), Ssrc(ssrc + u32::try_from(n).unwrap() / 2))).collect(),
        reason,
    };
    let long =
        "the same payload goes several ways: which stream continues which is not told, and so on to the end";
    outcome.joins = (0..1200).map(|n| join(n * 16, if n == 7 { "another reason" } else { long })).collect();
    let report = written(&outcome, &options());
    let (_, section) = report.split_once("\nNOT JOINED\n").unwrap();
    let section: Vec<&str> = section.lines().take_while(|line| !line.is_empty()).collect();
    assert!(section.iter().all(|line| line.width() <= 100), "{section:#?}");
    assert!(section.len() < 45, "{section:#?}");
    let has = |text: &str| section.iter().any(|line| line.contains(text));
    assert!(
        has("And 1,196 more: the JSON report") && has("and 12 more") && has("Another reason."),
        "{section:#?}"
    );
    assert!(!written(&example::joined(), &options()).contains("NOT JOINED"));
}
