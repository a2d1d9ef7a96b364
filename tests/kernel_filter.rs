//! The kernel's filter keeps all media, and cuts nothing that counts.
//!
//! The program in C runs as an ordinary process, without privilege, and as root in the kernel; the classic one in the
//! kernel, without privilege. All are held against one table, and against what the decoder makes of the frames.

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
#[path = "kernel_filter/runs.rs"]
mod runs;

use std::thread;

use caps::{CapSet, Capability};
use hopmark::capture::kernel::{Filter, FilterCounters, FilterCounts, FilterKind, FilterOptions, Filtered};
use hopmark::decode::{Decoder, Message, Options, Undecoded};
use hopmark::terms::{Frame, LinkType, Timestamp};
use proptest::prelude::*;

use frames::Case;
use runs::{Host, Keep, Socket};

fn options() -> FilterOptions {
    FilterOptions { excluded_udp_ports: vec![53..=53, 5060..=5061], ..FilterOptions::default() }
}

/// The filter as eBPF in the kernel, or a word on why not.
fn ebpf(options: &FilterOptions) -> Option<Filter> {
    let filter = Filter::load(options).unwrap();
    match filter.reason() {
        None => Some(filter),
        Some(reason) => {
            assert!(
                !caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap(),
                "root may load it: {reason}"
            );
            eprintln!("skipped: no eBPF, as {reason}");
            None
        }
    }
}

#[test]
fn the_program_as_a_process_keeps_what_the_table_says() {
    let mut host = Host::filter(&options());
    for Case { name, frame, keep, .. } in frames::all() {
        assert_eq!(host.keep(&frame), keep, "{name}, {} octets", frame.len());
    }
}

#[test]
fn the_program_in_the_kernel_keeps_what_the_table_says() {
    let Some(filter) = ebpf(&options()) else { return };
    assert_eq!(filter.kind(), FilterKind::Ebpf);
    let mut socket = Socket::with(&filter);
    for Case { name, frame, keep, .. } in frames::all() {
        assert_eq!(socket.keep(&frame), keep, "{name}, {} octets", frame.len());
    }
}

#[test]
fn the_classic_program_keeps_what_the_table_says() {
    let filter = Filter::classic(&options()).unwrap();
    assert_eq!((filter.kind(), filter.kind().as_str()), (FilterKind::Classic, "classic"));
    assert!(filter.counters_fd().unwrap().is_none());
    let mut socket = Socket::with(&filter);
    for Case { name, frame, classic, .. } in frames::all() {
        assert_eq!(socket.keep(&frame), classic, "{name}, {} octets", frame.len());
    }
}

#[test]
fn the_kernel_takes_as_many_ranges_as_there_may_be() {
    let ranges = |step: u16| (1..=32_u16).map(|n| n * step..=n * step + 1).collect();
    let options = FilterOptions {
        excluded_udp_ports: ranges(100),
        relay_tcp_ports: ranges(200),
        ..FilterOptions::default()
    };
    let mut runs = vec![Socket::with(&Filter::classic(&options).unwrap())];
    runs.extend(ebpf(&options).map(|filter| Socket::with(&filter)));
    for run in &mut runs {
        let mut flow = frames::call();
        for (port, is_kept) in [(3200, false), (3201, false), (3202, true), (99, true)] {
            flow.destination.set_port(port);
            assert_eq!(run.keep(&flow.frame(&frames::rtp())) > 0, is_kept, "UDP {port}");
        }
        for (port, is_kept) in [(6400, true), (6401, true), (6402, false), (443, false)] {
            assert_eq!(run.keep(&frames::tcp(port)) > 0, is_kept, "TCP {port}");
        }
    }
}

#[test]
fn whole_frames_are_kept_where_that_is_asked_for() {
    let options = FilterOptions { whole: true, ..options() };
    let mut runs: Vec<(&str, Box<dyn Keep>)> = vec![
        ("process", Box::new(Host::filter(&options))),
        ("classic", Box::new(Socket::with(&Filter::classic(&options).unwrap()))),
    ];
    runs.extend(ebpf(&options).map(|filter| ("ebpf", Box::new(Socket::with(&filter)) as Box<dyn Keep>)));
    for (run, keep) in &mut runs {
        for case in frames::all() {
            let expected = if *run == "classic" { case.classic } else { case.keep };
            let expected = if expected == 0 { 0 } else { case.frame.len() };
            assert_eq!(keep.keep(&case.frame), expected, "{run}: {}", case.name);
        }
    }
}

#[test]
fn more_or_less_of_a_payload_is_kept_as_the_options_say() {
    for payload_octets in [0, 64] {
        let options = FilterOptions { payload_octets, ..options() };
        let frame = frames::call().frame(&frames::rtp());
        let expected = 14 + 20 + 8 + 12 + usize::from(payload_octets);
        assert_eq!(Host::filter(&options).keep(&frame), expected);
        assert_eq!(Socket::with(&Filter::classic(&options).unwrap()).keep(&frame), expected);
        if let Some(filter) = ebpf(&options) {
            assert_eq!(Socket::with(&filter).keep(&frame), expected);
        }
    }
}

/// What the table comes to.
fn expected_counts() -> FilterCounts {
    let all = frames::all();
    let cut = |case: &&Case| case.keep != 0 && case.keep < case.frame.len();
    let named = |words: &[&str]| {
        let count = all
            .iter()
            .filter(|case| case.keep == 0 && words.iter().any(|word| case.name.starts_with(word)))
            .count();
        u64::try_from(count).unwrap()
    };
    let counts = FilterCounts {
        seen: u64::try_from(all.len()).unwrap(),
        filtered: Filtered {
            excluded_port: named(&["UDP"]),
            tcp: named(&["TCP"]),
            not_ip: named(&["ARP", "LLDP", "spanning tree", "tagged ARP"]),
            other_protocol: named(&["ICMP", "ICMPv6", "ESP", "OSPF", "later fragment of ICMP"]),
        },
        snapped: u64::try_from(all.iter().filter(cut).count()).unwrap(),
        octets_cut: all.iter().filter(cut).map(|c| u64::try_from(c.frame.len() - c.keep).unwrap()).sum(),
    };
    assert_eq!(counts.filtered.total(), u64::try_from(all.iter().filter(|c| c.keep == 0).count()).unwrap());
    counts
}

#[test]
fn every_frame_is_counted_once() {
    let mut host = Host::filter(&options());
    for case in frames::all() {
        host.keep(&case.frame);
    }
    assert_eq!(host.counts(), expected_counts());
}

#[test]
fn the_counters_are_read_without_any_privilege() {
    let Some(filter) = ebpf(&options()) else { return };
    let counters = filter.counters_fd().unwrap().unwrap();
    let mut socket = Socket::with(&filter);
    // Capabilities are a thread's own.
    let reader = thread::spawn(move || {
        caps::clear(None, CapSet::Effective).unwrap();
        caps::clear(None, CapSet::Permitted).unwrap();
        let counters = FilterCounters::map(counters).unwrap();
        assert_eq!(counters.read(), FilterCounts::default());
        counters
    });
    let counters = reader.join().unwrap();
    for case in frames::all() {
        socket.keep(&case.frame);
    }
    drop((filter, socket));
    assert_eq!(counters.read(), expected_counts(), "they outlive the filter");
}

#[test]
fn without_privilege_the_classic_program_takes_its_place() {
    let bpf_is_for_all = std::fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled");
    if bpf_is_for_all.is_ok_and(|text| text.trim() == "0") {
        eprintln!("skipped: this kernel takes eBPF from anyone");
        return;
    }
    thread::spawn(|| {
        caps::clear(None, CapSet::Effective).unwrap();
        let filter = Filter::load(&options()).unwrap();
        assert_eq!(filter.kind(), FilterKind::Classic);
        let reason = filter.reason().unwrap().to_string();
        assert!(reason.contains("Operation not permitted"), "{reason}");
        let frame = frames::call().frame(&frames::rtp());
        assert_eq!(Socket::with(&filter).keep(&frame), 14 + 20 + 8 + 12 + 32);
    })
    .join()
    .unwrap();
}

/// What the decoder says of a frame of which so much was kept: all that figures are made of.
#[derive(Debug, PartialEq)]
struct Told {
    /// Each observation with its path, and of an RTP payload as much as streams are joined by.
    seen: Result<Vec<String>, Undecoded>,
    mirrored: String,
    /// Whether there is anything among it that the filter may not drop.
    is_media: bool,
    /// Whether it is TCP that is not of a relay, or UDP that is excluded: only that may be told differently.
    is_left_out: bool,
}

fn tell(frame: &[u8], kept: usize) -> Told {
    let frame = Frame {
        timestamp: Timestamp(0),
        data: &frame[..kept],
        wire_len: u32::try_from(frame.len()).unwrap(),
        link: LinkType::ETHERNET,
        interface: 0,
    };
    let (mut is_media, mut is_left_out) = (false, false);
    let mut seen = Vec::new();
    let mut decoder = Decoder::new(1, Options::default());
    let result = decoder.decode(&frame, |observation, paths| {
        let mut observation = *observation;
        if let Message::Rtp(header) = &mut observation.message {
            let joining = header.payload.kept.len().min(usize::from(FilterOptions::JOINING_OCTETS));
            header.payload.kept = &header.payload.kept[..joining];
        }
        let ports = [observation.source_port, observation.destination_port];
        let within = |ranges: &[std::ops::RangeInclusive<u16>]| {
            ranges.iter().any(|range| ports.iter().any(|port| range.contains(port)))
        };
        let options = options();
        is_left_out |= match observation.transport {
            hopmark::terms::Transport::Udp => within(&options.excluded_udp_ports),
            hopmark::terms::Transport::Tcp => {
                observation.fragment.is_none() && !within(&options.relay_tcp_ports)
            }
        };
        is_media |= !matches!(observation.message, Message::Other);
        seen.push(format!("{observation:?} {:?}", paths.path(observation.path)));
    });
    let mirrored = format!("{:?}", decoder.take_mirrored());
    Told { seen: result.map(|()| seen), mirrored, is_media, is_left_out }
}

/// Holds the frame that was kept against the whole one.
fn changes_nothing(frame: &[u8], kept: usize) -> Result<(), String> {
    let whole = tell(frame, frame.len());
    if whole.is_left_out {
        return Ok(());
    }
    if kept == 0 {
        let loses = whole.is_media || whole.mirrored != "None";
        return if loses { Err(format!("dropped: {whole:?}")) } else { Ok(()) };
    }
    let told = tell(frame, kept);
    if told == whole {
        Ok(())
    } else {
        Err(format!("{kept} of {} kept:\n{told:#?}\n{whole:#?}", frame.len()))
    }
}

#[test]
fn what_is_kept_is_decoded_like_the_whole_frame() {
    let wire = |case: &Case| case.frame.len();
    for case in frames::all() {
        for kept in [case.keep, case.classic] {
            if let Err(difference) = changes_nothing(&case.frame, kept) {
                panic!("{} ({} octets): {difference}", case.name, wire(&case));
            }
        }
    }
}

/// A datagram's payload: messages of every kind, good ones and made-up ones.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let octets = |range| proptest::collection::vec(any::<u8>(), range);
    prop_oneof![
        Just(frames::rtp()),
        Just(frames::rtcp()),
        Just(frames::dtls()),
        Just(frames::binding()),
        (0x80_u8..=0xBF, octets(0..400)).prop_map(|(first, rest)| [&[first][..], &rest].concat()),
        (any::<u8>(), octets(0..400)).prop_map(|(first, rest)| [&[first][..], &rest].concat()),
        octets(12..300).prop_map(|mut inner| {
            inner[0] = 0x80 | inner[0] & 0x3F;
            common::tunnel::channel_data(0x4001, &inner)
        }),
    ]
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let wraps: Vec<frames::Wrap> = frames::WRAPS.iter().chain(frames::KEPT).map(|(_, wrap)| *wrap).collect();
    let wrap = || proptest::sample::select(wraps.clone());
    let changes = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4);
    let cut = prop_oneof![6 => Just(None), 1 => any::<proptest::sample::Index>().prop_map(Some)];
    let mirror = prop_oneof![
        4 => Just(None),
        1 => Just(Some(common::tunnel::erspan_2 as fn(u16, &[u8]) -> Vec<u8>)),
        1 => Just(Some(common::tunnel::erspan_3 as fn(u16, &[u8]) -> Vec<u8>)),
    ];
    (wrap(), payload(), changes, cut, mirror).prop_map(|(wrap, payload, changes, cut, mirror)| {
        let mut frame = wrap(&payload);
        if let Some(mirror) = mirror {
            frame = mirror(7, &frame);
        }
        for (at, octet) in changes {
            // Headers are where it matters.
            let at = at.index(frame.len().min(130));
            frame[at] = octet;
        }
        if let Some(cut) = cut {
            frame.truncate(cut.index(frame.len()).max(1));
        }
        frame
    })
}

#[test]
fn no_frame_loses_media_or_a_figure() {
    let mut host = Host::filter(&options());
    let mut classic = Socket::with(&Filter::classic(&options()).unwrap());
    let mut kernel = ebpf(&options()).map(|filter| Socket::with(&filter));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: ProptestConfig::default().cases.max(6000),
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    // The runner wants a function that changes nothing.
    let runs = std::cell::RefCell::new((&mut host, &mut classic, &mut kernel));
    let result = runner.run(&frame(), |frame| {
        let (host, classic, kernel) = &mut *runs.borrow_mut();
        let kept = host.keep(&frame);
        if let Some(kernel) = kernel {
            prop_assert_eq!(kernel.keep(&frame), kept, "in the kernel and as a process");
        }
        let by_classic = classic.keep(&frame);
        prop_assert!(by_classic >= kept, "classic {} of {}", by_classic, kept);
        for kept in [kept, by_classic] {
            if let Err(difference) = changes_nothing(&frame, kept) {
                return Err(TestCaseError::fail(difference));
            }
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
