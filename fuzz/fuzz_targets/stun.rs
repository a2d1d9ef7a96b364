//! Any octets as datagrams that should be STUN.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::stun(data));
