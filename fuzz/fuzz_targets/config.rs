//! Any text as the operator's file, and printed again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::config(data));
