//! A gap that unrelated streams share is never blamed on the network.
//!
//! Nothing in these captures tells of drops; only that many streams fall silent at one moment.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::run::{findings, only_finding, report};
use common::synth::{Played, calls, played};
use common::{Capture, Stream, Udp, ms};
use serde_json::{Value, json};

fn scenario(edge: &str, segment: &str, streams: &str) -> Played {
    played(&format!(
        "seed = 3\n[[point]]\nname = \"access\"\n[[point]]\nname = \"edge\"\n{edge}\n[[point.segment]]\n{segment}\n{streams}"
    ))
}

/// Streams whose last hop is the edge, where no later hop can tell.
fn outward(played: &Played) -> Vec<(&Value, &Value)> {
    played.streams().into_iter().filter(|(stream, _)| stream["direction"] == "forward").collect()
}

fn blamed(report: &Value) -> usize {
    findings(report, "segment-loss").iter().filter(|finding| finding["severity"] != "info").count()
}

#[test]
fn a_silence_of_the_mirror_that_all_calls_share_is_suspect() {
    for streams in [calls(3, 10.0), calls(50, 10.0)] {
        let played = scenario("mirror_gaps = [{ at = 4.0, lasting = 0.5 }]", "", &streams);
        for (stream, truth) in outward(&played) {
            let segment = &stream["segments"][0];
            assert_eq!(segment["lost"], Value::Null);
            assert_eq!(segment["lost_certain"], 0);
            assert_eq!(segment["lost_suspect"], truth["hops"][1]["mirror_lost"]);
            assert_eq!(
                segment["suspect"],
                json!(["many streams were silent at once: the mirror or the network"])
            );
        }
        assert_eq!(blamed(&played.report), 0);
        let gap = only_finding(&played.report, "tap-gap");
        assert_eq!(gap["point"], "edge");
        assert!(gap["message"].as_str().unwrap().contains("both are possible"), "{gap}");
        assert_eq!(played.report["gaps"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn random_loss_of_fifty_calls_stays_the_networks_to_the_packet() {
    for loss in [0.02, 0.05] {
        let played = scenario("", &format!("loss = {loss:?}"), &calls(50, 10.0));
        assert_eq!(played.report["gaps"], json!([]));
        for (stream, truth) in played.streams() {
            let (segment, truly) = (&stream["segments"][0], &truth["segments"][0]);
            assert_eq!(segment["lost"], truly["missing_here"], "{loss}");
            assert_eq!(segment["suspect"], json!([]));
        }
        assert_eq!(blamed(&played.report), 100, "{loss}");
    }
}

#[test]
fn one_call_alone_proves_nothing_of_the_mirror() {
    for streams in [calls(1, 10.0), calls(2, 10.0)] {
        let played = scenario("", "down = [{ at = 4.0, lasting = 0.5 }]", &streams);
        assert_eq!(played.report["gaps"], json!([]));
        for (stream, truth) in played.streams() {
            assert_eq!(stream["segments"][0]["lost"], truth["segments"][0]["missing_here"]);
        }
        assert_eq!(blamed(&played.report), played.streams().len());
    }
}

#[test]
fn a_link_that_was_down_looks_alike_at_the_last_point() {
    let down = "direction = \"forward\"\ndown = [{ at = 4.0, lasting = 0.5 }]";
    let played = scenario("", down, &calls(10, 10.0));
    for (stream, _) in outward(&played) {
        assert_eq!(stream["segments"][0]["lost"], Value::Null);
    }
    assert_eq!(blamed(&played.report), 0);
    assert!(
        only_finding(&played.report, "tap-gap")["message"].as_str().unwrap().contains("network was down")
    );
}

#[test]
fn what_two_mirrors_behind_a_link_both_missed_was_lost_on_it() {
    let played = played(&format!(
        "seed = 3\n[[point]]\nname = \"access\"\n[[point]]\nname = \"core\"\n[[point.segment]]\n\
         down = [{{ at = 4.0, lasting = 0.5 }}]\n[[point]]\nname = \"edge\"\n{}",
        calls(10, 10.0)
    ));
    for (stream, truth) in outward(&played) {
        let (segment, truly) = (&stream["segments"][0], &truth["segments"][0]);
        assert_eq!(segment["lost"], truly["missing_here"], "{segment}");
        assert_eq!(stream["segments"][1]["lost"], 0);
    }
    let blamed: Vec<_> = findings(&played.report, "segment-loss")
        .into_iter()
        .filter(|finding| finding["severity"] != "info" && finding["direction"] == "forward")
        .collect();
    assert_eq!(blamed.len(), 10);
    assert!(blamed.iter().all(|finding| finding["between"] == json!([0, 1])));
    let forward = findings(&played.report, "loss").into_iter().filter(|f| f["direction"] == "forward");
    assert!(forward.clone().all(|finding| finding["severity"] == "warning"));
    assert_eq!(forward.count(), 10);
}

#[test]
fn a_crowd_at_one_point_shares_a_gap_as_a_few_do() {
    const STREAMS: u32 = 1100;
    let mut capture = Capture::new();
    for n in 0..STREAMS {
        let (near, far) =
            (format!("10.{}.{}.1:50004", n / 250, n % 250), format!("52.112.{}.{}:3479", n / 250, n % 250));
        let stream = Stream { interval: ms(60), step: 480, ..Stream::g711(Udp::new(&near, &far)) };
        let stream = stream.ssrc(n + 1).at(i64::from(n) * 50_000);
        // The mirror misses 0.6 s of all of them; the network loses a tenth of the first.
        let is_heard = move |i: &u32| !(50..60).contains(i) && (n > 0 || i % 10 != 3);
        capture.extend(stream.frames((0..110).filter(is_heard)));
    }
    let report = report(&capture);
    assert_eq!(report["gaps"].as_array().unwrap().len(), 1);
    let losses = findings(&report, "loss");
    assert_eq!(losses.len(), STREAMS as usize);
    let blamed: Vec<_> = losses.iter().filter(|finding| finding["severity"] != "info").collect();
    assert_eq!(blamed.len(), 1);
    // The one that is lost next to the gap may belong to it.
    assert!([9, 10].map(|n| json!(n)).contains(&blamed[0]["packets"]), "{}", blamed[0]);
    assert!(findings(&report, "burst-loss").is_empty());
}
