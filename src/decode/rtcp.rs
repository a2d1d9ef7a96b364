//! The form of an RTCP packet (RFC 3550, 5506) or SRTCP (RFC 3711).

use super::RtcpHeader;
use super::span::Span;
use crate::terms::Ssrc;

const PACKET_TYPES: std::ops::RangeInclusive<u8> = 192..=223;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const EXTENDED_REPORT: u8 = 207;

impl RtcpHeader {
    /// What the first packet says in clear, if the payload has the form of RTCP.
    pub(super) fn read(payload: Span<'_>) -> Option<Self> {
        let &[first, packet_type, l0, l1, i0, i1, i2, i3] = payload.bytes.first_chunk::<8>()?;
        if first >> 6 != 2 || !PACKET_TYPES.contains(&packet_type) {
            return None;
        }
        let octets = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
        if octets > payload.octets || octets < least_octets(first, packet_type) {
            return None;
        }
        let encrypted = !walks(payload, octets);
        // Chance gives a length that walks to the end rarely, one that merely fits more often.
        if encrypted && !(SENDER_REPORT..=EXTENDED_REPORT).contains(&packet_type) {
            return None;
        }
        Some(Self { ssrc: Ssrc(u32::from_be_bytes([i0, i1, i2, i3])), packet_type, encrypted })
    }
}

/// A report is not shorter than its sender information and its report blocks; all else has a sender.
fn least_octets(first: u8, packet_type: u8) -> usize {
    let blocks = usize::from(first & 0x1F) * 24;
    match packet_type {
        SENDER_REPORT => 28 + blocks,
        RECEIVER_REPORT => 8 + blocks,
        _ => 8,
    }
}

/// Whether packet follows packet up to the end, or to where the capture ends.
fn walks(payload: Span<'_>, mut at: usize) -> bool {
    while at < payload.octets {
        match payload.bytes.get(at..) {
            Some([first, packet_type, l0, l1, ..])
                if first >> 6 == 2 && PACKET_TYPES.contains(packet_type) =>
            {
                at += (usize::from(u16::from_be_bytes([*l0, *l1])) + 1) * 4;
            }
            Some([_, _, _, _, ..]) => return false,
            _ => return !payload.is_whole(),
        }
    }
    at == payload.octets
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: [u8; 8] = [0x80, 201, 0, 1, 1, 2, 3, 4];
    const DESCRIPTION: [u8; 12] = [0x81, 202, 0, 2, 1, 2, 3, 4, 0, 0, 0, 0];

    fn read(bytes: &[u8]) -> Option<(u8, bool)> {
        RtcpHeader::read(Span::new(bytes, bytes.len())).map(|h| {
            assert_eq!(h.ssrc, Ssrc(0x0102_0304));
            (h.packet_type, h.encrypted)
        })
    }

    #[test]
    fn lengths_that_walk_to_the_end_are_clear_and_others_encrypted() {
        let index_and_tag = [0x80, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9];
        let feedback = [0x8F, 206, 0, 2, 1, 2, 3, 4, 0, 0, 0, 0];
        let own = [0x80, 195, 0, 1, 1, 2, 3, 4];
        for (name, bytes, expected) in [
            ("one report", REPORT.to_vec(), Some((201, false))),
            ("compound", [&REPORT[..], &DESCRIPTION].concat(), Some((201, false))),
            ("reduced size", feedback.to_vec(), Some((206, false))),
            ("SRTCP", [&REPORT[..], &index_and_tag].concat(), Some((201, true))),
            ("SRTCP of a compound", [&REPORT[..], &[0x77; 26]].concat(), Some((201, true))),
            ("a rare type", own.to_vec(), Some((195, false))),
            ("a rare type, encrypted", [&own[..], &index_and_tag].concat(), None),
            ("length beyond the end", vec![0x80, 201, 0, 2, 1, 2, 3, 4], None),
            ("fewer octets than report blocks", vec![0x81, 201, 0, 1, 1, 2, 3, 4], None),
            ("RTP", vec![0x80, 0, 0, 1, 1, 2, 3, 4], None),
            ("too short", REPORT[..7].to_vec(), None),
        ] {
            assert_eq!(read(&bytes), expected, "{name}");
        }
    }

    #[test]
    fn a_snapped_compound_is_walked_as_far_as_it_goes() {
        let header = RtcpHeader::read(Span::new(&REPORT, 60)).unwrap();
        assert!(!header.encrypted);
    }
}
