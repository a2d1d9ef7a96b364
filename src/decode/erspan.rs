//! ERSPAN I to III: what precedes each frame mirrored over GRE.

use super::gre::Gre;
use super::layers::Layers;
use super::next::Next;
use super::span::Span;
use super::{Layer, Undecoded, ethernet, ethertype};

/// Reads the header that follows GRE, if any; Ethernet follows. What numbers the frame is noted.
///
/// Source: draft-foschiano-erspan; Linux, `include/net/erspan.h`.
pub(super) fn read<'a>(gre: Gre, span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    if gre.protocol == ethertype::ERSPAN_1_2 && gre.sequence.is_none() {
        layers.push(Layer::Erspan { version: 1, session: 0, egress: None })?;
        return Ok((Next::Ethernet, span));
    }
    // Version 4 bits, VLAN 12, class of service 3, encapsulation 2, truncated 1, session 10.
    let (&[version, _, s0, s1], rest) = span.header::<4>()?;
    let session = u16::from_be_bytes([s0, s1]) & 0x03FF;
    match version >> 4 {
        1 => {
            layers.note_mirrored(session, 0, gre.sequence);
            layers.push(Layer::Erspan { version: 2, session, egress: None })?;
            Ok((Next::Ethernet, rest.skip(4)?))
        }
        2 => {
            // Timestamp 32, group 16, P 1, frame type 5, hardware 6, direction 1, granularity 2, O 1.
            const FRAME_TYPE: u8 = 0x7C;
            const HARDWARE: u16 = 0x03F0;
            const EGRESS: u8 = 0x08;
            const PLATFORM_HEADER: u8 = 0x01;
            let (&[_, _, _, _, _, _, kind, flags], rest) = rest.header::<8>()?;
            let hardware = (u16::from_be_bytes([kind, flags]) & HARDWARE) >> 4;
            layers.note_mirrored(session, hardware, gre.sequence);
            layers.push(Layer::Erspan { version: 3, session, egress: Some(flags & EGRESS != 0) })?;
            let rest = if flags & PLATFORM_HEADER == 0 { rest } else { rest.skip(8)? };
            // Frame type 0 is Ethernet, 2 is IP.
            let next = if (kind & FRAME_TYPE) >> 2 == 2 { Next::Ip } else { Next::Ethernet };
            Ok((next, rest))
        }
        _ => Err(Undecoded::MalformedTunnel),
    }
}

/// The mirror of Mellanox switches: 22 octets of their own before the frame, or none.
pub(super) fn mellanox<'a>(span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    const OWN_OCTETS: usize = 22;
    layers.push(Layer::Other { name: "mellanox-mirror" })?;
    match span.skip(OWN_OCTETS) {
        Ok(behind) if ethernet::is_plausible(behind) => Ok((Next::Ethernet, behind)),
        _ => Ok((Next::Ethernet, span)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(protocol: u16, has_sequence: bool, header: &[u8]) -> Result<(Layer, usize), Undecoded> {
        let bytes = [header, &[0xEE; 20]].concat();
        let mut layers = Layers::new(2);
        let gre = Gre { protocol, key: None, sequence: has_sequence.then_some(7) };
        let (_, rest) = read(gre, Span::new(&bytes, bytes.len()), &mut layers)?;
        Ok((layers.as_slice()[0], rest.octets))
    }

    #[test]
    fn the_version_and_flags_say_how_long_the_header_is() {
        let three = |flags: u8| [0x20, 0x64, 0xA0, 0x07, 1, 2, 3, 4, 0, 0, 0, flags];
        let with_platform = [&three(0x01)[..], &[0; 8]].concat();
        let erspan = |version, session, egress| Layer::Erspan { version, session, egress };
        for (name, protocol, has_sequence, header, expected) in [
            ("I", 0x88BE, false, &[][..], erspan(1, 0, None)),
            ("II", 0x88BE, true, &[0x10, 0x64, 0xA3, 0xFF, 0, 0, 0, 1], erspan(2, 0x3FF, None)),
            ("III ingress", 0x22EB, true, &three(0), erspan(3, 7, Some(false))),
            ("III egress", 0x22EB, true, &three(0x08), erspan(3, 7, Some(true))),
            ("III with platform header", 0x22EB, true, &with_platform, erspan(3, 7, Some(false))),
        ] {
            assert_eq!(open(protocol, has_sequence, header), Ok((expected, 20)), "{name}");
        }
        assert_eq!(open(0x22EB, true, &[0x90, 0, 0, 0]), Err(Undecoded::MalformedTunnel));
    }

    #[test]
    fn a_mellanox_mirror_has_octets_of_its_own_or_none() {
        let frame = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 8, 0, 0x45];
        for bytes in [frame.to_vec(), [&[0; 22][..], &frame].concat()] {
            let mut layers = Layers::new(2);
            let (_, rest) = mellanox(Span::new(&bytes, bytes.len()), &mut layers).unwrap();
            assert_eq!(rest.bytes, frame);
        }
    }
}
