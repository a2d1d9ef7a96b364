//! PPP (RFC 1661, RFC 1662) and `PPPoE` (RFC 2516).

use super::layers::Layers;
use super::next::Next;
use super::span::Span;
use super::{Layer, Undecoded, ethertype};

/// The protocol field: two octets, or one where the first is odd (RFC 1661, section 6.5).
fn protocol(span: Span<'_>) -> Result<(u16, Span<'_>), Undecoded> {
    let (&[first], rest) = span.header::<1>()?;
    if first & 1 == 1 {
        return Ok((u16::from(first), rest));
    }
    let (&[second], rest) = rest.header::<1>()?;
    Ok((u16::from_be_bytes([first, second]), rest))
}

/// Reads a frame: address and control (RFC 1662) may be there or not, and so may Cisco's HDLC.
pub(super) fn read(span: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    if let [0x0F | 0x8F, 0, t0, t1, ..] = *span.bytes {
        return Ok((Next::Type(u16::from_be_bytes([t0, t1])), span.skip(4)?));
    }
    let span = if span.bytes.starts_with(&[0xFF, 0x03]) { span.skip(2)? } else { span };
    let (protocol, rest) = protocol(span)?;
    match protocol {
        0x0021 => Ok((Next::Type(ethertype::IPV4), rest)),
        0x0057 => Ok((Next::Type(ethertype::IPV6), rest)),
        0x0281 | 0x0283 => Ok((Next::Type(ethertype::MPLS), rest)),
        // Van Jacobson's headers, and whole datagrams compressed (RFC 1144, RFC 1962).
        0x002D | 0x002F | 0x00FB | 0x00FD => Err(Undecoded::Compressed),
        // Encryption (RFC 1968).
        0x0053 | 0x0055 => Err(Undecoded::Encrypted),
        // Multilink and bridging.
        0x003D | 0x0031 => Err(Undecoded::UnsupportedEncapsulation),
        _ => Err(Undecoded::NotIp),
    }
}

/// Whether the octets begin as a PPP frame of a protocol that is in use.
pub(super) fn is_plausible(span: Span<'_>) -> bool {
    let span = if span.bytes.starts_with(&[0xFF, 0x03]) { span.skip(2).unwrap_or(span) } else { span };
    protocol(span).is_ok_and(|(protocol, _)| {
        matches!(
            protocol,
            0x0021
                | 0x0057
                | 0x0281
                | 0x0283
                | 0x002D
                | 0x002F
                | 0x003D
                | 0x00FB
                | 0x00FD
                | 0x8021
                | 0x8057
                | 0x80FD
                | 0xC021
                | 0xC023
                | 0xC025
                | 0xC223
        )
    })
}

/// Reads a `PPPoE` session header; PPP follows.
pub(super) fn session<'a>(span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    let (&[version, code, s0, s1, l0, l1], rest) = span.header::<6>()?;
    if version != 0x11 {
        return Err(Undecoded::MalformedLink);
    }
    if code != 0 {
        return Err(Undecoded::NotIp);
    }
    layers.push(Layer::Pppoe { session: u16::from_be_bytes([s0, s1]) })?;
    Ok((Next::Ppp, rest.at_most(usize::from(u16::from_be_bytes([l0, l1])))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_and_compressed_fields_are_optional() {
        for (name, bytes, expected) in [
            ("plain", &[0, 0x21, 0x45][..], Ok(Next::Type(0x0800))),
            ("framed", &[0xFF, 3, 0, 0x57, 0x60], Ok(Next::Type(0x86DD))),
            ("compressed protocol", &[0x21, 0x45], Ok(Next::Type(0x0800))),
            ("framed, compressed protocol", &[0xFF, 3, 0x21, 0x45], Ok(Next::Type(0x0800))),
            ("MPLS", &[2, 0x81, 0, 0, 1, 64], Ok(Next::Type(0x8847))),
            ("Cisco HDLC", &[0x0F, 0, 8, 0, 0x45], Ok(Next::Type(0x0800))),
            ("link control", &[0xFF, 3, 0xC0, 0x21], Err(Undecoded::NotIp)),
            ("Van Jacobson", &[0, 0x2D], Err(Undecoded::Compressed)),
            ("cut", &[0xFF, 3, 0], Err(Undecoded::TruncatedHeaders)),
        ] {
            assert_eq!(read(Span::new(bytes, bytes.len())).map(|(next, _)| next), expected, "{name}");
        }
    }

    #[test]
    fn a_session_is_a_layer() {
        let mut layers = Layers::new(2);
        let bytes = [0x11, 0, 0x12, 0x34, 0, 4, 0, 0x21, 0x45, 0, 9, 9];
        let (next, rest) = session(Span::new(&bytes, bytes.len()), &mut layers).unwrap();
        assert_eq!(
            (next, rest.octets, layers.as_slice()),
            (Next::Ppp, 4, &[Layer::Pppoe { session: 0x1234 }][..])
        );
        let discovery = [0x11, 9, 0, 0, 0, 4, 1, 1, 0, 0];
        assert_eq!(session(Span::new(&discovery, 10), &mut layers).unwrap_err(), Undecoded::NotIp);
    }
}
