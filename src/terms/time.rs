//! Capture time, in nanoseconds since the Unix epoch.

use std::fmt;
use std::time::Duration;

/// When a frame was captured: nanoseconds since 1970-01-01T00:00:00Z, as the capture says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds and nanoseconds; saturates where a damaged capture says something absurd.
    #[must_use]
    pub const fn new(seconds: i64, nanoseconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
    }

    /// Signed nanoseconds from `earlier` to `self`.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Signed seconds from `earlier` to `self`.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "differences are far below 2^53 ns = 104 days")]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.nanos_since(earlier) as f64 / 1e9
    }

    /// Later by a length of time.
    #[must_use]
    pub fn plus(self, length: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(length.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with always nine digits of a second, so that times sort as text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default();
        write!(f, "{time:.9}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_nine_digits() {
        assert_eq!(Timestamp::new(1_700_000_000, 5).to_string(), "2023-11-14T22:13:20.000000005Z");
        assert_eq!(Timestamp::new(0, 0).to_string(), "1970-01-01T00:00:00.000000000Z");
    }

    #[test]
    fn absurd_times_saturate() {
        assert_eq!(Timestamp::new(i64::MAX, 5).0, i64::MAX);
        assert!(Timestamp(i64::MAX).nanos_since(Timestamp(i64::MIN)) > 0);
        let _ = Timestamp(i64::MIN).to_string();
    }
}
