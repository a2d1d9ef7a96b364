//! Any text as the web configuration: TLS, users, headers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::web_config(data));
