//! The folder of evidence files: their names, and which make room.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::new_file::TEMPORARY;
use crate::terms::Timestamp;
use crate::verify::FindingKind;

/// One evidence file that is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stored {
    /// Names begin with their time, so they sort by age.
    pub(super) name: String,
    pub(super) octets: u64,
}

const SUFFIX: &str = ".pcapng";
/// Characters of a stream's name that go into a file's.
const LONGEST_STREAM: usize = 64;

/// `YYYYMMDDTHHMMSSZ-KIND-STREAM.pcapng`. What is no letter or digit in a stream's name becomes `_`.
pub(super) fn file_name(at: Timestamp, kind: FindingKind, stream: &str) -> String {
    let time: String = at.to_string().chars().take("2026-03-02T09:00:00".len()).collect();
    let time: String = time.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let stream: String = stream.chars().take(LONGEST_STREAM).map(plain).collect();
    format!("{time}Z-{}-{stream}{SUFFIX}", kind.as_str())
}

/// Whether a file is called as evidence files are: no other is ever removed.
pub(super) fn is_own_name(name: &str) -> bool {
    let is_own = || {
        let (time, rest) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let is_time = time.len() == "20260302T090000Z".len()
            && time.chars().enumerate().all(|(i, c)| match i {
                8 => c == 'T',
                15 => c == 'Z',
                _ => c.is_ascii_digit(),
            });
        let stream =
            FindingKind::ALL.iter().find_map(|kind| rest.strip_prefix(kind.as_str())?.strip_prefix('-'))?;
        let is_stream = (1..=LONGEST_STREAM).contains(&stream.len())
            && stream.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        Some(is_time && is_stream)
    };
    is_own().unwrap_or(false)
}

/// Whether a file is the beginning of an evidence file.
pub(super) fn is_own_leftover(name: &str) -> bool {
    name.strip_prefix('.').and_then(|name| name.strip_suffix(TEMPORARY)).is_some_and(is_own_name)
}

/// The evidence files of a folder, the oldest first.
pub(super) fn stored(folder: &Path) -> io::Result<Vec<Stored>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // One that vanishes meanwhile takes no room.
        if let Some(about) = entry.metadata().ok().filter(fs::Metadata::is_file)
            && is_own_name(&name)
        {
            all.push(Stored { name, octets: about.len() });
        }
    }
    all.sort_unstable();
    Ok(all)
}

/// Incomplete files that a run left which was killed.
pub(super) fn leftovers(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_own = entry.file_name().to_str().is_some_and(is_own_leftover);
        if is_own && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            all.push(entry.path());
        }
    }
    Ok(all)
}

/// How many of the oldest files have to go before a new one of so many octets has room.
pub(super) fn too_many(stored: &[Stored], octets: u64, max_octets: u64, max_files: usize) -> usize {
    let mut sum: u64 = stored.iter().map(|file| file.octets).sum();
    let mut count = stored.len();
    let has_no_room = |file: &&Stored| {
        let is_over = sum.saturating_add(octets) > max_octets || count >= max_files;
        sum = sum.saturating_sub(file.octets);
        count -= 1;
        is_over
    };
    stored.iter().take_while(has_no_room).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_time_kind_and_stream() {
        let at = Timestamp::new(1_772_442_000, 999);
        let name = file_name(at, FindingKind::Bleached, "s2");
        assert_eq!(name, "20260302T090000Z-bleached-s2.pcapng");
        for (stream, expected) in [("../x y", "___x_y"), ("", "")] {
            assert_eq!(
                file_name(at, FindingKind::Loss, stream),
                format!("20260302T090000Z-loss-{expected}.pcapng")
            );
        }
        for kind in FindingKind::ALL {
            assert!(is_own_name(&file_name(at, *kind, &"é0".repeat(99))), "{kind:?}");
        }
    }

    #[test]
    fn only_own_names_are_own() {
        for name in [
            "20260302T090000Z-bleached-s2.pcap",
            "20260302T090000Z-bleached-.pcapng",
            "20260302T090000Z-nothing-s2.pcapng",
            "20260302T090000-bleached-s2.pcapng",
            "2026030ZT0900000-bleached-s2.pcapng",
            "bleached-s2.pcapng",
            "20260302T090000Z-bleached-s2 (copy).pcapng",
            "notes.txt",
            ".pcapng",
        ] {
            assert!(!is_own_name(name), "{name}");
            assert!(!is_own_leftover(&format!(".{name}.part")), "{name}");
        }
        assert!(is_own_leftover(".20260302T090000Z-bleached-s2.pcapng.part"));
        assert!(!is_own_leftover("20260302T090000Z-bleached-s2.pcapng"));
    }

    #[test]
    fn the_oldest_make_room() {
        let stored: Vec<Stored> =
            ["a", "b", "c"].map(|name| Stored { name: name.into(), octets: 100 }).into();
        for (octets, max_octets, max_files, expected) in [
            (100, 400, 9, 0),
            (101, 400, 9, 1),
            (200, 400, 9, 1),
            (201, 400, 9, 2),
            (400, 400, 9, 3),
            (1, 400, 3, 1),
            (1, 400, 1, 3),
            (1, 400, 0, 3),
        ] {
            assert_eq!(
                too_many(&stored, octets, max_octets, max_files),
                expected,
                "{octets} octets, at most {max_octets} and {max_files} files"
            );
        }
        assert_eq!(too_many(&[], 1, 0, 0), 0);
    }
}
