//! Headers around payloads, one function each, for frames in tests.

/// An RTP packet of 20 octets of payload.
pub(super) fn rtp() -> Vec<u8> {
    [&[0x80, 111, 0x12, 0x34, 0, 0, 3, 0xC0, 0xCA, 0xFE, 0xBA, 0xBE][..], &[0x55; 20]].concat()
}

pub(super) fn udp_ports(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap();
    [source, destination, length, 0]
        .iter()
        .flat_map(|n| n.to_be_bytes())
        .chain(payload.iter().copied())
        .collect()
}

/// UDP from 50000 to 3478, as the innermost datagram has it.
pub(super) fn udp(payload: &[u8]) -> Vec<u8> {
    udp_ports(50_000, 3478, payload)
}

pub(super) fn tcp(payload: &[u8]) -> Vec<u8> {
    let header = [0xC3, 0x50, 1, 0xBB, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0, 0, 0, 0, 0, 0];
    [&header[..], payload].concat()
}

/// From 10.0.0.1 to 192.0.2.9 with DSCP 46 and TTL 63.
pub(super) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_as(0xB8, [0, 0], [10, 0, 0, 1], [192, 0, 2, 9], protocol, payload)
}

/// From 172.16.0.1 to 172.16.0.2 with DSCP 8: a tunnel's outer header.
pub(super) fn outer(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_as(0x20, [0, 0], [172, 16, 0, 1], [172, 16, 0, 2], protocol, payload)
}

pub(super) fn ipv4_as(
    class: u8,
    fragment: [u8; 2],
    source: [u8; 4],
    destination: [u8; 4],
    protocol: u8,
    payload: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 20).unwrap().to_be_bytes();
    let mut header =
        vec![0x45, class, length[0], length[1], 0xAB, 0xCD, fragment[0], fragment[1], 63, protocol, 0, 0];
    header.extend(source);
    header.extend(destination);
    let sum: u32 = header.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    let sum = !u16::try_from((sum & 0xFFFF) + (sum >> 16)).unwrap();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend(payload);
    header
}

/// From `2001:db8::1` to `2001:db8::2` with DSCP 34 and hop limit 61.
pub(super) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let mut header = vec![0x68, 0x80, 0, 0, length[0], length[1], next, 61];
    for last in [1, 2] {
        header.extend([0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    header.extend(payload);
    header
}

/// Ethernet to a station from 00:..., so that nothing but the type can tell.
pub(super) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11][..], &kind.to_be_bytes(), payload].concat()
}

/// Header and payload.
pub(super) fn put(header: &[u8], payload: &[u8]) -> Vec<u8> {
    [header, payload].concat()
}

/// LLC and SNAP.
pub(super) fn snap(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[0xAA, 0xAA, 3, 0, 0, 0][..], &kind.to_be_bytes(), payload].concat()
}

/// The frame that all stacks carry: RTP in UDP in IPv4 in Ethernet.
pub(super) fn media_frame() -> Vec<u8> {
    ethernet(0x0800, &media())
}

/// RTP in UDP in IPv4.
pub(super) fn media() -> Vec<u8> {
    ipv4(17, &udp(&rtp()))
}

/// The same in IPv6.
pub(super) fn media_6() -> Vec<u8> {
    ipv6(17, &udp(&rtp()))
}
