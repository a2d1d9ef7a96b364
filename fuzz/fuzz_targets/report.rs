//! Any octets as a capture file, judged and reported.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::report(data));
