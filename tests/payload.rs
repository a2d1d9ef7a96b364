//! Streams are followed by payload through relays that write RTP anew.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]
#![allow(clippy::cast_possible_truncation, reason = "fields are filled by their low bits")]

mod common;

use common::run::{Run, findings, hops, names, streams};
use common::synth::made;
use common::{Capture, Folder, Random, Udp, ms, only_stream, s};
use serde_json::{Value, json};

/// A call over a media relay between access and core, which sends what it hears from addresses of its own.
const CALL: &str = r#"
seed = 7
[[relay]]
name = "sbc"
address = "192.0.2.10:4000"
relayed = "192.0.2.10"
framing = "plain"
bare_from = "core"
[[stream]]
source = "10.1.0.5"
destination = "52.112.0.9"
direction = "both"
class = "audio"
relay = "sbc"
packets = 1500
"#;

/// Three points: what the relay before the second does, what is lost and changed behind it.
fn scenario(call: &str, rewrite: &str, core: &str) -> String {
    format!(
        "{call}\n[[point]]\nname = \"access\"\n[[point]]\nname = \"core\"\nrewrite = {{ {rewrite} }}\n{core}\n\
         [[point]]\nname = \"edge\"\ndelay = 0.003\n"
    )
}

/// Plays a scenario and gives its truth and the report in this format.
fn run(scenario: &str, format: &str) -> (Value, Run) {
    let folder = Folder::new();
    let file = folder.write("scenario.toml", scenario.as_bytes());
    let (truth, captures) = made([file], folder.path());
    let arguments = ["--format", format].map(String::from).into_iter().chain(captures);
    (truth, folder.replay(arguments))
}

fn played(scenario: &str) -> (Value, Value) {
    let (truth, run) = run(scenario, "json");
    assert!(run.status() < 2, "{run:?}");
    (truth, run.json())
}

/// The stream of the report that is this one of the truth.
fn told<'a>(report: &'a Value, truth: &Value) -> &'a Value {
    let same = |stream: &&Value| stream["ssrc"] == truth["ssrc"] && stream["source"] == truth["source"];
    let found: Vec<&Value> = streams(report).iter().filter(same).collect();
    assert_eq!(found.len(), 1, "{}", names(report));
    found[0]
}

#[test]
fn what_a_relay_loses_is_counted_where_it_keeps_gaps() {
    let lossy = "[[point.segment]]\nloss = 0.02\nbursts = [{ at = 700, packets = 9 }]\n\
                 remark = [{ from = \"any\", to = 0 }]\ndirection = \"forward\"";
    for rewrite in [
        "ssrc = true, sequence_offset = 1234, timestamp_offset = 99, payload_type = 120",
        "ssrc = true",
        "sequence_offset = 40000",
        "sequence_offset = 5",
        "timestamp_offset = 99",
        "ssrc = true, sequence_offset = 65535, timestamp_offset = 4000000000",
    ] {
        let (truth, report) = played(&scenario(CALL, rewrite, lossy));
        assert_eq!(streams(&report).len(), 2, "{rewrite}: {}", names(&report));
        for truth in truth["streams"].as_array().unwrap() {
            let stream = told(&report, truth);
            assert_eq!(hops(stream).len(), 3, "{rewrite}");
            for (hop, wanted) in hops(stream).iter().zip(truth["hops"].as_array().unwrap()) {
                for key in ["point", "source", "destination", "ssrc", "unique", "lost"] {
                    assert_eq!(hop[key], wanted[key], "{rewrite}: {key}");
                }
            }
            let segments = stream["segments"].as_array().unwrap();
            // Against the path the relay's segment is the second.
            let relayed = usize::from(truth["direction"] == "reverse");
            for (i, (segment, wanted)) in
                segments.iter().zip(truth["segments"].as_array().unwrap()).enumerate()
            {
                for key in ["packets_in", "packets_out", "lost", "unseen_after", "unseen_before"] {
                    assert_eq!(segment[key], wanted[key], "{rewrite}: {key}");
                }
                assert_eq!(segment["joined_by"], if i == relayed { "payload" } else { "rtp" }, "{rewrite}");
                assert_eq!(segment["suspect"], json!([]), "{rewrite}");
                assert_eq!(
                    segment["remarked"]["46>0"]["packets"], wanted["remarked"]["46>0"]["packets"],
                    "{rewrite}"
                );
                let mean = |of: &Value| of["delay_seconds"]["mean"].as_f64().unwrap();
                assert!((mean(segment) - mean(wanted)).abs() < 1e-4, "{rewrite}");
            }
            let lost = segments[relayed]["lost"].as_u64().unwrap();
            assert_eq!(lost > 9, truth["direction"] == "forward", "{rewrite}");
        }
        assert_eq!(findings(&report, "segment-loss").len(), 1, "{rewrite}");
        assert_eq!(report["joins"], json!([]), "{rewrite}");
    }
}

#[test]
fn a_relay_that_numbers_packets_anew_hides_its_losses_and_this_is_said() {
    let lossy =
        "[[point.segment]]\nloss = 0.02\nremark = [{ from = \"any\", to = 0 }]\ndirection = \"forward\"";
    let (truth, report) = played(&scenario(CALL, "ssrc = true, renumber = true", lossy));
    assert_eq!(streams(&report).len(), 2, "{}", names(&report));
    let forward = truth["streams"].as_array().unwrap().iter().find(|s| s["direction"] == "forward").unwrap();
    let stream = told(&report, forward);
    let segment = &stream["segments"][0];
    assert_eq!(segment["joined_by"], "payload");
    for key in ["lost", "unseen_after", "unseen_before"] {
        assert_eq!(segment[key], Value::Null, "{key}");
    }
    assert_eq!(segment["suspect"], json!(["the relay numbers packets anew"]));
    // Every packet that came out was re-marked; this does not take numbers.
    assert_eq!(segment["remarked"]["46>0"]["packets"], segment["packets_out"]);
    assert!((segment["delay_seconds"]["mean"].as_f64().unwrap() - 0.001).abs() < 1e-4);
    assert_eq!(stream["segments"][1]["lost"], 0);
    assert!(findings(&report, "segment-loss").is_empty());
    assert_eq!(findings(&report, "bleached").len(), 1);
}

#[test]
fn numbers_that_lose_nothing_compare_also_behind_a_relay_that_counts_anew() {
    let (_, report) = played(&scenario(CALL, "ssrc = true, renumber = true, sequence_offset = 77", ""));
    for stream in streams(&report) {
        for segment in stream["segments"].as_array().unwrap() {
            assert_eq!((&segment["lost"], &segment["unseen_before"]), (&json!(0), &json!(0)));
        }
    }
}

#[test]
fn the_text_says_by_what_a_segment_is_joined() {
    let text = run(&scenario(CALL, "ssrc = true, sequence_offset = 1234", ""), "text").1;
    assert!(text.stdout().contains("joined by"), "{}", text.stdout());
    assert!(!text.stdout().contains("NOT JOINED"), "{}", text.stdout());
}

#[test]
fn header_extensions_may_go() {
    let call = CALL.replace("packets = 1500", "packets = 1500\nheader_extension = true");
    let (_, report) = played(&scenario(&call, "ssrc = true, drop_extension = true", ""));
    assert_eq!(streams(&report).len(), 2, "{}", names(&report));
}

#[test]
fn video_is_followed_too() {
    let call = CALL.replace("\"audio\"", "\"video\"");
    let lossy = "[[point.segment]]\nloss = 0.01\ndirection = \"forward\"";
    let (truth, report) = played(&scenario(&call, "ssrc = true, sequence_offset = 9", lossy));
    for truth in truth["streams"].as_array().unwrap() {
        let stream = told(&report, truth);
        for (segment, wanted) in
            stream["segments"].as_array().unwrap().iter().zip(truth["segments"].as_array().unwrap())
        {
            assert_eq!(segment["lost"], wanted["lost"]);
        }
    }
}

#[test]
fn what_is_encrypted_anew_stays_apart() {
    let (_, report) = played(&scenario(CALL, "ssrc = true, encrypt = true", ""));
    assert_eq!(streams(&report).len(), 4, "{}", names(&report));
    assert_eq!(report["joins"], json!([]));
}

#[test]
fn a_snapped_capture_needs_32_octets_of_payload() {
    // Ethernet, IPv4, UDP and RTP have 54.
    for (snap, expected) in [(96, 2), (86, 2), (85, 4), (64, 4)] {
        let snapped = scenario(CALL, "ssrc = true", "");
        let snapped = snapped.replace("[[point]]", &format!("[[point]]\nsnap = {snap}"));
        let (_, report) = played(&snapped);
        assert_eq!(streams(&report).len(), expected, "snap {snap}: {}", names(&report));
    }
    // A hop that kept too little is in between, and what it lost is not told.
    let snapped = scenario(CALL, "ssrc = true", "").replace("\nrewrite", "\nsnap = 64\nrewrite");
    let (_, report) = played(&snapped);
    for stream in streams(&report) {
        assert_eq!(hops(stream).len(), 3);
        let relayed = usize::from(stream["direction"] == "reverse");
        let segment = &stream["segments"][relayed];
        assert_eq!((&segment["lost"], &segment["joined_by"]), (&Value::Null, &json!("payload")));
        assert_eq!(segment["suspect"], json!(["too few equal payloads to compare numbers"]));
    }
}

/// G.711 in which the i-th packet carries what `song` has there.
fn playing(flow: &Udp, ssrc: u32, at: i64, packets: u32, song: impl Fn(u32) -> u64) -> Vec<(i64, Vec<u8>)> {
    let packet = |i: u32| {
        let mut random = Random::new(song(i));
        let mut packet = vec![0x80, 0];
        packet.extend_from_slice(&((ssrc as u16).wrapping_add(i as u16)).to_be_bytes());
        packet.extend_from_slice(&ssrc.wrapping_mul(77).wrapping_add(i * 160).to_be_bytes());
        packet.extend_from_slice(&ssrc.to_be_bytes());
        packet.extend((0..160).map(|_| random.u8()));
        (at + i64::from(i) * ms(20), flow.frame(&packet))
    };
    (0..packets).map(packet).collect()
}

type Heard = Vec<(i64, Vec<u8>)>;

fn report_in(points: &[(&str, Vec<Heard>)], format: &str) -> Run {
    let folder = Folder::new();
    let mut arguments = vec!["--format".to_owned(), format.to_owned()];
    for (name, heard) in points {
        let file = format!("{name}.pcap");
        let mut all: Heard = heard.concat();
        all.sort_by_key(|(at, _)| *at);
        folder.write(&file, &Capture::of(all).pcap());
        arguments.push(format!("{name}={file}"));
    }
    let run = folder.replay(arguments);
    assert!(run.status() < 2, "{run:?}");
    run
}

fn report_on(points: &[(&str, Vec<Heard>)]) -> Value {
    report_in(points, "json").json()
}

fn song(i: u32) -> u64 {
    u64::from(i) + 1000
}

const IN: (&str, &str) = ("10.0.0.5:40000", "192.0.2.1:5000");
const OUT: (&str, &str) = ("192.0.2.1:6000", "10.0.0.8:40002");

fn udp((source, destination): (&str, &str)) -> Udp {
    Udp::new(source, destination)
}

#[test]
fn in_a_capture_from_one_point_each_ssrc_is_a_stream_of_its_own() {
    let legs = vec![playing(&udp(IN), 1, 0, 1000, song), playing(&udp(OUT).ttl(60), 2, ms(3), 1000, song)];
    assert_eq!(streams(&report_on(&[("mirror", legs)])).len(), 2);
}

#[test]
fn both_legs_of_a_relay_at_one_mirror_are_one_stream_where_points_are_compared() {
    // With one address of the relay, and with one on either side.
    for out in [OUT, ("198.51.100.1:6000", "10.9.0.8:40002")] {
        let legs =
            vec![playing(&udp(IN), 1, 0, 1000, song), playing(&udp(out).ttl(60), 2, ms(3), 1000, song)];
        let report = report_on(&[("mirror", legs), ("elsewhere", Vec::new())]);
        let stream = only_stream(&report);
        assert_eq!((&stream["ssrc"], &hops(stream)[1]["ssrc"]), (&json!("0x00000001"), &json!("0x00000002")));
        let segment = &stream["segments"][0];
        assert_eq!((&segment["joined_by"], &segment["lost"]), (&json!("payload"), &json!(0)));
        assert!((segment["delay_seconds"]["mean"].as_f64().unwrap() - 0.003).abs() < 1e-6);
    }
}

#[test]
fn a_stream_of_a_second_is_joined_and_the_shortest_by_chance() {
    let joined = |packets: u32, n: u64| {
        let song = |i: u32| song(i) + n * 100_000;
        let legs = (playing(&udp(IN), 1, 0, packets, song), playing(&udp(OUT), 2, ms(3), packets, song));
        streams(&report_on(&[("a", vec![legs.0]), ("b", vec![legs.1])])).len() == 1
    };
    let of_ten = |packets: u32| (0..10).filter(|&n| joined(packets, n)).count();
    assert_eq!((of_ten(60), of_ten(40)), (10, 10));
    // Of six packets hardly two are chosen.
    assert!((0..6).contains(&of_ten(6)), "{}", of_ten(6));
}

#[test]
fn the_same_music_in_two_calls_is_two_streams() {
    let to = |host: &str| format!("10.0.0.{host}:40000");
    let (one, two) = (to("1"), to("2"));
    for (name, second_source, later) in [
        ("an hour later", "192.0.2.77:5000", s(3600)),
        ("seconds later", "192.0.2.77:5000", s(7)),
        ("at once, from one server", "192.0.2.1:5002", ms(40)),
        ("at the same time", "192.0.2.77:5000", 0),
    ] {
        let first = playing(&Udp::new("192.0.2.1:5000", &one), 1, 0, 1000, song);
        let second = playing(&Udp::new(second_source, &two), 2, later, 1000, song);
        let report = report_on(&[("mirror", vec![first.clone(), second.clone()]), ("elsewhere", Vec::new())]);
        assert_eq!(streams(&report).len(), 2, "{name}");
        assert_eq!(report["joins"], json!([]), "{name}");
        if later != 0 {
            let report = report_on(&[("a", vec![first]), ("b", vec![second])]);
            assert_eq!(streams(&report).len(), 2, "{name}, at two points");
        }
    }
}

#[test]
fn calls_that_begin_alike_and_go_on_otherwise_are_two_streams() {
    let first = playing(&udp(IN), 1, 0, 1000, song);
    let second = playing(&udp(OUT), 2, ms(30), 1000, |i| if i < 300 { song(i) } else { song(i) << 20 });
    assert_eq!(streams(&report_on(&[("mirror", vec![first, second]), ("elsewhere", Vec::new())])).len(), 2);
}

#[test]
fn payloads_that_come_again_prove_nothing() {
    for (name, period) in [("silence", 1), ("a tone", 2), ("a short loop", 50)] {
        let again = |i: u32| song(i % period);
        let legs = vec![playing(&udp(IN), 1, 0, 1000, again), playing(&udp(OUT), 2, ms(3), 1000, again)];
        let report = report_on(&[("mirror", legs), ("elsewhere", Vec::new())]);
        assert_eq!(streams(&report).len(), 2, "{name}");
        assert_eq!(report["joins"], json!([]), "{name}");
    }
    // What lies between pauses does.
    let talk = |i: u32| if (i / 100).is_multiple_of(2) { song(i) } else { 5 };
    let legs = vec![playing(&udp(IN), 1, 0, 1000, talk), playing(&udp(OUT), 2, ms(3), 1000, talk)];
    only_stream(&report_on(&[("mirror", legs), ("elsewhere", Vec::new())]));
}

#[test]
fn what_goes_to_two_receivers_stays_apart_and_is_listed() {
    let legs = vec![
        playing(&udp(IN), 1, 0, 1000, song),
        playing(&udp(OUT), 2, ms(3), 1000, song),
        playing(&udp(("192.0.2.1:6002", "10.0.0.9:40004")), 3, ms(4), 1000, song),
    ];
    let report = report_on(&[("mirror", legs.clone()), ("elsewhere", Vec::new())]);
    assert_eq!(streams(&report).len(), 3);
    let joins = report["joins"].as_array().unwrap();
    assert_eq!(joins.len(), 1);
    let views = joins[0]["views"].as_array().unwrap();
    let destinations: Vec<&Value> = views.iter().map(|view| &view["destination"]).collect();
    assert_eq!(destinations, [&json!(IN.1), &json!(OUT.1), &json!("10.0.0.9:40004")]);
    assert_eq!((&joins[0]["ssrc"], &views[2]["ssrc"]), (&json!("0x00000001"), &json!("0x00000003")));
    let text = report_in(&[("mirror", legs), ("elsewhere", Vec::new())], "text");
    assert!(
        text.stdout().contains("\nNOT JOINED\n  The same payload goes several ways"),
        "{}",
        text.stdout()
    );
}

#[test]
fn an_echo_is_not_the_stream_going_on() {
    let back = ("192.0.2.1:5000", "10.0.0.5:40000");
    let legs = vec![playing(&udp(IN), 1, 0, 1000, song), playing(&udp(back), 2, ms(30), 1000, song)];
    assert_eq!(streams(&report_on(&[("mirror", legs), ("elsewhere", Vec::new())])).len(), 2);
}

#[test]
fn clocks_that_differ_are_believed_where_two_streams_say_the_same() {
    let other = |i: u32| song(i) + 1_000_000;
    let back = (("10.0.0.8:40002", "192.0.2.1:6000"), ("192.0.2.1:5000", "10.0.0.5:40000"));
    let inside =
        vec![playing(&udp(IN), 1, s(10), 1000, song), playing(&udp(back.1), 4, s(10) + ms(6), 1000, other)];
    let outside =
        vec![playing(&udp(OUT), 2, s(14) + ms(3), 1000, song), playing(&udp(back.0), 3, s(14), 1000, other)];
    let both = report_on(&[("inside", inside.clone()), ("outside", outside.clone())]);
    assert_eq!(streams(&both).len(), 2, "{}", names(&both));
    assert_eq!(both["streams"][0]["segments"][0]["clock"]["shared"], false);
    let alone = report_on(&[("inside", inside[..1].to_vec()), ("outside", outside[..1].to_vec())]);
    assert_eq!(streams(&alone).len(), 2, "four seconds with one witness may be another call");
}

#[test]
fn very_many_streams_with_one_payload_are_told_and_not_joined() {
    let mut legs = Vec::new();
    for n in 0..90_u32 {
        let (source, destination) = (format!("10.2.{n}.1:40000"), format!("10.3.{n}.1:40000"));
        legs.push(playing(&Udp::new(&source, &destination), n + 1, i64::from(n) * ms(1), 200, song));
    }
    let report = report_on(&[("mirror", legs), ("elsewhere", Vec::new())]);
    assert_eq!(streams(&report).len(), 90);
    let joins = report["joins"].as_array().unwrap();
    assert_eq!(joins.len(), 1);
    assert!(joins[0]["reason"].as_str().unwrap().starts_with("too many"));
    assert_eq!(joins[0]["views"].as_array().unwrap().len(), 16);
}
