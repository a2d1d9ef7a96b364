//! LLC (IEEE 802.2) and SNAP, which name what 802.3 and 802.11 carry.

use super::next::Next;
use super::span::Span;
use super::{Undecoded, ethertype};

const SNAP: u8 = 0xAA;
const IP: u8 = 0x06;
const UNNUMBERED_INFORMATION: u8 = 0x03;

/// Reads the service access points and, behind SNAP, the type (RFC 1042).
pub(super) fn read(span: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    let (&[destination, source, control], rest) = span.header::<3>()?;
    match (destination, source, control) {
        (SNAP, SNAP, UNNUMBERED_INFORMATION) => {
            let (&[o0, o1, o2, t0, t1], rest) = rest.header::<5>()?;
            let kind = u16::from_be_bytes([t0, t1]);
            match [o0, o1, o2] {
                // RFC 1042, and the bridge tunnel of IEEE 802.1H.
                [0, 0, 0 | 0xF8] if kind >= ethertype::FIRST => Ok((Next::Type(kind), rest)),
                _ => Err(Undecoded::NotIp),
            }
        }
        (IP, IP, UNNUMBERED_INFORMATION) => Ok((Next::Ip, rest)),
        _ => Err(Undecoded::NotIp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snap_names_a_type_and_most_else_is_not_ip() {
        for (name, bytes, expected) in [
            ("RFC 1042", &[0xAA, 0xAA, 3, 0, 0, 0, 8, 0][..], Ok(Next::Type(0x0800))),
            ("802.1H", &[0xAA, 0xAA, 3, 0, 0, 0xF8, 0x86, 0xDD], Ok(Next::Type(0x86DD))),
            ("IP by its own access point", &[6, 6, 3], Ok(Next::Ip)),
            ("Cisco discovery", &[0xAA, 0xAA, 3, 0, 0, 0xC, 0x20, 0], Err(Undecoded::NotIp)),
            ("spanning tree", &[0x42, 0x42, 3], Err(Undecoded::NotIp)),
            ("no type", &[0xAA, 0xAA, 3, 0, 0, 0, 0, 9], Err(Undecoded::NotIp)),
            ("cut", &[0xAA, 0xAA, 3, 0, 0, 0, 8], Err(Undecoded::TruncatedHeaders)),
        ] {
            assert_eq!(read(Span::new(bytes, bytes.len())).map(|(next, _)| next), expected, "{name}");
        }
    }
}
