//! Joining and judging records of streams, of one point and of three.

use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use hopmark::decode::{Decoder, Options};
use hopmark::meter::{ClockSource, Limits, Meter, Records, StreamRecord};
use hopmark::policy::static_clock_rate;
use hopmark::terms::PointId;
use hopmark::verify::{Material, judge};

use crate::material::{Frames, with_captures};

const STREAMS: usize = 1_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let policy = Arc::new(hopmark::config::builtin("teams").expect("a built-in profile"));
    let mut group = criterion.benchmark_group("judge");
    for points in [1, 3] {
        let records = records(points);
        assert_eq!(records.len(), STREAMS * points);
        let material = || Material {
            points: (0..points).map(|point| format!("point-{point}")).collect(),
            interfaces: vec![Vec::new(); points],
            records: records.iter().cloned().collect::<Records>(),
            ..Material::default()
        };
        assert_eq!(judge(material(), &policy).streams.len(), STREAMS);
        group.throughput(Throughput::Elements(records.len() as u64));
        group.bench_function(BenchmarkId::new("records", format!("{points} points")), |bencher| {
            bencher.iter_batched(material, |material| judge(material, &policy), BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// What the meters of so many points say of streams that pass them all; between the first two they lose their marking.
fn records(points: usize) -> Vec<StreamRecord> {
    let remark = "[[point.segment]]\nremark = [{ from = 46, to = 0 }]\nloss = 0.01\n";
    let of = |point| {
        let segment = if point == 1 { remark } else { "" };
        format!("[[point]]\nname = \"point-{point}\"\nsnap = 64\n{segment}")
    };
    let scenario = format!(
        "{}[[stream]]\nsource = \"10.0.0.1:50000\"\ndestination = \"52.114.88.40:3479\"\n\
         count = {STREAMS}\npackets = 100\n",
        (0..points).map(of).collect::<String>()
    );
    let mut records = Vec::new();
    with_captures(&scenario, |files| {
        for (point, file) in (0..).map(PointId).zip(files) {
            let clock_rate_of = |payload_type| Some((static_clock_rate(payload_type)?, ClockSource::Static));
            let limits = Limits { has_other_points: points > 1, ..Limits::default() };
            let mut meter = Meter::new(point, limits, clock_rate_of, 1);
            let mut decoder = Decoder::new(1, Options::default());
            for frame in Frames::read(file).iter() {
                assert!(decoder.decode(&frame, |seen, paths| meter.observe(seen, paths)).is_ok());
            }
            meter.finish(decoder.paths(), |record| records.push(record.clone()));
        }
    });
    records
}
