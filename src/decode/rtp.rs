//! The form of an RTP packet (RFC 3550, section 5.1).

use super::span::Span;
use super::{Payload, RtpHeader};
use crate::terms::{RtpTime, Ssrc};

const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;

/// Payload types 64 to 95 would be taken for RTCP where both share a port (RFC 5761, section 4).
const RTCP_CONFLICT: std::ops::RangeInclusive<u8> = 64..=95;

impl<'a> RtpHeader<'a> {
    /// The header, if the payload has the form of RTP and all that it announces fits into it.
    ///
    /// The value of the padding count is not looked at: SRTP encrypts it.
    #[inline]
    pub(super) fn read(payload: Span<'a>) -> Option<Self> {
        let &[first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = payload.bytes.first_chunk::<12>()?;
        let payload_type = second & 0x7F;
        if first >> 6 != 2 || RTCP_CONFLICT.contains(&payload_type) {
            return None;
        }
        // Most packets announce nothing.
        if first & 0x3F != 0 && !announced_fits(first, payload) {
            return None;
        }
        Some(Self {
            ssrc: Ssrc(u32::from_be_bytes([i0, i1, i2, i3])),
            timestamp: RtpTime(u32::from_be_bytes([t0, t1, t2, t3])),
            sequence: u16::from_be_bytes([s0, s1]),
            payload_type,
            marker: second & 0x80 != 0,
            payload: Payload::of_packet(payload.bytes, payload.octets),
        })
    }
}

/// Whether contributing sources, extension and padding are within the payload's length.
fn announced_fits(first: u8, payload: Span<'_>) -> bool {
    let mut octets = 12 + usize::from(first & 0x0F) * 4;
    if first & EXTENSION != 0 {
        // A snapped packet may end before the extension's length: then its own four octets have to fit.
        octets += 4 + payload.u16_at(octets + 2).map_or(0, |words| usize::from(words) * 4);
    }
    octets + usize::from(first & PADDING != 0) <= payload.octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, second: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, second, 0x12, 0x34, 0, 0, 0, 160, 0xDE, 0xAD, 0xBE, 0xEF];
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn the_fields_are_where_the_rfc_has_them() {
        let bytes = packet(0x80, 0xE5, &[1, 2, 3]);
        let expected = RtpHeader {
            ssrc: Ssrc(0xDEAD_BEEF),
            timestamp: RtpTime(160),
            sequence: 0x1234,
            payload_type: 101,
            marker: true,
            payload: Payload::of_packet(&bytes, bytes.len()),
        };
        assert_eq!(RtpHeader::read(Span::new(&bytes, bytes.len())), Some(expected));
    }

    #[test]
    fn what_is_announced_has_to_fit() {
        for (name, bytes, expected) in [
            ("header only", packet(0x80, 0, &[]), true),
            ("one source", packet(0x81, 0, &[0; 4]), true),
            ("sources beyond the end", packet(0x82, 0, &[0; 4]), false),
            ("extension", packet(0x90, 0, &[0xBE, 0xDE, 0, 1, 0, 0, 0, 0]), true),
            ("extension beyond the end", packet(0x90, 0, &[0xBE, 0xDE, 0, 2, 0, 0, 0, 0]), false),
            ("extension cut", packet(0x90, 0, &[0xBE]), false),
            ("padding", packet(0xA0, 0, &[1]), true),
            ("padding, encrypted count", packet(0xA0, 0, &[0, 200]), true),
            ("padding without room", packet(0xA0, 0, &[]), false),
            ("version 1", packet(0x40, 0, &[0; 8]), false),
            ("RTCP's payload types", packet(0x80, 200, &[0; 8]), false),
            ("payload type 95", packet(0x80, 95, &[0; 8]), false),
            ("payload type 96", packet(0x80, 96, &[0; 8]), true),
        ] {
            assert_eq!(RtpHeader::read(Span::new(&bytes, bytes.len())).is_some(), expected, "{name}");
        }
        assert_eq!(RtpHeader::read(Span::new(&packet(0x80, 0, &[])[..11], 60)), None);
    }

    #[test]
    fn in_a_snapped_packet_the_length_on_the_wire_counts() {
        let bytes = packet(0x93, 0, &[]);
        assert!(RtpHeader::read(Span::new(&bytes, 28)).is_some());
        assert!(RtpHeader::read(Span::new(&bytes, 27)).is_none());
    }
}
