//! Ethernet II and IEEE 802.3.

use super::next::Next;
use super::span::Span;
use super::{Undecoded, ethertype};

/// Skips the addresses and gives the type, or the length, that follows them.
#[inline]
pub(super) fn read(span: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    let (&[_, _, _, _, _, _, _, _, _, _, _, _, t0, t1], rest) = span.header::<14>()?;
    Ok((Next::Type(u16::from_be_bytes([t0, t1])), rest))
}

/// Whether octets that are only suspected to be Ethernet read as such: a common type, and IP's version where
/// the type says IP.
pub(super) fn is_plausible(span: Span<'_>) -> bool {
    let Ok((Next::Type(kind), rest)) = read(span) else { return false };
    let version = rest.bytes.first().map(|b| b >> 4);
    match kind {
        ethertype::IPV4 => version == Some(4),
        ethertype::IPV6 => version == Some(6),
        length if length < ethertype::FIRST => {
            usize::from(length) <= rest.octets
                && matches!(rest.bytes, [0xAA, 0xAA, 3, ..] | [0x42, 0x42, 3, ..])
        }
        kind => ethertype::is_common(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_follows_the_addresses() {
        let frame = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x86, 0xDD, 0x60];
        let (next, rest) = read(Span::new(&frame, 15)).unwrap();
        assert_eq!((next, rest.bytes), (Next::Type(0x86DD), &[0x60][..]));
        assert_eq!(read(Span::new(&frame[..13], 15)).unwrap_err(), Undecoded::TruncatedHeaders);
    }

    #[test]
    fn suspicion_needs_more_than_a_type() {
        let frame = |kind: [u8; 2], first: u8| [&[0; 12][..], &kind, &[first, 0xAA, 3, 0]].concat();
        for (name, bytes, expected) in [
            ("IPv4", frame([8, 0], 0x45), true),
            ("IPv4 of version 6", frame([8, 0], 0x60), false),
            ("VLAN", frame([0x81, 0], 0), true),
            ("LLC", frame([0, 4], 0xAA), true),
            ("length beyond the frame", frame([0, 5], 0xAA), false),
            ("unknown", frame([0x12, 0x34], 0x45), false),
        ] {
            assert_eq!(is_plausible(Span::new(&bytes, bytes.len())), expected, "{name}");
        }
    }
}
