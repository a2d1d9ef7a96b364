//! UDP (RFC 768).

use super::Undecoded;
use super::span::Span;

/// Ports of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Udp {
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
}

impl Udp {
    /// Reads the header; what follows is as long as the UDP length says, which in a first fragment is more
    /// than IP carries.
    #[inline]
    pub(super) fn read(span: Span<'_>, is_fragment: bool) -> Result<(Self, Span<'_>), Undecoded> {
        let (&[s0, s1, d0, d1, l0, l1, _, _], rest) = span.header::<8>()?;
        let udp = Self {
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
        };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        // 0 is a jumbogram (RFC 2675) or segmentation offload.
        if length == 0 {
            return Ok((udp, rest));
        }
        if length < 8 || (length > span.octets && !is_fragment) {
            return Err(Undecoded::MalformedUdp);
        }
        Ok((udp, rest.with_length(length - 8)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_honoured_or_refused() {
        for (name, length, is_fragment, expected) in [
            ("exact", 12, false, Ok(4)),
            ("trailing octets are not payload", 10, false, Ok(2)),
            ("offload", 0, false, Ok(4)),
            ("below the header", 7, false, Err(Undecoded::MalformedUdp)),
            ("beyond the packet", 13, false, Err(Undecoded::MalformedUdp)),
            ("beyond the first fragment", 200, true, Ok(192)),
        ] {
            let bytes = [0xC3, 0x50, 0x0D, 0x96, 0, length, 0, 0, 1, 2, 3, 4];
            let read = Udp::read(Span::new(&bytes, bytes.len()), is_fragment);
            assert_eq!(read.map(|(_, rest)| rest.octets), expected, "{name}");
            if let Ok((udp, _)) = read {
                assert_eq!(udp, Udp { source_port: 50_000, destination_port: 3478 });
            }
        }
    }
}
