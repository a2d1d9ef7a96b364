//! CAPWAP data (RFC 5415): access points to their controller.

use super::Opened;
use crate::decode::next::Next;
use crate::decode::span::Span;
use crate::decode::{Layer, Undecoded, ethernet};

const DTLS: u8 = 0x01;
const WIRELESS_IEEE80211: u8 = 1;
const NATIVE_FRAME: u8 = 0x01;
const FRAGMENT: u8 = 0x80;
const KEEP_ALIVE: u8 = 0x08;
const RESERVED: u8 = 0x07;

/// Version 4 bits and type 4; header length 5 (in words), radio 5, wireless binding 5, T F L W M K and three
/// reserved bits; fragment identifier 16, offset 13, reserved 3; then optional fields (section 4.3).
pub(super) fn open(span: Span<'_>) -> Result<Option<Opened>, Undecoded> {
    if let [DTLS, 0, 0, 0, 20..=23, 0xFE, 0xFD | 0xFF, ..] = span.bytes {
        return Err(Undecoded::Encrypted);
    }
    let (&[0, lengths, binding, flags, _, _, o0, o1], _) = span.header::<8>()? else { return Ok(None) };
    let header_octets = usize::from(lengths >> 3) * 4;
    if binding >> 1 & 0x1F != WIRELESS_IEEE80211 || flags & (RESERVED | KEEP_ALIVE) != 0 || header_octets < 8
    {
        return Ok(None);
    }
    if flags & FRAGMENT != 0 && u16::from_be_bytes([o0, o1]) >> 3 != 0 {
        return Err(Undecoded::TunnelFragment);
    }
    let next = if binding & NATIVE_FRAME == 0 {
        let frame = span.skip(header_octets)?;
        frame.header::<15>()?;
        if !ethernet::is_plausible(frame) {
            return Ok(None);
        }
        Next::Ethernet
    } else {
        Next::Wlan { is_padded: false }
    };
    Ok(Some(Opened { layer: Layer::Other { name: "capwap" }, next, header_octets }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binding_and_the_reserved_bits_prove_it() {
        let frame = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 8, 0, 0x45];
        let wlan = Some((Next::Wlan { is_padded: false }, 8));
        for (name, header, expected) in [
            ("native", [0, 0x10, 0x43, 0, 0, 0, 0, 0], Ok(wlan)),
            ("Ethernet", [0, 0x10, 0x42, 0, 0, 0, 0, 0], Ok(Some((Next::Ethernet, 8)))),
            ("first fragment", [0, 0x10, 0x43, 0x80, 0, 9, 0, 0], Ok(wlan)),
            ("later fragment", [0, 0x10, 0x43, 0xC0, 0, 9, 1, 0], Err(Undecoded::TunnelFragment)),
            ("DTLS", [1, 0, 0, 0, 23, 0xFE, 0xFD, 0], Err(Undecoded::Encrypted)),
            ("keep-alive", [0, 0x10, 0x42, 0x08, 0, 0, 0, 0], Ok(None)),
            ("other binding", [0, 0x10, 0x45, 0, 0, 0, 0, 0], Ok(None)),
            ("header too short", [0, 0x08, 0x43, 0, 0, 0, 0, 0], Ok(None)),
        ] {
            let bytes = [&header[..], &frame].concat();
            let opened = open(Span::new(&bytes, bytes.len()));
            assert_eq!(opened.map(|o| o.map(|o| (o.next, o.header_octets))), expected, "{name}");
        }
    }
}
