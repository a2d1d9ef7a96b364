//! The operator's file: as written, then resolved.
//!
//! Two steps: `written` reads the TOML text into what it says, every value with its place, and finds unknown keys and
//! values of the wrong form; `resolve` puts it on top of its profile and finds what contradicts itself. Both report
//! all that is wrong at once, each with file, line, column, key, what is wrong and how to mend it. The built-in
//! profiles are written in the same language and go through the same code; `print` writes what was loaded as a complete
//! file, which reads back as the same.
//!
//! # The language
//!
//! `profile = "teams"` names the profile that everything else changes. A `[class.NAME]` table sets the keys that it
//! names, or makes a new class; `[[rule]]` and `[[payload_type]]` stand before the profile's; `inherit` lists what is
//! taken from the profile at all. What is about running live, sources of points and whole sections, has no profile:
//! it is an [`Appliance`] of defaults and of what the file names. `deploy/hopmark.toml` has every key with its meaning.

mod appliance;
mod difference;
mod error;
mod field;
mod keys;
mod live;
mod merge_classes;
mod merge_rules;
mod mirror;
mod number;
mod paths;
mod print;
mod print_appliance;
mod resolve;
mod sections;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod words;
mod written;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use appliance::{
    Appliance, Backend, Capture, Evidence, Interface, LeastSeverity, Listen, LivePoint, Log, LogFormat,
    LogLevel, MAX_POINTS, MAX_RINGS, Run, Source,
};
pub use difference::{Change, Effect, difference};
pub use error::{ConfigError, Problem};
pub use print::{length_text, to_toml};
pub(crate) use print_appliance::{Line, own_lines, section_lines};

use self::table::Problems;
use crate::policy::{PROFILES, Policy, profile};

/// What a file comes to, and what its operator should know about how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What is expected.
    pub policy: Policy,
    /// What running live takes.
    pub appliance: Appliance,
    /// Where the file overrides the profile in a way that may surprise, in sentences.
    pub notes: Vec<String>,
}

/// A file larger than this is no configuration.
const MAX_FILE_OCTETS: u64 = 4 << 20;

/// A built-in profile as it is.
///
/// # Errors
///
/// [`ConfigError::UnknownProfile`] for a name that is none. (A profile that does not parse is a failed test.)
pub fn builtin(name: &str) -> Result<Policy, ConfigError> {
    let profile = profile(name).ok_or_else(|| ConfigError::unknown_profile(name))?;
    Ok(load_str(&format!("built-in profile {name}"), profile.text, None)?.policy)
}

/// What the operator's file comes to; `profile` takes the place of the profile that the file names.
///
/// # Errors
///
/// When the file cannot be read, or with everything that is wrong in it.
pub fn load(path: &Path, profile: Option<&str>) -> Result<Loaded, ConfigError> {
    let file = path.display().to_string();
    let unreadable = |source| ConfigError::Unreadable { file: file.clone(), source };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|open| open.take(MAX_FILE_OCTETS + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_OCTETS {
        return Err(ConfigError::TooLarge { file, limit: MAX_FILE_OCTETS });
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => load_str(&file, text, profile),
        Err(error) => {
            let (valid, _) = bytes.split_at(error.valid_up_to());
            let text = String::from_utf8_lossy(valid);
            let mut problems = Problems::default();
            problems.add(text.len()..text.len(), "", "not UTF-8 text", "save the file as UTF-8");
            Err(ConfigError::invalid(&file, &text, problems))
        }
    }
}

/// What a text in the operator's language comes to; `file` is the name that errors call it.
///
/// # Errors
///
/// With everything that is wrong in the text.
pub fn load_str(file: &str, text: &str, profile: Option<&str>) -> Result<Loaded, ConfigError> {
    let mut problems = Problems::default();
    let written = written::read(text, &mut problems);
    if !problems.is_empty() {
        return Err(ConfigError::invalid(file, text, problems));
    }
    let loaded = resolve::resolve(written, profile, &mut problems)?;
    if problems.is_empty() { Ok(loaded) } else { Err(ConfigError::invalid(file, text, problems)) }
}

/// The profile that is used where none is named.
#[must_use]
pub fn default_profile() -> &'static str {
    PROFILES.first().map_or("teams", |profile| profile.name)
}
