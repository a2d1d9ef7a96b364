//! Packets are counted exactly: lost, late, twice, astray, over restarts and outages, with the jitter of RFC 3550.

#![allow(clippy::indexing_slicing, reason = "a report that lacks a key has failed")]

mod common;

use common::run::{findings, hops, streams};
use common::{Capture, Stream, Udp, hop, ms, report, rtp, s};
use serde_json::{Value, json};

fn stream() -> Stream {
    Stream::g711(Udp::new("10.1.1.1:50004", "10.2.2.2:50006"))
}

fn figures<const N: usize>(hop: &Value, keys: [&str; N]) -> [u64; N] {
    keys.map(|key| hop[key].as_u64().unwrap_or_else(|| panic!("{key} in {hop}")))
}

const ALL: [&str; 7] = ["packets", "unique", "expected", "lost", "duplicates", "reordered", "stray"];

/// Jitter in seconds.
fn jitter(hop: &Value, key: &str) -> f64 {
    hop["jitter_seconds"][key].as_f64().unwrap_or_else(|| panic!("jitter in {hop}"))
}

#[test]
fn lost_late_and_doubled_packets_are_told_apart() {
    let stream = stream();
    let mut packets: Vec<_> = stream.frames((0..400).filter(|i| ![50, 51, 120].contains(i))).collect();
    // One again; one that comes five packets late.
    packets.push(stream.frame(200));
    packets[299].0 += ms(101);
    let report = report(&Capture::of(packets));
    assert_eq!(figures(hop(&report), ALL), [398, 397, 400, 3, 1, 1, 0]);
    assert_eq!(hop(&report)["loss_bursts"]["1"], 1);
    assert_eq!(hop(&report)["loss_bursts"]["2"], 1);
}

#[test]
fn runs_of_loss_are_counted_by_length() {
    let runs: [u32; 10] = [1, 1, 2, 3, 4, 5, 9, 10, 19, 20];
    let mut lost = Vec::new();
    let mut at = 50;
    for run in runs {
        lost.extend(at..at + run);
        at += run + 40;
    }
    let report = report(&Capture::of(stream().frames((0..at).filter(|i| !lost.contains(i)))));
    let expected = json!({ "1": 2, "2": 1, "3-4": 2, "5-9": 2, "10-19": 2, "20+": 1 });
    assert_eq!(hop(&report)["loss_bursts"], expected);
    assert_eq!(hop(&report)["lost"], 74);
    assert_eq!(findings(&report, "burst-loss").len(), 1);
}

#[test]
fn a_wrap_is_no_loss_also_where_packets_around_it_are_lost() {
    let stream = stream().sequence(65_000);
    let report = report(&Capture::of(stream.frames((0..70_000).filter(|i| ![535, 536, 66_071].contains(i)))));
    assert_eq!(figures(hop(&report), ALL), [69_997, 69_997, 70_000, 3, 0, 0, 0]);
    assert_eq!(hop(&report)["resets"], 0);
}

#[test]
fn a_restart_is_no_loss_and_no_jitter() {
    let first = stream();
    for (name, sequence, timestamp) in
        [("ahead", 40_000, 900_000_000), ("back", 3, 5), ("far back", 700, 49_000)]
    {
        let second = Stream { sequence, timestamp, ..first.at(first.time(250)) };
        let report = report(&Capture::of(first.frames(0..250).chain(second.frames(0..250))));
        assert_eq!(figures(hop(&report), ALL), [500, 500, 500, 0, 0, 0, 0], "{name}");
        assert_eq!(figures(hop(&report), ["resets", "outages"]), [1, 0], "{name}");
        assert!(jitter(hop(&report), "max") < 1e-4, "{name}");
        assert!(findings(&report, "loss").is_empty());
    }
}

#[test]
fn an_outage_is_loss_and_no_restart() {
    let stream = stream();
    let report = report(&Capture::of(stream.frames((0..6000).filter(|i| !(1000..5000).contains(i)))));
    // 80 s without a packet are over the time-out of a stream.
    assert_eq!(streams(&report).len(), 2);
    let shorter = Stream { interval: ms(10), step: 80, ..stream };
    let report = self::report(&Capture::of(shorter.frames((0..6000).filter(|i| !(1000..5000).contains(i)))));
    assert_eq!(figures(hop(&report), ALL), [2000, 2000, 6000, 4000, 0, 0, 0]);
    assert_eq!(figures(hop(&report), ["resets", "outages"]), [0, 1]);
    assert_eq!(hop(&report)["loss_bursts"]["20+"], 1);
}

#[test]
fn packets_astray_are_counted_and_nothing_else() {
    let stream = stream();
    let mut packets: Vec<_> = stream.frames(0..300).collect();
    for (i, sequence) in [(100_i64, 40_000_u16), (150, 20_000), (200, 60_000)] {
        packets.push((ms(20) * i + ms(3), stream.flow.frame(&rtp(0, sequence, 77, stream.ssrc, 160))));
    }
    let report = report(&Capture::of(packets));
    assert_eq!(figures(hop(&report), ALL), [303, 300, 300, 0, 0, 0, 3]);
    assert_eq!(hop(&report)["resets"], 0);
    assert!(jitter(hop(&report), "max") < 1e-4);
    assert_eq!(hop(&report)["dscp"], json!({ "46": 303 }));
}

#[test]
fn a_stream_is_over_after_a_minute_without_a_packet() {
    let first = stream();
    let again = first.at(first.time(100) + s(61)).sequence(1100);
    let report = report(&Capture::of(first.frames(0..100).chain(again.frames(0..50))));
    let unique: Vec<_> = streams(&report).iter().map(|stream| hops(stream)[0]["unique"].clone()).collect();
    assert_eq!(unique, [100, 50]);
    let shorter = first.at(first.time(100) + s(55)).sequence(1100);
    let report = self::report(&Capture::of(first.frames(0..100).chain(shorter.frames(0..50))));
    assert_eq!(streams(&report).len(), 1);
}

#[test]
fn one_packet_after_the_time_out_is_no_stream() {
    let stream = stream();
    let late = (stream.time(100) + s(90), stream.flow.frame(&rtp(0, 7, 7, stream.ssrc, 160)));
    let report = report(&Capture::of(stream.frames(0..100).chain([late])));
    assert_eq!(streams(&report).len(), 1);
    assert_eq!(figures(hop(&report), ["packets", "unique", "stray"]), [101, 100, 1]);
}

#[test]
fn jitter_is_that_of_rfc_3550() {
    let mut expected = 0.0_f64;
    let (mut sum, mut most) = (0.0_f64, 0.0_f64);
    let mut before = None;
    let stream = stream();
    let packets: Vec<_> = (0..500_u32)
        .map(|i| {
            let late = ms(i64::from(i * 7919 % 13));
            if let Some(before) = before.replace(late) {
                let difference = (late - before) as f64 / 1e9;
                expected += (difference.abs() - expected) / 16.0;
                sum += expected;
                most = most.max(expected);
            }
            (stream.time(i) + late, stream.flow.frame(&stream.payload(i)))
        })
        .collect();
    let report = report(&Capture::of(packets));
    for (key, value) in [("last", expected), ("mean", sum / 499.0), ("max", most)] {
        assert!((jitter(hop(&report), key) - value).abs() < 1e-6, "{key}: {} {value}", hop(&report));
    }
    assert_eq!(hop(&report)["jitter_seconds"]["updates"], 499);
}

/// One packet: when, sequence number, timestamp, payload type.
type Packet = (i64, u16, u32, u8);

#[test]
fn silence_events_and_late_packets_do_not_spoil_jitter() {
    let cases: [(&str, Vec<Packet>); 5] = [
        (
            "silence of three seconds",
            (0..400_u32)
                .map(|i| {
                    let slot = i + if i < 200 { 0 } else { 150 };
                    (ms(20) * i64::from(slot), i as u16, slot * 160, 0)
                })
                .collect(),
        ),
        (
            "comfort noise in silence",
            (0..400_u32)
                .map(|i| {
                    let slot = if i < 200 { i } else { 200 + (i - 200) * 10 };
                    (ms(20) * i64::from(slot), i as u16, slot * 160, if i < 200 { 0 } else { 13 })
                })
                .collect(),
        ),
        (
            "a telephone event of ten packets and one timestamp",
            (0..400_u32)
                .map(|i| {
                    let in_event = (200..210).contains(&i);
                    let timestamp = if in_event { 200 * 160 } else { i * 160 };
                    (ms(20) * i64::from(i), i as u16, timestamp, if in_event { 101 } else { 0 })
                })
                .collect(),
        ),
        (
            "a sender that begins its timestamps anew",
            (0..400_u32)
                .map(|i| {
                    (ms(20) * i64::from(i), i as u16, i * 160 + if i < 200 { 0 } else { 0x5000_0000 }, 0)
                })
                .collect(),
        ),
        (
            "a packet that is 100 ms late",
            (0..400_u32)
                .map(|i| (ms(20) * i64::from(i) + if i == 200 { ms(101) } else { 0 }, i as u16, i * 160, 0))
                .collect(),
        ),
    ];
    for (name, packets) in cases {
        let flow = stream().flow;
        let frames = packets.into_iter().map(|(at, sequence, timestamp, kind)| {
            (at, flow.frame(&rtp(kind, sequence, timestamp, 0xCAFE_0001, 160)))
        });
        let report = report(&Capture::of(frames));
        assert_eq!(figures(hop(&report), ["unique", "lost"]), [400, 0], "{name}");
        assert!(jitter(hop(&report), "max") < 1e-4, "{name}: {}", hop(&report)["jitter_seconds"]);
    }
}

#[test]
fn the_packets_of_a_picture_do_not_count_as_jitter() {
    let flow = stream().flow.dscp(34);
    let packets = (0..1200_i64).map(|i| {
        let picture = i / 12;
        let at = picture * 33_333_333 + i % 12 * 900_000;
        (at, flow.frame(&rtp(107, i as u16, (picture * 3000) as u32, 0xCAFE_0001, 1100)))
    });
    let report = report(&Capture::of(packets));
    assert_eq!(streams(&report)[0]["clock_rate_hz"], 90_000);
    assert!(jitter(hop(&report), "max") < 1e-4, "{}", hop(&report)["jitter_seconds"]);
}

#[test]
fn clock_rates_are_told_from_the_packets() {
    let rates = [8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 90_000];
    for hz in rates {
        let packets = (0..400_u32).map(|i| {
            let step = hz / 50;
            let late = ms(i64::from(i * 7919 % 5));
            // Packets of 220.5 samples do not exist: those of 44.1 kHz have whole ones.
            let at = i64::from(i) * (i64::from(step) * 1_000_000_000 / i64::from(hz)) + late;
            (at, stream().flow.frame(&rtp(100, i as u16, i * step, 0xCAFE_0001, 100)))
        });
        let report = report(&Capture::of(packets));
        let stream = &streams(&report)[0];
        assert_eq!(stream["clock_rate_hz"], hz, "{hz}");
        assert_eq!(stream["clock_rate_source"], "inferred", "{hz}");
        let mean = jitter(hop(&report), "mean");
        assert!((0.001..0.003).contains(&mean), "{hz}: {mean}");
    }
    let assigned = report(&Capture::of(stream().frames(0..100)));
    assert_eq!(streams(&assigned)[0]["clock_rate_source"], "static");
}

#[test]
fn a_payload_type_of_another_clock_keeps_jitter_right() {
    // Opus at 48 kHz, then G.722 at 8 kHz, on one timeline.
    let mut timestamp = 0_u32;
    let packets: Vec<_> = (0..600_u32)
        .map(|i| {
            let (kind, step) = if (200..400).contains(&i) { (9, 160) } else { (111, 960) };
            timestamp = timestamp.wrapping_add(step);
            let late = ms(i64::from(i * 7919 % 5));
            (
                ms(20) * i64::from(i) + late,
                stream().flow.frame(&rtp(kind, i as u16, timestamp, 0xCAFE_0001, 80)),
            )
        })
        .collect();
    let report = report(&Capture::of(packets));
    assert_eq!(figures(hop(&report), ["unique", "lost"]), [600, 0]);
    assert!(jitter(hop(&report), "max") < 0.004, "{}", hop(&report)["jitter_seconds"]);
}

#[test]
fn loss_has_its_findings_by_the_limits() {
    let lossy = |one_in: u32| report(&Capture::of(stream().frames((0..2000).filter(|i| i % one_in != 7))));
    assert!(findings(&lossy(200), "loss").is_empty());
    assert_eq!(findings(&lossy(50), "loss")[0]["severity"], "warning");
    assert_eq!(findings(&lossy(8), "loss")[0]["severity"], "error");
    let short = report(&Capture::of(stream().frames((0..90).filter(|i| i % 8 != 7))));
    assert!(findings(&short, "loss").is_empty());
    assert_eq!(streams(&short)[0]["quality"]["verdict"], "unclassified");
}
