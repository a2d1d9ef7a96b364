//! Numbers as few octets: small ones are short.

use crate::terms::Timestamp;

/// The uppermost bit of each octet: more of the number follows.
const MORE: u64 = 0x8080_8080_8080_8080;

/// Seven bits of each octet, moved together.
#[inline]
const fn gather(word: u64) -> u64 {
    let pairs = word & 0x007F_007F_007F_007F | (word & 0x7F00_7F00_7F00_7F00) >> 1;
    let fours = pairs & 0x0000_3FFF_0000_3FFF | (pairs & 0x3FFF_0000_3FFF_0000) >> 2;
    fours & 0x0FFF_FFFF | (fours & 0x0FFF_FFFF_0000_0000) >> 4
}

/// The reverse, of a number below 2^56.
#[inline]
const fn spread(number: u64) -> u64 {
    let fours = number & 0x0FFF_FFFF | (number & 0x00FF_FFFF_F000_0000) << 4;
    let pairs = fours & 0x0000_3FFF_0000_3FFF | (fours & 0x0FFF_C000_0FFF_C000) << 2;
    pairs & 0x007F_007F_007F_007F | (pairs & 0x3F80_3F80_3F80_3F80) << 1
}

/// A difference of either sign as a number that is small if the difference is.
#[inline]
pub(super) const fn zigzag(difference: i64) -> u64 {
    (difference << 1 ^ difference >> 63).cast_unsigned()
}

/// The reverse.
#[inline]
pub(super) const fn difference(zigzag: u64) -> i64 {
    (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()
}

/// Writes numbers one after the other.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn octet(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Seven bits an octet, the lowest first; all but the last have the uppermost bit.
    #[inline]
    pub(super) fn number(&mut self, mut value: u64) {
        if value < 0x80 {
            return self.0.push((value & 0x7F) as u8);
        }
        while value >> 56 != 0 {
            self.0.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        // Eight octets at once, and those that are not needed are taken back.
        let octets = (63 - (value | 1).leading_zeros() as usize) / 7 + 1;
        let more = MORE & !(u64::MAX << (8 * (octets - 1)));
        let end = self.0.len() + octets;
        self.0.extend_from_slice(&(spread(value) | more).to_le_bytes());
        self.0.truncate(end);
    }

    pub(super) fn count(&mut self, value: usize) {
        self.number(value as u64);
    }

    /// A difference, which may be negative: small ones of either sign are short.
    pub(super) fn signed(&mut self, value: i64) {
        self.number(zigzag(value));
    }

    /// A moment, from another one that the reader knows.
    pub(super) fn moment(&mut self, value: Timestamp, known: Timestamp) {
        self.signed(value.0.wrapping_sub(known.0));
    }

    pub(super) fn whole(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }

    /// The first octets of these: all at once, and those that are not needed are taken back.
    #[inline]
    pub(super) fn part_of<const N: usize>(&mut self, value: &[u8; N], octets: usize) {
        let end = self.0.len() + octets;
        self.0.extend_from_slice(value);
        self.0.truncate(end);
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
        match self.0.split_first() {
            Some((&only, rest)) if only < 0x80 => {
                self.0 = rest;
                u64::from(only)
            }
            _ => self.longer_number(),
        }
    }

    #[inline(never)]
    fn longer_number(&mut self) -> u64 {
        // Eight octets at once, where so many are left and no more belong to the number.
        if let Some((eight, _)) = self.0.split_first_chunk() {
            let word = u64::from_le_bytes(*eight);
            let ends = !word & MORE;
            if ends != 0 {
                let octets = ends.trailing_zeros() as usize / 8 + 1;
                self.0 = self.0.get(octets..).unwrap_or_default();
                return gather(word & (u64::MAX >> (64 - 8 * octets)) & !MORE);
            }
        }
        let (mut value, mut shift) = (0, 0);
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
        difference(self.number())
    }

    pub(super) fn moment(&mut self, known: Timestamp) -> Timestamp {
        Timestamp(known.0.wrapping_add(self.signed()))
    }

    /// What comes next, which is not passed: where it stands, or where there is too little left of it in `copy`.
    #[inline]
    pub(super) fn ahead<'b, const N: usize>(&'b self, copy: &'b mut [u8; N]) -> &'b [u8; N] {
        self.0.first_chunk().unwrap_or_else(|| {
            *copy = [0; N];
            copy.iter_mut().zip(self.0).for_each(|(to, from)| *to = *from);
            copy
        })
    }

    #[inline]
    pub(super) fn pass(&mut self, octets: usize) {
        self.0 = self.0.get(octets..).unwrap_or_default();
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

    #[test]
    fn numbers_of_any_length_are_read_wherever_they_stand() {
        let edges =
            (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, !0 >> bit, 0x5A5A_5A5A_5A5A_5A5A >> bit]);
        for number in edges {
            for behind in 0..9 {
                let mut writer = Writer::default();
                writer.number(number);
                let length = writer.0.len();
                assert_eq!(length, (64 - (number | 1).leading_zeros() as usize).div_ceil(7), "{number:x}");
                writer.whole(&vec![0xFF; behind]);
                let mut reader = Reader(&writer.0);
                assert_eq!((reader.number(), reader.0.len()), (number, behind), "{number:x}");
            }
        }
    }

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
