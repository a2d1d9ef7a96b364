//! Any octets within TURN's wrappers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::turn(data));
