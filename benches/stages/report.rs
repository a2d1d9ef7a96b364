//! Writing a report of a thousand streams.

use std::io;

use criterion::{Criterion, Throughput};
use hopmark::pipeline::{PointFiles, PointsBy, Progress, Replay, replay};
use hopmark::report::{Options, write_json, write_text};
use hopmark::synth::Format;

use crate::material::with_capture;

const STREAMS: u64 = 1_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let scenario = format!(
        "[[point]]\nname = \"bench\"\n[[stream]]\nsource = \"10.0.0.1:50000\"\n\
         destination = \"52.114.88.40:3479\"\ndscp = 0\ncount = {STREAMS}\npackets = 20\norder = \"random\"\n"
    );
    let outcome = with_capture(&scenario, Format::Pcap, |path| {
        let points = vec![PointFiles { name: String::new(), files: vec![path.to_owned()] }];
        let run = Replay { points, points_by: PointsBy::Name, threads: 1 };
        let policy = std::sync::Arc::new(hopmark::config::builtin("teams").expect("a built-in profile"));
        replay(&run, &policy, &Progress::default()).expect("a capture")
    });
    assert_eq!(outcome.streams.len() as u64, STREAMS);

    let mut group = criterion.benchmark_group("report");
    group.throughput(Throughput::Elements(STREAMS));
    group.bench_function("text", |bencher| {
        bencher.iter(|| write_text(&outcome, &Options::default(), &mut io::sink()).expect("nowhere"));
    });
    group.bench_function("json", |bencher| {
        bencher.iter(|| write_json(&outcome, &Options::default(), &mut io::sink()).expect("nowhere"));
    });
    group.finish();
}
