//! RTP's own numbers: SSRC, timestamp, clock rate.

use std::fmt;
use std::num::NonZeroU32;

/// A synchronisation source (RFC 3550, section 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

impl fmt::Debug for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An RTP timestamp (RFC 3550, section 5.1), in units of the stream's clock rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RtpTime(pub u32);

impl RtpTime {
    /// Signed distance from `earlier` to `self`, in clock units; the 32-bit wrap is taken the short way.
    #[must_use]
    #[inline]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }
}

/// Ticks of the RTP timestamp in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClockRate(pub NonZeroU32);

impl ClockRate {
    /// A rate in hertz; `None` for zero.
    #[must_use]
    pub const fn from_hz(hz: u32) -> Option<Self> {
        match NonZeroU32::new(hz) {
            Some(n) => Some(Self(n)),
            None => None,
        }
    }

    /// The rate in hertz.
    #[must_use]
    pub const fn hz(self) -> u32 {
        self.0.get()
    }
}
