//! Any octets as one frame of any link type.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::frame(data));
