//! Drawn networks: no packet that a mirror missed is lost for certain.
//!
//! Loss, gaps, what tells of them and clocks are drawn; what the report says is held against the truth.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use std::fmt::Write;

use common::Random;
use common::synth::{Played, calls, played};
use serde_json::{Value, json};

fn tenths(random: &mut Random, from: u64, to: u64) -> f64 {
    let tenths = from + random.next() % (to - from + 1);
    f64::from(u32::try_from(tenths).unwrap()) / 10.0
}

fn network(seed: u64) -> String {
    let mut random = Random::new(seed);
    let points = 2 + usize::try_from(random.next() % 2).unwrap();
    let silent = usize::try_from(random.next() % 3).unwrap().min(points - 1);
    let counts = ["packets", "statistics"][usize::from(random.next().is_multiple_of(2))];
    let mut scenario = format!("seed = {seed}\n[background]\nshare = 0.2\nseconds = 12.0\n");
    for n in 0..points {
        let _ = writeln!(scenario, "[[point]]\nname = \"p{n}\"");
        if n == silent {
            let (at, lasting) = (tenths(&mut random, 20, 90), tenths(&mut random, 1, 15));
            let _ = writeln!(
                scenario,
                "drop_counts = \"{counts}\"\nmirror_gaps = [{{ at = {at:?}, lasting = {lasting:?} }}]"
            );
        }
        if n == 1 && random.next().is_multiple_of(3) {
            let offset = tenths(&mut random, 0, 60) - 3.0;
            let _ = writeln!(scenario, "clock_offset = {offset:?}\nclock_drift = 20.0");
        }
        if n > 0 {
            let loss = tenths(&mut random, 0, 5) / 10.0;
            let _ = writeln!(scenario, "[[point.segment]]\nloss = {loss:?}\njitter = 0.002");
        }
    }
    scenario + &calls(1 + usize::try_from(random.next() % 4).unwrap(), 10.0)
}

fn number(of: &Value) -> u64 {
    of.as_u64().unwrap()
}

fn faults(played: &Played) -> Vec<String> {
    let mut faults = Vec::new();
    for (stream, truth) in played.streams() {
        let segments = stream["segments"].as_array().unwrap();
        for (segment, truly) in segments.iter().zip(truth["segments"].as_array().unwrap()) {
            let (certain, suspect) = (number(&segment["lost_certain"]), number(&segment["lost_suspect"]));
            let (missing, here) = (number(&truly["missing"]), number(&truly["missing_here"]));
            let is_told = segment["suspect"] == json!([]);
            let name = format!("{} {}>{}", stream["source"], segment["from"], segment["to"]);
            if certain > here {
                faults.push(format!("{name}: {certain} lost for certain, truly {here}"));
            }
            if certain + suspect != missing {
                faults.push(format!("{name}: {certain} and {suspect} lost, {missing} are missing"));
            }
            if is_told != (suspect == 0)
                || segment["lost"] != if is_told { json!(certain) } else { Value::Null }
            {
                faults.push(format!("{name}: {segment}"));
            }
        }
    }
    faults
}

#[test]
fn nothing_that_a_mirror_missed_is_lost_for_certain() {
    let (mut all, mut suspects) = (Vec::new(), 0);
    for seed in 1..=40 {
        let played = played(&network(seed));
        all.extend(faults(&played).into_iter().map(|fault| format!("seed {seed}: {fault}")));
        let streams = played.streams().into_iter();
        suspects +=
            streams.filter(|(stream, _)| stream["segments"].to_string().contains("null,\"lost_c")).count();
    }
    assert!(all.is_empty(), "{} faults:\n{}", all.len(), all.join("\n"));
    assert!(suspects > 20, "{suspects} streams with something suspect prove little");
}
