//! Facts about the configuration as a whole.

mod classification;
mod invalid;
mod merging;
mod round_trip;

use super::{Loaded, load_str};
use crate::policy::Policy;

/// The policy of a text that must load.
fn loaded(text: &str) -> Loaded {
    load_str("hopmark.toml", text, None).unwrap_or_else(|error| panic!("{error}"))
}

/// The name of a class.
fn name(policy: &Policy, class: Option<u8>) -> Option<&str> {
    class.and_then(|number| policy.class(number)).map(|class| class.name.as_str())
}
