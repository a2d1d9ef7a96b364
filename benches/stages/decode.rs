//! Decoding one frame, through each kind of tag, tunnel and relay.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use hopmark::decode::{Decoder, Message, Observation, Options, PathTable, Undecoded};
use hopmark::terms::Frame;

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
        let frames = frames(around, "10.0.0.1", "52.114.88.40", "");
        bench_one(&mut group, name, &frames, by_either_way);
    }
    let bare = frames("", "10.0.0.1", "52.114.88.40", "");
    bench_one(&mut group, "ipv4, walked", &bare, Decoder::decode_any);
    bench_one(&mut group, "ipv6", &frames("", "2001:db8::1", "2001:db8:1::1", ""), by_either_way);
    let relayed = frames("", "10.0.0.1", "52.114.88.40", RELAYED);
    bench_one(&mut group, "channel-data", &relayed, by_either_way);
    group.finish();
}

/// More of the stream: it runs over a relay beyond the point.
const RELAYED: &str =
    "relay = \"turn\"\n[[relay]]\nname = \"turn\"\naddress = \"52.114.0.9:3478\"\nallocate = false\n";

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

/// Takes a frame in.
type Way = for<'a> fn(
    &mut Decoder,
    &Frame<'a>,
    &mut dyn FnMut(&Observation<'a>, &PathTable),
) -> Result<(), Undecoded>;

/// As a reader does: the commonest frames have a way of their own.
fn by_either_way<'a>(
    decoder: &mut Decoder,
    frame: &Frame<'a>,
    sink: &mut dyn FnMut(&Observation<'a>, &PathTable),
) -> Result<(), Undecoded> {
    decoder.decode(frame, sink)
}

fn frames(around: &str, source: &str, destination: &str, stream: &str) -> Frames {
    Frames::of(&scenario(around, source, destination, stream))
}

fn scenario(around: &str, source: &str, destination: &str, stream: &str) -> String {
    format!(
        "[[point]]\nname = \"bench\"\n{around}\n[[stream]]\nsource = \"{source}\"\n\
         destination = \"{destination}\"\ncodec = \"pcma\"\ncount = 50\npackets = 20\n{stream}\n"
    )
}

fn bench_one(group: &mut Group<'_>, name: &str, frames: &Frames, decode: Way) {
    let mut decoder = Decoder::new(1, Options::default());
    group.throughput(Throughput::Elements(frames.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut seen = 0;
            for frame in frames.iter() {
                let decoded = decode(&mut decoder, &frame, &mut |observation, _| {
                    assert!(matches!(observation.message, Message::Rtp(_)));
                    black_box(observation);
                    seen += 1;
                });
                assert!(decoded.is_ok());
            }
            assert_eq!(seen, frames.len());
        });
    });
}
