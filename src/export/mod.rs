pub mod x {}
mod counters;
mod metrics;
