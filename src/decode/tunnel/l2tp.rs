//! L2TP version 2 (RFC 2661): data messages.

use super::Opened;
use crate::decode::next::Next;
use crate::decode::span::Span;
use crate::decode::{Layer, Undecoded, ppp};

/// The registered port.
pub(super) const PORT: u16 = 1701;

const CONTROL: u16 = 0x8000;
const LENGTH: u16 = 0x4000;
const SEQUENCE: u16 = 0x0800;
const OFFSET: u16 = 0x0200;
const RESERVED: u16 = 0x34F0;
const VERSION: u16 = 0x000F;

/// Flags and version 16 bits, length 16 if L, tunnel 16, session 16, numbers 32 if S, offset 16 if O.
pub(super) fn open(span: Span<'_>) -> Result<Option<Opened>, Undecoded> {
    let flags = number(span, 0)?;
    if flags & (CONTROL | RESERVED | VERSION) != 2 {
        return Ok(None);
    }
    let has_length = flags & LENGTH != 0;
    if has_length && usize::from(number(span, 2)?) != span.octets {
        return Ok(None);
    }
    let mut header_octets = 6 + 2 * usize::from(has_length) + 4 * usize::from(flags & SEQUENCE != 0);
    if flags & OFFSET != 0 {
        header_octets += 2 + usize::from(number(span, header_octets)?);
    }
    let frame = span.skip(header_octets)?;
    frame.header::<4>()?;
    if !ppp::is_plausible(frame) {
        return Ok(None);
    }
    Ok(Some(Opened { layer: Layer::Other { name: "l2tp" }, next: Next::Ppp, header_octets }))
}

fn number(span: Span<'_>, at: usize) -> Result<u16, Undecoded> {
    span.u16_at(at).ok_or(Undecoded::TruncatedHeaders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_say_how_long_the_header_is() {
        for (name, bytes, expected) in [
            ("plain", &[0, 2, 0, 1, 0, 2, 0xFF, 3, 0, 0x21][..], Some(6)),
            ("length", &[0x40, 2, 0, 12, 0, 1, 0, 2, 0x00, 0x21, 0x45, 0], Some(8)),
            ("sequence, offset", &[0x0A, 2, 0, 1, 0, 2, 0, 0, 0, 0, 0, 1, 9, 0x21, 0x45, 0, 0], Some(13)),
            ("wrong length", &[0x40, 2, 0, 11, 0, 1, 0, 2, 0x00, 0x21, 0x45, 0], None),
            ("control", &[0xC8, 2, 0, 12, 0, 1, 0, 2, 0, 0, 0, 0], None),
            ("version 3", &[0, 3, 0, 1, 0, 2, 0xFF, 3, 0, 0x21], None),
            ("no PPP inside", &[0, 2, 0, 1, 0, 2, 0x12, 0x34, 0x45, 0], None),
        ] {
            let opened = open(Span::new(bytes, bytes.len())).unwrap();
            assert_eq!(opened.map(|o| o.header_octets), expected, "{name}");
        }
    }
}
