//! A stretch of a packet: the octets that were kept, and how many it had.

use super::Undecoded;

/// What is left of a packet behind the headers read so far.
///
/// In a snapped frame fewer octets were kept than the packet had on the wire. Headers are read from
/// `bytes`; whether something *fits* is a question to `octets`, which follows the length fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'a> {
    /// The octets that were kept.
    pub(super) bytes: &'a [u8],
    /// How many there were on the wire: never fewer than were kept.
    pub(super) octets: usize,
}

impl<'a> Span<'a> {
    /// A frame of which `bytes` were kept.
    #[inline]
    pub(super) fn new(bytes: &'a [u8], wire_octets: usize) -> Self {
        Self { bytes, octets: wire_octets.max(bytes.len()) }
    }

    /// The first `N` octets as a header, and what follows.
    #[inline]
    pub(super) fn header<const N: usize>(self) -> Result<(&'a [u8; N], Self), Undecoded> {
        match self.bytes.split_first_chunk::<N>() {
            Some((header, bytes)) => Ok((header, Self { bytes, octets: self.octets - N })),
            None => Err(Undecoded::TruncatedHeaders),
        }
    }

    /// Without its first octets.
    #[inline]
    pub(super) fn skip(self, count: usize) -> Result<Self, Undecoded> {
        match self.bytes.get(count..) {
            Some(bytes) => Ok(Self { bytes, octets: self.octets - count }),
            None => Err(Undecoded::TruncatedHeaders),
        }
    }

    /// Exactly as long as a length field says: what lies beyond is padding, what is missing was not kept.
    #[inline]
    pub(super) fn with_length(self, octets: usize) -> Self {
        Self { bytes: self.bytes.get(..octets).unwrap_or(self.bytes), octets }
    }

    /// Not longer than a length field says.
    #[inline]
    pub(super) fn at_most(self, octets: usize) -> Self {
        if octets < self.octets { self.with_length(octets) } else { self }
    }

    /// Whether every octet was kept.
    #[inline]
    pub(super) fn is_whole(self) -> bool {
        self.bytes.len() == self.octets
    }

    /// The 16-bit number at an offset, network byte order.
    #[inline]
    pub(super) fn u16_at(self, offset: usize) -> Option<u16> {
        self.bytes.get(offset..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_follow_the_headers_and_bytes_what_was_kept() {
        let span = Span::new(&[1, 2, 3, 4, 5, 6], 10);
        let (header, rest) = span.header::<2>().unwrap();
        assert_eq!((header, rest.bytes.len(), rest.octets), (&[1, 2], 4, 8));
        assert_eq!((rest.with_length(3).bytes.len(), rest.with_length(3).octets), (3, 3));
        assert_eq!((rest.with_length(20).bytes.len(), rest.with_length(20).octets), (4, 20));
        assert_eq!(rest.at_most(20).octets, 8);
        assert!(rest.with_length(4).is_whole() && !rest.is_whole());
        assert_eq!(rest.skip(5).unwrap_err(), Undecoded::TruncatedHeaders);
        assert_eq!(rest.header::<5>().unwrap_err(), Undecoded::TruncatedHeaders);
        assert_eq!((rest.u16_at(2), rest.u16_at(3)), (Some(0x0506), None));
    }
}
