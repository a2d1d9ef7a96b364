//! Reading frames out of each kind of capture file.

use std::fs;
use std::hint::black_box;
use std::io::Write;

use criterion::{BenchmarkId, Criterion, Throughput};
use hopmark::capture::CaptureFile;
use hopmark::synth::Format;

use crate::material::with_capture;

const SCENARIO: &str = r#"
    [[point]]
    name = "bench"
    [[stream]]
    source = "10.0.0.1"
    destination = "52.114.88.40"
    codec = "pcma"
    count = 100
    packets = 200
    order = "random"
"#;
const FRAMES: u64 = 20_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let octets = |format| with_capture(SCENARIO, format, |path| fs::read(path).expect("the capture"));
    let (pcap, pcapng) = (octets(Format::Pcap), octets(Format::Pcapng));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&pcap).expect("memory");
    let gzip = gzip.finish().expect("memory");
    let zstd = zstd::encode_all(pcap.as_slice(), 3).expect("memory");

    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(FRAMES));
    for (name, octets) in [("pcap", pcap), ("pcapng", pcapng), ("pcap.gz", gzip), ("pcap.zst", zstd)] {
        // Readers own what they read; a bench's memory may live as long as the bench.
        let octets: &'static [u8] = octets.leak();
        let open = || CaptureFile::from_reader(name, Box::new(octets)).expect("a capture");
        group.bench_function(BenchmarkId::new(name, "one by one"), |bencher| {
            bencher.iter(|| {
                let mut capture = open();
                let mut frames = 0;
                while let Some(frame) = capture.next_frame() {
                    black_box(frame.data);
                    frames += 1;
                }
                assert_eq!(frames, FRAMES);
            });
        });
        group.bench_function(BenchmarkId::new(name, "in one go"), |bencher| {
            bencher.iter(|| {
                let mut capture = open();
                let mut frames = 0;
                loop {
                    frames += capture.give_in_memory(u64::MAX, |some| {
                        for frame in some {
                            black_box(frame.data);
                        }
                    });
                    // The one that lies across the end of what is in memory.
                    let Some(frame) = capture.next_frame() else { break };
                    black_box(frame.data);
                    frames += 1;
                }
                assert_eq!(frames, FRAMES);
            });
        });
    }
    group.finish();
}
