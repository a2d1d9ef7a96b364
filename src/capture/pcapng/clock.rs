//! The clock of a pcapng interface: from its ticks to nanoseconds.

use crate::terms::Timestamp;

/// How an interface counts time (draft-ietf-opsawg-pcapng, section 4.2: `if_tsresol`, `if_tsoffset`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    resolution: Resolution,
    /// Nanoseconds to add.
    offset: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolution {
    /// So many nanoseconds in a tick.
    Nanos(u64),
    /// So many ticks in a nanosecond.
    TicksInANano(u64),
    /// Ticks of 2 to the minus so many seconds.
    Binary(u32),
}

impl Clock {
    /// The clock of an interface that says nothing of it: microseconds since 1970.
    pub(super) const MICROSECONDS: Self = Self { resolution: Resolution::Nanos(1_000), offset: 0 };

    /// The same clock with the resolution that an `if_tsresol` octet says: a power of ten, or of two where the
    /// highest bit is set.
    pub(super) fn with_resolution(self, octet: u8) -> Self {
        let power = u32::from(octet & 0x7F);
        let resolution = if octet & 0x80 != 0 {
            Resolution::Binary(power)
        } else if power <= 9 {
            Resolution::Nanos(10_u64.pow(9 - power))
        } else {
            // Finer than 10^-28 s, 64 bits of ticks are less than a nanosecond: all is 0 then.
            Resolution::TicksInANano(10_u64.checked_pow(power - 9).unwrap_or(u64::MAX))
        };
        Self { resolution, ..self }
    }

    /// The same clock with the offset in seconds that an `if_tsoffset` option says.
    pub(super) const fn with_offset(self, seconds: i64) -> Self {
        Self { offset: seconds.saturating_mul(1_000_000_000), ..self }
    }

    /// The time at a number of ticks; saturates where a damaged capture says something absurd.
    // per frame
    #[inline]
    pub(super) fn time(self, high: u32, low: u32) -> Timestamp {
        let ticks = u64::from(high) << 32 | u64::from(low);
        let nanos = match self.resolution {
            Resolution::Nanos(nanos) => ticks.saturating_mul(nanos),
            Resolution::TicksInANano(count) => ticks / count,
            Resolution::Binary(power) => {
                u64::try_from((u128::from(ticks) * 1_000_000_000) >> power).unwrap_or(u64::MAX)
            }
        };
        Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX).saturating_add(self.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(octet: u8, ticks: u64) -> i64 {
        let clock = Clock::MICROSECONDS.with_resolution(octet);
        let [low, high]: [u32; 2] = bytemuck::cast(ticks.to_le_bytes());
        clock.time(u32::from_le(high), u32::from_le(low)).0
    }

    #[test]
    fn resolutions_are_powers_of_ten_or_of_two() {
        for (octet, ticks, nanos) in [
            (0, 7, 7_000_000_000),
            (3, 1_500, 1_500_000_000),
            (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
            (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
            (12, 1_234_567_890_123, 1_234_567_890),
            (0x80, 3, 3_000_000_000),
            (0x81, 3, 1_500_000_000),
            (0x80 | 32, 5 << 31, 2_500_000_000),
            (0x80 | 64, 1 << 63, 500_000_000),
        ] {
            assert_eq!(at(octet, ticks), nanos, "if_tsresol {octet:#x}");
        }
    }

    #[test]
    fn absurd_times_saturate() {
        assert_eq!(at(0, u64::MAX), i64::MAX);
        assert_eq!(at(6, u64::MAX), i64::MAX);
        assert_eq!(at(0x80, u64::MAX), i64::MAX);
        for octet in 0..=255 {
            let _ = at(octet, u64::MAX);
        }
        let late = Clock::MICROSECONDS.with_offset(i64::MAX);
        assert_eq!(late.time(0, 1).0, i64::MAX);
        let early = Clock::MICROSECONDS.with_offset(i64::MIN);
        assert_eq!(early.time(0, 0).0, i64::MIN);
    }

    #[test]
    fn the_offset_is_in_seconds() {
        assert_eq!(Clock::MICROSECONDS.with_offset(100).time(0, 5).0, 100_000_005_000);
        assert_eq!(Clock::MICROSECONDS.with_offset(-1).time(0, 1_000_000).0, 0);
    }
}
