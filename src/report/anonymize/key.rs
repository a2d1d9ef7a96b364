//! Reads the key of the anonymization from a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Anonymizer;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("key file {}: {source}; make one with: head -c 32 /dev/urandom > key", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else than a key.
    #[error(
        "key file {}: holds {} octets that are no key; a key is exactly 32 octets, or 64 hexadecimal digits; \
         make one with: head -c 32 /dev/urandom > key",
        path.display(),
        if *octets > MAX_OCTETS { format!("more than {MAX_OCTETS}") } else { octets.to_string() }
    )]
    NoKey {
        /// Which file.
        path: PathBuf,
        /// How many octets were read of it.
        octets: usize,
    },
}

/// More than any key has: so a device that never ends is refused, not read.
const MAX_OCTETS: usize = 1024;

impl Anonymizer {
    /// Reads a key file: exactly 32 octets as they are, or 64 hexadecimal digits with or without a line end.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or holds no key.
    pub fn from_key_file(path: &Path) -> Result<Self, KeyError> {
        let mut content = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_OCTETS as u64 + 1).read_to_end(&mut content))
            .map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })?;
        let no_key = || KeyError::NoKey { path: path.to_owned(), octets: content.len() };
        key(&content).map(|key| Self::new(&key)).ok_or_else(no_key)
    }
}

fn key(content: &[u8]) -> Option<[u8; 32]> {
    if let Ok(raw) = content.try_into() {
        return Some(raw);
    }
    let digits = content.trim_ascii();
    let mut key = [0; 32];
    if digits.len() != 2 * key.len() {
        return None;
    }
    let digit = |d: u8| char::from(d).to_digit(16).and_then(|n| u8::try_from(n).ok());
    for (octet, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *octet = digit(high)? << 4 | digit(low)?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_octets_or_64_digits() {
        let raw: Vec<u8> = (0xA0..0xC0).collect();
        let hex = raw.iter().map(|o| format!("{o:02X}")).collect::<Vec<_>>().concat();
        for (name, content, is_key) in [
            ("raw", raw.clone(), true),
            ("digits", hex.clone().into_bytes(), true),
            ("digits in lower case and a line end", format!("{}\r\n", hex.to_lowercase()).into_bytes(), true),
            ("raw and a line end", [&raw[..], b"\n"].concat(), false),
            ("a digit too few", hex.as_bytes()[..63].to_vec(), false),
            ("no digit", format!("{}g", &hex[..63]).into_bytes(), false),
            ("nothing", Vec::new(), false),
        ] {
            let expected = is_key.then(|| raw.clone());
            assert_eq!(key(&content).map(|k| k.to_vec()), expected, "{name}");
        }
    }

    #[test]
    fn the_error_says_how_to_make_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let error = Anonymizer::from_key_file(&path).unwrap_err().to_string();
        assert!(error.contains("head -c 32 /dev/urandom > key"), "{error}");

        std::fs::write(&path, "secret").unwrap();
        let error = Anonymizer::from_key_file(&path).unwrap_err().to_string();
        assert!(error.contains("holds 6 octets") && error.contains("head -c 32"), "{error}");

        std::fs::write(&path, [0; 5000]).unwrap();
        let error = Anonymizer::from_key_file(&path).unwrap_err().to_string();
        assert!(error.contains("more than 1024 octets"), "{error}");

        std::fs::write(&path, [7; 32]).unwrap();
        assert!(Anonymizer::from_key_file(&path).is_ok());
    }
}
