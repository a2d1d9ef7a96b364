//! The backend by libpcap against the kernel: what is sent is seen.
//!
//! Each test has a network namespace of its own, which ends with its thread. They need root; without it they say so and
//! prove nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]
#![allow(clippy::indexing_slicing, reason = "a frame that is missing has failed")]

mod common;

use std::time::Duration;

use common::cable::{Sender, in_namespace, ip};
use hopmark::capture::libpcap::{LibpcapError, LibpcapSource};
use hopmark::decode::{Decoder, Layer, Message, Options};
use hopmark::terms::{Frame, LinkType, Timestamp};

const BUFFER: u32 = 1 << 21;

/// RTP in UDP, with a number that tells the frames apart.
fn rtp(number: u16) -> Vec<u8> {
    let builder = etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(20_000, 30_000);
    let [high, low] = number.to_be_bytes();
    let media = [&[0x80, 8, high, low, 0, 0, 0, 160, 0xCA, 0xFE, 0xCA, 0xFE][..], &[0x55; 160]].concat();
    let mut frame = Vec::new();
    builder.write(&mut frame, &media).unwrap();
    frame
}

fn tagged(frame: &[u8], tags: &[[u8; 4]]) -> Vec<u8> {
    [&frame[..12], &tags.concat(), &frame[12..]].concat()
}

fn source(device: &str, filter: Option<&str>) -> LibpcapSource {
    LibpcapSource::open(device, 65_535, BUFFER, true, filter).unwrap()
}

/// Reads until so many frames have come and then no more.
fn read(source: &mut LibpcapSource, frames: usize, mut look: impl FnMut(&Frame<'_>)) {
    let mut seen = 0;
    while seen < frames {
        let progress = source
            .read(Duration::from_secs(5), |frame| {
                seen += 1;
                look(frame);
            })
            .unwrap();
        assert!(!progress.was_idle, "{seen} of {frames} frames came");
    }
    source.read(Duration::from_millis(150), |_| seen += 1).unwrap();
    assert_eq!(seen, frames);
}

#[test]
fn all_frames_are_seen_in_order_with_their_octets() {
    in_namespace(|| {
        let mut source = source("right", None);
        assert_eq!(source.link(), LinkType::ETHERNET);
        let sender = Sender::on("left");
        let mut sent: Vec<Vec<u8>> = (0..500).map(rtp).collect();
        sent.push(tagged(&rtp(500), &[[0x81, 0, 0xA0, 10]]));
        sent.push(tagged(&rtp(501), &[[0x88, 0xA8, 0, 100], [0x81, 0, 0, 10]]));
        sender.send_all(&sent);
        let (mut seen, mut times): (Vec<Vec<u8>>, Vec<Timestamp>) = (Vec::new(), Vec::new());
        read(&mut source, sent.len(), |frame| {
            assert_eq!(frame.wire_len as usize, frame.data.len());
            seen.push(frame.data.to_vec());
            times.push(frame.timestamp);
        });
        assert_eq!(seen, sent);
        assert!(times.is_sorted() && times.iter().any(|time| time.0 % 1000 != 0), "nanoseconds");
        let age = jiff::Timestamp::now().as_nanosecond() - i128::from(times[0].0);
        assert!((0..60_000_000_000).contains(&age), "the first was {age} ns ago");
        let counters = source.counters();
        let octets: usize = sent.iter().map(Vec::len).sum();
        assert_eq!((counters.packets, counters.accepted, counters.dropped), (502, 502, 0));
        assert_eq!((counters.octets, counters.truncated), (octets as u64, 0));
        assert_eq!((counters.freezes, counters.stamps), (None, None), "libpcap does not say");
    });
}

#[test]
fn sent_is_seen_and_dropped_when_nobody_reads() {
    in_namespace(|| {
        let mut source = LibpcapSource::open("right", 65_535, 1 << 15, true, None).unwrap();
        let sender = Sender::on("left");
        for round in 1..=3 {
            for number in 0..2000 {
                sender.send(&rtp(number));
            }
            while !source.read(Duration::from_millis(150), |_| ()).unwrap().was_idle {}
            let counters = source.counters();
            assert_eq!(counters.packets + counters.dropped, round * 2000);
            assert_eq!(counters.packets, counters.accepted);
            assert!(counters.dropped > round * 1000, "{} dropped", counters.dropped);
        }
    });
}

#[test]
fn what_is_cut_is_counted_and_what_is_filtered_does_not_come() {
    in_namespace(|| {
        let filter = Some("udp port 30000");
        let mut source = LibpcapSource::open("right", 60, BUFFER, true, filter).unwrap();
        let sender = Sender::on("left");
        let mut other = rtp(1);
        other[36..38].copy_from_slice(&[0, 53]);
        sender.send_all(&[other, rtp(2)]);
        read(&mut source, 1, |frame| {
            assert_eq!((frame.data, frame.wire_len as usize), (&rtp(2)[..60], rtp(2).len()));
        });
        assert_eq!(source.counters().truncated, 1);
    });
}

#[test]
fn any_hears_all_interfaces() {
    in_namespace(|| {
        let mut source = source("any", Some("udp port 30000"));
        assert_eq!(source.link(), LinkType::LINUX_SLL2);
        Sender::on("left").send(&rtp(1));
        let mut decoder = Decoder::new(1, Options::default());
        let mut sequences = Vec::new();
        // Once as sent by one end, once as received by the other.
        read(&mut source, 2, |frame| {
            decoder
                .decode(frame, |seen, paths| {
                    let Message::Rtp(header) = seen.message else { panic!("{:?}", seen.message) };
                    sequences.push(header.sequence);
                    assert!(
                        paths.path(seen.path).unwrap().layers.iter().all(|l| !matches!(l, Layer::Gre { .. }))
                    );
                })
                .unwrap();
        });
        assert_eq!(sequences, [1, 1]);
    });
}

#[test]
fn interfaces_that_are_not_ethernet_are_read() {
    in_namespace(|| {
        ip("tuntap add dev layer3 mode tun");
        ip("link set layer3 up");
        assert_eq!(source("layer3", None).link(), LinkType::RAW);
    });
}

#[test]
fn an_interface_that_was_removed_is_told_and_one_that_is_down_is_silent() {
    in_namespace(|| {
        let mut source = source("right", None);
        let sender = Sender::on("left");
        sender.send(&rtp(1));
        read(&mut source, 1, |_| ());
        ip("link set right down");
        for _ in 0..5 {
            assert!(source.read(Duration::from_millis(20), |_| ()).unwrap().was_idle);
        }
        ip("link set right up");
        let mut again = 0;
        // The other end takes a moment to notice that the cable is whole again.
        for _ in 0..50 {
            sender.send(&rtp(2));
            source
                .read(Duration::from_millis(100), |frame| {
                    again += 1;
                    assert_eq!(frame.data, rtp(2));
                })
                .unwrap();
            if again > 0 {
                break;
            }
        }
        assert!(again > 0);
        ip("link del left");
        let gone = (0..50).find_map(|_| source.read(Duration::from_millis(50), |_| ()).err()).unwrap();
        assert!(matches!(gone, LibpcapError::Gone { .. }), "{gone}");
        assert!(source.counters().packets > again, "what was counted stays");
    });
}

#[test]
fn refusals_say_how_to_mend_them() {
    in_namespace(|| {
        let refused = |device: &str, filter: Option<&str>| {
            LibpcapSource::open(device, 65_535, BUFFER, true, filter).err().unwrap().to_string()
        };
        assert_eq!(refused("eth9", None), "interface eth9: not found; interfaces here: any, lo, right, left");
        let filter = refused("right", Some("udp prot 5"));
        assert!(
            filter.starts_with("interface right: filter \"udp prot 5\": ") && filter.contains("syntax error")
        );
        assert!(filter.ends_with("man pcap-filter has its language"), "{filter}");
        caps::clear(None, caps::CapSet::Effective).unwrap();
        let permission = refused("right", None);
        assert!(permission.contains("CAP_NET_RAW") && permission.contains("setcap"), "{permission}");
    });
}
