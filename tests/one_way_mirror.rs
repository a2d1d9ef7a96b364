//! A one-way mirror, or one that doubles everything, is named once.
//!
//! The calls that it hears are not blamed for it.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::run::{findings, only_finding};
use common::synth::{calls, played};
use serde_json::json;

/// Streams without another direction.
fn one_way(count: u8) -> String {
    let stream = |n: u8| {
        format!(
            "[[stream]]\nsource = \"10.9.{n}.1:50004\"\ndestination = \"52.114.{n}.1:3479\"\nseconds = 6.0\n"
        )
    };
    (0..count).map(stream).collect()
}

#[test]
fn a_mirror_of_one_direction_is_named_and_not_the_calls() {
    for (direction, calls) in [("forward", calls(5, 6.0)), ("reverse", calls(5, 6.0))] {
        let played =
            played(&format!("[[point]]\nname = \"edge\"\nmirror_direction = \"{direction}\"\n{calls}"));
        let finding = only_finding(&played.report, "one-way-mirror");
        assert_eq!((&finding["point"], &finding["direction"]), (&json!("edge"), &json!(direction)));
        assert!(findings(&played.report, "one-way-stream").is_empty());
    }
}

#[test]
fn the_one_of_two_mirrors_is_named_that_hears_one_direction() {
    let played = played(&format!(
        "[[point]]\nname = \"access\"\n[[point]]\nname = \"edge\"\nmirror_direction = \"forward\"\n{}",
        calls(2, 6.0)
    ));
    let finding = only_finding(&played.report, "one-way-mirror");
    assert_eq!(finding["point"], "edge");
    assert!(finding["message"].as_str().unwrap().contains("another point hears the other one"), "{finding}");
}

#[test]
fn a_few_calls_that_run_one_way_are_calls_that_run_one_way() {
    let (few, many) = (one_way(2), one_way(6));
    for (streams, count) in [(few.clone(), 2), (format!("{}{many}", calls(1, 6.0)), 6)] {
        let played = played(&format!("[[point]]\nname = \"edge\"\n{streams}"));
        assert!(findings(&played.report, "one-way-mirror").is_empty());
        assert_eq!(findings(&played.report, "one-way-stream").len(), count);
    }
}

#[test]
fn answered_stun_shows_that_both_directions_are_heard() {
    let one_way = one_way(5);
    let stun = "[[stun]]\nclient = \"10.9.0.1:50004\"\nserver = \"52.114.0.1:3479\"\nchecks = 3\n";
    let played = played(&format!("[[point]]\nname = \"edge\"\n{one_way}{stun}"));
    assert!(findings(&played.report, "one-way-mirror").is_empty());
    assert_eq!(findings(&played.report, "one-way-stream").len(), 5);
}

#[test]
fn a_mirror_that_delivers_everything_twice_is_named_once() {
    let played = played(&format!("[[point]]\nname = \"core\"\nmirror_duplicates = 1.0\n{}", calls(4, 6.0)));
    let finding = only_finding(&played.report, "mirror-duplicates");
    assert_eq!((&finding["point"], &finding["stream"]), (&json!("core"), &json!(null)));
    assert!(finding["message"].as_str().unwrap().contains("everything twice: 8 of 8 streams"), "{finding}");
    // The first twelve packets of a stream come as they should.
    assert_eq!(finding["packets"], 8 * (300 - 12));
}
