//! GENEVE (RFC 8926).

use super::Opened;
use crate::decode::next::Next;
use crate::decode::span::Span;
use crate::decode::{Layer, Undecoded, ethertype};

/// Version 2 bits, options' length 6 (in words), control and critical 2, reserved 6, type 16, identifier 24,
/// reserved 8.
pub(super) fn open(span: Span<'_>) -> Result<Option<Opened>, Undecoded> {
    let (&[first, flags, t0, t1, v0, v1, v2, reserved], _) = span.header::<8>()?;
    let header_octets = 8 + usize::from(first & 0x3F) * 4;
    let next = match u16::from_be_bytes([t0, t1]) {
        ethertype::TRANSPARENT_ETHERNET => Next::Ethernet,
        kind @ (ethertype::IPV4 | ethertype::IPV6 | ethertype::MPLS | ethertype::NSH) => Next::Type(kind),
        _ => return Ok(None),
    };
    if first >> 6 != 0 || flags & 0x3F != 0 || reserved != 0 || header_octets > span.octets {
        return Ok(None);
    }
    let layer = Layer::Geneve { vni: u32::from_be_bytes([0, v0, v1, v2]) };
    Ok(Some(Opened { layer, next, header_octets }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_skipped_and_reserved_bits_looked_at() {
        for (name, header, expected) in [
            ("plain", [0x00, 0, 0x65, 0x58, 0, 0, 9, 0], Some((Next::Ethernet, 8))),
            ("options", [0x02, 0x40, 0x65, 0x58, 0, 0, 9, 0], Some((Next::Ethernet, 16))),
            ("IPv6", [0x00, 0, 0x86, 0xDD, 0, 0, 9, 0], Some((Next::Type(0x86DD), 8))),
            ("version", [0x40, 0, 0x65, 0x58, 0, 0, 9, 0], None),
            ("reserved bits", [0x00, 1, 0x65, 0x58, 0, 0, 9, 0], None),
            ("type", [0x00, 0, 0x12, 0x34, 0, 0, 9, 0], None),
            ("options beyond the datagram", [0x3F, 0, 0x65, 0x58, 0, 0, 9, 0], None),
        ] {
            let bytes = [&header[..], &[0; 8]].concat();
            let opened = open(Span::new(&bytes, 16)).unwrap();
            assert_eq!(opened.map(|o| (o.next, o.header_octets)), expected, "{name}");
        }
    }
}
