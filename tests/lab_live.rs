//! What Hopmark says live of a real network is true, and in time.
//!
//! `tests/lab/live` builds the network, breaks it in the middle of calls, and writes down what Hopmark and Prometheus said.
//! These tests need root and programs that send, so they run only when asked: `./dev lab`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "an answer without its keys has failed"
)]
#![allow(clippy::print_stderr, reason = "whoever runs the lab wants to see what it saw")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// From the moment at which a fault begins until the findings name the segment, in microseconds.
const IN_TIME: u64 = 3_000_000;

/// From SIGTERM to the end, in microseconds.
const TO_END: u64 = 2_000_000;

/// Kinds of findings that blame the network or a mirror.
const FAULTS: &[&str] = &[
    "bleached",
    "remarked",
    "marking-changed-mid-call",
    "asymmetric-marking",
    "loss",
    "burst-loss",
    "segment-loss",
    "mirror-loss",
    "mirror-duplicates",
    "one-way-mirror",
    "dead-mirror",
    "tap-gap",
    "path-changed",
];

/// What the network does wrong, as a finding says it: kind, direction, and the points between which it is.
const BROKEN: [(&str, &str, [&str; 2]); 2] = [
    ("segment-loss", "forward", ["edge-lan", "edge-wan"]),
    ("bleached", "reverse", ["core-wan", "core-lan"]),
];

#[test]
#[ignore = "builds a network, which needs root: ./dev lab"]
fn what_is_said_live_is_true_and_in_time() {
    let lab = Lab::run();
    nothing_is_blamed_before_the_faults(&lab);
    the_segments_are_blamed_in_time(&lab);
    every_frame_was_heard(&lab);
    losses_are_those_that_were_counted(&lab);
    markings_are_those_that_were_counted(&lab);
    alerts_go_off(&lab);
    metrics_are_clean(&lab);
    the_process_has_no_rights(&lab);
    it_ends_in_time(&lab);
    it_is_ready_when_it_hears_every_mirror(&lab);
    evidence_was_kept(&lab);
}

/// What a run left in its folder.
struct Lab(PathBuf);

impl Lab {
    fn run() -> Self {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab-live");
        let status = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/live"))
            .arg(&out)
            .env("HOPMARK", env!("CARGO_BIN_EXE_hopmark"))
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}; what programs said is in {}", out.display());
        Self(out)
    }

    fn text(&self, file: &str) -> String {
        let path = self.0.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_str(&self.text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    fn number(&self, file: &str) -> u64 {
        self.text(file).trim().parse().unwrap()
    }

    /// The findings at each time at which they were asked for, in microseconds since 1970.
    fn polls(&self) -> Vec<(u64, Value)> {
        let names = fs::read_dir(self.0.join("polls")).unwrap().map(|entry| entry.unwrap().file_name());
        let mut polls: Vec<(u64, Value)> = names
            .map(|name| name.into_string().unwrap())
            .map(|name| {
                (name.trim_end_matches(".json").parse().unwrap(), self.json(&format!("polls/{name}")))
            })
            .collect();
        polls.sort_by_key(|(at, _)| *at);
        polls
    }

    /// The samples of an answer of Prometheus: labels and value.
    fn samples(&self, query: &str) -> Vec<(Value, u64)> {
        let answer = self.json(&format!("query-{query}.json"));
        let value = |sample: &Value| sample["value"][1].as_str().unwrap().parse().unwrap();
        list(&answer["data"], "result").map(|sample| (sample["metric"].clone(), value(sample))).collect()
    }

    /// A counter of nftables at this router.
    fn counted(&self, router: &str, names: &[&str]) -> u64 {
        let kept = self.json(&format!("counters-{router}.json"));
        let counters = list(&kept, "nftables").map(|object| &object["counter"]);
        let named = counters.filter(|counter| names.iter().any(|name| counter["name"] == *name));
        named.map(|counter| counter["packets"].as_u64().unwrap()).sum()
    }
}

fn it_is_ready_when_it_hears_every_mirror(lab: &Lab) {
    let metrics = lab.text("metrics-ready");
    let up: Vec<&str> = metrics.lines().filter(|line| line.starts_with("hopmark_capture_up{")).collect();
    assert_eq!(up.len(), 5, "{metrics}");
    assert!(up.iter().all(|line| line.ends_with(" 1")), "{up:?}");
}

fn nothing_is_blamed_before_the_faults(lab: &Lab) {
    let changed = lab.number("changed");
    let before: Vec<_> = lab.polls().into_iter().filter(|(at, _)| *at < changed).collect();
    assert!(!before.is_empty(), "findings were asked for before the faults");
    for (_, answer) in before {
        let blamed: Vec<&Value> = list(&answer, "findings")
            .filter(|finding| FAULTS.contains(&finding["kind"].as_str().unwrap()))
            .collect();
        assert!(blamed.is_empty(), "{blamed:?}");
    }
}

fn the_segments_are_blamed_in_time(lab: &Lab) {
    let (changed, polls) = (lab.number("changed"), lab.polls());
    for (kind, direction, points) in BROKEN {
        let is_it = |finding: &&Value| {
            finding["kind"] == kind
                && finding["direction"] == direction
                && finding["between"] == true
                && finding["open"] == true
                && list(finding, "points").eq(points.iter())
        };
        let found = polls.iter().find(|(_, answer)| list(answer, "findings").any(|finding| is_it(&finding)));
        let (at, _) = found.unwrap_or_else(|| panic!("{kind} between {points:?} was never found"));
        let after = at.saturating_sub(changed);
        eprintln!("lab: {kind} between {} and {} found after {after} us", points[0], points[1]);
        assert!(after <= IN_TIME, "{kind} between {points:?} found after {after} us");
    }
    // And no other segment, until the end.
    for finding in list(&lab.json("findings.json"), "findings") {
        let is_segment = ["segment-loss", "bleached", "remarked"].iter().any(|kind| finding["kind"] == *kind);
        let is_known = BROKEN.iter().any(|(kind, direction, points)| {
            finding["kind"] == *kind
                && finding["direction"] == *direction
                && list(finding, "points").eq(points.iter())
        });
        assert!(!is_segment || is_known, "{finding}");
    }
}

/// Else figures need not be equal to those of nftables.
fn every_frame_was_heard(lab: &Lab) {
    for query in ["dropped", "suspect"] {
        assert!(
            lab.samples(query).iter().all(|(_, packets)| *packets == 0),
            "{query}: {:?}",
            lab.samples(query)
        );
    }
}

fn losses_are_those_that_were_counted(lab: &Lab) {
    let dropped = lab.counted("edge", &["audio", "video", "relayed"]);
    assert!(dropped > 0, "nothing was dropped");
    let mut lost = 0;
    for (labels, packets) in lab.samples("lost") {
        if labels["direction"] == "forward" && labels["from"] == "edge-lan" && labels["to"] == "edge-wan" {
            lost += packets;
        } else {
            assert_eq!(packets, 0, "lost elsewhere: {labels}");
        }
    }
    eprintln!("lab: {lost} packets lost, {dropped} dropped");
    assert_eq!(lost, dropped, "packets lost between the mirrors of the edge, and dropped by it");
}

fn markings_are_those_that_were_counted(lab: &Lab) {
    for (codepoint, counter) in [("46", "from_ef"), ("34", "from_af41")] {
        let counted = lab.counted("core", &[counter]);
        let mut remarked = 0;
        for (labels, packets) in lab.samples("remarked") {
            assert_eq!(
                (&labels["direction"], &labels["dscp_to"]),
                (&"reverse".into(), &"0".into()),
                "{labels}"
            );
            assert_eq!(
                (&labels["from"], &labels["to"]),
                (&"core-wan".into(), &"core-lan".into()),
                "{labels}"
            );
            if labels["dscp_from"] == codepoint {
                remarked += packets;
            }
        }
        assert_eq!(remarked, counted, "packets re-marked from {codepoint}");
    }
}

/// The rules that are deployed can be computed from what Hopmark says, and see what is wrong.
fn alerts_go_off(lab: &Lab) {
    let rules = lab.json("rules.json");
    let rules: Vec<&Value> = list(&rules["data"], "groups").flat_map(|group| list(group, "rules")).collect();
    assert!(!rules.is_empty());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    let alerts = lab.json("alerts.json");
    let raised: BTreeSet<&str> =
        list(&alerts["data"], "alerts").map(|alert| alert["labels"]["alertname"].as_str().unwrap()).collect();
    // They wait some minutes before they fire.
    for expected in ["HopmarkMarkingLost", "HopmarkSegmentLoss"] {
        assert!(raised.contains(expected), "{expected} is not among {raised:?}");
    }
    for broken in ["HopmarkDown", "HopmarkInterfaceDown", "HopmarkTapDrops", "HopmarkReloadFailed"] {
        assert!(!raised.contains(broken), "{alerts}");
    }
}

fn metrics_are_clean(lab: &Lab) {
    let complaints = lab.text("promtool");
    assert!(complaints.trim().is_empty(), "promtool check metrics: {complaints}");
}

/// The process that captures, after its start: proc(5).
fn the_process_has_no_rights(lab: &Lab) {
    let status = lab.text("status");
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {key} in {status}")).trim()
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(u64::from_str_radix(value(set), 16), Ok(0), "{set}");
    }
    assert_eq!(value("NoNewPrivs"), "1");
    assert_eq!(value("Seccomp"), "2", "system calls pass a filter");
    assert!(value("Uid").split_whitespace().all(|user| user == "65534"), "{}", value("Uid"));
}

fn it_ends_in_time(lab: &Lab) {
    let ended = lab.text("ended");
    let (status, after) = ended.trim().split_once(' ').unwrap();
    assert_eq!(status, "0", "{}", lab.text("hopmark.log"));
    assert!(after.parse::<u64>().unwrap() <= TO_END, "it took {after} us to end");
}

/// Markings that are taken off are errors, for which packets are written.
fn evidence_was_kept(lab: &Lab) {
    let evidence = fs::read_dir(lab.0.join("evidence")).unwrap();
    let files =
        evidence.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "pcapng"));
    assert!(files.count() > 0, "findings of errors opened, and no evidence of them was kept");
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key} in {value}")).iter()
}
