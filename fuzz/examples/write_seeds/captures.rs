//! Capture files of each format, and calls in them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use hopmark_fuzz::packet::{Message, udp_frame};

use super::Seed;
use super::frames::{RTP, message};

const EPOCH: u32 = 1_700_000_000;

/// A frame with its time in milliseconds; of its octets the first 54 are kept.
type Timed = (u32, Vec<u8>);

const KEPT: usize = 54;

fn pcap(magic: u32, is_big: bool, frames: &[Timed]) -> Vec<u8> {
    let four = |n: u32| if is_big { n.to_be_bytes() } else { n.to_le_bytes() };
    let two = |n: u16| if is_big { n.to_be_bytes() } else { n.to_le_bytes() };
    let unit = if magic == 0xA1B2_3C4D { 1_000_000 } else { 1000 };
    let mut file = four(magic).to_vec();
    file.extend([two(2), two(4)].concat());
    file.extend([four(0), four(0), four(65_535), four(1)].concat());
    for (time, frame) in frames {
        let (captured, wire) = (frame.len().min(KEPT), frame.len());
        let numbers = [EPOCH + time / 1000, time % 1000 * unit, captured as u32, wire as u32];
        file.extend(numbers.map(four).concat());
        if magic == 0xA1B2_CD34 {
            file.extend([0; 8]);
        }
        file.extend(&frame[..captured]);
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &body, &length].concat()
}

fn pcapng(frames: &[Timed]) -> Vec<u8> {
    pcapng_with_offset(frames, 0)
}

/// The second interface counts time from so many seconds later.
fn pcapng_with_offset(frames: &[Timed], offset: i64) -> Vec<u8> {
    let section = [&0x1A2B_3C4D_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xFF; 8]].concat();
    let interface = |more: &[u8]| {
        let fixed = [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 4, 0, b'e', b't', b'h', b'0', 9, 0, 1, 0, 3, 0, 0, 0];
        block(1, &[&fixed, more, &[0, 0, 0, 0]].concat())
    };
    let offset = [&[14, 0, 8, 0][..], &offset.to_le_bytes()].concat();
    let mut file = [block(0x0A0D_0D0A, &section), interface(&[]), interface(&offset)].concat();
    for (n, (time, frame)) in frames.iter().enumerate() {
        let ticks = u64::from(EPOCH) * 1000 + u64::from(*time);
        let captured = frame.len().min(KEPT);
        let numbers = [n as u32 % 2, (ticks >> 32) as u32, ticks as u32, captured as u32, frame.len() as u32];
        let mut body = [&numbers.map(u32::to_le_bytes).concat()[..], &frame[..captured]].concat();
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend([4, 0, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        file.extend(block(6, &body));
    }
    let simple = [&60_u32.to_le_bytes()[..], &frames[0].1[..KEPT]].concat();
    let statistics = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 8, 0, 3, 0, 0, 0, 0, 0, 0, 0];
    file.extend([block(3, &simple), block(5, &statistics), block(4, &[0; 4])].concat());
    file
}

fn snoop(frames: &[Timed]) -> Vec<u8> {
    let mut file = [&b"snoop\0\0\0"[..], &[0, 0, 0, 2, 0, 0, 0, 4]].concat();
    for (time, frame) in frames {
        let captured = frame.len().min(KEPT);
        let record = (24 + captured).next_multiple_of(4);
        let seconds = EPOCH + time / 1000;
        let numbers = [frame.len() as u32, captured as u32, record as u32, 0, seconds, time % 1000 * 1000];
        let end = file.len() + record;
        file.extend(numbers.map(u32::to_be_bytes).concat());
        file.extend(&frame[..captured]);
        file.resize(end, 0);
    }
    file
}

/// RFC 8878: one frame of one block that is stored as it is.
fn zstd(octets: &[u8]) -> Vec<u8> {
    let header = (octets.len() as u32) << 3 | 1;
    [&[0x28, 0xB5, 0x2F, 0xFD, 0, 0x58][..], &header.to_le_bytes()[..3], octets].concat()
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

/// Packets of a stream each way, 20 ms apart, as they are heard at these places: time to live and traffic class.
fn call(packets: u16, places: &[(u8, u8)]) -> Vec<Timed> {
    let mut frames = Vec::new();
    for n in 0..packets {
        for is_reply in [false, true] {
            for &(ttl, traffic_class) in places {
                let mut rtp = RTP.to_vec();
                rtp[2..4].copy_from_slice(&n.wrapping_add(65_530).to_be_bytes());
                rtp[4..8].copy_from_slice(&(u32::from(n) * 160).to_be_bytes());
                rtp[11] = u8::from(is_reply);
                let message = Message { is_reply, ttl, traffic_class, ..message(&rtp) };
                frames.push((u32::from(n) * 20, udp_frame(&message)));
            }
        }
    }
    frames
}

pub fn seeds() -> Vec<Seed> {
    let frames = call(6, &[(64, 0xB8)]);
    let micro = pcap(0xA1B2_C3D4, false, &frames);
    vec![
        ("micro.pcap", micro.clone()),
        ("nano-big-endian.pcap", pcap(0xA1B2_3C4D, true, &frames)),
        ("modified.pcap", pcap(0xA1B2_CD34, false, &frames)),
        ("cut-off.pcap", micro[..micro.len() - 9].to_vec()),
        ("all-blocks.pcapng", pcapng(&frames)),
        ("two-sections.pcapng", [pcapng(&frames[..2]), pcapng(&frames[2..])].concat()),
        ("plain.snoop", snoop(&frames)),
        ("packed.gz", gzip(&micro)),
        ("packed.zst", zstd(&micro)),
    ]
}

/// Octets behind the last record until the length says how the target hears the frames: 0 at one point, 1 in turn at
/// two, 2 by interface.
fn heard(how: usize, mut file: Vec<u8>) -> Vec<u8> {
    while file.len() % 3 != how {
        file.push(0);
    }
    file
}

pub fn calls() -> Vec<Seed> {
    let micro = |frames: &[Timed]| pcap(0xA1B2_C3D4, false, frames);
    let lossy: Vec<Timed> =
        call(40, &[(64, 0xB8)]).into_iter().enumerate().filter(|(i, _)| i % 7 != 3).map(|f| f.1).collect();
    let bleached = call(20, &[(64, 0xB8), (63, 0)]);
    let apart = pcapng_with_offset(&bleached, 1 << 34);
    vec![
        ("call.pcap", heard(0, micro(&call(30, &[(64, 0xB8)])))),
        ("bleached.pcap", heard(0, micro(&bleached))),
        ("bleached-at-two-points.pcap", heard(1, micro(&bleached))),
        ("three-hops.pcap", heard(0, micro(&call(12, &[(64, 0xB8), (63, 0x88), (62, 0x88)])))),
        ("three-hops-in-turn.pcap", heard(1, micro(&call(12, &[(64, 0xB8), (63, 0x88), (62, 0x88)])))),
        ("lossy.pcap", heard(0, micro(&lossy))),
        ("interfaces.pcapng", heard(0, pcapng(&call(12, &[(64, 0xB8), (64, 0)])))),
        ("interfaces-are-points.pcapng", heard(2, pcapng(&call(12, &[(64, 0xB8), (64, 0)])))),
        ("clocks-apart.pcapng", heard(2, apart)),
    ]
}
