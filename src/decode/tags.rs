//! Tags before the type: VLAN, VN-Tag, E-Tag, `MACsec` and the like.

use super::layers::Layers;
use super::next::Next;
use super::span::Span;
use super::{Layer, Undecoded, lately};

/// IEEE 802.1Q, 802.1ad and the older kinds: priority 3 bits, drop eligible 1, identifier 12, then a type.
#[inline]
pub(super) fn vlan<'a>(span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    let (&[c0, c1, t0, t1], rest) = span.header::<4>()?;
    layers.push(lately::layer(u16::from_be_bytes([c0, c1])))?;
    Ok((Next::Type(u16::from_be_bytes([t0, t1])), rest))
}

/// VN-Tag of Cisco: direction and interface identifiers in four octets, then a type.
pub(super) fn vn_tag<'a>(span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    let (&[_, _, _, _, t0, t1], rest) = span.header::<6>()?;
    layers.push(Layer::Other { name: "vn-tag" })?;
    Ok((Next::Type(u16::from_be_bytes([t0, t1])), rest))
}

/// E-Tag of IEEE 802.1BR: six octets, then a type.
pub(super) fn e_tag<'a>(span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    let (&[_, _, _, _, _, _, t0, t1], rest) = span.header::<8>()?;
    layers.push(Layer::Other { name: "e-tag" })?;
    Ok((Next::Type(u16::from_be_bytes([t0, t1])), rest))
}

/// Cisco metadata with one security group tag: version, length, option, tag, then a type.
pub(super) fn cisco_metadata<'a>(span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    let (&[version, options, _, _, _, _, t0, t1], rest) = span.header::<8>()?;
    if (version, options) != (1, 1) {
        return Err(Undecoded::UnsupportedEncapsulation);
    }
    layers.push(Layer::Other { name: "cisco-metadata" })?;
    Ok((Next::Type(u16::from_be_bytes([t0, t1])), rest))
}

/// The service tag of a provider backbone bridge (IEEE 802.1ah): four octets, then the customer's frame.
pub(super) fn backbone<'a>(span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    let (_, rest) = span.header::<4>()?;
    layers.push(Layer::Other { name: "pbb" })?;
    Ok((Next::Ethernet, rest))
}

/// `MACsec` (IEEE 802.1AE): readable only where it protects integrity and does not encrypt.
pub(super) fn macsec<'a>(span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    const CHANNEL_IDENTIFIER: u8 = 0x20;
    const ENCRYPTED_OR_CHANGED: u8 = 0x0C;
    let (&[control, _, _, _, _, _], rest) = span.header::<6>()?;
    if control & ENCRYPTED_OR_CHANGED != 0 {
        return Err(Undecoded::Encrypted);
    }
    let rest = if control & CHANNEL_IDENTIFIER == 0 { rest } else { rest.skip(8)? };
    let (&[t0, t1], rest) = rest.header::<2>()?;
    layers.push(Layer::Other { name: "macsec" })?;
    Ok((Next::Type(u16::from_be_bytes([t0, t1])), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tag = for<'a> fn(Span<'a>, &mut Layers) -> Result<(Next, Span<'a>), Undecoded>;

    #[test]
    fn each_tag_is_as_long_as_its_standard_says() {
        let cases: [(&str, Tag, &[u8], Layer, Next); 7] = [
            ("vlan", vlan, &[0xB0, 0x07, 8, 0], Layer::Vlan { vid: 7, pcp: 5 }, Next::Type(0x0800)),
            ("vn-tag", vn_tag, &[0, 1, 2, 3, 8, 0], Layer::Other { name: "vn-tag" }, Next::Type(0x0800)),
            ("e-tag", e_tag, &[0, 1, 2, 3, 4, 5, 8, 0], Layer::Other { name: "e-tag" }, Next::Type(0x0800)),
            (
                "cisco metadata",
                cisco_metadata,
                &[1, 1, 0, 1, 0, 16, 8, 0],
                Layer::Other { name: "cisco-metadata" },
                Next::Type(0x0800),
            ),
            ("pbb", backbone, &[0, 0, 0, 9], Layer::Other { name: "pbb" }, Next::Ethernet),
            (
                "macsec",
                macsec,
                &[0, 0, 0, 0, 0, 1, 8, 0],
                Layer::Other { name: "macsec" },
                Next::Type(0x0800),
            ),
            (
                "macsec with channel",
                macsec,
                &[0x20, 0, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 8, 0],
                Layer::Other { name: "macsec" },
                Next::Type(0x0800),
            ),
        ];
        for (name, tag, bytes, layer, expected) in cases {
            let mut layers = Layers::new(4);
            let (next, rest) = tag(Span::new(bytes, bytes.len()), &mut layers).unwrap();
            assert_eq!((next, rest.octets, layers.as_slice()), (expected, 0, &[layer][..]), "{name}");
            assert_eq!(
                tag(Span::new(&bytes[..bytes.len() - 1], 99), &mut layers).unwrap_err(),
                Undecoded::TruncatedHeaders,
                "{name}"
            );
        }
    }

    #[test]
    fn what_macsec_encrypts_stays_closed() {
        let bytes = [0x2C, 0, 0, 0, 0, 1, 9, 9];
        assert_eq!(macsec(Span::new(&bytes, 8), &mut Layers::new(4)).unwrap_err(), Undecoded::Encrypted);
    }
}
