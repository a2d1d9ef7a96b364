//! The rules of the house, held against the source of the house.
//!
//! README, section "Architecture", has the picture. Each rule is a constant or a test here; what breaks one is
//! named with file, line and rule.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the source has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// Which folders of `src` (or files, as `status.rs`) a folder may import from. Each names only rows above it.
///
/// `decode` stands in rows that never decode, because a meter's records say where a stream was seen by
/// `decode::Path` and `decode::Layer`. `report` prints what the judge hands over, records and policy included.
/// `synth` makes packets from a scenario alone: what it says is true must not come from what is to be tested. Only its
/// files are written by `capture`'s writer.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("terms", &[]),
    ("capture", &["terms"]),
    ("privilege", &["terms", "capture"]),
    ("service", &[]),
    ("decode", &["terms"]),
    ("policy", &["terms"]),
    ("synth", &["terms", "capture", "policy"]),
    ("meter", &["terms", "decode"]),
    ("verify", &["terms", "decode", "policy", "meter"]),
    ("evidence", &["terms", "capture", "decode", "policy", "meter", "verify"]),
    ("status", &["terms", "meter", "verify"]),
    ("pipeline", &["terms", "capture", "decode", "policy", "meter", "verify", "evidence", "status"]),
    ("report", &["terms", "decode", "policy", "meter", "verify"]),
    ("export", &["terms", "decode", "policy", "meter", "verify", "status", "report"]),
    ("config", &["terms", "policy"]),
    (
        "cli",
        &[
            "terms",
            "capture",
            "privilege",
            "service",
            "decode",
            "policy",
            "synth",
            "meter",
            "verify",
            "status",
            "evidence",
            "pipeline",
            "report",
            "export",
            "config",
        ],
    ),
];

/// Folders without I/O, threads, locks, clock and log lines: what they say depends on their input alone.
const PURE: &[&str] = &["terms", "decode", "policy", "meter", "verify"];

/// What a pure folder does not name: paths and macros.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::sync::Barrier",
    "std::sync::Condvar",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::atomic",
    "std::sync::mpsc",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "crossbeam_channel",
    "indicatif",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "dbg!",
    "eprint!",
    "eprintln!",
    "print!",
    "println!",
];

/// Where `unsafe` may stand, behind a safe face and with its reason: rings and programs of the kernel, questions to
/// drivers, files in memory, prefetching and comparing eight at once, descriptors that another process hands over, and
/// settings of the allocator.
const MAY_BE_UNSAFE: &[&str] = &[
    "src/capture/digest/memory.rs",
    "src/capture/interface/ioctl.rs",
    "src/capture/kernel/sys.rs",
    "src/capture/ahead.rs",
    "src/capture/mapped/guard.rs",
    "src/capture/mapped/memory.rs",
    "src/capture/ring/",
    "src/meter/index.rs",
    "src/meter/prefetch.rs",
    "src/privilege/descriptors.rs",
    "src/service/memory.rs",
];

/// Characters of the first line after `//! `: what people and tools show of a file.
const FIRST_LINE: usize = 70;
/// Lines of a file, tests with it.
const LONGEST_FILE: usize = 600;

#[test]
fn every_folder_has_its_row_and_imports_upward_only() {
    let mut folders: Vec<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "lib" && name != "main")
        .collect();
    let mut rows: Vec<&str> = MAY_IMPORT.iter().map(|(folder, _)| *folder).collect();
    for (place, (folder, imports)) in MAY_IMPORT.iter().enumerate() {
        for import in *imports {
            assert!(rows[..place].contains(import), "{folder} imports {import}, which is not above it");
        }
    }
    folders.sort_unstable();
    rows.sort_unstable();
    assert_eq!(folders, rows, "folders of src (left) and rows of MAY_IMPORT (right) differ");
}

#[test]
fn folders_import_from_their_rows_only() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let folder = source.folder();
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == folder) else { continue };
        for (line, path) in source.paths() {
            let Some(target) = path.strip_prefix("crate::").and_then(|p| p.split("::").next()) else {
                continue;
            };
            if target != folder && !allowed.contains(&target) {
                broken.push(format!(
                    "{}:{line}: {folder} may import from [{}], not from {target}",
                    source.name,
                    allowed.join(", ")
                ));
            }
        }
    }
    none(&broken);
}

#[test]
fn the_program_is_the_command_line_and_nothing_else() {
    let main = sources("src").into_iter().find(|source| source.name == "src/main.rs").unwrap();
    let words = main.words();
    let used: Vec<&str> =
        words.windows(4).filter(|w| w[0].1 == "hopmark" && w[1].1 == ":").map(|w| w[3].1.as_str()).collect();
    assert_eq!(used, ["cli"], "src/main.rs uses hopmark::cli only");
}

#[test]
fn pure_folders_do_nothing_but_compute() {
    let mut broken = Vec::new();
    for source in sources("src").iter().filter(|source| PURE.contains(&source.folder())) {
        for (line, path) in source.paths() {
            let of_it = |banned: &&&str| {
                path.strip_prefix(**banned).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            if let Some(banned) = IMPURE.iter().find(of_it) {
                broken.push(format!(
                    "{}:{line}: {} is pure; it may not use {banned}",
                    source.name,
                    source.folder()
                ));
            }
        }
    }
    none(&broken);
}

#[test]
fn unsafe_stands_where_it_may_and_says_why_it_is_sound() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let lines: Vec<&str> = source.text.lines().collect();
        for (line, _) in source.words().iter().filter(|(_, word)| word == "unsafe") {
            if !MAY_BE_UNSAFE.iter().any(|place| source.name.starts_with(place)) {
                broken.push(format!(
                    "{}:{line}: unsafe is for {} only",
                    source.name,
                    MAY_BE_UNSAFE.join(" and ")
                ));
            }
            // The reason stands above, at most five lines of it.
            let above = &lines[line.saturating_sub(6)..*line];
            if !above.iter().any(|l| l.contains("SAFETY:") || l.contains("# Safety")) {
                broken.push(format!("{}:{line}: unsafe without a SAFETY: comment above it", source.name));
            }
        }
    }
    none(&broken);
}

#[test]
fn the_first_line_says_what_the_file_holds() {
    let mut broken = Vec::new();
    for source in all_sources() {
        let first = source.text.lines().next().unwrap_or_default();
        match first.strip_prefix("//! ").map(|said| (said.chars().count(), said.ends_with(['.', '?']))) {
            None => {
                broken.push(format!("{}:1: the first line is `//! ` and what the file holds", source.name));
            }
            Some((length, _)) if length > FIRST_LINE => {
                broken.push(format!(
                    "{}:1: {length} characters after `//! `; at most {FIRST_LINE}",
                    source.name
                ));
            }
            Some((_, false)) => broken.push(format!("{}:1: the first line is a whole sentence", source.name)),
            Some(_) => {}
        }
    }
    none(&broken);
}

#[test]
fn no_file_is_too_long_to_read() {
    let lengths = all_sources().into_iter().map(|source| (source.text.lines().count(), source.name));
    let broken: Vec<String> = lengths
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, name)| {
            format!("{name}:{lines}: at most {LONGEST_FILE} lines; split it where the second idea begins")
        })
        .collect();
    none(&broken);
}

#[test]
fn every_folder_of_fixtures_says_what_it_is_for() {
    let mut folders = vec![root().join("fixtures")];
    let mut broken = Vec::new();
    while let Some(folder) = folders.pop() {
        if !folder.join("README.md").is_file() {
            broken.push(format!(
                "{}: no README.md (purpose, how it was made, what is true of it)",
                relative(&folder)
            ));
        }
        folders
            .extend(fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).filter(|path| path.is_dir()));
    }
    none(&broken);
}

fn none(broken: &[String]) {
    assert!(
        broken.is_empty(),
        "rules of the house (tests/architecture.rs) are broken:\n  {}",
        broken.join("\n  ")
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// One file of Rust.
struct Source {
    /// From the root: `src/meter/hop.rs`.
    name: String,
    text: String,
}

fn all_sources() -> Vec<Source> {
    ["src", "tests", "benches", "fuzz/src", "fuzz/fuzz_targets"].into_iter().flat_map(sources).collect()
}

/// All Rust files below a folder, by name.
fn sources(folder: &str) -> Vec<Source> {
    let mut folders = vec![root().join(folder)];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    files
        .iter()
        .map(|path| Source { name: relative(path), text: fs::read_to_string(path).unwrap() })
        .collect()
}

impl Source {
    /// The folder of `src` that it belongs to, or its own name where it is none.
    fn folder(&self) -> &str {
        let inside = self.name.strip_prefix("src/").unwrap_or(&self.name);
        inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
    }

    /// How many modules deep its items are: 1 in `src/meter/mod.rs`, 2 in `src/meter/hop.rs`.
    fn depth(&self) -> usize {
        let inside = self.name.trim_end_matches(".rs").trim_end_matches("/mod");
        inside.split('/').count() - 1
    }

    /// Words and signs with their lines; no comments, texts and characters.
    fn words(&self) -> Vec<(usize, String)> {
        let code = without_texts(&self.text);
        let mut words: Vec<(usize, String)> = Vec::new();
        let mut joins = false;
        let mut line = 1;
        for c in code.chars() {
            let is_word = c.is_alphanumeric() || c == '_';
            match words.last_mut() {
                Some((_, word)) if is_word && joins => word.push(c),
                _ if !c.is_whitespace() => words.push((line, c.to_string())),
                _ => {}
            }
            joins = is_word;
            line += usize::from(c == '\n');
        }
        words
    }

    /// Paths and macros that are named, each with its line, groups spelt out, from the root of their crate: `super`
    /// is followed where it leaves the folder.
    fn paths(&self) -> Vec<(usize, String)> {
        let words = self.words();
        let word = |at: usize| words.get(at).map_or("", |w| w.1.as_str());
        let is_colons = |at: usize| word(at) == ":" && word(at + 1) == ":";
        let mut inner_modules = Vec::new();
        let mut braces = 0_usize;
        let mut paths = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let mut behind = at + 1;
            match word(at) {
                "{" => {
                    braces += 1;
                    if at >= 2 && word(at - 2) == "mod" {
                        inner_modules.push(braces);
                    }
                }
                "}" => {
                    inner_modules.pop_if(|opened| *opened == braces);
                    braces = braces.saturating_sub(1);
                }
                _ if at >= 2 && is_colons(at - 2) => {}
                "super" => {
                    let mut up = 0;
                    behind = at;
                    while word(behind) == "super" && is_colons(behind + 1) {
                        up += 1;
                        behind += 3;
                    }
                    if up >= self.depth() + inner_modules.len() {
                        behind = spell_out(&words, behind, "crate", &mut paths);
                    } else {
                        behind = behind.max(at + 1);
                    }
                }
                name if is_colons(at + 1) => behind = spell_out(&words, at + 3, name, &mut paths),
                name if word(at + 1) == "!" => paths.push((words[at].0, format!("{name}!"))),
                _ => {}
            }
            at = behind;
        }
        paths
    }
}

/// Adds every path that goes on at `at` behind `prefix`, and gives the place behind the last.
fn spell_out(
    words: &[(usize, String)],
    mut at: usize,
    prefix: &str,
    paths: &mut Vec<(usize, String)>,
) -> usize {
    let word = |at: usize| words.get(at).map_or("", |w| w.1.as_str());
    if word(at) == "{" {
        at += 1;
        while !matches!(word(at), "}" | "") {
            at = if word(at) == "," { at + 1 } else { spell_out(words, at, prefix, paths) };
        }
        return at + 1;
    }
    let path = if word(at) == "self" { prefix.to_owned() } else { format!("{prefix}::{}", word(at)) };
    if word(at + 1) == ":" && word(at + 2) == ":" {
        return spell_out(words, at + 3, &path, paths);
    }
    paths.push((words.get(at).map_or(0, |w| w.0), path));
    at + if word(at + 1) == "as" { 3 } else { 1 }
}

/// The code with comments, texts and characters blanked; lines stay where they are.
fn without_texts(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let was_word = code.chars().last().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = raw_text(rest).filter(|_| !was_word) {
            raw
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' {
            // A lifetime has no second quote behind its first character.
            let inside = rest[1..].chars().next().map_or(0, char::len_utf8);
            let is_character = rest[1..].starts_with('\\') || rest[1 + inside..].starts_with('\'');
            if is_character { quoted(rest, '\'') } else { 1 }
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let (blanked, behind) = rest.split_at(skipped);
        code.push(' ');
        code.extend(blanked.chars().filter(|c| *c == '\n'));
        rest = behind;
    }
    code
}

/// Octets of a raw text at the start, `r"…"` or `r#"…"#`, if there is one.
fn raw_text(rest: &str) -> Option<usize> {
    let behind = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    let inside = behind[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(rest.len() - inside.len() + length)
}

/// Octets of a text or character at the start, with both quotes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn paths_are_read_out_of_code() {
    let text = r#"//! use crate::comment;
use crate::{meter::{Meter, record as r}, terms::{self, Dscp}};
use super::sibling;
const A: &str = "crate::text"; const B: char = '"'; const C: &[u8] = r"crate::raw";
fn f<'a>(x: &'a str) -> std::io::Result<()> { super::super::policy::g(); println!("{x}") }
mod tests { use super::super::here; use super::super::super::decode; }
"#;
    let source = Source { name: "src/verify/loss.rs".into(), text: text.into() };
    let paths: Vec<String> =
        source.paths().into_iter().map(|(line, path)| format!("{line} {path}")).collect();
    let expected = [
        "2 crate::meter::Meter",
        "2 crate::meter::record",
        "2 crate::terms",
        "2 crate::terms::Dscp",
        "5 std::io::Result",
        "5 crate::policy::g",
        "5 println!",
        "6 crate::decode",
    ];
    assert_eq!(paths, expected);
}
