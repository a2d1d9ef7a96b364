//! The API: what is known at the moment as JSON, read only.
//!
//! `docs/openapi.json` says what may be asked and what is answered; a test holds the two against each other.

mod findings;
mod paths;
mod points;
mod streams;

pub(super) use findings::findings;
pub(super) use paths::{PathCache, paths};
pub(super) use points::points;
pub(super) use streams::{stream, streams};

use serde::{Serialize, Serializer};

use crate::terms::Timestamp;

/// The document that describes the API.
pub(super) const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// A value that is written as its text.
struct Text<T>(T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A moment as the report writes it: RFC 3339 in UTC.
type Moment = Text<Timestamp>;

/// A list whose items are made one at a time, when they are written.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A direction by its name.
fn direction_named(name: &str) -> Option<crate::terms::Direction> {
    use crate::terms::Direction::{Forward, Reverse};
    match name {
        "forward" => Some(Forward),
        "reverse" => Some(Reverse),
        _ => None,
    }
}
