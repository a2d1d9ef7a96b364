//! The ring against the kernel: what is sent over a veth pair is seen.
//!
//! Each test has a network namespace of its own, which ends with its thread. They need root; without it they say so and
//! prove nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]
#![allow(clippy::indexing_slicing, reason = "a frame that is missing has failed")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod common;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use hopmark::capture::kernel::load_fanout;
use hopmark::capture::ring::{
    Fanout, Heard, OpenedRing, Ring, RingCounters, RingError, RingOptions, Trial, attach_classic,
    fanout_group, open, open_fanned,
};
use hopmark::decode::{Decoder, Layer, Options};
use hopmark::terms::{Frame, LinkType, Timestamp};

use common::cable::{Sender, in_namespace, ip};

/// What comes within this time counts as come.
const PATIENCE: Duration = Duration::from_secs(5);
const NO_FILTER: fn(BorrowedFd<'_>) -> io::Result<()> = |_| Ok(());

/// Small enough for tests that run side by side.
fn options() -> RingOptions {
    RingOptions {
        blocks: 8,
        block_octets: 1 << 16,
        retire: Duration::from_millis(5),
        ..RingOptions::default()
    }
}

fn ring(interface: &str, options: &RingOptions) -> Ring {
    Ring::map(open(interface, options, &mut NO_FILTER.clone()).unwrap()).unwrap()
}

/// RTP of one stream, the number of which is also in its UDP source port.
fn rtp(number: u16) -> Vec<u8> {
    let builder = etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(20_000 + number % 1000 * 2, 30_000);
    let [high, low] = number.to_be_bytes();
    let media = [&[0x80, 8, high, low, 0, 0, 0, 160, 0xCA, 0xFE, 0xCA, 0xFE][..], &[0x55; 160]].concat();
    let mut frame = Vec::new();
    builder.write(&mut frame, &media).unwrap();
    frame
}

fn tagged(frame: &[u8], tags: &[[u8; 4]]) -> Vec<u8> {
    [&frame[..12], &tags.concat(), &frame[12..]].concat()
}

#[derive(Debug, Clone, PartialEq)]
struct Seen {
    timestamp: Timestamp,
    data: Vec<u8>,
    wire_len: u32,
}

/// One frame after the other.
fn each(mut keep: impl FnMut(&Frame<'_>)) -> impl FnMut(&[Frame<'_>]) {
    move |frames| frames.iter().for_each(&mut keep)
}

/// Reads until so many frames have come, or none for long.
fn read(ring: &mut Ring, frames: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    let keep = |seen: &mut Vec<Seen>, frame: &Frame<'_>| {
        assert_eq!((frame.link, frame.interface), (LinkType::ETHERNET, 0));
        seen.push(Seen { timestamp: frame.timestamp, data: frame.data.to_vec(), wire_len: frame.wire_len });
    };
    while seen.len() < frames {
        let before = seen.len();
        let progress = ring.read(PATIENCE, each(|frame| keep(&mut seen, frame))).unwrap();
        assert_eq!(progress.frames, (seen.len() - before) as u64);
        assert!(!progress.was_idle, "{} of {frames} frames came", seen.len());
    }
    // What should not be there comes within a block's time.
    ring.read(Duration::from_millis(50), each(|frame| keep(&mut seen, frame))).unwrap();
    seen
}

fn datas(seen: &[Seen]) -> Vec<&[u8]> {
    seen.iter().map(|seen| &seen.data[..]).collect()
}

#[test]
fn all_frames_are_seen_in_order_with_their_octets() {
    in_namespace(|| {
        let mut ring = ring("right", &options());
        let sender = Sender::on("left");
        let sent: Vec<Vec<u8>> = (0..3000).map(rtp).collect();
        let mut seen = Vec::new();
        for batch in sent.chunks(500) {
            sender.send_all(batch);
            seen.extend(read(&mut ring, batch.len()));
        }
        assert_eq!(datas(&seen), sent);
        assert!(seen.iter().all(|seen| seen.wire_len as usize == seen.data.len()));
        assert!(seen.is_sorted_by_key(|seen| seen.timestamp), "times go forward");
        let now = jiff::Timestamp::now().as_nanosecond();
        let age = now - i128::from(seen[2999].timestamp.0);
        assert!((0..60_000_000_000).contains(&age), "the last was {age} ns ago");
        assert!(seen.iter().any(|seen| seen.timestamp.0 % 1000 != 0), "nanoseconds");

        let counters = ring.counters();
        let octets: usize = sent.iter().map(Vec::len).sum();
        assert_eq!((counters.packets, counters.octets), (3000, octets as u64));
        assert_eq!((counters.accepted, counters.dropped, counters.truncated), (3000, 0, 0));
        assert_eq!((counters.damaged_blocks, counters.losing_blocks), (Some(0), Some(0)));
        let stamps = counters.stamps.unwrap();
        assert_eq!((stamps.hardware, stamps.software + stamps.ring), (0, 3000), "veth has no clock");
    });
}

#[test]
fn sent_is_seen_and_dropped_when_nobody_reads() {
    in_namespace(|| {
        let tiny = RingOptions { blocks: 2, block_octets: 1 << 14, ..options() };
        let mut ring = ring("right", &tiny);
        let sender = Sender::on("left");
        let mut sent = 0;
        for round in 0_u64..3 {
            (0..2000).for_each(|number| sender.send(&rtp(number)));
            sent += 2000;
            let RingCounters { packets, accepted, dropped, freezes, .. } = ring.counters();
            assert_eq!(accepted + dropped, sent, "round {round}");
            assert!(packets < accepted && dropped > 1000, "round {round}: {dropped} dropped");
            assert!(freezes > Some(round), "round {round}: {freezes:?}");
            while !ring.read(Duration::from_millis(50), |_| ()).unwrap().was_idle {}
            let counters = ring.counters();
            assert_eq!(
                counters.packets + counters.dropped,
                sent,
                "round {round}: all that is there was read"
            );
            assert_eq!(counters.packets, counters.accepted);
        }
        // Drops while a block was filled are marked in it.
        assert!(ring.counters().damaged_blocks == Some(0));
    });
}

#[test]
fn a_frame_that_the_filter_cuts_is_counted_as_truncated() {
    in_namespace(|| {
        let mut attached = 0;
        let mut attach = |socket: BorrowedFd<'_>| {
            attached += 1;
            keep_octets(socket, 60)
        };
        let mut ring = Ring::map(open("right", &options(), &mut attach).unwrap()).unwrap();
        assert_eq!(attached, 1);
        let (sender, frame) = (Sender::on("left"), rtp(1));
        sender.send(&frame);
        sender.send(&frame[..60]);
        let seen = read(&mut ring, 2);
        assert_eq!(datas(&seen), [&frame[..60], &frame[..60]]);
        assert_eq!([seen[0].wire_len, seen[1].wire_len], [u32::try_from(frame.len()).unwrap(), 60]);
        assert_eq!((ring.counters().truncated, ring.counters().octets), (1, frame.len() as u64 + 60));
    });
}

/// Keeps so many octets of every packet.
fn keep_octets(socket: BorrowedFd<'_>, octets: u32) -> io::Result<()> {
    const RETURN: u16 = 6;
    attach_classic(socket, &[libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: octets }])
}

#[test]
fn a_filter_that_is_refused_says_so() {
    in_namespace(|| {
        let refusal = || io::Error::from_raw_os_error(nix::errno::Errno::EINVAL as i32);
        let refused = open("right", &options(), &mut |_| Err(refusal())).unwrap_err();
        assert!(matches!(&refused, RingError::Filter { interface, .. } if interface == "right"), "{refused}");
    });
}

/// What the decoder makes of a frame: the layers around the media.
fn layers(decoder: &mut Decoder, data: &[u8], wire_len: u32) -> Vec<Layer> {
    let frame = Frame { timestamp: Timestamp(0), data, wire_len, link: LinkType::ETHERNET, interface: 0 };
    let mut layers = None;
    decoder.decode(&frame, |o, paths| layers = Some(paths.path(o.path).unwrap().layers.to_vec())).unwrap();
    layers.unwrap()
}

/// Name, tags as they are sent, and the VLANs and priorities that are to come out.
type Tagged = (&'static str, &'static [[u8; 4]], &'static [(u16, u8)]);

#[test]
fn tags_are_where_they_were_on_the_wire() {
    in_namespace(|| {
        let mut ring = ring("right", &options());
        let sender = Sender::on("left");
        let cases: [Tagged; 6] = [
            ("no tag", &[], &[]),
            ("customer", &[[0x81, 0, 0xA0, 10]], &[(10, 5)]),
            ("provider", &[[0x88, 0xA8, 0, 100]], &[(100, 0)]),
            ("both", &[[0x88, 0xA8, 0x60, 100], [0x81, 0, 0xA0, 10]], &[(100, 3), (10, 5)]),
            ("customer twice", &[[0x81, 0, 0, 7], [0x81, 0, 0, 8]], &[(7, 0), (8, 0)]),
            ("priority only", &[[0x81, 0, 0xE0, 0]], &[(0, 7)]),
        ];
        let sent: Vec<Vec<u8>> = cases.iter().map(|(_, tags, _)| tagged(&rtp(1), tags)).collect();
        sender.send_all(&sent);
        let seen = read(&mut ring, sent.len());
        let mut decoder = Decoder::new(1, Options::default());
        for (((name, _, expected), sent), seen) in cases.iter().zip(&sent).zip(&seen) {
            assert_eq!(&seen.data, sent, "{name}");
            assert_eq!(seen.wire_len as usize, sent.len(), "{name}");
            let expected: Vec<Layer> = expected.iter().map(|&(vid, pcp)| Layer::Vlan { vid, pcp }).collect();
            assert_eq!(layers(&mut decoder, &seen.data, seen.wire_len), expected, "{name}");
        }
        assert_eq!(seen.len(), sent.len());
    });
}

#[test]
fn two_rings_together_see_each_packet_once() {
    in_namespace(|| {
        let opened = open_fanned("right", &options(), 2, None, &mut NO_FILTER.clone()).unwrap();
        let groups: BTreeSet<u16> = opened.iter().map(|o| fanout_group(o.socket.as_fd()).unwrap()).collect();
        assert_eq!(groups.len(), 1, "both are in one group");
        let group = *groups.first().unwrap();
        // Another's group is another one, and a third ring may join later.
        let others = open_fanned("left", &options(), 1, None, &mut NO_FILTER.clone()).unwrap();
        assert_ne!(fanout_group(others[0].socket.as_fd()).unwrap(), group);
        let fanout = Some(Fanout { group, program: None });
        let third = open("right", &RingOptions { fanout, ..options() }, &mut NO_FILTER.clone()).unwrap();

        let mut rings: Vec<Ring> = opened.into_iter().chain([third]).map(|o| Ring::map(o).unwrap()).collect();
        let sender = Sender::on("left");
        let sent: Vec<Vec<u8>> = (0..900).map(rtp).collect();
        sender.send_all(&sent);
        let mut seen = Vec::new();
        for ring in &mut rings {
            let before = seen.len();
            while !ring
                .read(Duration::from_millis(100), each(|frame| seen.push(frame.data.to_vec())))
                .unwrap()
                .was_idle
            {}
            assert!(seen.len() > before + 100, "{} of 900 came into one of three", seen.len() - before);
        }
        seen.sort_unstable();
        let mut expected = sent;
        expected.sort_unstable();
        assert_eq!(seen, expected);
        let accepted: u64 = rings.iter_mut().map(|ring| ring.counters().accepted).sum();
        assert_eq!(accepted, 900, "the kernel counted each once");
    });
}

#[test]
fn a_trial_tells_rings_that_share_from_rings_that_do_not() {
    in_namespace(|| {
        let trial = Trial::new().unwrap();
        let options = RingOptions { promiscuous: false, ..options() };
        let mut attach = |socket: BorrowedFd<'_>| trial.attach(socket);
        for program in [None, load_fanout().ok()] {
            let shared = open_fanned("lo", &options, 3, program, &mut attach).unwrap();
            let Heard { sent, heard } = trial.run(&shared).unwrap();
            assert_eq!((sent, heard), (64, 64));
        }
        let apart = [0; 2].map(|_| open("lo", &options, &mut attach).unwrap());
        assert_eq!(trial.run(&apart).unwrap(), Heard { sent: 64, heard: 128 });
        // What is not of the trial is not counted.
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        other.send_to(&[7; 30], other.local_addr().unwrap()).unwrap();
        assert_eq!(trial.run(&apart).unwrap().heard, 128);
        ip("link set lo down");
        assert!(trial.run(&apart).map_or(true, |nothing| nothing.heard == 0));
    });
}

#[test]
fn a_flow_and_its_answers_come_into_the_same_ring() {
    in_namespace(|| {
        let opened = open_fanned("right", &options(), 2, None, &mut NO_FILTER.clone()).unwrap();
        let mut rings: Vec<Ring> = opened.into_iter().map(|o| Ring::map(o).unwrap()).collect();
        let sender = Sender::on("left");
        for number in 0..200 {
            let there = rtp(number);
            let mut back = there.clone();
            back.copy_within(30..34, 26);
            back[30..34].copy_from_slice(&there[26..30]);
            back.copy_within(36..38, 34);
            back[36..38].copy_from_slice(&there[34..36]);
            sender.send(&there);
            sender.send(&back);
        }
        let mut total = 0;
        for ring in &mut rings {
            let (mut there, mut back) = (BTreeSet::new(), BTreeSet::new());
            while !ring
                .read(
                    Duration::from_millis(100),
                    each(|frame| {
                        let port = |at: usize| u16::from_be_bytes([frame.data[at], frame.data[at + 1]]);
                        if port(36) == 30_000 {
                            there.insert(port(34))
                        } else {
                            back.insert(port(36))
                        };
                    }),
                )
                .unwrap()
                .was_idle
            {}
            assert_eq!(there, back);
            total += there.len();
        }
        assert_eq!(total, 200);
    });
}

/// An IPv4 fragment of a datagram of 32 octets: its first half or its second.
fn fragment(is_first: bool) -> Vec<u8> {
    let field = if is_first { 0x2000_u16 } else { 2 };
    let mut ip = [0x45, 0, 0, 36, 0x12, 0x34, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    ip[6..8].copy_from_slice(&field.to_be_bytes());
    let sum: u32 = ip.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = u16::try_from((sum & 0xFFFF) + (sum >> 16)).unwrap();
    ip[10..12].copy_from_slice(&(!folded).to_be_bytes());
    let udp = [0x4E, 0x20, 0x75, 0x30, 0, 32, 0, 0];
    let half = if is_first { [&udp[..], &[1; 8]].concat() } else { vec![2; 16] };
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], &ip, &half].concat()
}

#[test]
fn rings_that_share_by_hash_see_a_datagram_in_fragments_as_one_frame() {
    in_namespace(|| {
        let mut alone = ring("right", &options());
        let opened = open_fanned("right", &options(), 1, None, &mut NO_FILTER.clone()).unwrap();
        let mut shared = Ring::map(opened.into_iter().next().unwrap()).unwrap();
        Sender::on("left").send_all(&[fragment(true), fragment(false)]);
        assert_eq!(datas(&read(&mut alone, 2)), [fragment(true), fragment(false)]);
        let whole = &read(&mut shared, 1)[0];
        assert_eq!(whole.data.len(), 14 + 20 + 32);
        assert_eq!(whole.data[16..18], [0, 52], "the length is the datagram's");
        assert_eq!(whole.data[20..22], [0, 0], "and it is no fragment");
        assert_eq!(whole.data[42..], [[1; 8].as_slice(), &[2; 16]].concat());
    });
}

/// Reads until there is an error, but not for ever.
fn read_to_error(ring: &mut Ring, mut sink: impl FnMut(&Frame<'_>)) -> RingError {
    for _ in 0..200 {
        if let Err(error) = ring.read(Duration::from_millis(50), each(&mut sink)) {
            return error;
        }
    }
    panic!("no error within 10 s")
}

#[test]
fn an_interface_that_went_down_is_told_and_comes_back() {
    in_namespace(|| {
        // Longer than it takes to go down, so that the frames are still in the kernel's hands then.
        let mut ring = ring("right", &RingOptions { retire: Duration::from_millis(700), ..options() });
        let sender = Sender::on("left");
        (0..10).for_each(|number| sender.send(&rtp(number)));
        ip("link set right down");
        let mut before = 0;
        let error = read_to_error(&mut ring, |_| before += 1);
        assert!(matches!(error, RingError::Down { .. }), "{error}");
        assert_eq!(before, 10, "frames from before are given first");
        assert!(ring.read(Duration::from_millis(20), |_| ()).unwrap().was_idle, "said once");
        ip("link set right up");
        ip("link set left up");
        let mut again = 0;
        // The other end takes a moment to notice that the cable is whole again.
        for _ in 0..50 {
            sender.send(&rtp(11));
            let keep = |frame: &Frame<'_>| {
                assert_eq!(frame.data, rtp(11));
                again += 1;
            };
            ring.read(Duration::from_millis(100), each(keep)).unwrap();
            if again > 0 {
                break;
            }
        }
        assert!(again > 0, "frames come again");
        ip("link set right down");
        let error = read_to_error(&mut ring, |_| again += 1);
        assert!(matches!(error, RingError::Down { .. }), "said again: {error}");
        assert_eq!(ring.counters().packets, 10 + again);
    });
}

#[test]
fn an_interface_that_is_down_when_opened_is_told() {
    in_namespace(|| {
        ip("link set right down");
        let mut ring = ring("right", &options());
        let error = read_to_error(&mut ring, |_| ());
        assert!(matches!(error, RingError::Down { .. }), "{error}");
    });
}

#[test]
fn an_interface_that_was_removed_is_told_apart() {
    in_namespace(|| {
        let mut ring = ring("right", &options());
        let sender = Sender::on("left");
        (0..10).for_each(|number| sender.send(&rtp(number)));
        ip("link del left");
        let mut before = 0;
        let mut error = read_to_error(&mut ring, |_| before += 1);
        if matches!(error, RingError::Down { .. }) {
            // It goes down before it goes.
            error = read_to_error(&mut ring, |_| before += 1);
        }
        assert!(matches!(error, RingError::Gone { .. }), "{error}");
        assert_eq!(before, 10, "frames from before are given first");
        let again = ring.read(Duration::ZERO, |_| ()).unwrap_err();
        assert!(matches!(again, RingError::Gone { .. }), "it stays gone: {again}");

        // One of the same name is another one.
        ip("link add left type veth peer name right");
        ip("link set left up");
        ip("link set right up");
        let error = read_to_error(&mut ring, |_| ());
        assert!(matches!(error, RingError::Gone { .. }), "{error}");
        let mut anew = self::ring("right", &options());
        Sender::on("left").send(&rtp(5));
        assert!(datas(&read(&mut anew, 1)).contains(&&rtp(5)[..]));
    });
}

#[test]
fn promiscuous_mode_ends_with_the_ring() {
    in_namespace(|| {
        let promiscuity = |expected: &str| {
            let about = ip("-d link show right");
            assert!(about.contains(&format!("promiscuity {expected} ")), "{expected}: {about}");
        };
        promiscuity("0");
        let first = open("right", &options(), &mut NO_FILTER.clone()).unwrap();
        promiscuity("1");
        let second = ring("right", &options());
        let modest = ring("right", &RingOptions { promiscuous: false, ..options() });
        promiscuity("2");
        drop((second, modest));
        promiscuity("1");
        drop(first);
        promiscuity("0");
    });
}

#[test]
fn what_the_machine_sends_is_left_out_when_asked() {
    in_namespace(|| {
        let mut all = ring("left", &options());
        let received_only = RingOptions { ignore_outgoing: true, ..options() };
        let mut received = ring("left", &received_only);
        let fanned = open_fanned("left", &received_only, 1, None, &mut NO_FILTER.clone()).unwrap();
        let mut fanned = Ring::map(fanned.into_iter().next().unwrap()).unwrap();
        Sender::on("left").send(&rtp(1));
        Sender::on("right").send(&rtp(2));
        assert_eq!(datas(&read(&mut all, 2)), [rtp(1), rtp(2)]);
        assert_eq!(datas(&read(&mut received, 1)), [rtp(2)]);
        assert_eq!(datas(&read(&mut fanned, 1)), [rtp(2)], "also where rings share");
    });
}

#[test]
fn the_loopback_is_read_as_ethernet() {
    in_namespace(|| {
        let mut ring = ring("lo", &RingOptions { ignore_outgoing: true, ..options() });
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&[7; 30], socket.local_addr().unwrap()).unwrap();
        let seen = read(&mut ring, 1);
        assert_eq!((seen.len(), &seen[0].data[12..14], seen[0].data.len()), (1, &[8, 0][..], 14 + 28 + 30));
    });
}

#[test]
fn what_is_not_ethernet_is_refused_with_what_reads_it() {
    in_namespace(|| {
        ip("tuntap add dev t mode tun");
        let refused = open("t", &options(), &mut NO_FILTER.clone()).unwrap_err();
        assert!(matches!(refused, RingError::NotEthernet { hardware: 0xFFFE, .. }), "{refused:?}");
        assert!(refused.to_string().contains("set backend = \"pcap\""), "{refused}");
    });
}

#[test]
fn a_ring_is_as_large_as_memory_allows() {
    in_namespace(|| {
        let about = std::fs::read_to_string("/proc/meminfo").unwrap();
        let available = about.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
        let kibibytes: u64 = available.trim().trim_end_matches(" kB").parse().unwrap();
        if kibibytes < 4 << 20 {
            eprintln!("skipped: {kibibytes} KiB of memory are not enough to try");
            return;
        }
        // The kernel's list of so many blocks is longer than it can allocate at once, so that this fails without
        // taking all memory: two halvings further it is not.
        let blocks = (1 << 20) + 4;
        let absurd = RingOptions { blocks, block_octets: 4096, ..options() };
        let opened = open("right", &absurd, &mut NO_FILTER.clone()).unwrap();
        assert!(opened.blocks < blocks && opened.blocks > 0, "{}", opened.blocks);
        assert_eq!(blocks >> (blocks / opened.blocks).ilog2(), opened.blocks, "halved");
        let mut ring = Ring::map(opened).unwrap();
        Sender::on("left").send(&rtp(1));
        assert_eq!(datas(&read(&mut ring, 1)), [rtp(1)]);
    });
}

#[test]
fn sizes_that_are_not_the_rings_are_not_mapped() {
    in_namespace(|| {
        for (blocks, block_octets) in
            [(9, 1 << 16), (8, 1 << 17), (0, 1 << 16), (8, 1000), (u32::MAX, 1 << 31)]
        {
            let opened = open("right", &options(), &mut NO_FILTER.clone()).unwrap();
            let wrong = OpenedRing { blocks, block_octets, ..opened };
            let refused = Ring::map(wrong).unwrap_err();
            assert!(matches!(refused, RingError::Map { .. }), "{blocks} blocks of {block_octets}: {refused}");
        }
    });
}

#[test]
fn a_ring_may_be_read_without_any_privilege() {
    in_namespace(|| {
        let opened = open("right", &options(), &mut NO_FILTER.clone()).unwrap();
        let sender = Sender::on("left");
        // Of this thread alone.
        caps::clear(None, caps::CapSet::Effective).unwrap();
        caps::clear(None, caps::CapSet::Permitted).unwrap();
        let refused = open("right", &options(), &mut NO_FILTER.clone()).unwrap_err();
        assert!(matches!(refused, RingError::Permission { .. }), "{refused}");
        assert!(refused.to_string().contains("CAP_NET_RAW"), "{refused}");
        let mut ring = Ring::map(opened).unwrap();
        sender.send(&rtp(1));
        assert_eq!(datas(&read(&mut ring, 1)), [rtp(1)]);
        assert_eq!(ring.counters().accepted, 1);
    });
}
