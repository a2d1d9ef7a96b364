//! The form of DTLS records (RFC 6347, RFC 9147).

use super::span::Span;

/// From change cipher spec to heartbeat, then records with a connection identifier, and acknowledgements.
const CONTENT_TYPES: std::ops::RangeInclusive<u8> = 20..=26;

/// Whether the payload begins with a DTLS record that fits into it.
pub(super) fn is_record(payload: Span<'_>) -> bool {
    match payload.bytes {
        // Content type, version, epoch 16, sequence 48, length 16.
        [kind, 0xFE, 0xFC | 0xFD | 0xFF, _, _, _, _, _, _, _, _, l0, l1, ..] => {
            CONTENT_TYPES.contains(kind) && usize::from(u16::from_be_bytes([*l0, *l1])) + 13 <= payload.octets
        }
        [0x20..=0x3F, ..] => is_unified(payload),
        _ => false,
    }
}

/// DTLS 1.3 encrypts behind a header of a few bits, `001CSLEE`, so only records with a length and without a
/// connection identifier can be told, and only by that they fill the datagram (RFC 9147, section 4).
fn is_unified(payload: Span<'_>) -> bool {
    const LONG_SEQUENCE: u8 = 0x08;
    const HAS_LENGTH: u8 = 0x04;
    /// An authentication tag and the content type.
    const LEAST_RECORD: usize = 17;

    let mut at = 0;
    while at < payload.octets {
        let Some(&flags) = payload.bytes.get(at) else { return false };
        if flags & !(LONG_SEQUENCE | 0x03) != 0x20 | HAS_LENGTH {
            return false;
        }
        let header_octets = if flags & LONG_SEQUENCE == 0 { 4 } else { 5 };
        match payload.u16_at(at + header_octets - 2).map(usize::from) {
            Some(length) if length >= LEAST_RECORD => at += header_octets + length,
            _ => return false,
        }
    }
    at == payload.octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_by_type_version_and_length() {
        let record = |kind: u8, version: u8, length: u8| {
            [&[kind, 0xFE, version, 0, 0, 0, 0, 0, 0, 0, 0, 0, length][..], &[0; 20]].concat()
        };
        let unified = |flags: u8, length: u8| [&[flags, 7, 8, 0, length][..], &[0; 20]].concat();
        for (name, bytes, expected) in [
            ("handshake", record(22, 0xFD, 20), true),
            ("DTLS 1.0 alert", record(21, 0xFF, 2), true),
            ("length beyond the end", record(22, 0xFD, 21), false),
            ("type", record(27, 0xFD, 20), false),
            ("version", record(22, 0xFB, 20), false),
            ("unified header", unified(0x2D, 20), true),
            ("unified header, short of the end", unified(0x2D, 19), false),
            ("unified header without length", unified(0x29, 20), false),
            ("unified header with identifier", unified(0x3D, 20), false),
        ] {
            assert_eq!(is_record(Span::new(&bytes, bytes.len())), expected, "{name}");
        }
    }
}
