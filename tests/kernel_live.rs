//! On a cable tagged frames pass, and rings share packets by flow.
//!
//! Needs root, for a namespace of its own; without, the tests say so and pass.

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
#[path = "kernel_filter/network.rs"]
mod network;
#[path = "kernel_filter/runs.rs"]
mod runs;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::thread::sleep;
use std::time::Duration;

use common::packet::{IPV4, PROVIDER_VLAN, VLAN, ethernet};
use common::{Udp, tunnel};
use hopmark::capture::kernel::{Filter, FilterCounters, FilterOptions, load_fanout};
use network::{Ear, on_a_cable, sender};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::SetUsize;
use runs::{Host, Keep};

/// The group of rings, and how packets are shared among them.
#[derive(Debug, Clone, Copy)]
struct Fanout;
nix::setsockopt_impl!(Fanout, libc::SOL_PACKET, libc::PACKET_FANOUT, usize, SetUsize);

/// The program that shares them.
#[derive(Debug, Clone, Copy)]
struct FanoutData;
nix::setsockopt_impl!(FanoutData, libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, usize, SetUsize);

fn options() -> FilterOptions {
    FilterOptions { excluded_udp_ports: vec![53..=53, 5060..=5061], ..FilterOptions::default() }
}

/// The frame as it is in memory after the kernel took its outer tag off.
fn without_outer_tag(frame: &[u8]) -> Vec<u8> {
    if matches!(u16::from_be_bytes([frame[12], frame[13]]), VLAN | PROVIDER_VLAN) {
        [&frame[..12], &frame[16..]].concat()
    } else {
        frame.to_vec()
    }
}

/// Sends every frame of the table and hears it twice: as it leaves, with all its tags, and as it arrives, without the
/// outer one.
fn the_cable_carries_the_table(filter: &Filter, expected: fn(&frames::Case) -> usize) {
    let mut ear = Ear::new();
    filter.attach(ear.socket().as_fd()).unwrap();
    let counters = filter.counters_fd().unwrap().map(|fd| FilterCounters::map(fd).unwrap());
    let mut host = Host::filter(&options());
    let mut sender = sender();
    let (mut tagged, mut sent) = (0, 0);
    for case in frames::all().iter().filter(|case| (14..9500).contains(&case.frame.len())) {
        sender.sendpacket(&case.frame[..]).unwrap();
        sent += 1;
        let arrives = without_outer_tag(&case.frame);
        let tag_octets = case.frame.len() - arrives.len();
        tagged += usize::from(tag_octets != 0);
        let keep = expected(case);
        // The table's figure is for the frame as it leaves.
        assert_eq!(host.keep(&arrives) == 0, case.keep == 0, "{}", case.name);
        let keeps = if keep == 0 { vec![] } else { vec![(true, keep), (false, keep - tag_octets)] };
        let heard = hear(&mut ear, keeps.len());
        for (leaves, keep) in &keeps {
            let frame = if *leaves { &case.frame } else { &arrives };
            let heard = heard.iter().find(|heard| heard.leaves == *leaves);
            let heard = heard.unwrap_or_else(|| panic!("{}: not heard, leaves: {leaves}", case.name));
            assert_eq!(heard.octets, frame[..*keep], "{}, leaves: {leaves}", case.name);
        }
        assert_eq!(heard.len(), keeps.len(), "{}", case.name);
    }
    assert!(tagged > 8, "{tagged} tagged frames");
    if let Some(counters) = counters {
        assert_eq!(counters.read().seen, 2 * sent);
    }
}

/// Waits for so many frames, and a little for what should not be there.
fn hear(ear: &mut Ear, count: usize) -> Vec<network::Heard> {
    let mut heard = Vec::new();
    for _ in 0..200 {
        heard.extend(std::iter::from_fn(|| ear.next()));
        if heard.len() >= count {
            break;
        }
        sleep(Duration::from_millis(5));
    }
    heard
}

#[test]
fn tagged_frames_pass_with_their_tag_and_without() {
    on_a_cable(|| {
        let filter = Filter::load(&options()).unwrap();
        assert_eq!(filter.reason().map(ToString::to_string), None);
        the_cable_carries_the_table(&filter, |case| case.keep);
    });
}

#[test]
fn tagged_frames_pass_the_classic_program_too() {
    on_a_cable(|| {
        the_cable_carries_the_table(&Filter::classic(&options()).unwrap(), |case| case.classic);
    });
}

/// A flow of a number, and what a datagram of it may be wrapped in.
fn flow(number: u8) -> Udp {
    Udp::new(&format!("10.0.0.{number}:50000"), &format!("10.0.1.{number}:50002"))
}

fn flow_6(number: u8) -> Udp {
    Udp::new(&format!("[2001:db8::{number:x}]:50000"), &format!("[2001:db8:1::{number:x}]:50002"))
}

/// Frames of one flow in one direction: all go to one ring. The last octet is the flow's number.
fn frames_of(flow: &Udp) -> Vec<Vec<u8>> {
    let number = match flow.source.ip() {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    };
    let payload = [&frames::rtp()[..], &[number; 64]].concat();
    let frame = flow.frame(&payload);
    let mut frames = vec![
        frame.clone(),
        flow.tagged(&[(VLAN, 7, 5)], &payload),
        flow.tagged(&[(PROVIDER_VLAN, 9, 1), (VLAN, 7, 5)], &payload),
        tunnel::erspan_1(&frame),
        tunnel::erspan_2(9, &frame),
        tunnel::erspan_2(9, &flow.tagged(&[(VLAN, 7, 5)], &payload)),
        tunnel::erspan_3(9, &frame),
        tunnel::vxlan(9, &frame),
        tunnel::gtpu(9, &flow.packet(&payload)),
        tunnel::geneve(9, &frame),
        ethernet(
            IPV4,
            &tunnel::outer().ip(etherparse::IpNumber::GRE, &[&[0, 0, 0x65, 0x58][..], &frame].concat()),
        ),
        tunnel::mpls(&[(16, 5)], &flow.packet(&payload)),
        flow.segment(1, &payload),
    ];
    if flow.source.is_ipv4() {
        frames.extend(flow.fragments(&payload, 120));
    }
    frames
}

fn both_ways(flow: Udp) -> Vec<Vec<u8>> {
    let mut frames = frames_of(&flow);
    frames.extend(frames_of(&flow.reversed()));
    frames
}

/// What the fan-out says of a frame that arrives: the kernel has taken off the link and an outer tag.
fn hash(host: &mut Host, frame: &[u8]) -> u32 {
    let bare = without_outer_tag(frame);
    host.run(u16::from_be_bytes([bare[12], bare[13]]), &bare[14..])
}

#[test]
fn the_fan_out_is_even_and_knows_a_flow_in_any_tunnel() {
    let host = &mut Host::fanout();
    for rings in 2..=4_u32 {
        let mut counts = BTreeMap::new();
        for number in 1..=200 {
            for flow in [flow(number), flow_6(number)] {
                let frames = both_ways(flow);
                let expected = hash(host, &frames[0]);
                for (i, frame) in frames.iter().enumerate() {
                    assert_eq!(hash(host, frame), expected, "flow {number}, frame {i}");
                    assert_eq!(host.run(0, frame), expected, "flow {number}, frame {i}, as it leaves");
                }
                *counts.entry(expected % rings).or_insert(0_u32) += 1;
            }
        }
        let even = 400 / rings;
        assert!(
            counts.len() == rings as usize && counts.values().all(|n| n.abs_diff(even) < even / 3),
            "{counts:?}"
        );
    }
    // All that is not IP goes to one ring.
    assert_eq!(hash(host, &ethernet(0x0806, &[9; 46])), hash(host, &ethernet(0x88CC, &[7; 46])));
    assert_eq!(hash(host, &ethernet(IPV4, &[0x45; 12])), 0, "cut off");
}

#[test]
fn the_kernel_gives_both_directions_of_a_flow_to_one_ring() {
    on_a_cable(|| {
        let program = load_fanout().unwrap();
        let mut ears = [Ear::new(), Ear::new()];
        for ear in &ears {
            let group = usize::try_from(std::process::id() & 0xFFFF).unwrap();
            let by_program = usize::try_from(libc::PACKET_FANOUT_EBPF << 16).unwrap();
            setsockopt(&ear.socket(), Fanout, &(group | by_program)).unwrap();
        }
        let number = usize::try_from(program.as_raw_fd()).unwrap();
        setsockopt(&ears[0].socket(), FanoutData, &number).unwrap();

        let host = &mut Host::fanout();
        let mut sender = sender();
        let mut shares = [0_u32; 2];
        for number in 1..=60 {
            for flow in [flow(number), flow_6(number)] {
                let frames = both_ways(flow);
                let expected = hash(host, &frames[0]) % 2;
                for (i, frame) in frames.iter().enumerate() {
                    sender.sendpacket(&frame[..]).unwrap();
                    let [one, other] = &mut ears;
                    let (ours, theirs) = if expected == 0 { (one, other) } else { (other, one) };
                    let heard = hear(ours, 2);
                    // As it leaves, and as it arrives.
                    assert_eq!(heard.len(), 2, "flow {number}, frame {i}: {heard:?}");
                    assert_eq!(theirs.next(), None, "flow {number}, frame {i}");
                }
                shares[expected as usize] += 1;
            }
        }
        assert!(shares.iter().all(|share| *share > 40), "{shares:?}");
    });
}
