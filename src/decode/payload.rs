//! What an RTP packet carries behind its header, as far as it was kept.

/// The payload of an RTP packet, with padding, whose length SRTP encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Payload<'a> {
    /// The octets that were kept.
    pub kept: &'a [u8],
    /// How many there were on the wire.
    pub octets: usize,
}

/// Octets of an RTP header that announces nothing.
const HEADER: usize = 12;
/// Bits of the first octet: an extension, and the number of contributing sources.
const EXTENSION: u8 = 0x10;
const SOURCES: u8 = 0x0F;

impl<'a> Payload<'a> {
    /// Of a packet that had so many octets on the wire, of which these were kept: what follows contributing sources and
    /// extension (RFC 3550, sections 5.1 and 5.3.1). Nothing where it is not told where that begins.
    #[must_use]
    #[inline]
    pub fn of_packet(packet: &'a [u8], octets: usize) -> Self {
        let packet = packet.get(..octets).unwrap_or(packet);
        let header = match packet.first() {
            Some(first) if first & (EXTENSION | SOURCES) == 0 => Some(HEADER),
            _ => long_header(packet),
        };
        let behind =
            |header: usize| Some(Self { kept: packet.get(header..)?, octets: octets.checked_sub(header)? });
        header.and_then(behind).unwrap_or_default()
    }
}

/// Octets of a header with contributing sources or an extension.
fn long_header(packet: &[u8]) -> Option<usize> {
    let first = packet.first()?;
    let fixed = HEADER + usize::from(first & SOURCES) * 4;
    if first & EXTENSION == 0 {
        return Some(fixed);
    }
    let &[_, _, high, low] = packet.get(fixed..)?.first_chunk::<4>()?;
    Some(fixed + 4 + usize::from(u16::from_be_bytes([high, low])) * 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        [&[first, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4][..], rest].concat()
    }

    #[test]
    fn the_payload_begins_behind_sources_and_extension() {
        for (name, bytes, expected) in [
            ("plain", packet(0x80, b"abc"), &b"abc"[..]),
            ("padding is of it", packet(0xA0, b"abc\x01"), b"abc\x01"),
            ("one source", packet(0x81, b"....abc"), b"abc"),
            ("extension", packet(0x90, b"\xBE\xDE\0\x01....abc"), b"abc"),
            ("both", packet(0x92, b"........\xBE\xDE\0\0abc"), b"abc"),
            ("nothing", packet(0x80, b""), b""),
            ("extension cut", packet(0x90, b"\xBE\xDE"), b""),
            ("sources cut", packet(0x8F, b"...."), b""),
        ] {
            let payload = Payload::of_packet(&bytes, bytes.len());
            assert_eq!((payload.kept, payload.octets), (expected, expected.len()), "{name}");
        }
    }

    #[test]
    fn of_a_snapped_packet_the_length_on_the_wire_is_told() {
        let bytes = packet(0x80, b"abc");
        assert_eq!(Payload::of_packet(&bytes, 172), Payload { kept: b"abc", octets: 160 });
        assert_eq!(
            Payload::of_packet(&bytes, 14),
            Payload { kept: b"ab", octets: 2 },
            "what follows is the link's"
        );
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, octets in 0_usize..300) {
            let payload = Payload::of_packet(&bytes, octets);
            prop_assert!(payload.kept.len() <= payload.octets);
        }
    }
}
