//! Counting one packet, with few streams and with many.

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use hopmark::decode::{Decoder, Message, Observation, Options, PathTable};
use hopmark::meter::{ClockSource, Limits, Meter};
use hopmark::policy::static_clock_rate;
use hopmark::terms::{PointId, Timestamp};

use crate::material::{Frames, INTERVAL_NS, INTERVAL_TICKS};

/// Packets of each stream in the capture: the table is warm after them, and they are told again, renumbered.
const ROUNDS: u16 = 8;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("meter");
    for streams in [100, 10_000, 100_000] {
        // Cut, so that streams and not payloads fill the cache.
        let mut frames = Frames::of(&format!(
            "[[point]]\nname = \"bench\"\nsnap = 64\n[[stream]]\nsource = \"10.0.0.1:50000\"\n\
             destination = \"52.114.88.40:3479\"\ncodec = \"pcma\"\ncount = {streams}\npackets = {ROUNDS}\n\
             order = \"random\"\n"
        ));
        group.throughput(Throughput::Elements(streams as u64));
        bench_one(&mut group, "any", streams, &mut Rounds::of(&frames, streams));
        bench_one(&mut group, "plain, from the frame", streams, &mut PlainRounds::of(&mut frames, streams));
    }
    group.finish();
}

/// Tells a meter of every stream's next packet, again and again.
trait Tell {
    /// Tells of one packet of each stream, and how long that took.
    fn tell(&mut self, meter: &mut Meter) -> Duration;
    /// The paths that the packets number.
    fn paths(&self) -> &PathTable;
}

fn bench_one(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, streams: usize, rounds: &mut dyn Tell) {
    let clock_rate_of = |payload_type| Some((static_clock_rate(payload_type)?, ClockSource::Static));
    // As a replay of one file.
    let limits = Limits { has_other_points: false, ..Limits::default() };
    let mut meter = Meter::new(PointId(0), limits, clock_rate_of, 1);
    for _ in 0..ROUNDS {
        rounds.tell(&mut meter);
    }
    group.bench_function(BenchmarkId::new(name, streams), |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| rounds.tell(&mut meter)).sum());
    });
    let mut counted = 0;
    let (_, counters) = meter.finish(rounds.paths(), |_| counted += 1);
    assert_eq!((counted, counters.streams_evicted), (streams, 0));
}

/// The same from frames of the commonest kind, straight into the meter: decoding is in the time.
struct PlainRounds<'a> {
    frames: &'a mut Frames,
    decoder: Decoder,
    streams: usize,
    next: usize,
}

impl<'a> PlainRounds<'a> {
    fn of(frames: &'a mut Frames, streams: usize) -> Self {
        assert_eq!(frames.len(), streams * usize::from(ROUNDS));
        Self { frames, decoder: Decoder::new(1, Options::default()), streams, next: 0 }
    }
}

impl Tell for PlainRounds<'_> {
    #[allow(clippy::disallowed_methods, reason = "a bench measures time")]
    fn tell(&mut self, meter: &mut Meter) -> Duration {
        let start = self.next * self.streams;
        let round = start..start + self.streams;
        let mut plain = 0;
        let begin = Instant::now();
        for frame in self.frames.range(round.clone()) {
            if let Some((packet, path)) = self.decoder.decode_plain(&frame) {
                meter.observe_plain(&packet, path, self.decoder.paths());
                plain += 1;
            }
        }
        let took = begin.elapsed();
        assert_eq!(plain, self.streams);
        self.frames.delay(round, ROUNDS);
        self.next = (self.next + 1) % usize::from(ROUNDS);
        took
    }

    fn paths(&self) -> &PathTable {
        self.decoder.paths()
    }
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
}

impl Tell for Rounds<'_> {
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

    fn paths(&self) -> &PathTable {
        self.decoder.paths()
    }
}
