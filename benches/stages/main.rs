//! A bench for each stage, on captures made for it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot make its captures has failed"
)]
#![allow(missing_docs, reason = "criterion's macros make functions without a word")]

mod decode;
mod export;
mod judge;
mod material;
mod meter;
mod read;
mod report;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../../tests/common/served.rs"]
mod served;

criterion::criterion_group!(
    stages,
    read::bench,
    decode::bench,
    meter::bench,
    judge::bench,
    export::bench,
    report::bench
);
criterion::criterion_main!(stages);
