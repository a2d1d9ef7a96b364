//! Any octets as a capture file, read, decoded and metered to the end.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::capture(data));
