//! IEEE 802.11 data frames, bare or behind a radiotap header.

use super::layers::Layers;
use super::next::Next;
use super::span::Span;
use super::{Layer, Undecoded};

const DATA: u8 = 0x08;
const NO_DATA: u8 = 0x40;
const QOS: u8 = 0x80;

const TO_AND_FROM_DS: u8 = 0x03;
const PROTECTED: u8 = 0x40;
const HT_CONTROL: u8 = 0x80;

const AGGREGATE: u8 = 0x80;

/// Reads the MAC header of a data frame; LLC follows. Of an aggregate (A-MSDU) the first packet is read.
///
/// `is_padded`: the capture has octets between header and LLC that make the header a multiple of four.
pub(super) fn read<'a>(
    span: Span<'a>,
    is_padded: bool,
    layers: &mut Layers,
) -> Result<(Next, Span<'a>), Undecoded> {
    let (header, rest) = span.header::<24>()?;
    let &[first, second, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, sequence, _] = header;
    // Some controllers tunnel frames with the two octets of frame control swapped.
    let (kind, flags) =
        if first & 0x0F != DATA && second & 0x0F == DATA { (second, first) } else { (first, second) };
    if kind & 0x03 != 0 {
        return Err(Undecoded::MalformedLink);
    }
    if kind & 0x0C != DATA || kind & NO_DATA != 0 {
        return Err(Undecoded::NotIp);
    }
    if flags & PROTECTED != 0 {
        return Err(Undecoded::Encrypted);
    }
    if sequence & 0x0F != 0 {
        return Err(Undecoded::TunnelFragment);
    }
    let mut rest = if flags & TO_AND_FROM_DS == TO_AND_FROM_DS { rest.skip(6)? } else { rest };
    let mut up = None;
    let mut is_aggregate = false;
    if kind & QOS != 0 {
        let (&[control, _], behind) = rest.header::<2>()?;
        // Identifiers from 8 name traffic streams, not priorities.
        up = (control & 0x08 == 0).then_some(control & 0x07);
        is_aggregate = control & AGGREGATE != 0;
        rest = if flags & HT_CONTROL == 0 { behind } else { behind.skip(4)? };
    }
    layers.push(Layer::Wlan { up })?;
    if is_padded {
        rest = rest.skip((span.octets - rest.octets).wrapping_neg() & 3)?;
    }
    if is_aggregate {
        let (&[_, _, _, _, _, _, _, _, _, _, _, _, l0, l1], behind) = rest.header::<14>()?;
        rest = behind.at_most(usize::from(u16::from_be_bytes([l0, l1])));
    }
    Ok((Next::Llc, rest))
}

/// Reads a radiotap header (radiotap.org) for its length and for what its flags say of the frame's end.
pub(super) fn radiotap(span: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    const EXTENDED: u32 = 1 << 31;
    const TIMER: u32 = 1;
    const FLAGS: u32 = 2;
    const HAS_CHECK_SEQUENCE: u8 = 0x10;
    const PADDED: u8 = 0x20;
    const BAD_CHECK_SEQUENCE: u8 = 0x40;

    let (&[version, _, l0, l1, p0, p1, p2, p3], mut rest) = span.header::<8>()?;
    let length = usize::from(u16::from_le_bytes([l0, l1]));
    if version != 0 || length < 8 {
        return Err(Undecoded::MalformedLink);
    }
    let present = u32::from_le_bytes([p0, p1, p2, p3]);
    let mut fields_at = 8_usize;
    let mut more = present & EXTENDED != 0;
    while more {
        let (bitmap, behind) = rest.header::<4>()?;
        more = u32::from_le_bytes(*bitmap) & EXTENDED != 0;
        rest = behind;
        fields_at += 4;
    }
    let mut frame = span.skip(length)?;
    let mut is_padded = false;
    if present & FLAGS != 0 {
        // Fields are aligned to their size; the timer before the flags has eight octets.
        let at = if present & TIMER == 0 { fields_at } else { fields_at.next_multiple_of(8) + 8 };
        let flags = *span.bytes.get(at).ok_or(Undecoded::TruncatedHeaders)?;
        if at >= length || flags & BAD_CHECK_SEQUENCE != 0 {
            return Err(Undecoded::MalformedLink);
        }
        if flags & HAS_CHECK_SEQUENCE != 0 {
            frame = frame.at_most(frame.octets.saturating_sub(4));
        }
        is_padded = flags & PADDED != 0;
    }
    Ok((Next::Wlan { is_padded }, frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(control: [u8; 2], behind_addresses: &[u8]) -> Vec<u8> {
        let mut bytes = vec![control[0], control[1]];
        bytes.extend([0; 22]);
        bytes.extend(behind_addresses);
        bytes.extend([0xAA, 0xAA, 3, 0, 0, 0, 8, 0]);
        bytes
    }

    #[test]
    fn the_header_is_as_long_as_its_flags_say() {
        let aggregate = [&[0x86, 0][..], &[1; 12], &[0, 8]].concat();
        for (name, control, behind, up) in [
            ("data", [0x08, 0x01], &[][..], None),
            ("QoS data", [0x88, 0x02], &[0x06, 0], Some(6)),
            ("four addresses", [0x88, 0x03], &[9, 9, 9, 9, 9, 9, 0x05, 0], Some(5)),
            ("HT control", [0x88, 0x81], &[0x04, 0, 9, 9, 9, 9], Some(4)),
            ("traffic stream", [0x88, 0x01], &[0x0C, 0], None),
            ("aggregate", [0x88, 0x01], &aggregate, Some(6)),
            ("swapped frame control", [0x01, 0x88], &[0x06, 0], Some(6)),
        ] {
            let bytes = frame(control, behind);
            let mut layers = Layers::new(2);
            let (next, rest) = read(Span::new(&bytes, bytes.len()), false, &mut layers).unwrap();
            assert_eq!((next, rest.octets), (Next::Llc, 8), "{name}");
            assert_eq!(layers.as_slice(), [Layer::Wlan { up }], "{name}");
        }
    }

    #[test]
    fn a_padded_header_ends_at_a_multiple_of_four() {
        let bytes = frame([0x88, 0x01], &[0x06, 0, 0, 0]);
        let (_, rest) = read(Span::new(&bytes, bytes.len()), true, &mut Layers::new(2)).unwrap();
        assert_eq!(rest.octets, 8);
    }

    #[test]
    fn what_is_no_clear_data_has_its_reason() {
        for (name, control, reason) in [
            ("beacon", [0x80, 0x00], Undecoded::NotIp),
            ("null", [0x48, 0x01], Undecoded::NotIp),
            ("protected", [0x88, 0x41], Undecoded::Encrypted),
            ("version", [0x03, 0x03], Undecoded::MalformedLink),
        ] {
            let bytes = frame(control, &[0, 0]);
            assert_eq!(
                read(Span::new(&bytes, bytes.len()), false, &mut Layers::new(2)).unwrap_err(),
                reason,
                "{name}"
            );
        }
    }

    #[test]
    fn radiotap_says_whether_a_check_sequence_follows() {
        for (name, header, expected) in [
            ("bare", &[0, 0, 8, 0, 0, 0, 0, 0][..], Ok(10)),
            ("flags with check sequence", &[0, 0, 9, 0, 2, 0, 0, 0, 0x10], Ok(6)),
            ("flags behind a second bitmap", &[0, 0, 13, 0, 2, 0, 0, 0x80, 0, 0, 0, 0, 0x10], Ok(6)),
            ("timer before flags", &[0, 0, 17, 0, 3, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0x10], Ok(6)),
            ("bad check sequence", &[0, 0, 9, 0, 2, 0, 0, 0, 0x50], Err(Undecoded::MalformedLink)),
            ("version", &[1, 0, 8, 0, 0, 0, 0, 0], Err(Undecoded::MalformedLink)),
            ("length", &[0, 0, 200, 0, 0, 0, 0, 0], Err(Undecoded::TruncatedHeaders)),
        ] {
            let bytes = [header, &[7; 10]].concat();
            let read = radiotap(Span::new(&bytes, bytes.len()));
            assert_eq!(read.map(|(_, rest)| rest.octets), expected, "{name}");
        }
    }
}
