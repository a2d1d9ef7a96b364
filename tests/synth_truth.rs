//! Fifty drawn scenarios, replayed: every figure equals the truth.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::synth::{Played, replayed};
use serde_json::Value;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=50;

/// Figures of a hop that are equal to the digit.
const EXACT: [&str; 15] = [
    "packets",
    "unique",
    "expected",
    "lost",
    "duplicates",
    "stray",
    "reordered",
    "resets",
    "loss_bursts",
    "dscp",
    "ecn",
    "pcp",
    "octets",
    "first",
    "last",
];

/// Figures of STUN that are equal to the digit, where the truth knows them: the report's word and the truth's.
const STUN: [(&str, &str); 8] = [
    ("requests", "requests"),
    ("responses", "responses"),
    ("unanswered", "unanswered"),
    ("retransmitted", "retransmitted"),
    ("errors", "errors"),
    ("unmatched", "unmatched"),
    ("dscp", "dscp_requests"),
    ("dscp_responses", "dscp_responses"),
];

/// What tells a hop from all others of a run.
fn key(stream: &Value, hop: &Value) -> String {
    let parts =
        ["point", "source", "destination", "vlan", "encapsulation", "ttl"].map(|k| hop[k].to_string());
    format!("{} {}", stream["ssrc"], parts.join(" "))
}

fn hops(report: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let streams = report["streams"].as_array().unwrap().iter();
    streams.flat_map(|s| s["hops"].as_array().unwrap().iter().map(move |h| (s, h)))
}

/// Equal to six digits, or to a nanosecond: the program keeps jitter in single precision.
fn is_close(got: &Value, want: &Value) -> bool {
    match (got.as_f64(), want.as_f64()) {
        (Some(got), Some(want)) => (got - want).abs() <= 1e-6 * want.abs().max(got.abs()) + 1e-9,
        _ => got.is_null() && want.is_null(),
    }
}

/// All differences of one scenario.
fn faults(seed: u64, folder: &Path) -> Vec<String> {
    let Played { truth, report } = replayed(["--draw", &seed.to_string()], folder);
    let mut faults = Vec::new();
    let mut got: BTreeMap<String, (&Value, &Value)> = BTreeMap::new();
    for (stream, hop) in hops(&report) {
        if got.insert(key(stream, hop), (stream, hop)).is_some() {
            faults.push(format!("{}: reported twice", key(stream, hop)));
        }
    }
    let mut hop_count = 0;
    for (wanted_stream, wanted) in hops(&truth) {
        let key = key(wanted_stream, wanted);
        hop_count += 1;
        let Some((stream, hop)) = got.remove(&key) else {
            faults.push(format!("{key}: not reported"));
            continue;
        };
        let mut hold = |figure: &str, got: &Value, wanted: &Value| {
            if got != wanted {
                faults.push(format!("{key}: {figure} is {got}, not {wanted}"));
            }
        };
        for figure in EXACT {
            hold(figure, &hop[figure], &wanted[figure]);
        }
        for figure in ["clock_rate_hz", "class", "expected_dscp", "payload_types"] {
            hold(figure, &stream[figure], &wanted_stream[figure]);
        }
        hold("dscp_change_count", &hop["dscp_change_count"], &wanted["dscp_changes"]);
        hold("ways", &ways(hop), &ways(wanted));
        // The truth knows the whole path; the report judges each point by itself.
        if wanted["point"] == wanted_stream["hops"][0]["point"] && !wanted["marking"].is_null() {
            hold("marking", &hop["marking"], &wanted["marking"]);
        }
        let (jitter, wanted_jitter) = (&hop["jitter_seconds"], &wanted["jitter_seconds"]);
        hold("jitter updates", &jitter["updates"], &wanted_jitter["updates"]);
        for figure in ["last", "mean", "max"] {
            if !is_close(&jitter[figure], &wanted_jitter[figure]) {
                faults.push(format!(
                    "{key}: jitter {figure} is {}, not {}",
                    jitter[figure], wanted_jitter[figure]
                ));
            }
        }
    }
    assert!(hop_count > 0, "seed {seed}: a scenario without hops proves nothing");
    faults.extend(got.keys().map(|key| format!("{key}: reported, but nobody sent it")));
    faults.extend(stun_faults(&report, &truth));
    faults
}

/// Ways by TTL; none where there is just one.
fn ways(hop: &Value) -> Value {
    let ways = hop["ways"].as_array().map_or(&[][..], Vec::as_slice).iter();
    ways.map(|way| (way["ttl"].to_string(), way["packets"].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn stun_faults(report: &Value, truth: &Value) -> Vec<String> {
    let key = |s: &Value| ["point", "client", "server", "kind"].map(|k| s[k].to_string()).join(" ");
    let all = |of: &Value| -> BTreeMap<String, Value> {
        of["stun"].as_array().unwrap().iter().map(|s| (key(s), s.clone())).collect()
    };
    let (got, wanted) = (all(report), all(truth));
    let mut faults = Vec::new();
    if !got.keys().eq(wanted.keys()) {
        faults.push(format!("STUN of {:?}, not of {:?}", got.keys(), wanted.keys()));
        return faults;
    }
    for (key, wanted) in wanted {
        let got = &got[&key];
        for (figure, word) in STUN.into_iter().filter(|(_, word)| !wanted[*word].is_null()) {
            if got[figure] != wanted[word] {
                faults.push(format!("{key}: {figure} is {}, not {}", got[figure], wanted[word]));
            }
        }
        let (got, wanted) = (&got["round_trip_seconds"], &wanted["round_trip_seconds"]);
        let figures = if wanted.is_null() { &[][..] } else { &["min", "mean", "p99", "max", "samples"][..] };
        for figure in figures.iter().filter(|figure| !is_close(&got[**figure], &wanted[**figure])) {
            faults.push(format!("{key}: round trip {figure} is {}, not {}", got[figure], wanted[figure]));
        }
    }
    faults
}

#[test]
fn every_figure_equals_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for seed in SEEDS {
        let path = folder.path().join(seed.to_string());
        all.extend(faults(seed, &path).into_iter().map(|fault| format!("seed {seed}: {fault}")));
    }
    assert!(all.is_empty(), "{} differences:\n{}", all.len(), all.join("\n"));
}
