//! Any octets as datagrams that should be RTP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::rtp(data));
