//! Any text through the replacement of addresses.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::anonymize(data));
