//! README is true: its commands run, and print what it shows.
//!
//! A `console` block holds commands behind `$ ` and what they print, standard error first; a line `...` stands for
//! any lines. They run in the root of the project. In `sh` blocks stand commands for files that the reader has:
//! of these only the words of the command line are checked. With `README=overwrite` the outputs are written anew:
//!
//!     README=overwrite cargo test --test readme

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read README has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

fn hopmark<'a>(arguments: impl IntoIterator<Item = &'a str>, folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hopmark"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .env_remove("COLUMNS")
        .output()
        .unwrap()
}

/// A command of a `console` block, and the lines below it.
struct Step {
    /// In README, from 1.
    line: usize,
    command: String,
    shown: Vec<String>,
}

/// Lines of a fenced block of this language, each with its place in README, from 0.
fn blocks<'a>(readme: &'a str, language: &str) -> Vec<Vec<(usize, &'a str)>> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        if let Some(fence) = line.strip_prefix("```").filter(|fence| !fence.is_empty()) {
            let block: Vec<_> = lines.by_ref().take_while(|(_, line)| *line != "```").collect();
            if fence == language {
                blocks.push(block);
            }
        }
    }
    blocks
}

fn steps(block: &[(usize, &str)]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, line) in block {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step { line: at + 1, command: command.to_owned(), shown: Vec::new() });
            }
            (None, Some(step)) => step.shown.push((*line).to_owned()),
            (None, None) => panic!("README.md:{}: a console block begins with a command", at + 1),
        }
    }
    steps
}

/// The replay that a word of `./dev` ends with, as arguments of the program.
fn replay_of(word: &str) -> Vec<String> {
    let script = read("dev");
    let function = script.split(&format!("\n{word}() {{\n")).nth(1).and_then(|rest| rest.split("\n}").next());
    let call =
        function.and_then(|body| body.lines().find_map(|line| line.trim().strip_prefix("\"$hopmark\" ")));
    let call = call.unwrap_or_else(|| panic!("./dev {word} runs no hopmark"));
    call.split_whitespace().map(str::to_owned).collect()
}

/// What a command prints, and its status; nothing for commands that are not run here.
fn run(step: &Step, last_status: Option<i32>) -> Option<(String, Option<i32>)> {
    let words: Vec<&str> = step.command.split_whitespace().collect();
    let output = match *words.as_slice() {
        ["hopmark", ref arguments @ ..] => hopmark(arguments.iter().copied(), root()),
        ["./dev", "demo"] => hopmark(replay_of("demo").iter().map(String::as_str), root()),
        ["echo", "$?"] => return Some((format!("{}\n", last_status?), last_status)),
        _ => return None,
    };
    let text = [output.stderr, output.stdout].concat();
    Some((String::from_utf8(text).unwrap(), output.status.code()))
}

/// Whether lines are as shown, where `...` stands for any.
fn agree(shown: &[String], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "..." => (0..=printed.len()).any(|skip| agree(rest, &printed[skip..])),
        Some((line, rest)) => printed.first() == Some(&line.as_str()) && agree(rest, &printed[1..]),
    }
}

#[test]
fn commands_print_what_is_shown() {
    let readme = read("README.md");
    let overwrite = std::env::var("README").is_ok_and(|mode| mode == "overwrite");
    let mut lines: Vec<String> = readme.lines().map(str::to_owned).collect();
    let mut wrong = Vec::new();
    // From the end, so that places before stay what they are.
    for block in blocks(&readme, "console").iter().rev() {
        let mut status = None;
        let mut news = Vec::new();
        for step in steps(block) {
            let Some((printed, code)) = run(&step, status) else {
                assert!(step.shown.is_empty(), "README.md:{}: this output is not checked", step.line);
                continue;
            };
            status = code;
            let printed: Vec<&str> = printed.lines().collect();
            if agree(&step.shown, &printed) {
                continue;
            }
            let at = step.line..step.line + step.shown.len();
            news.push((at, printed.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()));
            wrong.push(format!(
                "README.md:{}: {}\n--- shown\n{}\n--- printed\n{}\n",
                step.line,
                step.command,
                step.shown.join("\n"),
                printed.join("\n")
            ));
        }
        for (at, printed) in news.into_iter().rev() {
            lines.splice(at, printed);
        }
    }
    if overwrite {
        fs::write(root().join("README.md"), lines.join("\n") + "\n").unwrap();
    } else {
        assert!(wrong.is_empty(), "{}(README=overwrite writes it anew)", wrong.join("\n"));
    }
}

#[test]
fn every_word_of_dev_exists() {
    let readme = read("README.md") + &read("CONTRIBUTING.md");
    let usage = read("dev");
    for mention in readme.split("./dev ").skip(1) {
        let word: String = mention.chars().take_while(char::is_ascii_lowercase).collect();
        assert!(usage.contains(&format!("\n  {word} ")), "./dev {word} does not exist");
    }
}

#[test]
fn command_lines_for_the_readers_own_files_are_understood() {
    let readme = read("README.md");
    let folder = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for (at, line) in blocks(&readme, "sh").into_iter().flatten() {
        let Some(start) = line.find("hopmark ").filter(|start| *start == 0 || line[..*start].ends_with("| "))
        else {
            continue;
        };
        let words = line[start..].split_whitespace().take_while(|word| !["|", ">", "#"].contains(word));
        let output = hopmark(words.skip(1), folder.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("Usage:"), "README.md:{}: {line}\n{said}", at + 1);
        checked += 1;
    }
    assert!(checked > 0);
}

#[test]
fn every_finding_profile_and_reason_is_explained() {
    let readme = read("README.md");
    let findings = hopmark::verify::FindingKind::ALL.iter().map(|kind| kind.as_str());
    let profiles = hopmark::policy::PROFILES.iter().map(|profile| profile.name);
    let reasons = hopmark::decode::Undecoded::ALL.into_iter().map(hopmark::decode::Undecoded::as_str);
    for name in findings.chain(profiles).chain(reasons) {
        assert!(readme.contains(&format!("`{name}`")), "README.md says nothing of `{name}`");
    }
}

#[test]
fn every_key_of_the_json_report_is_listed() {
    /// Objects whose keys are data.
    const COUNTS: [&str; 12] = [
        "dscp",
        "dscp_responses",
        "ecn",
        "pcp",
        "pcp_changed",
        "error_codes",
        "undecoded",
        "loss_bursts",
        "by_class",
        "by_point",
        "findings",
        "quality",
    ];
    fn keys(value: &Value, all: &mut BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| keys(item, all)),
            Value::Object(members) => {
                for (key, value) in members {
                    all.insert(key.clone());
                    if key == "remarked" {
                        value.as_object().into_iter().flatten().for_each(|(_, change)| keys(change, all));
                        continue;
                    }
                    let is_map = COUNTS.contains(&key.as_str())
                        && value.as_object().is_some_and(|members| members.values().all(Value::is_u64));
                    if !is_map && !["by_class", "by_point"].contains(&key.as_str()) {
                        keys(value, all);
                    }
                }
            }
            _ => {}
        }
    }
    let mut arguments = replay_of("demo");
    arguments.extend(["--format".to_owned(), "json".to_owned()]);
    let output = hopmark(arguments.iter().map(String::as_str), root());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut all = BTreeSet::new();
    keys(&report, &mut all);
    let readme = read("README.md");
    let words: BTreeSet<&str> = readme.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let missing: Vec<&String> = all.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "README.md does not list these keys of the JSON report: {missing:?}");
}

#[test]
fn every_folder_is_in_the_table_of_the_house() {
    let readme = read("README.md");
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let row = if path.is_dir() { format!("| `src/{name}/` |") } else { format!("| `src/{name}` |") };
        assert!(["lib.rs", "main.rs"].contains(&name) || readme.contains(&row), "README.md has no row {row}");
    }
}
