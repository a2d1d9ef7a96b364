//! VXLAN (RFC 7348), with group policy and generic protocol.

use super::Opened;
use crate::decode::next::Next;
use crate::decode::span::Span;
use crate::decode::{Layer, Undecoded, nsh};

const HAS_IDENTIFIER: u8 = 0x08;
const GROUP_POLICY: u8 = 0x80;
const GENERIC_PROTOCOL: u8 = 0x04;

/// Flags 8 bits, then 24 that are reserved or an extension's, network identifier 24, reserved 8.
pub(super) fn open(span: Span<'_>) -> Result<Option<Opened>, Undecoded> {
    let (&[flags, r0, r1, protocol, v0, v1, v2, reserved], _) = span.header::<8>()?;
    let next = match (flags & !HAS_IDENTIFIER, [r0, r1, protocol]) {
        (0, [0, 0, 0]) => Next::Ethernet,
        // draft-smith-vxlan-group-policy: the policy applied and the "do not learn" bit, then a group.
        (GROUP_POLICY, [policy, _, _]) if policy & 0xB7 == 0 => Next::Ethernet,
        // draft-ietf-nvo3-vxlan-gpe.
        (GENERIC_PROTOCOL, [0, 0, protocol]) => match nsh::next(protocol) {
            Ok(next) => next,
            Err(_) => return Ok(None),
        },
        _ => return Ok(None),
    };
    if flags & HAS_IDENTIFIER == 0 || reserved != 0 {
        return Ok(None);
    }
    let layer = Layer::Vxlan { vni: u32::from_be_bytes([0, v0, v1, v2]) };
    Ok(Some(Opened { layer, next, header_octets: 8 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::ethertype;

    #[test]
    fn flags_and_reserved_bits_prove_it() {
        for (name, bytes, expected) in [
            ("plain", [0x08, 0, 0, 0, 0, 1, 2, 0], Some(Next::Ethernet)),
            ("group policy", [0x88, 0x08, 0, 5, 0, 1, 2, 0], Some(Next::Ethernet)),
            ("generic, IPv4", [0x0C, 0, 0, 1, 0, 1, 2, 0], Some(Next::Type(ethertype::IPV4))),
            ("generic, unknown", [0x0C, 0, 0, 77, 0, 1, 2, 0], None),
            ("no identifier", [0x00, 0, 0, 0, 0, 1, 2, 0], None),
            ("reserved octets", [0x08, 0, 1, 0, 0, 1, 2, 0], None),
            ("last octet", [0x08, 0, 0, 0, 0, 1, 2, 3], None),
        ] {
            let opened = open(Span::new(&bytes, 8)).unwrap();
            assert_eq!(opened.map(|o| o.next), expected, "{name}");
            assert!(opened.is_none_or(|o| o.layer == Layer::Vxlan { vni: 0x102 }), "{name}");
        }
        assert_eq!(open(Span::new(&[8, 0, 0, 0, 0, 1, 2], 60)), Err(Undecoded::TruncatedHeaders));
    }
}
