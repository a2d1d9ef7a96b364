//! Network Service Header (RFC 8300).

use super::layers::Layers;
use super::next::Next;
use super::span::Span;
use super::{Layer, Undecoded, ethertype};

/// Reads the base header and skips the rest, whose length it gives in words.
pub(super) fn read<'a>(span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    let (&[first, second, _, protocol], _) = span.header::<4>()?;
    let octets = usize::from(second & 0x3F) * 4;
    if first >> 6 != 0 || octets < 8 {
        return Err(Undecoded::MalformedTunnel);
    }
    let next = next(protocol)?;
    layers.push(Layer::Other { name: "nsh" })?;
    Ok((next, span.skip(octets)?))
}

/// The "next protocol" numbers, which VXLAN-GPE shares.
pub(super) fn next(protocol: u8) -> Result<Next, Undecoded> {
    Ok(Next::Type(match protocol {
        1 => ethertype::IPV4,
        2 => ethertype::IPV6,
        3 => return Ok(Next::Ethernet),
        4 => ethertype::NSH,
        5 => ethertype::MPLS,
        _ => return Err(Undecoded::UnsupportedEncapsulation),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_in_words_and_counts_the_base_header() {
        let mut layers = Layers::new(2);
        let mut bytes = [0_u8; 24];
        (bytes[1], bytes[2], bytes[3]) = (0xC6, 1, 3);
        bytes[0] = 0x0F;
        let (next, rest) = read(Span::new(&bytes, 24), &mut layers).unwrap();
        assert_eq!((next, rest.octets), (Next::Ethernet, 0));
        bytes[1] = 1;
        assert_eq!(read(Span::new(&bytes, 24), &mut layers).unwrap_err(), Undecoded::MalformedTunnel);
        (bytes[1], bytes[3]) = (2, 99);
        assert_eq!(
            read(Span::new(&bytes, 24), &mut layers).unwrap_err(),
            Undecoded::UnsupportedEncapsulation
        );
    }
}
