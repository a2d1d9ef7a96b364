//! Digests and frames of the same traffic come to the same figures.

#![allow(clippy::cast_possible_truncation, reason = "numbers that come again")]
#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]
#![allow(clippy::disallowed_methods, reason = "programs and senders are waited for by this machine's clock")]

mod common;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use common::cable::{Sender, ip};
use common::packet::{PROVIDER_VLAN, VLAN, ethernet};
use common::tunnel::{channel_data, stun, vxlan};
use common::{Appliance, Calls, Random, Stream, Udp, add_cable, in_namespace, kernel_count};
use hopmark::capture::kernel::{DigestOptions, DigestProgram};
use hopmark::meter::MOST_CHOSEN;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// The same is sent to both points, of which one hears frames and the other digests.
const CONFIG: &str = "
[[point]]
name = \"frames\"
interface = \"right\"
[[point]]
name = \"digests\"
interface = \"right2\"
backend = \"xdp\"
mend_offloads = true
";

/// Families that are to differ: when and how packets were taken in, and what depends on the nanosecond.
const OWN: [&str; 7] = [
    "hopmark_capture_snapped_total",
    "hopmark_capture_time_source_info",
    "hopmark_capture_last_packet_timestamp_seconds",
    "hopmark_capture_xdp_native",
    "hopmark_rtp_jitter_seconds",
    "hopmark_peak_bytes_per_second",
    "hopmark_stun_round_trip_seconds",
];

/// The i-th packet of a stream from RTP on, with what an RTP header may announce: padding, sources, an extension.
fn announcing(stream: &Stream, i: u32) -> Vec<u8> {
    let plain = stream.payload(i);
    let (first, header, payload) = (plain[0], &plain[1..12], &plain[12..]);
    let sources = if i.is_multiple_of(5) { 2 } else { 0 };
    let extension: &[u8] = if i.is_multiple_of(3) { &[0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0] } else { &[] };
    let padding: &[u8] = if i.is_multiple_of(7) { &[0, 0, 0, 4] } else { &[] };
    let flags = u8::from(!padding.is_empty()) << 5 | u8::from(!extension.is_empty()) << 4 | sources;
    let sources = vec![9; 4 * usize::from(sources)];
    [&[first | flags][..], header, &sources, extension, payload, padding].concat()
}

/// What is sent at the i-th beat of 20 ms: something of everything that is on such lines.
fn sent(i: u32) -> Vec<Vec<u8>> {
    let flow = |n: u8| Udp::new(&format!("10.1.0.{n}:50000"), &format!("10.2.0.{n}:50002"));
    let flow_6 = |n: u8| Udp::new(&format!("[2001:db8::{n}]:50000"), &format!("[2001:db8:1::{n}]:50002"));
    let stream = |n: u8| Stream::g711(flow(n)).ssrc(0x7000_0000 + u32::from(n)).sequence(65_500);
    let mut frames = vec![stream(1).frame(i).1];
    // Lost, twice, late.
    if !i.is_multiple_of(17) {
        frames.push(stream(2).frame(i).1);
    }
    if i.is_multiple_of(23) {
        frames.push(stream(2).frame(i + 1).1);
    }
    // At once, so that no interval ends in between.
    if i.is_multiple_of(2) {
        frames.extend([i + 1, i].map(|i| stream(3).frame(i).1));
    }
    // Marked otherwise from the middle on, by another way.
    let changed = if i < 70 { stream(4) } else { stream(4).dscp(0).ttl(61) };
    frames.push(changed.frame(i).1);
    frames.push(stream(5).flow.frame(&announcing(&stream(5), i)));
    let short = Stream { octets: (i % 50) as usize, ..stream(6) };
    frames.push(short.frame(i).1);
    frames.push(Stream { flow: flow_6(7), ..stream(7) }.frame(i).1);
    frames.push(stream(8).flow.tagged(&[(VLAN, 7, 5)], &stream(8).payload(i)));
    let tags = [(PROVIDER_VLAN, 100, 1), (VLAN, if i < 70 { 8 } else { 9 }, 6)];
    frames.push(flow_6(9).tagged(&tags, &stream(9).payload(i)));
    // What the link fills up.
    let tiny = Stream { octets: 1, ..stream(10) }.frame(i).1;
    frames.push([tiny, vec![0; 5]].concat());
    // What is not told: tunnels, wrappers, more tags, and all that is no RTP.
    frames.push(vxlan(5, &stream(11).frame(i).1));
    frames.push(flow(12).frame(&channel_data(0x4001, &stream(12).payload(i))));
    frames.push(flow(13).tagged(&[(VLAN, 1, 0), (VLAN, 2, 0), (VLAN, 3, 3)], &stream(13).payload(i)));
    frames.push(flow(14).segment(i, &[7; 20]));
    // Video, of which some packets are too long for one frame.
    let video = Stream { octets: 1000, ..stream(15) };
    if i.is_multiple_of(4) {
        frames.extend(video.flow.identification(i as u16).fragments(&video.payload(i), 600));
    } else {
        frames.push(video.frame(i).1);
    }
    if i.is_multiple_of(10) {
        let id = [i as u8; 12];
        frames.push(flow(1).frame(&stun(0x0001, id, &[])));
        frames.push(flow(1).reversed().frame(&stun(0x0101, id, &[])));
        frames.push(flow(2).frame(&[&[0x80, 200, 0, 6][..], &[3; 24]].concat()));
        frames.push(ethernet(0x0806, &[0; 46]));
    }
    frames
}

/// Series of a point, by name and labels without it.
fn series(metrics: &str, point: &str) -> BTreeMap<String, String> {
    let label = format!("point=\"{point}\"");
    let split = |line: &str| line.rsplit_once(' ').map(|(key, value)| (key.to_owned(), value.to_owned()));
    let own = |key: &str| OWN.iter().any(|family| key.starts_with(family));
    let lines = metrics.lines().filter(|line| line.contains(&label)).filter_map(split);
    lines.filter(|(key, _)| !own(key)).map(|(key, value)| (key.replace(&label, ""), value)).collect()
}

/// Every packet that was sent was read, dropped or filtered.
fn wait_for_all(appliance: &Appliance, point: &str, sender: &str) {
    const SUM: [&str; 3] =
        ["hopmark_capture_packets_total", "hopmark_capture_dropped_total", "hopmark_capture_filtered_total"];
    appliance.wait_for("seen, dropped and filtered are what was sent", || {
        let metrics = appliance.metrics();
        let told: u64 = SUM.iter().map(|name| metrics.count(name, &[("point", point)])).sum();
        let sent = kernel_count(sender, "tx_packets");
        assert!(told <= sent, "{told} of {sent}: {}", metrics.with_values());
        told == sent
    });
}

/// What is told of the hops of a stream at a point, but for times.
fn hops(stream: &Value, point: &str) -> Vec<Value> {
    const OWN: [&str; 7] =
        ["point", "interface", "first", "last", "bitrate_bps", "jitter_seconds", "dscp_changes"];
    let hops = stream["hops"].as_array().expect("a list of hops").iter();
    let without_times = |hop: &Value| {
        let mut hop = hop.as_object().expect("a hop").clone();
        hop.retain(|key, _| !OWN.contains(&key.as_str()));
        Value::Object(hop)
    };
    hops.filter(|hop| hop["point"] == point).map(without_times).collect()
}

/// All streams of both points in full.
fn streams(appliance: &Appliance) -> Vec<Value> {
    let page = appliance.api("/api/v1/streams?per_page=1000");
    let ids = page["streams"].as_array().expect("a list").iter();
    ids.map(|stream| {
        let id = stream["id"].as_str().expect("a name");
        appliance.api(&format!("/api/v1/streams/{id}"))["stream"].clone()
    })
    .collect()
}

fn wait_for_judge(appliance: &Appliance) {
    let intervals = || appliance.metrics().count("hopmark_intervals_total", &[]);
    let now = intervals();
    appliance.wait_for("all is judged", || intervals() > now + 4);
}

/// Sends what `frames` gives for each beat on both cables.
fn talk(beats: u32, frames: impl Fn(u32) -> [Vec<Vec<u8>>; 2]) {
    let senders = ["left", "left2"].map(Sender::on);
    let begun = Instant::now();
    for i in 0..beats {
        thread::sleep((begun + Duration::from_millis(20) * i).saturating_duration_since(Instant::now()));
        for (sender, frames) in senders.iter().zip(frames(i)) {
            sender.send_all(&frames);
        }
    }
}

/// Whether there is a program on the interface, and how it runs.
fn program_on(interface: &str) -> Option<String> {
    let said: Value = serde_json::from_str(&ip(&format!("-json link show dev {interface}"))).expect("JSON");
    let mode = said[0]["xdp"].as_object()?["mode"].as_u64()?;
    Some(if mode == 1 { "native" } else { "generic" }.to_owned())
}

fn figures_are_the_same(is_native: bool) {
    let appliance = Appliance::start(CONFIG);
    let how = if is_native { "native" } else { "generic" };
    assert_eq!(program_on("right2").as_deref(), Some(how), "{}", appliance.log());
    assert!(appliance.log().contains(&format!("({how})")), "{}", appliance.log());
    let gauge = appliance.metrics().values("hopmark_capture_xdp_native", &[("point", "digests")]);
    assert_eq!(gauge, [f64::from(u8::from(is_native))]);
    talk(150, |i| [sent(i), sent(i)]);
    for (point, sender) in [("frames", "left"), ("digests", "left2")] {
        wait_for_all(&appliance, point, sender);
    }
    wait_for_judge(&appliance);
    let metrics = appliance.metrics();
    let [frames, mut digests] = ["frames", "digests"].map(|point| series(&metrics.0, point));
    let untold = digests.remove("hopmark_capture_dropped_total{,reason=\"digest-ring\"}");
    assert_eq!(untold.as_deref(), Some("0"));
    assert_eq!(frames, digests, "{}", metrics.with_values());
    assert!(metrics.count("hopmark_rtp_reordered_packets_total", &[]) > 100, "{}", metrics.with_values());

    let streams = streams(&appliance);
    assert_eq!(streams.len(), 14, "{streams:#?}");
    for stream in &streams {
        assert_eq!(hops(stream, "frames"), hops(stream, "digests"), "{stream:#}");
        let jitter = |point| -> f64 {
            let own = stream["hops"].as_array().expect("hops").iter().find(|hop| hop["point"] == point);
            own.expect("a hop of each point")["jitter_seconds"]["mean"].as_f64().expect("a number")
        };
        assert!((jitter("frames") - jitter("digests")).abs() < 0.001, "{stream:#}");
    }
}

#[test]
fn digests_and_frames_come_to_the_same() {
    in_namespace(|| {
        add_cable("left2", "right2");
        figures_are_the_same(true);
    });
}

#[test]
fn where_the_driver_has_no_room_the_kernel_makes_digests_of_the_same() {
    in_namespace(|| {
        add_cable("left2", "right2");
        for end in ["left2", "right2"] {
            ip(&format!("link set {end} mtu 9000"));
        }
        figures_are_the_same(false);
    });
}

#[test]
fn streams_are_joined_by_what_digests_tell_of_payloads() {
    in_namespace(|| {
        add_cable("left2", "right2");
        let appliance = Appliance::start(CONFIG);
        let before = Stream::opus(Udp::new("10.1.0.1:50000", "10.9.0.9:3478")).ssrc(1);
        let behind = Stream::opus(Udp::new("10.9.0.9:50004", "10.2.0.1:50006")).ssrc(2).sequence(7);
        talk(300, |i| {
            let said = |stream: &Stream| {
                let mut random = Random::new(u64::from(i));
                let mut packet = stream.payload(i);
                packet.iter_mut().skip(12).for_each(|octet| *octet = random.u8());
                vec![stream.flow.frame(&packet)]
            };
            [said(&before), said(&behind)]
        });
        appliance.wait_for("a relay's sides are joined", || {
            let joined = [("from", "frames"), ("to", "digests")];
            appliance.metrics().count("hopmark_segment_packets_total", &joined) > 0
        });
    });
}

#[test]
fn the_program_goes_off_the_interface_with_the_process() {
    in_namespace(|| {
        add_cable("left2", "right2");
        let mut appliance = Appliance::start(CONFIG);
        assert_eq!(program_on("right2").as_deref(), Some("native"));
        // It needs no opener once it is there.
        kill(Pid::from_raw(i32::try_from(appliance.opener()).expect("a number")), Signal::SIGKILL)
            .expect("it runs");
        thread::sleep(Duration::from_millis(200));
        assert_eq!(program_on("right2").as_deref(), Some("native"));
        appliance.signal(Signal::SIGKILL);
        appliance.end();
        assert_eq!(program_on("right2"), None);
    });
}

#[test]
fn where_another_program_is_all_comes_in_frames() {
    in_namespace(|| {
        add_cable("left2", "right2");
        let options = DigestOptions { excluded_udp_ports: Vec::new(), payloads: MOST_CHOSEN, octets: 0 };
        let index = nix::net::if_::if_nametoindex("right2").expect("an interface");
        let other = DigestProgram::load(&options).expect("a program").attach(index).expect("a place");
        let appliance = Appliance::start(CONFIG);
        assert!(appliance.log().contains("another XDP program"), "{}", appliance.log());
        assert!(appliance.metrics().values("hopmark_capture_xdp_native", &[]).is_empty());
        drop(other);
        let talk = Calls::on(&["left2"]).start();
        let heard = || appliance.metrics().count("hopmark_rtp_packets_total", &[("point", "digests")]);
        appliance.wait_for("it is heard", || heard() > 100);
        drop(talk);
    });
}

#[test]
fn what_finds_no_room_is_counted_and_suspect() {
    in_namespace(|| {
        add_cable("left2", "right2");
        let appliance = Appliance::start(&format!("[capture]\nblocks = 2\nblock_octets = 65536\n{CONFIG}"));
        let sender = Sender::on("left2");
        let stream = Stream::g711(Udp::new("10.1.0.1:50000", "10.2.0.1:50002"));
        let send = |packets: std::ops::Range<u32>| {
            for i in packets {
                while sender.try_send(&stream.frame(i).1).is_err() {}
            }
        };
        send(0..1000);
        wait_for_all(&appliance, "digests", "left2");
        appliance.signal(Signal::SIGSTOP);
        send(1000..6000);
        appliance.signal(Signal::SIGCONT);
        send(6000..6100);
        wait_for_all(&appliance, "digests", "left2");
        wait_for_judge(&appliance);
        let metrics = appliance.metrics();
        let dropped = metrics.count("hopmark_capture_dropped_total", &[("reason", "digest-ring")]);
        assert!(dropped > 1000, "{}", metrics.with_values());
        assert!(metrics.count("hopmark_suspect_intervals_total", &[("reason", "drop-count")]) > 0);
    });
}
