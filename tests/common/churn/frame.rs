//! Frames as a mirror hands them over: headers, and a little more.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Octets of a payload that are handed over.
const SNAP: usize = 44;

/// What the headers of a packet say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Headers {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) dscp: u8,
    pub(super) ttl: u8,
    pub(super) vlan: Option<u16>,
}

/// Writes the global header of a capture with times in nanoseconds, of Ethernet.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.extend_from_slice(&0xA1B2_3C4D_u32.to_le_bytes());
    out.extend_from_slice(&2_u16.to_le_bytes());
    out.extend_from_slice(&4_u16.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&65_535_u32.to_le_bytes());
    out.extend_from_slice(&1_u32.to_le_bytes());
}

/// Writes a record with one UDP datagram, whose payload was so long on the wire and is cut here.
pub(super) fn record(out: &mut Vec<u8>, at: i64, headers: &Headers, payload: &[u8], length: usize) {
    let kept = payload.get(..SNAP.min(payload.len())).unwrap_or_default();
    let tag = if headers.vlan.is_some() { 4 } else { 0 };
    let ip = if headers.source.is_ipv4() { 20 } else { 40 };
    let before = 14 + tag + ip + 8;
    out.extend_from_slice(&((at / super::SECOND) as u32).to_le_bytes());
    out.extend_from_slice(&((at % super::SECOND) as u32).to_le_bytes());
    out.extend_from_slice(&((before + kept.len()) as u32).to_le_bytes());
    out.extend_from_slice(&((before + length) as u32).to_le_bytes());
    out.extend_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    if let Some(vlan) = headers.vlan {
        out.extend_from_slice(&0x8100_u16.to_be_bytes());
        out.extend_from_slice(&vlan.to_be_bytes());
    }
    match (headers.source.ip(), headers.destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            out.extend_from_slice(&0x0800_u16.to_be_bytes());
            ipv4(out, headers, (source, destination), length);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            out.extend_from_slice(&0x86DD_u16.to_be_bytes());
            out.extend_from_slice(&(6 << 28 | u32::from(headers.dscp) << 22).to_be_bytes());
            out.extend_from_slice(&((8 + length) as u16).to_be_bytes());
            out.extend_from_slice(&[17, headers.ttl]);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&destination.octets());
        }
        _ => panic!("two versions of IP in one flow"),
    }
    out.extend_from_slice(&headers.source.port().to_be_bytes());
    out.extend_from_slice(&headers.destination.port().to_be_bytes());
    out.extend_from_slice(&((8 + length) as u16).to_be_bytes());
    // The end of the payload is not there to be summed up: none over IPv4, anything over IPv6.
    let checksum = u16::from(headers.source.is_ipv6());
    out.extend_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(kept);
}

fn ipv4(out: &mut Vec<u8>, headers: &Headers, (source, destination): (Ipv4Addr, Ipv4Addr), length: usize) {
    let start = out.len();
    out.extend_from_slice(&[0x45, headers.dscp << 2]);
    out.extend_from_slice(&((28 + length) as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0, 0x40, 0, headers.ttl, 17, 0, 0]);
    out.extend_from_slice(&source.octets());
    out.extend_from_slice(&destination.octets());
    let words = out[start..].chunks_exact(2).map(|two| u32::from(u16::from_be_bytes([two[0], two[1]])));
    let sum: u32 = words.sum();
    let sum = (sum & 0xFFFF) + (sum >> 16);
    let checksum = !((sum & 0xFFFF) + (sum >> 16)) as u16;
    out[start + 10..start + 12].copy_from_slice(&checksum.to_be_bytes());
}
