//! GRE: version 0 (RFC 2784, 2890), and PPTP's version 1 (RFC 2637).

use super::Undecoded;
use super::span::Span;

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const ACKNOWLEDGEMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

/// One GRE header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gre {
    /// `EtherType` of what follows.
    pub(super) protocol: u16,
    /// Key of version 0, call identifier of version 1.
    pub(super) key: Option<u32>,
    /// Sequence number, where there is one: what tells ERSPAN I from II.
    pub(super) sequence: Option<u32>,
}

impl Gre {
    /// Reads the header with its optional fields, which stand in the order checksum, key, sequence.
    pub(super) fn read(span: Span<'_>) -> Result<(Self, Span<'_>), Undecoded> {
        let (&[f0, f1, p0, p1], mut rest) = span.header::<4>()?;
        let flags = u16::from_be_bytes([f0, f1]);
        let mut gre = Self { protocol: u16::from_be_bytes([p0, p1]), key: None, sequence: None };
        let has_sequence = flags & SEQUENCE != 0;
        match flags & VERSION {
            0 if flags & ROUTING != 0 => return Err(Undecoded::UnsupportedEncapsulation),
            0 => {
                if flags & CHECKSUM != 0 {
                    rest = rest.skip(4)?;
                }
                if flags & KEY != 0 {
                    let (key, behind) = rest.header::<4>()?;
                    (gre.key, rest) = (Some(u32::from_be_bytes(*key)), behind);
                }
            }
            1 => {
                let (&[l0, l1, c0, c1], behind) = rest.header::<4>()?;
                gre.key = Some(u32::from(u16::from_be_bytes([c0, c1])));
                let own = 4 * (usize::from(has_sequence) + usize::from(flags & ACKNOWLEDGEMENT != 0));
                rest = behind.at_most(usize::from(u16::from_be_bytes([l0, l1])) + own);
                // Without a sequence number there is an acknowledgement and nothing else.
                if !has_sequence {
                    return Err(Undecoded::NotIp);
                }
            }
            _ => return Err(Undecoded::MalformedTunnel),
        }
        if has_sequence {
            let (sequence, behind) = rest.header::<4>()?;
            (gre.sequence, rest) = (Some(u32::from_be_bytes(*sequence)), behind);
        }
        if flags & (VERSION | ACKNOWLEDGEMENT) == 1 | ACKNOWLEDGEMENT {
            rest = rest.skip(4)?;
        }
        Ok((gre, rest))
    }
}

/// Skips what WCCP version 2 puts between GRE and IP; version 1 puts nothing there.
pub(super) fn skip_redirect(span: Span<'_>) -> Result<Span<'_>, Undecoded> {
    match span.bytes.first() {
        Some(first) if first >> 4 == 4 => Ok(span),
        _ => span.skip(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_fields_stand_in_their_order() {
        for (name, flags, key, sequence, octets) in [
            ("plain", 0x0000, None, None, 16),
            ("checksum", 0x8000, None, None, 12),
            ("key", 0x2000, Some(0x0102_0304), None, 12),
            ("sequence", 0x1000, None, Some(0x0102_0304), 12),
            ("checksum, key, sequence", 0xB000, Some(0x0506_0708), Some(0), 4),
            ("version 1, sequence", 0x3001, Some(0x0304), Some(0x0506_0708), 8),
            ("version 1, sequence, acknowledgement", 0x3081, Some(0x0304), Some(0x0506_0708), 4),
        ] {
            let flags = u16::to_be_bytes(flags);
            let bytes = [&flags[..], &[0x65, 0x58, 1, 2, 3, 4, 5, 6, 7, 8], &[0; 8]].concat();
            let (gre, rest) = Gre::read(Span::new(&bytes, bytes.len())).unwrap();
            assert_eq!(gre, Gre { protocol: 0x6558, key, sequence }, "{name}");
            assert_eq!(rest.octets, octets, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_followed_has_its_reason() {
        for (name, flags, reason) in [
            ("source routes", [0x40, 0], Undecoded::UnsupportedEncapsulation),
            ("version", [0, 2], Undecoded::MalformedTunnel),
            ("acknowledgement only", [0x20, 0x81], Undecoded::NotIp),
        ] {
            let bytes = [flags[0], flags[1], 0x88, 0x0B, 0, 0, 0, 1, 0, 0, 0, 9];
            assert_eq!(Gre::read(Span::new(&bytes, 12)).unwrap_err(), reason, "{name}");
        }
    }

    #[test]
    fn the_redirect_header_is_skipped_where_it_is() {
        assert_eq!(skip_redirect(Span::new(&[0x45, 0, 0, 0], 4)).unwrap().octets, 4);
        assert_eq!(skip_redirect(Span::new(&[0, 0, 0, 0, 0x45], 5)).unwrap().octets, 1);
    }
}
