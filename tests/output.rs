//! Standard output holds the report alone, plain outside a terminal.

#![allow(clippy::indexing_slicing, reason = "a report that lacks a key has failed")]

mod common;

use common::{Folder, rich};

#[test]
fn a_report_to_a_pipe_is_plain_and_fits_100_columns() {
    let folder = Folder::new();
    let file = folder.write("rich.pcap", &rich::capture().pcap());
    let run = folder.replay([&file]);
    assert!(!run.stdout().contains('\x1b'), "{}", run.stdout());
    assert_eq!(run.stderr(), "");
    for line in run.stdout().lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn no_color_changes_nothing_in_a_pipe() {
    let folder = Folder::new();
    folder.write("rich.pcap", &rich::capture().pcap());
    let run = |no_color: Option<&str>| {
        let mut command = common::run::hopmark();
        command.args(["replay", "rich.pcap"]).current_dir(folder.path());
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        command.output().unwrap().stdout
    };
    assert_eq!(run(None), run(Some("1")));
    assert_eq!(run(None), run(Some("")));
}

#[test]
fn the_text_report_lists_as_many_of_the_worst_streams_as_asked_for() {
    let folder = Folder::new();
    let file = folder.write("rich.pcap", &rich::capture().pcap());
    let file = file.to_str().unwrap();
    let listed = |worst: &str| {
        let run = folder.replay(["--worst", worst, file]);
        let rows = run.stdout().lines().filter(|line| {
            let mut words = line.split_whitespace();
            let is_id = words.next().is_some_and(|id| id.starts_with('s') && id[1..].parse::<u32>().is_ok());
            is_id && words.any(|word| word == "forward" || word == "reverse")
        });
        rows.count()
    };
    assert_eq!(listed("0"), 0);
    assert_eq!(listed("1"), 1);
    assert_eq!(listed("3"), 3);
    assert_eq!(listed("100"), 8);
    // The JSON report has them all, whatever is asked for.
    let run = folder.replay(["--worst", "1", "--format", "json", file]);
    assert_eq!(run.json()["streams"].as_array().unwrap().len(), 8);
}

#[test]
fn json_is_one_object_of_the_promised_schema() {
    let folder = Folder::new();
    let file = folder.write("rich.pcap", &rich::capture().pcap());
    let run = folder.replay(["--format", "json", file.to_str().unwrap()]);
    let report = run.json();
    assert_eq!(report["schema"], "hopmark/report/v1");
    for key in ["version", "captures", "streams", "stun", "joins", "findings", "summary"] {
        assert!(!report[key].is_null(), "{key}");
    }
    for stream in report["streams"].as_array().unwrap() {
        for time in [&stream["first"], &stream["last"]] {
            let text = time.as_str().unwrap();
            assert!(text.len() == 30 && text.ends_with('Z'), "nine digits of a second: {text}");
        }
        for hop in stream["hops"].as_array().unwrap() {
            let figure = |key: &str| hop[key].as_u64().unwrap();
            assert_eq!(figure("packets"), figure("unique") + figure("duplicates") + figure("stray"));
            assert_eq!(figure("lost"), figure("expected") - figure("unique"));
            let marked: u64 = hop["dscp"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
            assert_eq!(marked, figure("packets"));
        }
    }
}
