//! Microsoft's multiplexed TURN (MS-TURN, section 2.2.3).

use super::span::Span;

/// One frame: `FF10`, length 16 bits, session identifier 64, data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Multiplexed<'a> {
    pub(super) session: u64,
    pub(super) data: Span<'a>,
}

impl<'a> Multiplexed<'a> {
    /// Octets before the data.
    pub(super) const HEADER_OCTETS: usize = 12;

    /// The frame at the start of a payload. The length counts what follows it, the session included.
    pub(super) fn read(payload: Span<'a>) -> Option<Self> {
        let (&[0xFF, 0x10, l0, l1, s0, s1, s2, s3, s4, s5, s6, s7], data) = payload.header::<12>().ok()?
        else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([l0, l1])).checked_sub(8)?;
        (length <= data.octets).then(|| Self {
            session: u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            data: data.with_length(length),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_counts_the_session() {
        let mut bytes = [0xFF, 0x10, 0, 10, 0, 0, 0, 0, 0, 0, 1, 2, 0x80, 0];
        let frame = Multiplexed::read(Span::new(&bytes, 14)).unwrap();
        assert_eq!((frame.session, frame.data.bytes), (0x102, &[0x80, 0][..]));
        for length in [7, 11] {
            bytes[3] = length;
            assert!(Multiplexed::read(Span::new(&bytes, 14)).is_none(), "{length}");
        }
    }
}
