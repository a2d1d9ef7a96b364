//! Messages one after the other, as `packet::messages` cuts them, and sequences for the meter.

use super::Seed;
use super::frames::RTP;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];

/// One message: circumstances, length, traffic class, payload.
fn one(circumstances: u8, payload: &[u8]) -> Vec<u8> {
    [&[circumstances, u8::try_from(payload.len()).unwrap(), 0xB8], payload].concat()
}

fn rtp_packet(n: u8) -> Vec<u8> {
    let mut packet = RTP.to_vec();
    (packet[3], packet[6], packet[7]) = (n, n / 2, n.wrapping_mul(160));
    packet
}

pub fn rtp() -> Vec<Seed> {
    let stream = |packets: &[u8], circumstances: &[u8]| -> Vec<u8> {
        let copies = packets.iter().flat_map(|&n| circumstances.iter().map(move |&c| one(c, &rtp_packet(n))));
        copies.collect::<Vec<_>>().concat()
    };
    let in_order: Vec<u8> = (0..12).collect();
    vec![
        ("stream.bin", stream(&in_order, &[0])),
        ("both-directions.bin", stream(&in_order, &[0, 9])),
        ("two-hops.bin", stream(&in_order, &[0, 0b1010])),
        ("lost-and-late.bin", stream(&[0, 1, 2, 3, 4, 8, 9, 7, 9, 12], &[0])),
        ("snapped.bin", stream(&in_order, &[0x40])),
        (
            "extension-and-padding.bin",
            one(
                0,
                &[&[0xB1, 111], &RTP[2..12], &[0; 4], &[0xBE, 0xDE, 0, 1, 0x10, 9, 0, 0, 3, 0, 0, 3]]
                    .concat(),
            ),
        ),
    ]
}

pub fn rtcp() -> Vec<Seed> {
    let report = [&[0x80, 200, 0, 6, 1, 2, 3, 4][..], &[0; 20]].concat();
    let receiver = [&[0x81, 201, 0, 7, 1, 2, 3, 4][..], &[0; 24]].concat();
    let description = [0x81, 202, 0, 2, 1, 2, 3, 4, 0, 0, 0, 0];
    let feedback = [0x81, 206, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
    vec![
        ("compound.bin", one(0, &[&report[..], &description].concat())),
        ("receiver-report.bin", one(1, &receiver)),
        ("feedback.bin", one(0, &feedback)),
        ("encrypted.bin", one(0, &[&report[..], &[0x77; 14]].concat())),
        ("snapped.bin", one(0x90, &[&report[..], &description].concat())),
    ]
}

/// A message of a type, with attributes that are padded already.
fn stun_message(message_type: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&message_type.to_be_bytes()[..], &length, &COOKIE, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], &body]
        .concat()
}

const XORED: [u8; 8] = [0, 1, 0xA2, 0x42, 0xE1, 0x12, 0xA6, 0x43];

pub fn stun() -> Vec<Seed> {
    let request =
        stun_message(1, &[(6, b"abcd:efgh"), (0x24, &[0, 0, 1, 0]), (0x802A, &[7; 8]), (0x25, &[])]);
    let response = stun_message(0x101, &[(0x20, &XORED), (0x8022, b"test")]);
    let allocate =
        stun_message(3, &[(0x19, &[17, 0, 0, 0]), (0x8055, &[0, 1, 0, 0]), (0x8008, &[0, 0, 0, 6])]);
    let refused =
        stun_message(0x113, &[(9, b"\0\0\x04\x01Unauthorized"), (0x14, b"example.org"), (0x15, b"nonce")]);
    let allocated = stun_message(0x103, &[(0x16, &XORED), (0x20, &XORED), (0x0D, &[0, 0, 2, 0x58])]);
    let bind = stun_message(9, &[(0x0C, &[0x40, 1, 0, 0]), (0x12, &XORED)]);
    let mut classic = stun_message(1, &[(6, b"abcd")]);
    classic[4..8].copy_from_slice(&[9, 9, 9, 9]);
    let mut microsoft = stun_message(3, &[(0x0F, &[0x72, 0xC6, 0x4B, 0xC6]), (6, b"abcd")]);
    microsoft[4..8].copy_from_slice(&[9, 9, 9, 9]);
    let checks: Vec<_> = (0..4).flat_map(|_| [one(0b1100, &request), one(0b1001, &response)]).collect();
    let allocation =
        [one(0, &allocate), one(1, &refused), one(0, &allocate), one(1, &allocated), one(0, &bind)];
    vec![
        ("binding.bin", [one(0, &request), one(1, &response)].concat()),
        ("again.bin", [one(0, &request), one(0, &request), one(0b110, &request)].concat()),
        ("consent.bin", checks.concat()),
        ("allocation.bin", allocation.concat()),
        ("classic.bin", one(0, &classic)),
        ("microsoft.bin", one(0, &microsoft)),
        ("unmatched.bin", one(1, &response)),
        ("snapped.bin", one(0x80, &request)),
    ]
}

pub fn turn() -> Vec<Seed> {
    let within = |wrapper: u8, inner: &[u8]| one(0, &[&[wrapper], inner].concat());
    let stream = |wrapper: u8| (0..6).flat_map(|n| within(wrapper, &rtp_packet(n))).collect::<Vec<_>>();
    let binding = stun_message(1, &[]);
    vec![
        ("channel.bin", stream(0)),
        ("multiplexed.bin", stream(1)),
        ("indication.bin", [stream(2), stream(3)].concat()),
        ("stun.bin", within(0, &binding)),
        ("nested.bin", within(0, &[&[0x40, 1, 0, 16][..], &RTP].concat())),
    ]
}

pub fn tcp() -> Vec<Seed> {
    let framed =
        |header: &[u8], inner: &[u8]| [header, &[0, u8::try_from(inner.len()).unwrap()], inner].concat();
    let segment = |frames: &[Vec<u8>]| one(0, &frames.concat());
    let binding = stun_message(1, &[]);
    let multiplexed = [&[0xFF, 0x10, 0, 24, 0, 0, 0, 0, 0, 0, 0, 9][..], &RTP].concat();
    let cut = framed(&[], &RTP)[..15].to_vec();
    vec![
        ("rfc4571.bin", segment(&[framed(&[], &RTP), framed(&[], &binding)])),
        ("cut.bin", segment(&[framed(&[], &RTP), cut])),
        ("turn.bin", segment(&[binding.clone(), framed(&[0x40, 1], &RTP)])),
        ("pseudo-tls.bin", segment(&[framed(&[2, 0], &binding), framed(&[3, 0], &framed(&[], &RTP))])),
        ("multiplexed.bin", segment(&[multiplexed])),
        ("interleaved.bin", segment(&[framed(b"$\0", &RTP)])),
        ("tls.bin", segment(&[[&[0x16, 3, 1, 0, 40, 1, 0, 0, 36, 3, 3][..], &[0x80; 34]].concat()])),
    ]
}

/// A choice of an enumeration as `arbitrary` reads it: a fraction of 2^32.
fn choice(number: u64, of: u64) -> [u8; 4] {
    let fraction = (number * (1 << 32)).div_ceil(of);
    u32::try_from(fraction).unwrap().to_le_bytes()
}

/// One packet of `Sequence`: step, ticks, time elapsed, then time to live, traffic class, payload type and path.
fn packet(ssrc: u8, step: Option<i8>, marks: [u8; 4]) -> Vec<u8> {
    let mut octets = vec![1, ssrc];
    octets.extend(choice(if step.is_some() { 2 } else { 0 }, 4));
    octets.extend(step.map(i8::to_le_bytes).into_iter().flatten());
    octets.extend(choice(0, 4));
    octets.extend(choice(0, 5));
    octets.extend(marks);
    octets
}

pub fn sequences() -> Vec<Seed> {
    let sequence = |flags: [u8; 2], packets: &[Vec<u8>]| [&flags[..], &packets.concat(), &[0]].concat();
    let plain = |n: u8| packet(n % 4, None, [0, 0xB8, 0, 0]);
    let in_order: Vec<_> = (0..40).map(plain).collect();
    let late: Vec<_> = (0..30_u8)
        .map(|n| packet(0, Some([3, -2, 1, 20, -19, 21][usize::from(n % 6)]), [0, 0, 0, 0]))
        .collect();
    let copies: Vec<_> = (0..30_u8)
        .flat_map(|_| [packet(0, None, [200, 0xB8, 0, 0]), packet(0, Some(0), [201, 0, 0, 0])])
        .collect();
    let tags: Vec<_> = (0..40_u8).map(|n| packet(0, None, [0, n, n % 3, 195 + n])).collect();
    vec![
        ("in-order.bin", sequence([0, 1], &in_order)),
        ("without-proof.bin", sequence([0, 0], &in_order)),
        ("late-and-lost.bin", sequence([0, 1], &late)),
        ("two-hops.bin", sequence([0, 1], &copies)),
        ("narrow.bin", sequence([1, 1], &[in_order, copies].concat())),
        ("tags.bin", sequence([0, 1], &tags)),
    ]
}
