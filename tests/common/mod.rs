//! What the tests of the built program share: packets, captures, runs.
//!
//! Nothing here uses the program's own decoder or readers: what the program says is held against what was built.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]
#![allow(clippy::indexing_slicing, reason = "a report that lacks a key has failed")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "fields are filled by their low bits"
)]

pub(crate) mod appliance;
pub(crate) mod cable;
pub(crate) mod capture;
pub(crate) mod churn;
pub(crate) mod media;
pub(crate) mod packet;
pub(crate) mod random;
pub(crate) mod rich;
pub(crate) mod run;
pub(crate) mod served;
pub(crate) mod synth;
pub(crate) mod talk;
pub(crate) mod traffic;
pub(crate) mod tunnel;

pub(crate) use appliance::{Appliance, kernel_count};
pub(crate) use cable::{add_cable, in_namespace, ip};
pub(crate) use capture::Capture;
pub(crate) use media::{Stream, rtp};
pub(crate) use packet::Udp;
pub(crate) use random::Random;
pub(crate) use run::{Folder, hop, only_stream, replay, report};
pub(crate) use talk::Calls;

/// Nanoseconds of so many milliseconds.
pub(crate) const fn ms(n: i64) -> i64 {
    n * 1_000_000
}

/// Nanoseconds of so many seconds.
pub(crate) const fn s(n: i64) -> i64 {
    n * 1_000_000_000
}
