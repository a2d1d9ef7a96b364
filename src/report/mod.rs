//! A finished replay as text or JSON.
//!
//! Both are written while the outcome is walked through: neither holds a second copy of it. Addresses and names
//! leave through one view, so what is anonymized is anonymized in every format.

mod anonymize;
mod hidden;
mod json;
mod summary;
mod text;
mod view;
mod worst;

#[cfg(test)]
mod example;

use std::ffi::OsStr;

pub use anonymize::{Anonymizer, KeyError};
pub use json::{OneStream, OneStun, StreamNames, write_json};
pub use text::write_text;

/// How a report is written.
#[derive(Debug)]
pub struct Options {
    /// How many of the worst streams the text report lists.
    pub worst: usize,
    /// Whether the text report uses colour; see [`wants_colour`].
    pub colour: bool,
    /// Columns of the text report: taken as 80 where less, and as 100 where more.
    pub width: usize,
    /// Replaces addresses; file names then lose their folders.
    pub anonymize: Option<Anonymizer>,
    /// The version that the report says it was written by.
    pub version: String,
}

impl Default for Options {
    fn default() -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { worst: 20, colour: false, width: 100, anonymize: None, version }
    }
}

/// Whether to use colour: on a terminal only, and not where `NO_COLOR` is set to anything (<https://no-color.org>).
#[must_use]
pub fn wants_colour(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        for (is_terminal, no_color, expected) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (true, Some("0"), false),
            (false, None, false),
        ] {
            assert_eq!(
                wants_colour(is_terminal, no_color.map(OsStr::new)),
                expected,
                "{is_terminal} {no_color:?}"
            );
        }
    }
}
