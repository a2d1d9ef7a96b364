//! Numbers as few octets: small ones are short.

use crate::terms::Timestamp;

/// Writes numbers one after the other.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn octet(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Seven bits an octet, the lowest first.
    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7F) as u8);
    }

    pub(super) fn count(&mut self, value: usize) {
        self.number(value as u64);
    }

    /// A difference, which may be negative: small ones of either sign are short.
    pub(super) fn signed(&mut self, value: i64) {
        self.number((value << 1 ^ value >> 63).cast_unsigned());
    }

    /// A moment, from another one that the reader knows.
    pub(super) fn moment(&mut self, value: Timestamp, known: Timestamp) {
        self.signed(value.0.wrapping_sub(known.0));
    }

    pub(super) fn whole(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }
}

/// Reads what a writer wrote. Behind the end there are zeros: what is read was written by this program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    #[inline]
    pub(super) fn octet(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// Most numbers are one octet.
    #[allow(
        clippy::inline_always,
        reason = "measured: a tenth of the time to take a record out was calls of it"
    )]
    #[inline(always)]
    pub(super) fn number(&mut self) -> u64 {
        let first = self.octet();
        if first < 0x80 { u64::from(first) } else { self.longer_number(first) }
    }

    #[inline(never)]
    fn longer_number(&mut self, first: u8) -> u64 {
        let mut value = u64::from(first & 0x7F);
        let mut shift = 7;
        while shift < 64 {
            let next = self.octet();
            value |= u64::from(next & 0x7F) << shift;
            if next < 0x80 {
                break;
            }
            shift += 7;
        }
        value
    }

    /// How many of something follow.
    pub(super) fn count(&mut self) -> usize {
        usize::try_from(self.number()).unwrap_or(0)
    }

    pub(super) fn small(&mut self) -> u32 {
        u32::try_from(self.number()).unwrap_or(0)
    }

    pub(super) fn short(&mut self) -> u16 {
        u16::try_from(self.number()).unwrap_or(0)
    }

    #[inline]
    pub(super) fn signed(&mut self) -> i64 {
        let value = self.number();
        (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
    }

    pub(super) fn moment(&mut self, known: Timestamp) -> Timestamp {
        Timestamp(known.0.wrapping_add(self.signed()))
    }

    pub(super) fn whole<const N: usize>(&mut self) -> [u8; N] {
        let Some((first, rest)) = self.0.split_first_chunk() else { return [0; N] };
        self.0 = rest;
        *first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(
            numbers in proptest::collection::vec((0_u32..=64, proptest::num::u64::ANY, proptest::num::i64::ANY), 0..50),
        ) {
            let mut writer = Writer::default();
            for &(shift, number, difference) in &numbers {
                writer.number(number.checked_shr(shift).unwrap_or(0));
                writer.signed(difference >> shift.min(63));
                writer.moment(Timestamp(difference), Timestamp(number.cast_signed()));
                writer.whole(&number.to_le_bytes());
            }
            let mut reader = Reader(&writer.0);
            for &(shift, number, difference) in &numbers {
                assert_eq!(reader.number(), number.checked_shr(shift).unwrap_or(0));
                assert_eq!(reader.signed(), difference >> shift.min(63));
                assert_eq!(reader.moment(Timestamp(number.cast_signed())), Timestamp(difference));
                assert_eq!(reader.whole(), number.to_le_bytes());
            }
            assert!(reader.0.is_empty());
            assert_eq!(reader.number(), 0);
        }
    }
}
