//! What scrapers and the API wait for, over a connection of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use hopmark::pipeline::{PointFiles, PointsBy, Progress, Replay, replay};
use hopmark::status::{
    Distribution, Figures, HopFigures, HopKey, MarkingVerdict, Picture, PointFigures, SegmentFigures,
    SegmentKey, Status,
};
use hopmark::terms::Direction;
use hopmark::verify::{FindingKind, Severity};

use crate::material::with_captures;
use crate::served::{Served, options, picture};

const POINTS: u16 = 64;
const STREAMS: usize = 100_000;
const PAGE: &str = "/api/v1/streams?per_page=1000&sort=-packets&page=37";

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("export");
    group.sample_size(20);
    let served = Served::new(&options(), Status::default());
    group.bench_function("metrics, 64 points", |bencher| {
        // What was written is lent until a new picture comes: each scrape here is the first of its picture.
        bencher.iter_custom(|times| {
            let scrape = |_| {
                served.status.publish(Picture { figures: full(), ..Picture::default() });
                time_of(&served, "/metrics")
            };
            (0..times).map(scrape).sum()
        });
    });
    let series = served.get("/metrics").text().lines().filter(|line| !line.starts_with('#')).count();
    assert!(series > 30_000, "{series} series");

    let status = Status::default();
    status.publish(picture(crowd()));
    let served = Served::new(&options(), status);
    group.bench_function("streams, a page of 1,000 in 100,000", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| time_of(&served, PAGE)).sum());
    });
    assert_eq!(served.get(PAGE).json()["streams"].as_array().map(Vec::len), Some(1_000));
    group.finish();
}

/// From the request to the last octet of the answer.
#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
fn time_of(served: &Served, path: &str) -> Duration {
    let asked = Instant::now();
    let status = served.get(path).status;
    let took = asked.elapsed();
    assert_eq!(status, 200);
    took
}

/// Figures of 64 points in a row: in each direction and class every hop, every segment, three codepoints at a hop and two
/// changes between hops.
fn full() -> Figures {
    let policy = hopmark::config::builtin(hopmark::config::default_profile()).expect("a profile");
    let classes: Vec<String> = policy.classes.iter().map(|class| class.name.clone()).collect();
    let mut figures = Figures { classes, intervals: 1_000, judge_seconds: 12.5, ..Figures::default() };
    let spread = Distribution { counts: [1_234_567; _], sum: 98_765.432_1 };
    figures.points = (0..POINTS)
        .map(|point| PointFigures {
            name: format!("building-{point}-access"),
            packets: 123_456_789,
            octets: 26_419_752_846,
            dropped: vec![("ring", 17), ("interface", 4)],
            freezes: Some(3),
            is_up: true,
            has_been_up: true,
            time_source: Some("hardware"),
            last_packet_seconds: Some(1_763_640_000.123_456),
            stun_round_trip: spread.clone(),
            ..PointFigures::default()
        })
        .collect();
    let kinds = (0..).zip(&figures.classes).map(|(class, _)| Some(class)).chain([None]);
    let labels: Vec<_> =
        kinds.flat_map(|class| [(Direction::Forward, class), (Direction::Reverse, class)]).collect();
    for point in 0..POINTS {
        for &(direction, class) in &labels {
            let key = HopKey { point, hop: 1, direction, class };
            let hop = HopFigures {
                packets: 98_765_432,
                expected: 98_765_987,
                lost: 555,
                jitter: spread.clone(),
                active: 321,
                peak_bytes_per_second: 1_234_567.8,
                ..HopFigures::default()
            };
            figures.hops.insert(key, hop);
            for (dscp, verdict) in [
                (46, MarkingVerdict::Conformant),
                (0, MarkingVerdict::Remarked),
                (34, MarkingVerdict::Unexpected),
            ] {
                figures.marking.insert((key, dscp, verdict), 32_921_810);
            }
            let Some(before) = point.checked_sub(1) else { continue };
            let key = SegmentKey { from: (before, 1), to: (point, 1), direction, class };
            let segment = SegmentFigures { packets: 98_765_432, lost: 77, suspect: 5, delay: spread.clone() };
            figures.segments.insert(key, segment);
            figures.remarked.insert((key, 46, 0), 12_345);
            figures.remarked.insert((key, 34, 0), 54_321);
        }
    }
    for &kind in FindingKind::ALL {
        figures.findings.insert((kind, Severity::Warning), 42);
        figures.findings_open.insert((kind, Severity::Warning), 2);
    }
    figures
}

/// What a replay finds of very many streams at two points.
fn crowd() -> hopmark::verify::Outcome {
    let scenario = format!(
        "[[point]]\nname = \"access\"\nsnap = 64\n[[point]]\nname = \"edge\"\nsnap = 64\nttl_drop = 1\n\
         delay = 0.004\n[[stream]]\nsource = \"10.0.0.1:50000\"\ndestination = \"52.112.0.1:3479\"\n\
         codec = \"pcmu\"\ncount = {STREAMS}\npackets = 30\nspread = 300.0\n"
    );
    let outcome = with_captures(&scenario, |files| {
        let points = ["access", "edge"].into_iter().zip(files);
        let points =
            points.map(|(name, file)| PointFiles { name: name.to_owned(), files: vec![file.clone()] });
        let run = Replay { points: points.collect(), points_by: PointsBy::Name, threads: 2 };
        let policy = hopmark::config::builtin(hopmark::config::default_profile()).expect("a profile");
        replay(&run, &Arc::new(policy), &Progress::default()).expect("captures")
    });
    assert_eq!(outcome.streams.len(), STREAMS);
    outcome
}
