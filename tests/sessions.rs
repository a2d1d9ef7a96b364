//! Sessions of mirrors in one capture are points, and say what they lost.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::run::{hops, streams};
use common::synth::made;
use common::tunnel::{erspan_from, gre, numbered_erspan};
use common::{Capture, Folder, Stream, Udp, ms, only_stream};
use serde_json::{Value, json};

const PACKETS: u32 = 500;
const SWITCHES: [&str; 3] = ["10.255.0.1", "10.255.0.2", "10.255.0.3"];

fn out() -> Stream {
    Stream::g711(Udp::new("10.20.0.31:50004", "52.112.0.1:3479"))
}

/// The stream at this TTL, so many nanoseconds after it was sent, each packet with its number.
fn heard(ttl: u8, delay: i64) -> impl Iterator<Item = (u32, i64, Vec<u8>)> {
    let stream = out().ttl(ttl);
    let stream = stream.at(stream.at + delay);
    (0..PACKETS).map(move |i| {
        let (at, frame) = stream.frame(i);
        (i, at, frame)
    })
}

/// The three places of the tests: TTL, and when the stream is there.
const PLACES: [(u8, i64); 3] = [(63, 0), (62, ms(1)), (61, ms(3))];

/// The report on one capture.
fn report(capture: &Capture, arguments: &[&str]) -> Value {
    let folder = Folder::new();
    folder.write("test.pcap", &capture.pcap());
    replay(&folder, &[arguments, &["test.pcap"]].concat())
}

/// The report on one capture, with an operator's file.
fn report_by(capture: &Capture, operators_file: &str) -> Value {
    let folder = Folder::new();
    folder.write("test.pcap", &capture.pcap());
    folder.write("test.toml", operators_file.as_bytes());
    replay(&folder, &["--config", "test.toml", "test.pcap"])
}

fn replay(folder: &Folder, arguments: &[&str]) -> Value {
    let fixed = ["--format", "json", "--fail-on", "never"];
    let run = folder.replay(fixed.iter().chain(arguments));
    assert_eq!((run.status(), run.stderr()), (0, ""));
    run.json()
}

fn column(stream: &Value, key: &str) -> Vec<Value> {
    hops(stream).iter().map(|hop| hop[key].clone()).collect()
}

/// Three switches, each with a session of its own, whose frames the core loses.
fn three_sessions() -> Capture {
    let mut capture = Capture::new();
    for ((place, (ttl, delay)), session) in PLACES.into_iter().enumerate().zip([12, 13, 12]) {
        for (i, at, frame) in heard(ttl, delay) {
            let is_lost = place == 1 && (100..104).contains(&i);
            if !is_lost {
                capture.add(at, numbered_erspan(SWITCHES[place], session, 7_000 + i, &frame));
            }
        }
    }
    capture
}

#[test]
fn sessions_are_points_by_themselves_where_that_is_asked_for() {
    let capture = three_sessions();
    let report = report(&capture, &["--points", "session"]);
    let stream = only_stream(&report);
    let named = ["erspan 12 from 10.255.0.1", "erspan 13", "erspan 12 from 10.255.0.3"];
    assert_eq!(column(stream, "point"), named);
    assert_eq!(column(stream, "unique"), [PACKETS, PACKETS - 4, PACKETS]);
    assert_eq!(hops(stream)[1]["encapsulation"], json!(["ip 10.255.0.2>172.16.0.99", "gre", "erspan2 13"]));
    let segments = stream["segments"].as_array().unwrap();
    assert_eq!(segments.iter().map(|s| s["lost"].clone()).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(segments[0]["unseen_after"], 4, "the mirror missed them, the network did not lose them");
    assert!(segments[0]["delay_seconds"]["mean"].as_f64().is_some_and(|d| (d - 0.001).abs() < 1e-6));
    assert_eq!(report["captures"][0]["point"], "capture");
    assert_eq!(report["captures"][0]["other_points"], json!(named));
    assert_eq!(only_stream(&self::report(&capture, &[]))["hops"].as_array().unwrap().len(), 3);
    let points = column(only_stream(&self::report(&capture, &[])), "point");
    assert_eq!(points, ["capture"; 3], "unless it is asked for, sessions are hops of one point");
}

#[test]
fn names_of_points_keep_addresses_to_themselves_where_that_is_asked_for() {
    let folder = Folder::new();
    folder.write("test.pcap", &three_sessions().pcap());
    folder.write("site.key", &[7; 32]);
    for format in ["json", "text"] {
        let arguments = ["--points", "session", "--anonymize", "site.key", "--format", format];
        let run = folder.replay(arguments.iter().chain(&["core=test.pcap"]));
        let said = run.stdout();
        assert!(said.contains("core/erspan 12 from "), "{said}");
        assert!(SWITCHES.iter().all(|switch| !said.contains(switch)), "{said}");
    }
}

#[test]
fn what_is_configured_is_a_point_and_the_rest_stays() {
    let file = "[[point]]\nname = \"core\"\nmirror = { erspan_session = 13, from = \"10.255.0.2\" }\n\
                [[point]]\nname = \"access\"\nmirror = { from = \"10.255.0.1\", capture = \"capture\" }\n\
                [[point]]\nname = \"elsewhere\"\nmirror = { from = \"10.255.0.3\", capture = \"branch\" }\n\
                [[path]]\nname = \"p\"\npoints = [\"access\", \"core\"]\n";
    let report = report_by(&three_sessions(), file);
    assert_eq!(column(only_stream(&report), "point"), ["access", "core", "capture"]);
    assert_eq!(report["captures"][0]["other_points"], json!(["core", "access"]));
}

#[test]
fn networks_and_tags_are_sessions_too() {
    let mut capture = Capture::new();
    for (_, at, frame) in heard(63, 0) {
        capture.add(at, common::tunnel::vxlan(5001, &frame));
    }
    let stream = out().ttl(62);
    for i in 0..PACKETS {
        // A remote mirror: its own tag before the one of the link.
        let tags = [(common::packet::VLAN, 900, 0), (common::packet::VLAN, 110, 5)];
        capture.add(stream.time(i) + ms(1), stream.flow.tagged(&tags, &stream.payload(i)));
    }
    for (_, at, frame) in heard(61, ms(3)) {
        capture.add(at, common::tunnel::geneve(5001, &frame));
    }
    for (_, at, frame) in heard(60, ms(4)) {
        capture.add(at, common::tunnel::tzsp(&frame));
    }
    for (_, at, frame) in heard(59, ms(5)) {
        capture.add(at, frame);
    }
    let by_themselves = report(&capture, &["--points", "session"]);
    let named = ["vxlan 5001", "vlan 900", "geneve 5001", "tzsp", "capture"];
    assert_eq!(column(only_stream(&by_themselves), "point"), named);
    let file = "[[point]]\nname = \"a\"\nmirror = { vxlan = 5001 }\n\
                [[point]]\nname = \"b\"\nmirror = { outer_vlan = 900 }\n\
                [[point]]\nname = \"c\"\nmirror = { geneve = 5001, from = \"172.16.0.1\" }\n";
    let configured = report_by(&capture, file);
    assert_eq!(column(only_stream(&configured), "point"), ["a", "b", "c", "capture", "capture"]);
    assert_eq!(column(only_stream(&configured), "unique"), [PACKETS; 5]);
}

/// One session that copies each packet on its way into the switch and on its way out, re-marked.
fn both_ways() -> Capture {
    let mut capture = Capture::new();
    for i in 0..PACKETS {
        for (egress, dscp, delay) in [(false, 46, 0), (true, 0, 20_000)] {
            let (at, frame) = out().dscp(dscp).frame(i);
            let number = i * 2 + u32::from(egress);
            capture.add(at + delay, erspan_from(SWITCHES[0], 12, number, Some(egress), &frame));
        }
    }
    capture
}

#[test]
fn copies_of_both_ways_are_hops_of_one_point_or_two_points() {
    let by_themselves = report(&both_ways(), &["--points", "session"]);
    let file = "[[point]]\nname = \"in\"\nmirror = { erspan_session = 12, direction = \"ingress\" }\n\
                [[point]]\nname = \"out\"\nmirror = { erspan_session = 12, direction = \"egress\" }\n";
    let configured = report_by(&both_ways(), file);
    for (report, points) in [(by_themselves, ["erspan 12"; 2]), (configured, ["in", "out"])] {
        let stream = only_stream(&report);
        assert_eq!(column(stream, "point"), points);
        assert_eq!(column(stream, "marking"), ["conformant", "remarked"]);
        assert_eq!(stream["segments"][0]["remarked"]["46>0"]["packets"], PACKETS);
        assert_eq!(report["captures"][0]["tunnel_lost"], 0);
    }
}

#[test]
fn gaps_of_a_tunnel_are_counted_whatever_the_order() {
    let mut capture = Capture::new();
    for (i, at, frame) in heard(63, 0) {
        let number = 0xFFFF_FF00_u32.wrapping_add(i);
        let copy = numbered_erspan(SWITCHES[0], 12, number, &frame);
        match i {
            // Lost: 3 and 1.
            100..103 | 300 => continue,
            // Overtaken by five packets; heard twice.
            200 => capture.add(at + ms(105), copy),
            250 => {
                capture.add(at, copy.clone());
                capture.add(at + ms(45), copy);
            }
            // What is mirrored and cannot be read is numbered as well.
            400 => capture.add(at, numbered_erspan(SWITCHES[0], 12, number, &[2; 20])),
            _ => capture.add(at, copy),
        }
        // GRE that is no mirror's numbers its packets too.
        if i % 3 == 0 {
            capture.add(at + 5, sequenced_gre(i));
        }
    }
    let report = report(&capture, &[]);
    let read = &report["captures"][0];
    assert_eq!(read["tunnel_lost"], 4);
    let heard = json!([{
        "erspan_session": 12, "source": SWITCHES[0], "destination": "172.16.0.99",
        "frames": PACKETS - 4, "lost": 4,
    }]);
    assert_eq!(read["tunnels"], heard);
}

/// A packet in GRE with a sequence number, of which each third is there.
fn sequenced_gre(number: u32) -> Vec<u8> {
    let packet = Udp::new("10.9.9.9:1", "10.9.9.8:2").packet(&[0; 20]);
    let mut frame = gre(7, &packet);
    // Ethernet 14, IPv4 20: the flags of GRE, and where the key was stands the number.
    frame[34] = 0x10;
    frame[38..42].copy_from_slice(&number.to_be_bytes());
    frame
}

#[test]
fn the_text_report_says_which_mirror_lost_frames() {
    let folder = Folder::new();
    folder.write("test.pcap", &three_sessions().pcap());
    let run = folder.replay(["test.pcap"]);
    let said = run.stdout().split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "mirror 4 frames lost between switch and here, by the tunnel's own numbers: losses may not be \
                    real. 4 of 500 frames of ERSPAN session 13 from 10.255.0.2.";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn sessions_beyond_the_bound_stay_at_the_captures_point() {
    let mut capture = Capture::new();
    for session in 1..=70_u16 {
        let flow = Udp::new(&format!("10.20.0.{session}:50004"), "52.112.0.1:3479");
        let stream = Stream::g711(flow).ssrc(u32::from(session));
        for i in 0..50 {
            let (at, frame) = stream.frame(i);
            capture.add(at, numbered_erspan(SWITCHES[0], session, i, &frame));
        }
    }
    let report = report(&capture, &["--points", "session"]);
    assert_eq!(streams(&report).len(), 70);
    let at = |name: &str| streams(&report).iter().filter(|s| hops(s)[0]["point"] == name).count();
    assert_eq!((at("capture"), at("erspan 63"), at("erspan 64")), (7, 1, 0));
    assert_eq!(report["counters"]["packets_beyond_point_limit"], 7 * 50);
    assert_eq!(report["captures"][0]["tunnels"].as_array().unwrap().len(), 70);
}

/// A path of three places with faults of the network and of the mirrors, in so many tunnels.
fn scenario(tunnels: [&str; 3], one_collector: bool) -> String {
    format!(
        r#"
seed = 5
one_collector = {one_collector}
[[point]]
name = "access"
{}
mirror_loss = 0.01
[[point]]
name = "core"
{}
mirror_loss = 0.02
mirror_duplicates = 0.01
[[point.segment]]
direction = "reverse"
remark = [{{ from = "EF", to = "DF" }}]
loss = 0.01
[[point]]
name = "edge"
{}
[[point.segment]]
direction = "forward"
loss = 0.02
reorder = 0.01
[[stream]]
direction = "both"
source = "10.20.1.15"
destination = "52.114.88.40"
packets = 1500
[[stream]]
direction = "both"
class = "video"
source = "10.20.1.16"
destination = "52.114.88.41"
packets = 1500
[[stun]]
client = "10.20.1.15:50004"
server = "52.114.88.40:3479"
[background]
share = 0.2
"#,
        tunnels[0], tunnels[1], tunnels[2]
    )
}

/// Plays a scenario into a folder; gives its truth.
fn played(folder: &Folder, name: &str, scenario: &str) -> Value {
    let file = folder.write(&format!("{name}.toml"), scenario.as_bytes());
    made([file], &folder.path().join(name)).0
}

#[test]
fn one_capture_of_three_sessions_says_what_three_captures_say() {
    let erspan = |n: u8| format!("encapsulation = [\"erspan{n}\"]");
    let (two, three) = (erspan(2), erspan(3));
    let (network, tag) = ("encapsulation = [\"vxlan\"]", "vlan = [900, 110]");
    for (tunnels, keys) in [
        (
            [&*two, &*three, &*two],
            ["erspan_session = 100", "erspan_session = 101", "erspan_session = 102, from = \"198.51.100.3\""],
        ),
        ([network, tag, &*two], ["vxlan = 100", "outer_vlan = 900", "erspan_session = 102"]),
    ] {
        let folder = Folder::new();
        let truth = played(&folder, "one", &scenario(tunnels, true));
        played(&folder, "three", &scenario(tunnels, false));
        let points = ["access", "core", "edge"];
        let tables = points.iter().zip(keys);
        let tables =
            tables.map(|(name, key)| format!("[[point]]\nname = \"{name}\"\nmirror = {{ {key} }}\n"));
        folder.write("one.toml", tables.collect::<String>().as_bytes());
        let one = replay(&folder, &["--config", "one.toml", "one/capture.pcap"]);
        let files = points.map(|name| format!("{name}=three/{name}.pcap"));
        let three = replay(&folder, &files.each_ref().map(String::as_str));

        for key in ["streams", "stun", "joins", "findings", "summary"] {
            assert_eq!(one[key], three[key], "{key} of {keys:?}");
        }
        assert_eq!(streams(&one).len(), 4);
        for got in streams(&one) {
            let truths = truth["streams"].as_array().unwrap();
            let wanted = truths.iter().find(|wanted| wanted["ssrc"] == got["ssrc"]).unwrap();
            for figure in ["point", "packets", "unique", "dscp", "encapsulation", "vlan", "reordered"] {
                assert_eq!(column(got, figure), column(wanted, figure), "{figure}");
            }
        }
        let [read] = &one["captures"].as_array().unwrap()[..] else { panic!("one capture") };
        let [wanted] = &truth["captures"].as_array().unwrap()[..] else { panic!("one capture") };
        assert_eq!((&read["packets"], &wanted["points"]), (&wanted["packets"], &json!(points)));
        let figures = |of: &Value| -> Vec<Value> {
            let mut tunnels: Vec<Value> = of["tunnels"].as_array().unwrap().clone();
            for tunnel in &mut tunnels {
                tunnel.as_object_mut().unwrap().remove("point");
            }
            tunnels.sort_by_key(|tunnel| tunnel["erspan_session"].as_u64());
            tunnels
        };
        assert_eq!(figures(read), figures(wanted));
    }
}
