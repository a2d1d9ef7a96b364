//! Calls that come and go all day, and how the program stands it.
//!
//! Streams of 20 packets begin evenly over a day of packet time. Their packets are written into the standard input of
//! the built `hopmark run` while its memory is read and its metrics are scraped. Nothing of it is kept: whoever makes
//! the traffic must not be what grows.

#![allow(clippy::disallowed_methods, reason = "how long it takes is measured")]
#![allow(clippy::cast_precision_loss, reason = "figures for a table")]

mod frame;
mod http;
mod outcome;
mod soak;
mod stream;
mod traffic;

pub(crate) use soak::soak;

/// Nanoseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// Packets that each stream sends.
pub(crate) const PACKETS: u8 = 20;

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) seed: u64,
    /// Streams that begin evenly over the whole time.
    pub(crate) streams: u64,
    /// Seconds of packet time in which streams begin.
    pub(crate) seconds: i64,
    /// Streams that begin within a few seconds, every so often.
    pub(crate) burst: Option<Burst>,
    /// Streams that send all the time: those that run must never make room for those that do not.
    pub(crate) lasting: u64,
    /// Places for streams.
    pub(crate) table: u64,
    /// Seconds of packet time between two looks.
    pub(crate) look: i64,
    /// Seconds of packet time after which nothing may grow any more.
    pub(crate) settled: i64,
    /// Series that may come after that: labels of which not each was seen yet.
    pub(crate) late_series: usize,
}

/// Streams that begin at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst {
    /// Seconds between two.
    pub(crate) every: i64,
    /// How many there are in each.
    pub(crate) streams: u64,
    /// Seconds in which they begin.
    pub(crate) within: i64,
}

impl Profile {
    /// A day of churn: 2,000,000 streams through a table of 50,000.
    pub(crate) const fn day() -> Self {
        Self {
            name: "day",
            title: "24 hours, 2,000,000 streams",
            seed: 24,
            streams: 2_000_000,
            seconds: 24 * 3600,
            burst: None,
            lasting: 0,
            table: 50_000,
            look: 300,
            settled: 3600,
            late_series: 20,
        }
    }

    /// The first hours of it alone.
    pub(crate) fn hours(self, hours: i64) -> Self {
        let hours = hours.clamp(2, self.seconds / 3600);
        let streams = self.streams / (self.seconds / 3600) as u64 * hours as u64;
        Self { streams, seconds: hours * 3600, ..self }
    }

    /// More streams at once than the table holds, twice an hour.
    pub(crate) const fn full_table() -> Self {
        Self {
            name: "full-table",
            title: "A full table: 60,000 streams more within 10 s, twice an hour",
            seed: 25,
            streams: 100_000,
            seconds: 4 * 3600,
            burst: Some(Burst { every: 1800, streams: 60_000, within: 10 }),
            lasting: 10,
            table: 50_000,
            look: 60,
            settled: 3600,
            late_series: 20,
        }
    }
}
