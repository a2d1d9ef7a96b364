//! Any sequence of RTP packets, against a model that counts slowly.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hopmark_fuzz::target::meter_sequence(data));
