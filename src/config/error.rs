//! What is wrong with a configuration, where, and how to mend it.

use std::fmt;
use std::io;

use super::table::{Problems, nearest};
use crate::policy::PROFILES;

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{file}: cannot be read: {source}; give the path of a file that this user may read")]
    Unreadable {
        /// As it was given.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is too large to be a configuration.
    #[error("{file}: larger than {limit} octets; give a TOML file, not a capture")]
    TooLarge {
        /// As it was given.
        file: String,
        /// The most that is read.
        limit: u64,
    },
    /// There is no such profile.
    #[error("profile \"{name}\" does not exist; {mend}")]
    UnknownProfile {
        /// As it was given.
        name: String,
        /// Which there are.
        mend: String,
    },
    /// Something in the file is wrong: all of it, in the order of the file.
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
}

impl ConfigError {
    pub(super) fn unknown_profile(name: &str) -> Self {
        Self::UnknownProfile { name: name.to_owned(), mend: which_profile(name) }
    }

    pub(super) fn invalid(file: &str, text: &str, problems: Problems) -> Self {
        let mut found = problems.into_list();
        found.sort_by_key(|f| f.span.start);
        Self::Invalid(
            found
                .into_iter()
                .map(|f| {
                    let (line, column) = line_and_column(text, f.span.start);
                    Problem { file: file.to_owned(), line, column, key: f.key, what: f.what, mend: f.mend }
                })
                .collect(),
        )
    }
}

/// Which profile may have been meant, or all of them.
pub(super) fn which_profile(name: &str) -> String {
    let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("profiles are {}", names.join(", ")),
    }
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The key, as `rule[1].client_ports`; empty where the text is no TOML.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl fmt::Display for Problem {
    /// `hopmark.toml:3:16: rule[1].client_ports: what is wrong; how to mend it`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.what, self.mend)
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Line and column of an octet, both from 1.
fn line_and_column(text: &str, octet: usize) -> (usize, usize) {
    let mut at = octet.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let (before, _) = text.split_at(at);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before.split_at(line_start).1.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_characters() {
        let text = "a = 1\n# größe\nb = 2\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find("b =").unwrap()), (3, 1));
        assert_eq!(line_and_column(text, text.find("e\nb").unwrap()), (2, 7));
        assert_eq!(line_and_column(text, 9999), (4, 1));
    }

    #[test]
    fn a_profile_that_is_nearly_right_is_suggested() {
        assert_eq!(
            ConfigError::unknown_profile("team").to_string(),
            "profile \"team\" does not exist; did you mean \"teams\"?"
        );
        assert!(ConfigError::unknown_profile("xyzzy").to_string().contains("profiles are teams, lync-2013,"));
    }
}
