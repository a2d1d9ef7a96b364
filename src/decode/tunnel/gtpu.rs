//! GTP-U, version 1 (3GPP TS 29.281): user packets only.

use super::Opened;
use crate::decode::next::Next;
use crate::decode::span::Span;
use crate::decode::{Layer, Undecoded, ethernet};

const USER_PACKET: u8 = 255;
const EXTENSION: u8 = 0x04;
const OPTIONAL: u8 = 0x07;

/// Version 3 bits, protocol type 1, reserved 1, E S PN 3, message type 8, length 16, tunnel endpoint 32.
pub(super) fn open(span: Span<'_>) -> Result<Option<Opened>, Undecoded> {
    let (&[flags, kind, l0, l1, t0, t1, t2, t3], _) = span.header::<8>()?;
    // The length counts from the octet behind the endpoint.
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    if flags >> 3 != 0b00110 || kind != USER_PACKET || length + 8 > span.octets {
        return Ok(None);
    }
    let Some(header_octets) = header_octets(flags, span)? else { return Ok(None) };
    let inner = span.skip(header_octets)?;
    let (&[first], _) = inner.header::<1>()?;
    let next = match first >> 4 {
        4 | 6 => Next::Ip,
        _ if ethernet::is_plausible(inner) => Next::Ethernet,
        _ => return Ok(None),
    };
    let layer = Layer::Gtpu { teid: u32::from_be_bytes([t0, t1, t2, t3]) };
    Ok(Some(Opened { layer, next, header_octets }))
}

/// With sequence number, N-PDU number and extension headers, where the flags say so (section 5.2.1).
fn header_octets(flags: u8, span: Span<'_>) -> Result<Option<usize>, Undecoded> {
    if flags & OPTIONAL == 0 {
        return Ok(Some(8));
    }
    let octet = |at: usize| span.bytes.get(at).copied().ok_or(Undecoded::TruncatedHeaders);
    let mut at = 12;
    let mut kind = if flags & EXTENSION == 0 { 0 } else { octet(11)? };
    while kind != 0 {
        let words = usize::from(octet(at)?);
        if words == 0 {
            return Ok(None);
        }
        at += words * 4;
        kind = octet(at - 1)?;
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_fields_and_extension_headers_are_skipped() {
        let container = [0x34, 255, 0, 12, 0, 0, 0, 7, 0, 0, 0, 0x85, 1, 0x10, 9, 0, 0x45, 0, 0, 20];
        for (name, bytes, expected) in [
            ("plain", &[0x30, 255, 0, 4, 0, 0, 0, 7, 0x45, 0, 0, 20][..], Some(8)),
            ("sequence", &[0x32, 255, 0, 8, 0, 0, 0, 7, 0, 1, 0, 0, 0x60, 0, 0, 0], Some(12)),
            ("session container", &container, Some(16)),
            ("extension of no length", &[0x34, 255, 0, 8, 0, 0, 0, 7, 0, 0, 0, 0x85, 0, 0, 0, 0], None),
            ("echo", &[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0], None),
            ("version 2", &[0x48, 255, 0, 4, 0, 0, 0, 7, 0x45, 0, 0, 20], None),
            ("length beyond the datagram", &[0x30, 255, 0, 5, 0, 0, 0, 7, 0x45, 0, 0, 20], None),
            ("not IP inside", &[0x30, 255, 0, 4, 0, 0, 0, 7, 0x95, 0, 0, 20], None),
        ] {
            let opened = open(Span::new(bytes, bytes.len())).unwrap();
            assert_eq!(opened.map(|o| o.header_octets), expected, "{name}");
            assert!(opened.is_none_or(|o| o.layer == Layer::Gtpu { teid: 7 }), "{name}");
        }
    }
}
