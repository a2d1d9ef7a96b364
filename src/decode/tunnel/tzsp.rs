//! TZSP (`TaZmen` Sniffer Protocol), which carries captured frames.

use super::Opened;
use crate::decode::next::Next;
use crate::decode::span::Span;
use crate::decode::{Layer, Undecoded};

const VERSION: u8 = 1;
const RECEIVED: u8 = 0;
const TO_TRANSMIT: u8 = 1;

const TAG_PADDING: u8 = 0;
const TAG_END: u8 = 1;

/// Version 8 bits, type 8, protocol 16, then tags up to an end tag.
pub(super) fn open(span: Span<'_>) -> Result<Option<Opened>, Undecoded> {
    let (&[VERSION, RECEIVED | TO_TRANSMIT, 0, protocol], _) = span.header::<4>()? else {
        return Ok(None);
    };
    let next = match protocol {
        0x01 => Next::Ethernet,
        0x12 => Next::Wlan { is_padded: false },
        _ => return Ok(None),
    };
    let mut at = 4;
    loop {
        match span.skip(at)?.bytes {
            [TAG_PADDING, ..] => at += 1,
            [TAG_END, ..] => return Ok(Some(Opened { layer: Layer::Tzsp, next, header_octets: at + 1 })),
            [_, length, ..] => at += 2 + usize::from(*length),
            _ => return Err(Undecoded::TruncatedHeaders),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_walked_to_their_end() {
        let cut = Err(Undecoded::TruncatedHeaders);
        for (name, bytes, expected) in [
            ("no tags", &[1, 0, 0, 1, 1, 9][..], Ok(Some((Next::Ethernet, 5)))),
            (
                "padding and tags",
                &[1, 0, 0, 0x12, 0, 0x0A, 1, 200, 1],
                Ok(Some((Next::Wlan { is_padded: false }, 9))),
            ),
            ("no end", &[1, 0, 0, 1, 0x0A, 1, 200], cut),
            ("length beyond the datagram", &[1, 0, 0, 1, 0x0A, 100, 200], cut),
            ("keep-alive", &[1, 4, 0, 0, 1], Ok(None)),
            ("unknown protocol", &[1, 0, 0, 7, 1], Ok(None)),
        ] {
            let opened = open(Span::new(bytes, bytes.len()));
            assert_eq!(opened.map(|o| o.map(|o| (o.next, o.header_octets))), expected, "{name}");
        }
    }
}
