//! TCP (RFC 9293): as much as it takes to find the segment's data.

use super::Undecoded;
use super::span::Span;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;

/// Ports of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tcp {
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    /// Whether what follows the header is data of an open connection: not so in a SYN or a reset.
    pub(super) has_data: bool,
}

impl Tcp {
    /// Reads the header and skips its options.
    pub(super) fn read(span: Span<'_>) -> Result<(Self, Span<'_>), Undecoded> {
        let (&[s0, s1, d0, d1, _, _, _, _, _, _, _, _, offset, flags, _, _, _, _, _, _], rest) =
            span.header::<20>()?;
        let header_octets = usize::from(offset >> 4) * 4;
        if header_octets < 20 || header_octets > span.octets {
            return Err(Undecoded::MalformedTcp);
        }
        let rest = rest.skip(header_octets - 20)?;
        let tcp = Self {
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
            has_data: flags & (SYN | RST) == 0 && rest.octets > 0,
        };
        Ok((tcp, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(offset: u8, flags: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes =
            vec![0x01, 0xBB, 0xC3, 0x50, 0, 0, 0, 1, 0, 0, 0, 1, offset << 4, flags, 0, 0, 0, 0, 0, 0];
        bytes.extend(data);
        bytes
    }

    #[test]
    fn data_is_what_follows_the_options_of_an_open_connection() {
        for (name, bytes, expected) in [
            ("data", segment(5, 0x18, &[1, 2]), Ok((true, 2))),
            ("options", segment(6, 0x18, &[1, 1, 1, 0, 9]), Ok((true, 1))),
            ("empty", segment(5, 0x10, &[]), Ok((false, 0))),
            ("syn", segment(5, 0x02, &[1]), Ok((false, 1))),
            ("offset too small", segment(4, 0x10, &[]), Err(Undecoded::MalformedTcp)),
            ("offset too large", segment(6, 0x10, &[]), Err(Undecoded::MalformedTcp)),
        ] {
            let read = Tcp::read(Span::new(&bytes, bytes.len()));
            assert_eq!(read.map(|(tcp, rest)| (tcp.has_data, rest.octets)), expected, "{name}");
        }
    }
}
