//! Any octets as datagrams that should be RTCP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::rtcp(data));
