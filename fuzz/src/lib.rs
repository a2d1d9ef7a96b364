//! What the fuzz targets share: packets, laws, and the bodies themselves.
//!
//! Each target of `fuzz_targets/` is one line that calls its body in [`target`], so that a test of this crate can
//! run every seed of `corpus/` without a fuzzer.

pub mod laws;
pub mod listener;
pub mod model;
pub mod packet;
pub mod sequence;
pub mod target;
