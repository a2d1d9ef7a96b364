//! Counting one packet, with few streams and with many.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use hopmark::decode::{Decoder, Message, Observation, Options};
use hopmark::meter::{ClockSource, Limits, Meter};
use hopmark::policy::static_clock_rate;
use hopmark::terms::{PointId, Timestamp};

use crate::material::Frames;

/// Packets of each stream in the capture: the table is warm after them, and they are told again, renumbered.
const ROUNDS: u16 = 8;
/// Between two packets of a stream: 20 ms, and as many ticks of a clock of 8,000 Hz.
const INTERVAL_NS: i64 = 20_000_000;
const INTERVAL_TICKS: u32 = 160;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("meter");
    for streams in [100, 10_000, 100_000] {
        let frames = Frames::of(&format!(
            "[[point]]\nname = \"bench\"\n[[stream]]\nsource = \"10.0.0.1:50000\"\n\
             destination = \"52.114.88.40:3479\"\ncodec = \"pcma\"\ncount = {streams}\npackets = {ROUNDS}\n\
             order = \"random\"\n"
        ));
        let mut rounds = Rounds::of(&frames, streams);
        let clock_rate_of = |payload_type| Some((static_clock_rate(payload_type)?, ClockSource::Static));
        let mut meter = Meter::new(PointId(0), Limits::default(), clock_rate_of, 1);
        for _ in 0..ROUNDS {
            rounds.tell(&mut meter);
        }
        group.throughput(Throughput::Elements(streams as u64));
        group.bench_function(BenchmarkId::from_parameter(streams), |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| rounds.tell(&mut meter)).sum());
        });
        let mut counted = 0;
        let (_, counters) = meter.finish(rounds.decoder.paths(), |_| counted += 1);
        assert_eq!((counted, counters.streams_evicted), (streams, 0));
    }
    group.finish();
}

/// Observations of every stream's next packet, round after round for ever.
struct Rounds<'a> {
    observations: Vec<Observation<'a>>,
    /// Keeps the paths that the observations number.
    decoder: Decoder,
    streams: usize,
    next: usize,
}

impl<'a> Rounds<'a> {
    fn of(frames: &'a Frames, streams: usize) -> Self {
        let mut decoder = Decoder::new(1, Options::default());
        let mut observations = Vec::with_capacity(frames.len());
        for frame in frames.iter() {
            assert!(decoder.decode(&frame, |observation, _| observations.push(*observation)).is_ok());
        }
        assert_eq!(observations.len(), streams * usize::from(ROUNDS));
        Self { observations, decoder, streams, next: 0 }
    }

    /// Tells the meter of one round, and how long that took; then makes the round a later one.
    #[allow(clippy::disallowed_methods, reason = "a bench measures time")]
    fn tell(&mut self, meter: &mut Meter) -> Duration {
        let start = self.next * self.streams;
        let round = &mut self.observations[start..start + self.streams];
        let begin = Instant::now();
        for observation in round.iter() {
            meter.observe(observation, self.decoder.paths());
        }
        let took = begin.elapsed();
        for observation in round {
            observation.timestamp = Timestamp(observation.timestamp.0 + INTERVAL_NS * i64::from(ROUNDS));
            if let Message::Rtp(header) = &mut observation.message {
                header.sequence = header.sequence.wrapping_add(ROUNDS);
                header.timestamp.0 = header.timestamp.0.wrapping_add(INTERVAL_TICKS * u32::from(ROUNDS));
            }
        }
        self.next = (self.next + 1) % usize::from(ROUNDS);
        took
    }
}
