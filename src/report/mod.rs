//! A finished replay as text or JSON.

mod anonymize;

pub use anonymize::{Anonymizer, KeyError};
