//! The form of a ZRTP packet (RFC 6189, section 5).

use super::span::Span;

/// Whether the payload is a ZRTP packet: `0001`, 12 unused bits, sequence number, the magic cookie "ZRTP".
pub(super) fn is_packet(payload: Span<'_>) -> bool {
    matches!(payload.bytes, [0x10..=0x13, _, _, _, b'Z', b'R', b'T', b'P', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_tells() {
        for (bytes, expected) in [(b"\x10\x00\x12\x34ZRTP", true), (b"\x10\x00\x12\x34ZRTQ", false)] {
            assert_eq!(is_packet(Span::new(bytes, bytes.len())), expected);
        }
    }
}
