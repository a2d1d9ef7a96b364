//! The bodies of the fuzz targets, by name.

mod capture;
mod datagram;
mod text;

use arbitrary::{Arbitrary, Unstructured};
use hopmark::decode::{Decoder, Options};
use hopmark::meter::Limits;
use hopmark::terms::{Frame, PointId, Timestamp};

pub use capture::{capture, report};
pub use datagram::{rtcp, rtp, stun, tcp, turn};
pub use text::{anonymize, config, web_config};

use crate::listener::Listener;
use crate::packet;
use crate::sequence::Sequence;

/// A target's body.
pub type Body = fn(&[u8]);

/// All bodies by the names of their targets.
pub const ALL: [(&str, Body); 12] = [
    ("frame", frame),
    ("capture", capture),
    ("rtp", rtp),
    ("rtcp", rtcp),
    ("stun", stun),
    ("turn", turn),
    ("tcp", tcp),
    ("config", config),
    ("meter_sequence", meter_sequence),
    ("anonymize", anonymize),
    ("report", report),
    ("web_config", web_config),
];

/// Two octets choose link type and snap length, the others are the frame: heard as often as proves a stream.
pub fn frame(data: &[u8]) {
    let Some((&[link, snapped], data)) = data.split_first_chunk() else { return };
    let mut listener = Listener::new(PointId(0), Limits::default(), 7);
    for n in 0..6 {
        let frame = Frame {
            timestamp: Timestamp(n * 20_000_000),
            data,
            wire_len: u32::try_from(data.len()).unwrap_or(u32::MAX).saturating_add(u32::from(snapped) * 8),
            link: packet::link(link),
            interface: 0,
        };
        listener.hear(&frame, |o, _| assert_eq!(o.timestamp, frame.timestamp));
    }
    let _ = listener.finish();
    let wire_len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    both_ways_agree(&Frame {
        timestamp: Timestamp(0),
        data,
        wire_len,
        link: packet::link(link),
        interface: 0,
    });
}

/// What the plain way makes of a frame is what the walk makes of it; also the second time, when its path is known.
fn both_ways_agree(frame: &Frame<'_>) {
    let mut decoder = Decoder::new(7, Options::default());
    for _ in 0..2 {
        let Some((plain, path)) = decoder.decode_plain(frame) else { return };
        let mut seen = Vec::new();
        let result = decoder.decode_any(frame, &mut |o, _| seen.push(format!("{o:?}")));
        assert_eq!((result, seen), (Ok(()), vec![format!("{:?}", plain.observation(path))]));
    }
}

/// RTP packets with steps of sequence, timestamp and time, against the laws and a model.
pub fn meter_sequence(data: &[u8]) {
    if let Ok(sequence) = Sequence::arbitrary_take_rest(Unstructured::new(data)) {
        sequence.run();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_seed_passes_its_target() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        for (name, body) in ALL {
            let seeds: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().map(|e| e.unwrap().path()).collect();
            let seeds: Vec<_> = seeds.iter().filter(|path| path.extension().is_some()).collect();
            assert!(!seeds.is_empty(), "{name} has no seeds");
            for seed in seeds {
                body(&fs::read(seed).unwrap());
            }
        }
    }

    #[test]
    fn every_body_has_a_target() {
        let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
        let targets: Vec<_> =
            manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")).collect();
        assert_eq!(targets, ALL.map(|(name, _)| format!("{name}.rs\"")));
    }
}
