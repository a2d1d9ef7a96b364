//! What the kernel tells of a packet is what its frame says.
//!
//! Needs root, to load the program, which then runs over frames that came from nowhere; without, the tests say so and
//! pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]
#![allow(clippy::indexing_slicing, reason = "frames are built here")]
#![allow(clippy::print_stderr, reason = "says what was left out, and why")]

mod common;
#[path = "kernel_filter/frames.rs"]
mod frames;

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};

use aya::maps::Map;
use aya::programs::{TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use caps::{CapSet, Capability};
use common::packet::{IPV4, PROVIDER_VLAN, VLAN, ethernet};
use hopmark::capture::digest::{Digests, OpenedDigests};
use hopmark::decode::{Decoder, Message, Observation, Options, PathTable, Payload};
use hopmark::meter::MOST_CHOSEN;
use hopmark::terms::{Frame, LinkType, Timestamp};
use proptest::prelude::*;

/// Octets of the ring: the shortest.
const RING: u32 = 1 << 16;
/// The kernel's room for a frame that came from nowhere, and the shortest frame that it takes.
const LONGEST: usize = 3400;
const SHORTEST: usize = 14;
const DROP: u32 = 1;
const PASS: u32 = 2;
/// Octets of a payload by which streams are joined, and the fewest.
const JOINING: usize = 32;
const FEWEST: usize = 16;

/// The program in the kernel, on no interface.
struct Program {
    object: Ebpf,
    digests: Digests,
    decoder: Decoder,
}

/// What was made of a packet: all that figures are made of, in words; and its payload as far as it was told.
#[derive(Debug, PartialEq)]
struct Told {
    words: String,
    payload: Vec<u8>,
    payload_octets: usize,
    wire_octets: u32,
}

impl Told {
    fn of(seen: &Observation<'_>, paths: &PathTable, wire_octets: u32) -> Option<Self> {
        let mut seen = *seen;
        let payload = match &mut seen.message {
            Message::Rtp(header) => std::mem::take(&mut header.payload),
            Message::LaterFragment => Payload::default(),
            _ => return None,
        };
        seen.timestamp = Timestamp(0);
        let path = seen.path;
        seen.path = hopmark::decode::PathId(0);
        Some(Self {
            words: format!(
                "{seen:?} {:?}",
                paths.path(path).map(|path| (path.interface, path.layers.clone()))
            ),
            payload: payload.kept.iter().copied().take(JOINING).collect(),
            payload_octets: payload.octets,
            wire_octets,
        })
    }

    /// Whether streams are joined by its payload.
    fn joins(&self) -> bool {
        let word = self.payload.get(..FEWEST).map(|head| u64::from_le_bytes(head[8..].try_into().unwrap()));
        word.is_some_and(|word| MOST_CHOSEN.rank(word) < MOST_CHOSEN.below)
    }
}

impl Program {
    /// Nothing where it may not be loaded.
    fn load(excluded: &[u16]) -> Option<Self> {
        if !caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap() {
            eprintln!("skipped: needs root, to load a program into the kernel");
            return None;
        }
        let mut ports = vec![0_u64; 1024];
        for port in excluded {
            ports[usize::from(port / 64)] |= 1 << (port % 64);
        }
        let has_excluded = u32::from(!excluded.is_empty());
        let mut object = EbpfLoader::new()
            .override_global("EXCLUDED_UDP", ports.as_slice(), true)
            .override_global("HAS_EXCLUDED", &has_excluded, true)
            .override_global("CHOICE_PLUS", &MOST_CHOSEN.plus, true)
            .override_global("CHOICE_TIMES", &MOST_CHOSEN.times, true)
            .override_global("CHOICE_BELOW", &MOST_CHOSEN.below, true)
            .map_max_entries("DIGESTS", RING)
            .load(aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/digests.o")))
            .unwrap();
        program(&mut object).load().unwrap();
        let copy = |map: &Map| -> OwnedFd {
            match map {
                Map::RingBuf(data) | Map::Array(data) => data.fd().as_fd().try_clone_to_owned().unwrap(),
                _ => panic!("another map"),
            }
        };
        let ring = copy(object.map("DIGESTS").unwrap());
        let counters = copy(object.map("COUNTERS").unwrap());
        // It is on no interface, so that nothing keeps it there.
        let link = counters.try_clone().unwrap();
        let opened = OpenedDigests { ring, octets: RING, counters, link, is_native: false };
        let digests = Digests::map(opened).unwrap();
        Some(Self { object, digests, decoder: Decoder::new(1, Options::default()) })
    }

    /// Runs it over a frame: whether it is dropped.
    fn run(&mut self, frame: &[u8]) -> bool {
        let options = TestRunOptions { data_in: Some(frame), repeat: 1, ..TestRunOptions::default() };
        let result = program(&mut self.object).test_run(options).unwrap();
        assert!([DROP, PASS].contains(&result.return_value), "{result:?}");
        result.return_value == DROP
    }

    /// What it tells of a frame, which then is dropped; nothing of one that passes.
    fn tell(&mut self, frame: &[u8]) -> Option<Told> {
        let is_dropped = self.run(frame);
        let decoder = &mut self.decoder;
        let mut all = Vec::new();
        self.digests.read(|timed| {
            let seen = decoder.decode_digest(timed, 0);
            all.extend(Told::of(&seen, decoder.paths(), timed.digest.wire_octets()));
        });
        assert_eq!(all.len(), usize::from(is_dropped), "told and dropped, or neither");
        all.pop()
    }
}

fn program(object: &mut Ebpf) -> &mut Xdp {
    object.program_mut("digests").unwrap().try_into().unwrap()
}

/// What the decoder makes of a frame, if that is one RTP packet.
fn decode(frame: &[u8]) -> Option<Told> {
    let wire_len = u32::try_from(frame.len()).unwrap();
    let frame =
        Frame { timestamp: Timestamp(0), data: frame, wire_len, link: LinkType::ETHERNET, interface: 0 };
    let mut told = None;
    let mut decoder = Decoder::new(1, Options::default());
    let _ = decoder.decode(&frame, |seen, paths| told = Told::of(seen, paths, wire_len));
    told
}

/// Holds what was told against what the frame says.
fn check(told: Option<Told>, frame: &[u8]) -> Result<(), String> {
    let Some(told) = told else { return Ok(()) };
    let Some(mut expected) = decode(frame) else { return Err(format!("no RTP, but told: {told:?}")) };
    if told.payload.is_empty() && !expected.joins() {
        expected.payload.clear();
    }
    // Too few to join by are not told.
    if expected.payload_octets < FEWEST {
        expected.payload.clear();
    }
    let told = if told.payload_octets < FEWEST { Told { payload: Vec::new(), ..told } } else { told };
    if told == expected { Ok(()) } else { Err(format!("\n{told:#?}\n{expected:#?}")) }
}

fn fits(frame: &[u8]) -> bool {
    (SHORTEST..LONGEST).contains(&frame.len())
}

/// Wrappings in which RTP is told.
const TOLD: [&str; 4] = ["Ethernet", "IPv6", "802.1Q", "802.1ad and 802.1Q"];

#[test]
fn rtp_in_the_common_stacks_is_told_and_all_else_passes() {
    let Some(mut program) = Program::load(&[53, 5060, 5061]) else { return };
    for (name, wrap) in frames::WRAPS {
        let told = program.tell(&wrap(&frames::rtp()));
        assert_eq!(told.is_some(), TOLD.contains(name), "{name}: {told:?}");
        check(told, &wrap(&frames::rtp())).unwrap_or_else(|difference| panic!("{name}: {difference}"));
        for other in [frames::rtcp(), frames::dtls(), frames::binding()] {
            assert_eq!(program.tell(&wrap(&other)), None, "{name}");
        }
    }
    let mut told = Vec::new();
    for case in frames::all().iter().filter(|case| fits(&case.frame)) {
        let digest = program.tell(&case.frame);
        if digest.is_some() && !TOLD.contains(&case.name) {
            told.push(case.name);
        }
        check(digest, &case.frame).unwrap_or_else(|difference| panic!("{}: {difference}", case.name));
    }
    assert_eq!(
        told,
        [
            // By its port it is no tunnel, and then it is RTP.
            "VXLAN with a group policy on a port of one's own",
            "RTP of MTU size",
            "RTP with sources",
            "RTP with an extension",
            "RTP with sources and an extension",
            "RTP with eight sources, or VXLAN with a group policy",
            "RTP with 32 octets",
            "RTP with 33 octets",
            "RTP with marker",
            "RTP of type 96 with marker",
            "RTP on the port of a tunnel",
            "first fragment",
            "later fragment",
            "first fragment, IPv6",
            "later fragment, IPv6",
            "UDP beside an excluded port",
        ]
    );
}

#[test]
fn a_full_ring_drops_what_it_cannot_tell_and_counts_it() {
    let Some(mut program) = Program::load(&[]) else { return };
    let frame = frames::call().frame(&frames::rtp());
    let sent = 2000;
    for _ in 0..sent {
        assert!(program.run(&frame), "it drops, so that nothing comes twice");
    }
    let told = program.digests.read(|_| ());
    let counters = program.digests.counters();
    assert!(told > 500 && counters.dropped > 100, "{told} told: {counters:?}");
    assert_eq!((counters.packets + counters.dropped, counters.damaged), (sent, 0), "{counters:?}");
    assert_eq!(counters.octets, told * u64::try_from(frame.len()).unwrap());
    assert!(program.run(&frame));
    assert_eq!(program.digests.read(|_| ()), 1, "there is room again");
}

#[test]
fn times_are_those_of_the_clock_of_frames() {
    let Some(mut program) = Program::load(&[]) else { return };
    let frame = frames::call().frame(&frames::rtp());
    let now = || {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).unwrap();
        i64::try_from(std::time::Duration::from(now).as_nanos()).unwrap()
    };
    let before = now();
    assert!(program.run(&frame));
    let after = now();
    let slack = 100_000;
    program.digests.read(|timed| {
        let time = timed.timestamp.0;
        assert!((before - slack..=after + slack).contains(&time), "{before} {time} {after}");
    });
}

/// A datagram's payload: RTP as it should be, made-up RTP, and anything.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let octets = |range| proptest::collection::vec(any::<u8>(), range);
    let media = (0x80_u8..=0xBF, octets(11..120), 0_u8..6).prop_map(|(first, rest, words)| {
        let mut packet = [&[first][..], &rest].concat();
        // An extension that fits, mostly.
        let extension = 12 + usize::from(first & 15) * 4;
        if let Some(length) = packet.get_mut(extension + 2..extension + 4) {
            length.copy_from_slice(&[0, words]);
        }
        packet
    });
    prop_oneof![
        2 => octets(0..60).prop_map(|rest| [&frames::rtp()[..12], &rest].concat()),
        1 => Just(frames::rtp()),
        3 => media,
        1 => Just(frames::rtcp()),
        1 => octets(0..80),
    ]
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let common: Vec<frames::Wrap> = vec![
        |p| frames::call().frame(p),
        |p| frames::call_6().frame(p),
        |p| frames::call().tagged(&[(VLAN, 7, 5)], p),
        |p| frames::call_6().tagged(&[(PROVIDER_VLAN, 9, 1), (0x9100, 4095, 7)], p),
        |p| ethernet(IPV4, &frames::call().ecn(1).ttl(1).packet(p)),
        |p| {
            let mut flow = frames::call();
            flow.destination.set_port(4789);
            flow.frame(p)
        },
        |p| frames::call().fragments(&[p, &[7; 200]].concat(), 104)[0].clone(),
        |p| frames::call().fragments(&[p, &[7; 200]].concat(), 104)[1].clone(),
        |p| frames::fragment_6(0, &frames::call_6().datagram(&[p, &[7; 100]].concat())),
        |p| frames::fragment_6(104, p),
    ];
    let others = frames::WRAPS.iter().chain(frames::KEPT).map(|(_, wrap)| *wrap).collect::<Vec<_>>();
    let wrap = prop_oneof![3 => proptest::sample::select(common), 1 => proptest::sample::select(others)];
    let changes = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3);
    let cut = prop_oneof![6 => Just(None), 1 => any::<proptest::sample::Index>().prop_map(Some)];
    (wrap, payload(), changes, cut, 0_usize..9).prop_map(|(wrap, payload, changes, cut, padding)| {
        let mut frame = wrap(&payload);
        for (at, octet) in changes {
            // Headers are where it matters.
            let at = at.index(frame.len().min(90));
            frame[at] = octet;
        }
        match cut {
            Some(cut) => frame.truncate(cut.index(frame.len()).max(SHORTEST)),
            // What a link adds to short frames.
            None => frame.extend(vec![0xEE; padding.saturating_sub(4)]),
        }
        frame
    })
}

#[test]
fn what_is_told_of_any_frame_is_what_it_says() {
    let Some(program) = Program::load(&[]) else { return };
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: ProptestConfig::default().cases.max(6000),
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    // The runner wants a function that changes nothing.
    let program = RefCell::new((program, 0_u32, 0_u32));
    let result = runner.run(&frame(), |frame| {
        let (program, told, passed) = &mut *program.borrow_mut();
        let digest = program.tell(&frame);
        *if digest.is_some() { told } else { passed } += 1;
        check(digest, &frame).map_err(TestCaseError::fail)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let (_, told, passed) = program.into_inner();
    assert!(told > 1000 && passed > 1000, "{told} told, {passed} passed");
}
