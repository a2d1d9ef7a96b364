//! Damaged captures are read up to the damage, or refused: no crash.

#![allow(clippy::indexing_slicing, reason = "a report that lacks a key has failed")]
#![allow(clippy::cast_possible_truncation, reason = "files of some kilobytes")]
#![allow(clippy::panic, reason = "a run that ends otherwise has failed")]

mod common;

use std::sync::OnceLock;

use common::capture::{gzip, zstandard};
use common::run::Run;
use common::{Capture, Folder, Stream, Udp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const FRAMES: usize = 120;

/// Frames of one length each, so that the end of each is known.
fn capture(frames: usize) -> Capture {
    let stream = Stream::g711(Udp::new("10.1.1.1:50004", "10.2.2.2:50006"));
    Capture::of(stream.frames(0..frames as u32))
}

/// Formats, with a sound file of each.
fn sound_files() -> &'static [(&'static str, Vec<u8>)] {
    static FILES: OnceLock<Vec<(&str, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| FORMATS.iter().map(|&(name, write)| (name, write(&capture(FRAMES)))).collect())
}

type Write = fn(&Capture) -> Vec<u8>;

const FORMATS: [(&str, Write); 8] = [
    ("pcap", Capture::pcap_in_microseconds),
    ("pcap-ns", Capture::pcap),
    ("pcapng", |c| c.pcapng(&["eth0", "eth1"])),
    ("snoop", Capture::snoop),
    ("pcap.gz", |c| gzip(&c.pcap())),
    ("pcapng.gz", |c| gzip(&c.pcapng(&["eth0"]))),
    ("pcap.zst", |c| zstandard(&c.pcap())),
    ("snoop.zst", |c| zstandard(&c.snoop())),
];

/// What happened to a file, at a place given as a part of 65,536 of its length.
#[derive(Debug, Clone)]
enum Damage {
    CutOff(u16),
    Changed(u16, Vec<u8>),
    Inserted(u16, Vec<u8>),
    Removed(u16, u8),
    Repeated(u16, u16),
    Flipped(Vec<(u16, u8)>),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let octets = || {
            prop_oneof![
                prop::collection::vec(any::<u8>(), 1..40),
                prop::collection::vec(Just(0xFF_u8), 1..9),
                prop::collection::vec(Just(0_u8), 1..70),
            ]
        };
        prop_oneof![
            any::<u16>().prop_map(Self::CutOff),
            (any::<u16>(), octets()).prop_map(|(at, with)| Self::Changed(at, with)),
            (any::<u16>(), octets()).prop_map(|(at, with)| Self::Inserted(at, with)),
            (any::<u16>(), 1_u8..).prop_map(|(at, n)| Self::Removed(at, n)),
            (any::<u16>(), 1_u16..600).prop_map(|(at, n)| Self::Repeated(at, n)),
            prop::collection::vec((any::<u16>(), 1_u8..), 1..20).prop_map(Self::Flipped),
        ]
    }

    /// Damages a file and gives the first octet that is not as it was.
    fn apply(&self, octets: &mut Vec<u8>) -> usize {
        let place = |at: u16| usize::from(at) * octets.len() / 65_536;
        match self {
            Self::CutOff(at) => {
                let at = place(*at);
                octets.truncate(at);
                at
            }
            Self::Changed(at, with) => {
                let at = place(*at);
                let end = (at + with.len()).min(octets.len());
                octets[at..end].copy_from_slice(&with[..end - at]);
                at
            }
            Self::Inserted(at, with) => {
                let at = place(*at);
                octets.splice(at..at, with.iter().copied());
                at
            }
            Self::Removed(at, n) => {
                let at = place(*at);
                let end = (at + usize::from(*n)).min(octets.len());
                octets.drain(at..end);
                at
            }
            Self::Repeated(at, n) => {
                let at = place(*at);
                let end = (at + usize::from(*n)).min(octets.len());
                let again = octets[at..end].to_vec();
                octets.splice(end..end, again);
                end
            }
            Self::Flipped(places) => {
                let places: Vec<_> = places.iter().map(|&(at, with)| (place(at), with)).collect();
                for &(at, with) in &places {
                    octets[at] ^= with;
                }
                places.iter().map(|&(at, _)| at).min().unwrap_or(0)
            }
        }
    }
}

/// Runs on a file; the run must end as promised.
fn run(folder: &Folder, octets: &[u8]) -> Run {
    let file = folder.write("damaged", octets);
    let run = folder.replay(["--format".as_ref(), "json".as_ref(), file.as_os_str()]);
    assert!(!run.stderr().contains("panicked"), "{}", run.stderr());
    match run.status() {
        0 | 1 => assert_eq!(run.json()["schema"], "hopmark/report/v1"),
        2 => assert!(run.stdout().is_empty() && run.stderr().contains("damaged: "), "{run:?}"),
        other => panic!("exit status {other}: {run:?}"),
    }
    run
}

fn config(cases: u32, seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn damage_of_any_kind_is_no_crash_and_what_lies_before_it_is_read() {
    let folder = Folder::new();
    proptest!(config(400, 1), |(which in 0..FORMATS.len(), damage in Damage::any())| {
        let (name, sound) = &sound_files()[which];
        let mut octets = sound.clone();
        let first_wrong = damage.apply(&mut octets);
        let run = run(&folder, &octets);
        // Of a packed file nobody can say which frames lie before the damage.
        let header = FORMATS[which].1(&capture(0)).len();
        if !name.contains('.') && first_wrong >= header {
            let frame = (sound.len() - header) / FRAMES;
            let before = (first_wrong - header) / frame;
            prop_assert!(run.status() < 2, "{}: {:?}", name, run);
            let read = run.json()["captures"][0]["packets"].as_u64().unwrap() as usize;
            prop_assert!(read >= before, "{}: {} frames read of {} before the damage", name, read, before);
        }
    });
}

#[test]
fn a_file_that_is_cut_off_says_where() {
    let folder = Folder::new();
    proptest!(config(120, 2), |(which in 0..4_usize, at in any::<u16>())| {
        let (name, sound) = &sound_files()[which];
        let header = FORMATS[which].1(&capture(0)).len();
        let frame = (sound.len() - header) / FRAMES;
        let cut = header + usize::from(at) * (sound.len() - header) / 65_536;
        let run = run(&folder, &sound[..cut]);
        let report = run.json();
        let capture = &report["captures"][0];
        prop_assert_eq!(capture["packets"].as_u64().unwrap() as usize, (cut - header) / frame);
        if (cut - header).is_multiple_of(frame) {
            // Nobody can tell that this was not the end.
            prop_assert!(capture["truncated"].is_null(), "{}: {}", name, capture);
        } else {
            let said = capture["truncated"].as_str().unwrap_or_default();
            let number = (cut - header) / frame + 1;
            prop_assert!(said.contains("cut off") && said.contains(&number.to_string()), "{}: {}", name, said);
        }
    });
}

#[test]
fn a_packed_file_that_is_cut_off_gives_what_could_be_unpacked() {
    let folder = Folder::new();
    let mut random = common::Random::new(4);
    let stream = Stream::opus(Udp::new("10.1.1.1:50004", "10.2.2.2:50006"));
    let mut long = Capture::new();
    for i in 0..2000 {
        // Not to be packed, so that the file has many blocks.
        let payload = [&stream.payload(i)[..12], &random.octets(400)].concat();
        long.add(stream.time(i), stream.flow.frame(&payload));
    }
    for (name, write) in &FORMATS[4..] {
        let octets = write(&long);
        let report = run(&folder, &octets[..octets.len() / 2]).json();
        let capture = &report["captures"][0];
        assert!(
            capture["truncated"].as_str().is_some_and(|said| said.contains("cut off")),
            "{name}: {capture}"
        );
        assert!((500..=1000).contains(&capture["packets"].as_u64().unwrap()), "{name}: {capture}");
        assert_eq!(common::hop(&report)["lost"], 0, "{name}");
    }
    // Of a short one there may be nothing to unpack.
    for (name, octets) in &sound_files()[4..] {
        let run = run(&folder, &octets[..octets.len() - 10]);
        assert!(run.status() < 2 || run.stderr().contains("cut off"), "{name}: {run:?}");
    }
}

#[test]
fn a_damaged_file_does_not_harm_those_beside_it() {
    let folder = Folder::new();
    let (_, sound) = &sound_files()[0];
    folder.write("sound.pcap", sound);
    folder.write("cut.pcap", &sound[..sound.len() / 3]);
    let report = folder.replay(["--format", "json", "a=cut.pcap", "b=sound.pcap"]).json();
    let packets: Vec<_> =
        report["captures"].as_array().unwrap().iter().map(|c| c["packets"].clone()).collect();
    assert_eq!(packets[1], FRAMES);
    assert!(packets[0].as_u64().unwrap() > 30);
    let hops = common::run::streams(&report).iter().flat_map(common::run::hops);
    assert!(hops.filter(|hop| hop["point"] == "b").all(|hop| hop["unique"] == FRAMES));
}

#[test]
fn random_frames_are_no_crash() {
    let folder = Folder::new();
    proptest!(config(60, 3), |(seed in any::<u64>(), link in prop::sample::select(vec![0_u32, 1, 101, 105, 113, 127, 276, 9999]))| {
        let mut random = common::Random::new(seed);
        let stream = Stream::opus(Udp::new("10.1.1.1:50004", "10.2.2.2:50006"));
        let mut capture = Capture::of_link(link);
        for i in 0..100 {
            // Frames that begin as they should, and frames that do not.
            let mut frame = stream.flow.tagged(&[(0x8100, 5, 5)], &common::tunnel::channel_data(0x4000, &stream.payload(i)));
            for _ in 0..random.below(12) {
                let at = random.below(frame.len() as u64) as usize;
                frame[at] = random.u8();
            }
            frame.truncate(random.below(frame.len() as u64 + 1) as usize);
            capture.add(stream.time(i), frame);
        }
        let report = run(&folder, &capture.pcap()).json();
        prop_assert_eq!(&report["captures"][0]["packets"], 100);
    });
}
