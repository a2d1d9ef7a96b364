//! MPLS label stacks (RFC 3032) and their pseudo-wires (RFC 4448).

use super::layers::Layers;
use super::next::Next;
use super::span::Span;
use super::{Layer, Undecoded, ethernet, ipv4, ipv6};

/// Walks the stack to its bottom and tells what lies below, which no field names.
pub(super) fn read<'a>(mut span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    loop {
        // Label 20 bits, traffic class 3 (RFC 5462), bottom of stack 1, time to live 8.
        let (entry, rest) = span.header::<4>()?;
        let entry = u32::from_be_bytes(*entry);
        layers.push(Layer::Mpls { label: entry >> 12, tc: (entry >> 9 & 7) as u8 })?;
        span = rest;
        if entry & 0x100 != 0 {
            return below(span);
        }
    }
}

/// The first nibble tells: 4 and 6 are IP; 0 is a control word, or an Ethernet address; 1 is a channel of the
/// pseudo-wire's own (RFC 4385, section 5).
fn below(span: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    let nibble = span.bytes.first().ok_or(Undecoded::TruncatedHeaders)? >> 4;
    let is_ip = match nibble {
        4 => ipv4::is_plausible(span),
        6 => ipv6::is_plausible(span),
        _ => false,
    };
    if is_ip {
        return Ok((Next::Ip, span));
    }
    if nibble == 0
        && let Ok((_, behind)) = span.header::<4>()
    {
        if ethernet::is_plausible(behind) {
            return Ok((Next::Ethernet, behind));
        }
        if !ethernet::is_plausible(span) && (ipv4::is_plausible(behind) || ipv6::is_plausible(behind)) {
            return Ok((Next::Ip, behind));
        }
    }
    if ethernet::is_plausible(span) {
        return Ok((Next::Ethernet, span));
    }
    match nibble {
        // Snapped within the header, or with a checksum left to the hardware: still most likely IP.
        4 | 6 => Ok((Next::Ip, span)),
        1 => Err(Undecoded::NotIp),
        _ => Err(Undecoded::UnsupportedEncapsulation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETHERNET: [u8; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 8, 0, 0x45];

    fn open(bytes: &[u8]) -> Result<(Next, usize, Vec<Layer>), Undecoded> {
        let mut layers = Layers::new(8);
        let (next, rest) = read(Span::new(bytes, bytes.len()), &mut layers)?;
        Ok((next, rest.octets, layers.as_slice().to_vec()))
    }

    #[test]
    fn the_stack_is_walked_and_the_traffic_class_kept() {
        let (next, _, layers) =
            open(&[&[0, 0x01, 0x0A, 64, 0, 0x02, 0x07, 63][..], &ETHERNET].concat()).unwrap();
        assert_eq!(layers, [Layer::Mpls { label: 16, tc: 5 }, Layer::Mpls { label: 32, tc: 3 }]);
        assert_eq!(next, Next::Ethernet);
    }

    #[test]
    fn what_lies_below_is_told_by_its_form() {
        let bottom = [0, 0x01, 0x01, 64];
        let with_word = [&[0, 0, 0, 0][..], &ETHERNET].concat();
        for (name, below, expected) in [
            ("IPv4", &[0x45, 0, 0, 20][..], Ok((Next::Ip, 4))),
            ("IPv6", &[0x60, 0, 0, 0], Ok((Next::Ip, 4))),
            ("control word, Ethernet", &with_word, Ok((Next::Ethernet, 15))),
            ("Ethernet from address 00", &ETHERNET, Ok((Next::Ethernet, 15))),
            ("associated channel", &[0x10, 0, 0, 0x21], Err(Undecoded::NotIp)),
            ("neither", &[0x90, 0, 0, 0x21], Err(Undecoded::UnsupportedEncapsulation)),
            ("cut", &[], Err(Undecoded::TruncatedHeaders)),
        ] {
            let bytes = [&bottom[..], below].concat();
            assert_eq!(open(&bytes).map(|(next, octets, _)| (next, octets)), expected, "{name}");
        }
        let mut address_from_45 = ETHERNET;
        address_from_45[0] = 0x45;
        assert_eq!(open(&[&bottom[..], &address_from_45].concat()).unwrap().0, Next::Ethernet);
    }

    #[test]
    fn a_stack_without_bottom_is_too_deep() {
        assert_eq!(open(&[0; 100]).unwrap_err(), Undecoded::TooDeep);
    }
}
