//! Decoding one frame, through each kind of tag and tunnel.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use hopmark::decode::{Decoder, Options};

use crate::material::Frames;

/// What lies around the packet, as keys of the scenario's point.
const AROUND: [(&str, &str); 11] = [
    ("ipv4", ""),
    ("vlan", "vlan = [110]"),
    ("qinq", "vlan = [200, 110]"),
    ("mpls", "encapsulation = [\"mpls\"]"),
    ("pppoe", "encapsulation = [\"pppoe\"]"),
    ("gre", "encapsulation = [\"gre\"]"),
    ("gtp-u", "encapsulation = [\"gtp-u\"]"),
    ("erspan-2", "encapsulation = [\"erspan2\"]"),
    ("erspan-3", "encapsulation = [\"erspan3\"]"),
    ("vxlan", "encapsulation = [\"vxlan\"]"),
    ("vxlan-vlan", "vlan = [110]\nencapsulation = [\"vxlan\"]"),
];

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, around) in AROUND {
        bench_one(&mut group, name, around, "10.0.0.1", "52.114.88.40");
    }
    bench_one(&mut group, "ipv6", "", "2001:db8::1", "2001:db8:1::1");
    group.finish();
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn bench_one(group: &mut Group<'_>, name: &str, around: &str, source: &str, destination: &str) {
    let frames = Frames::of(&format!(
        "[[point]]\nname = \"bench\"\n{around}\n[[stream]]\nsource = \"{source}\"\n\
         destination = \"{destination}\"\ncodec = \"pcma\"\ncount = 50\npackets = 20\norder = \"random\"\n"
    ));
    let mut decoder = Decoder::new(1, Options::default());
    group.throughput(Throughput::Elements(frames.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut seen = 0;
            for frame in frames.iter() {
                let decoded = decoder.decode(&frame, |observation, _| {
                    black_box(observation);
                    seen += 1;
                });
                assert!(decoded.is_ok());
            }
            assert_eq!(seen, frames.len());
        });
    });
}
