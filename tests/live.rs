//! A live run counts over its intervals what a replay counts at once.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]
#![allow(clippy::disallowed_methods, reason = "how long is waited is of this machine's time")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Folder;
use common::synth::{calls, made};
use hopmark::capture::CaptureFile;
use hopmark::pipeline::live::{Live, LiveOptions, LivePoint, Tap};
use hopmark::pipeline::{PointFiles, PointsBy, Progress, Replay, replay};
use hopmark::policy::Policy;
use hopmark::status::{Figures, Picture, Status};
use hopmark::verify::Outcome;

/// Runs over files until all of them are over.
fn live(points: &[(String, PathBuf)], policy: &Arc<Policy>) -> (Arc<Picture>, Arc<Status>) {
    let status = Arc::new(Status::default());
    let live: Vec<LivePoint> = points
        .iter()
        .map(|(name, file)| LivePoint {
            name: name.clone(),
            source: file.display().to_string(),
            taps: 1,
            is_file: true,
            silent_after: None,
        })
        .collect();
    let options = LiveOptions {
        interval: Duration::from_secs(1),
        keep_ended: Duration::from_secs(50),
        keep_findings: 1000,
        evidence: None,
    };
    let open = |point: &LivePoint| {
        let file = CaptureFile::open(Path::new(&point.source)).map_err(|error| error.to_string())?;
        Ok(vec![Tap::File(Box::new(file))])
    };
    let run = Live::start(&live, &options, policy, &status, Box::new(open)).unwrap();
    let begun = Instant::now();
    while !run.has_ended() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the files are not over");
        std::thread::sleep(Duration::from_millis(10));
    }
    run.stop(Duration::from_secs(5));
    (status.picture(), status)
}

fn replayed(points: &[(String, PathBuf)], policy: &Arc<Policy>) -> Outcome {
    let files =
        |(name, file): &(String, PathBuf)| PointFiles { name: name.clone(), files: vec![file.clone()] };
    let points = points.iter().map(files).collect();
    replay(&Replay { points, points_by: PointsBy::Name, threads: 2 }, policy, &Progress::default()).unwrap()
}

fn captures(scenario: &str, folder: &Folder) -> Vec<(String, PathBuf)> {
    let file = folder.write("scenario.toml", scenario.as_bytes());
    let (_, captures) = made([file.to_str().unwrap(), "--format", "pcapng"], folder.path());
    let named = captures.iter().map(|named| named.split_once('=').unwrap());
    named.map(|(name, file)| (name.to_owned(), PathBuf::from(file))).collect()
}

/// Packets and losses by point, over all directions and classes.
fn by_point(figures: &Figures) -> BTreeMap<String, [u64; 5]> {
    let mut sums: BTreeMap<String, [u64; 5]> = BTreeMap::new();
    for (key, hop) in &figures.hops {
        let sum = sums.entry(figures.points[usize::from(key.point)].name.clone()).or_default();
        for (sum, n) in
            sum.iter_mut().zip([hop.packets, hop.expected, hop.lost, hop.duplicates, hop.reordered])
        {
            *sum += n;
        }
    }
    sums
}

fn by_point_of(outcome: &Outcome) -> BTreeMap<String, [u64; 5]> {
    let mut sums: BTreeMap<String, [u64; 5]> = BTreeMap::new();
    for number in outcome.streams.numbers() {
        for hop in &outcome.streams.get(number).unwrap().record.hops {
            let sum = sums.entry(outcome.points[usize::from(hop.point.0)].clone()).or_default();
            for (sum, n) in
                sum.iter_mut().zip([hop.packets, hop.expected, hop.lost(), hop.duplicates, hop.reordered])
            {
                *sum += n;
            }
        }
    }
    sums
}

const SCENARIO: &str = "
seed = 5
[[point]]
name = \"access\"
[[point]]
name = \"core\"
ttl_drop = 1
delay = 0.004
[[point.segment]]
direction = \"forward\"
loss = 0.02
remark = [{ from = \"EF\", to = 0 }]
[[point]]
name = \"edge\"
ttl_drop = 1
delay = 0.003
mirror_loss = 0.01
[[point.segment]]
direction = \"reverse\"
loss = 0.01
";

#[test]
fn counts_and_losses_add_up_to_those_of_a_replay() {
    let folder = Folder::new();
    let policy = Arc::new(Policy::default());
    let points = captures(&format!("{SCENARIO}{}", calls(12, 20.0)), &folder);
    let (picture, status) = live(&points, &policy);
    let outcome = replayed(&points, &policy);
    assert_eq!(by_point(&picture.figures), by_point_of(&outcome));

    let mut lost: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut remarked = 0;
    for number in outcome.streams.numbers() {
        let stream = outcome.streams.get(number).unwrap();
        for (i, segment) in stream.segments.iter().enumerate() {
            let name = |hop: usize| outcome.points[usize::from(stream.record.hops[hop].point.0)].clone();
            *lost.entry((name(i), name(i + 1))).or_default() += segment.lost_certain.unwrap();
            remarked += segment.remarked.iter().map(|change| change.packets).sum::<u64>();
        }
    }
    let figures = &picture.figures;
    let mut counted: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (key, segment) in &figures.segments {
        let name = |point: u16| figures.points[usize::from(point)].name.clone();
        *counted.entry((name(key.from.0), name(key.to.0))).or_default() += segment.lost;
    }
    assert!(lost.values().sum::<u64>() > 100, "{lost:?}");
    assert_eq!(counted, lost);
    assert_eq!(figures.remarked.values().sum::<u64>(), remarked);
    assert!(remarked > 1000);

    let kinds = |kind: &str| status.findings.iter().filter(|f| f.kind.as_str() == kind).count();
    let expected = |kind: &str| outcome.findings.iter().filter(|f| f.kind.as_str() == kind).count();
    assert_eq!(kinds("bleached"), expected("bleached"));
    assert_eq!(kinds("bleached"), 12);
    for finding in status.findings.iter().filter(|f| f.kind.as_str() == "bleached") {
        assert_eq!(finding.points, ["access", "core"], "{}", finding.message);
    }
    assert!(figures.intervals > 3, "{}", figures.intervals);
}

#[test]
fn the_same_packets_give_the_same_figures() {
    let folder = Folder::new();
    let policy = Arc::new(Policy::default());
    let points = captures(&format!("{SCENARIO}{}", calls(5, 8.0)), &folder);
    let one = [points[0].clone()];
    let figures = || {
        let mut figures = live(&one, &policy).0.figures.clone();
        assert!(figures.judge_last_seconds > 0.0 && figures.judge_last_seconds <= figures.judge_seconds);
        (figures.judge_seconds, figures.judge_last_seconds) = (0.0, 0.0);
        format!("{figures:?}")
    };
    assert_eq!(figures(), figures());
}
