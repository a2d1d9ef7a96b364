//! Digests and frames of the same traffic come to the same figures.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]
#![allow(clippy::disallowed_methods, reason = "programs and senders are waited for by this machine's clock")]

mod common;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use common::cable::Sender;
use common::packet::{PROVIDER_VLAN, VLAN, ethernet};
use common::tunnel::{channel_data, stun, vxlan};
use common::{Appliance, Calls, Stream, Udp, add_cable, in_namespace, kernel_count};
use serde_json::Value;

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
    frames.push(stream(3).frame(i ^ 1).1);
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

#[test]
fn digests_and_frames_come_to_the_same() {
    in_namespace(|| {
        add_cable("left2", "right2");
        let appliance = Appliance::start(CONFIG);
        let senders = [Sender::on("left"), Sender::on("left2")];
        let begun = Instant::now();
        for i in 0..150 {
            thread::sleep((begun + Duration::from_millis(20) * i).saturating_duration_since(Instant::now()));
            for frame in sent(i) {
                for sender in &senders {
                    sender.send(&frame);
                }
            }
        }
        for (point, sender) in [("frames", "left"), ("digests", "left2")] {
            wait_for_all(&appliance, point, sender);
        }
        let intervals = || appliance.metrics().count("hopmark_intervals_total", &[]);
        let now = intervals();
        appliance.wait_for("all is judged", || intervals() > now + 4);
        let metrics = appliance.metrics();
        let [frames, digests] = ["frames", "digests"].map(|point| series(&metrics.0, point));
        for s in appliance.api("/api/v1/streams?per_page=1000")["streams"].as_array().unwrap() {
            eprintln!(
                "{}",
                serde_json::to_string(
                    &appliance.api(&format!("/api/v1/streams/{}", s["id"].as_str().unwrap_or("?")))
                )
                .unwrap_or_default()
            );
        }
        let differ: Vec<_> = frames
            .keys()
            .chain(digests.keys())
            .filter(|k| frames.get(*k) != digests.get(*k))
            .map(|k| (k, frames.get(k), digests.get(k)))
            .collect();
        assert!(differ.is_empty(), "{differ:#?} {}", appliance.metrics().with_values());
        assert!(frames.len() > 100, "{}", frames.len());
    });
}
