//! A bench for each stage, on captures made for it.

#![allow(clippy::expect_used, reason = "a bench that cannot make its captures has failed")]
#![allow(missing_docs, reason = "criterion's macros make functions without a word")]

mod decode;
mod material;
mod meter;
mod read;
mod report;

criterion::criterion_group!(stages, read::bench, decode::bench, meter::bench, report::bench);
criterion::criterion_main!(stages);
