//! Any octets as segments of TCP connections.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::tcp(data));
