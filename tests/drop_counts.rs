//! What a capturing machine dropped is not blamed on the network.
//!
//! Captures say when they dropped frames: beside the next packet, or in statistics now and then. Losses of these
//! times get no verdict, all others stay exact.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::run::findings;
use common::synth::{Played, calls, played};
use serde_json::{Value, json};

/// Two points, of which the second one's machine drops all for 0.6 s; the network loses a share before it.
fn scenario(counts: &str, loss: f64, streams: &str) -> Played {
    played(&format!(
        "seed = 5\n[[point]]\nname = \"access\"\n[[point]]\nname = \"edge\"\ndrop_counts = \"{counts}\"\n\
         mirror_gaps = [{{ at = 4.0, lasting = 0.6 }}]\n[[point.segment]]\nloss = {loss:?}\n{streams}"
    ))
}

fn number(of: &Value) -> u64 {
    of.as_u64().unwrap()
}

fn at_least_warning<'a>(report: &'a Value, kind: &str) -> Vec<&'a Value> {
    findings(report, kind).into_iter().filter(|finding| finding["severity"] != "info").collect()
}

#[test]
fn losses_in_a_gap_are_suspect_and_all_others_exact() {
    for counts in ["packets", "statistics"] {
        for loss in [0.0, 0.03] {
            let played = scenario(counts, loss, &calls(2, 10.0));
            for (stream, truth) in played.streams() {
                let (segment, truly) = (&stream["segments"][0], &truth["segments"][0]);
                // Forward passes the edge last: there nobody else can tell.
                if stream["direction"] == "reverse" {
                    assert_eq!(segment["lost"], truly["missing"], "{counts} {loss}");
                    assert_eq!(segment["suspect"], json!([]));
                    continue;
                }
                let dropped = number(&truth["hops"][1]["mirror_lost"]);
                assert!((29..=31).contains(&dropped), "{dropped} of 30");
                assert_eq!(segment["lost"], Value::Null, "{counts} {loss}: {segment}");
                assert_eq!(segment["suspect"], json!(["the capturing machine dropped frames"]));
                let (certain, suspect) = (number(&segment["lost_certain"]), number(&segment["lost_suspect"]));
                assert_eq!(certain + suspect, number(&truly["missing"]), "{counts} {loss}");
                // Statistics come once a second, so what the network lost in that second is in doubt as well.
                let in_doubt = if loss == 0.0 { 0 } else { 10 };
                assert!((dropped..=dropped + in_doubt).contains(&suspect), "{suspect} of {dropped}");
            }
            let blamed = at_least_warning(&played.report, "segment-loss");
            assert_eq!(blamed.len(), if loss == 0.0 { 0 } else { 4 }, "{counts} {loss}: {blamed:#?}");
            let gap = common::run::only_finding(&played.report, "tap-gap");
            assert_eq!((&gap["point"], &gap["severity"]), (&json!("edge"), &json!("warning")));
        }
    }
}

#[test]
fn streams_outside_of_a_gap_keep_their_verdict() {
    let early = calls(1, 2.5);
    let late = "[[stream]]\nsource = \"10.2.0.1:50004\"\ndestination = \"52.112.90.1:3479\"\nseconds = 8.0\nstart = 6.0\n";
    // Something has to be heard in between, or no frame is dropped.
    let through =
        "[[stream]]\nsource = \"10.3.0.1:50004\"\ndestination = \"52.112.91.1:3479\"\nseconds = 14.0\n";
    for counts in ["packets", "statistics"] {
        let played = scenario(counts, 0.05, &format!("{early}{late}{through}"));
        let mut exact = 0;
        for (stream, truth) in played.streams() {
            let (segment, truly) = (&stream["segments"][0], &truth["segments"][0]);
            if truth["source"] == "10.3.0.1:50004" {
                assert_eq!(segment["lost"], Value::Null);
                continue;
            }
            assert_eq!(segment["lost"], truly["missing"], "{counts}: {segment}");
            assert_eq!((&segment["lost_certain"], &segment["lost_suspect"]), (&truly["missing"], &json!(0)));
            exact += 1;
        }
        assert_eq!(exact, 3);
    }
}

#[test]
fn the_gaps_are_listed_with_their_time_and_frames() {
    let played = scenario("packets", 0.0, &calls(2, 10.0));
    let gaps = played.report["gaps"].as_array().unwrap();
    let [gap] = &gaps[..] else { panic!("{gaps:#?}") };
    let capture =
        played.truth["captures"].as_array().unwrap().iter().find(|c| c["points"][0] == "edge").unwrap();
    assert_eq!((&gap["point"], &gap["evidence"]), (&json!("edge"), &json!("drop-count")));
    assert_eq!(gap["frames"], capture["dropped"]);
    let said = played.report["captures"].as_array().unwrap().iter().find(|c| c["point"] == "edge").unwrap();
    assert_eq!(said["dropped"], capture["dropped"]);
    let second = |time: &Value| time.as_str().unwrap()[17..23].parse::<f64>().unwrap();
    assert!((3.9..=4.0).contains(&second(&gap["from"])), "{gap}");
    assert!((4.6..=4.7).contains(&second(&gap["to"])), "{gap}");
}

#[test]
fn at_a_single_point_loss_in_a_gap_gets_no_verdict() {
    let one_point = |gap: &str, loss: f64| {
        played(&format!(
            "seed = 8\n[[point]]\nname = \"edge\"\ndrop_counts = \"packets\"\n{gap}[[point.segment]]\n\
             loss = {loss:?}\n{}",
            "[[stream]]\nsource = \"10.1.0.1:50004\"\ndestination = \"52.112.0.1:3479\"\nseconds = 10.0\n\
             first_mile = { loss = LOSS }\n"
                .replace("LOSS", &format!("{loss:?}"))
        ))
    };
    let gap = "mirror_gaps = [{ at = 4.0, lasting = 2.0 }]\n";
    let dropped = one_point(gap, 0.0);
    let [finding] = findings(&dropped.report, "loss")[..] else {
        panic!("{:#?}", dropped.report["findings"])
    };
    assert_eq!(finding["severity"], "info");
    assert!(finding["message"].as_str().unwrap().contains("no verdict on the network"), "{finding}");
    assert!(findings(&dropped.report, "burst-loss").is_empty());
    let quality = &dropped.report["streams"][0]["quality"];
    assert_eq!((&quality["loss_ratio"], &quality["certain_loss_ratio"]), (&Value::Null, &json!(0.0)));
    assert_eq!(
        (&quality["verdict"], &quality["reasons"]),
        (&json!("unclassified"), &json!(["loss suspect"]))
    );
    // What is lost beside the gap is lost.
    let both = one_point(gap, 0.04);
    let [finding] = findings(&both.report, "loss")[..] else { panic!("{:#?}", both.report["findings"]) };
    assert_eq!(finding["severity"], "warning");
    let hop = &both.truth["streams"][0]["hops"][0];
    let truly = number(&hop["lost"]) - number(&hop["mirror_lost"]);
    let said = number(&finding["packets"]);
    assert!((truly.saturating_sub(20)..=truly).contains(&said), "{said} of {truly}");
    let alone = one_point("", 0.04);
    assert!(alone.report["streams"][0]["quality"]["loss_ratio"].is_f64());
    assert_eq!(common::run::only_finding(&alone.report, "loss")["severity"], "warning");
}
