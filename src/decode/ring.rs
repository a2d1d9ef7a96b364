//! FDDI and Token Ring, which old captures still have.

use super::Undecoded;
use super::next::Next;
use super::span::Span;

/// FDDI: frame control and two addresses, then LLC.
pub(super) fn fddi(span: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    let (&[control, ..], rest) = span.header::<13>()?;
    // Asynchronous and synchronous LLC frames are x10 in the upper half.
    if control & 0x70 == 0x50 { Ok((Next::Llc, rest)) } else { Err(Undecoded::NotIp) }
}

/// Token Ring (IEEE 802.5): access and frame control, two addresses, a route where the source says so.
pub(super) fn token_ring(span: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    const HAS_ROUTE: u8 = 0x80;
    let (&[_, control, _, _, _, _, _, _, source, _, _, _, _, _], rest) = span.header::<14>()?;
    if control & 0xC0 != 0x40 {
        return Err(Undecoded::NotIp);
    }
    if source & HAS_ROUTE == 0 {
        return Ok((Next::Llc, rest));
    }
    let (&[route], _) = rest.header::<1>()?;
    match usize::from(route & 0x1F) {
        0 | 1 => Err(Undecoded::MalformedLink),
        octets => Ok((Next::Llc, rest.skip(octets)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llc_follows_the_addresses() {
        let mut frame = [0_u8; 20];
        frame[0] = 0x50;
        assert_eq!(fddi(Span::new(&frame, 20)).unwrap().1.octets, 7);
        frame[0] = 0x40;
        assert_eq!(fddi(Span::new(&frame, 20)).unwrap_err(), Undecoded::NotIp);

        (frame[0], frame[1]) = (0x10, 0x40);
        assert_eq!(token_ring(Span::new(&frame, 20)).unwrap().1.octets, 6);
        (frame[8], frame[14]) = (0x80, 0xC2);
        assert_eq!(token_ring(Span::new(&frame, 20)).unwrap().1.octets, 4);
        frame[14] = 0;
        assert_eq!(token_ring(Span::new(&frame, 20)).unwrap_err(), Undecoded::MalformedLink);
    }
}
