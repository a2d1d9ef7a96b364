//! What `deploy/` holds is accepted by the programs that it is for.
//!
//! Those programs are `systemd-analyze`, `systemd-sysusers`, `systemd-tmpfiles`, `promtool` and Hopmark itself. What
//! needs one that is not installed here says so and is left out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot read what is to be deployed has failed"
)]
#![allow(clippy::print_stderr, reason = "whoever runs the tests is told what is left out")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Above this `systemd-analyze security` calls a service less than well confined.
const MOST_EXPOSED: f64 = 2.5;

/// What opens mirror ports, and nothing else.
const CAPABILITIES: &str = "CAP_NET_RAW CAP_NET_ADMIN CAP_BPF";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What a program said, or nothing where it is not installed.
fn run(program: &str, arguments: &[&str], folder: &Path) -> Option<Output> {
    match Command::new(program).args(arguments).current_dir(folder).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// A program's text, which must not complain; nothing where it is not installed.
fn accepted(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let output = run(program, arguments, folder)?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{said}", output.status);
    Some(said)
}

// --- The program ---

#[test]
fn every_example_is_accepted_and_is_small() {
    let examples: Vec<PathBuf> =
        fs::read_dir(root().join("deploy/examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(examples.len() >= 4, "{examples:?}");
    for path in examples {
        let output = Command::new(env!("CARGO_BIN_EXE_hopmark"))
            .args(["check", "--config"])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", path.display());
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 60, "{}: {lines} lines are no small example", path.display());
    }
}

#[test]
fn the_web_configuration_has_tls_and_a_hash_that_bcrypt_reads() {
    let web: serde_norway::Value = serde_norway::from_str(&read("deploy/web.example.yml")).unwrap();
    for key in ["cert_file", "key_file"] {
        assert!(web["tls_server_config"][key].is_string(), "{key}");
    }
    let users = web["basic_auth_users"].as_mapping().unwrap();
    assert!(!users.is_empty());
    for (name, hash) in users {
        let is_easy = ["", "change-me", "hopmark", "password", "prometheus"]
            .iter()
            .any(|password| bcrypt::verify(password, hash.as_str().unwrap()).unwrap());
        assert!(!is_easy, "{name:?}: whoever forgets to change it is open to everybody");
    }
}

// --- systemd ---

/// What a unit sets a key to, each time.
fn settings<'t>(unit: &'t str, key: &str) -> Vec<&'t str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// A folder with the unit in it, which names the program that was built here.
fn unit_of_this_build() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let unit = read("deploy/systemd/hopmark.service");
    let unit = unit.replace("/usr/local/bin/hopmark", env!("CARGO_BIN_EXE_hopmark"));
    fs::write(folder.path().join("hopmark.service"), unit).unwrap();
    folder
}

#[test]
fn the_unit_gives_three_capabilities_to_an_ordinary_user() {
    let unit = read("deploy/systemd/hopmark.service");
    for key in ["AmbientCapabilities", "CapabilityBoundingSet"] {
        assert_eq!(settings(&unit, key), [CAPABILITIES], "{key}");
    }
    assert_eq!(settings(&unit, "User"), ["hopmark"]);
    assert_eq!(settings(&unit, "NoNewPrivileges"), ["yes"]);
    let users = read("deploy/systemd/hopmark.sysusers");
    assert!(users.contains("\nu hopmark "), "the user of the unit is made by {users}");
}

#[test]
fn the_unit_is_accepted_by_systemd() {
    let folder = unit_of_this_build();
    if let Some(said) = accepted("systemd-analyze", &["verify", "./hopmark.service"], folder.path()) {
        assert!(!said.contains("hopmark.service:"), "{said}");
    }
}

#[test]
fn the_unit_exposes_little() {
    let folder = unit_of_this_build();
    let arguments = ["security", "--offline=true", "--no-pager", "./hopmark.service"];
    let Some(output) = run("systemd-analyze", &arguments, folder.path()) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    let Some((_, level)) = said.split_once("Overall exposure level for hopmark.service: ") else {
        eprintln!("skipped: this systemd-analyze does not judge a unit that is not installed");
        return;
    };
    let level: f64 = level.split_whitespace().next().unwrap().parse().unwrap();
    assert!(level <= MOST_EXPOSED, "{said}");
}

#[test]
fn the_evidence_folder_of_the_examples_is_one_that_the_unit_makes() {
    let unit = read("deploy/systemd/hopmark.service");
    let made: Vec<String> = settings(&unit, "StateDirectory")
        .iter()
        .flat_map(|folders| folders.split(' '))
        .map(|folder| format!("/var/lib/{folder}"))
        .collect();
    for entry in fs::read_dir(root().join("deploy/examples")).unwrap() {
        let path = entry.unwrap().path();
        let example: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let Some(evidence) = example.get("evidence") else { continue };
        let folder = evidence["directory"].as_str().unwrap();
        assert!(made.iter().any(|made| made == folder), "{}: {folder} is none of {made:?}", path.display());
    }
}

#[test]
fn user_and_folders_are_made_as_the_unit_wants_them() {
    use std::os::unix::fs::PermissionsExt as _;

    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: users and folders are made by root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let system = format!("--root={}", folder.path().display());
    fs::create_dir_all(folder.path().join("etc/hopmark/certificates")).unwrap();
    fs::write(folder.path().join("etc/hopmark/web.yml"), "").unwrap();
    let files = root().join("deploy/systemd");
    let file = |name: &str| files.join(name).to_str().unwrap().to_owned();
    if accepted("systemd-sysusers", &[&system, &file("hopmark.sysusers")], folder.path()).is_none() {
        return;
    }
    let users = fs::read_to_string(folder.path().join("etc/passwd")).unwrap();
    assert!(users.lines().any(|line| line.starts_with("hopmark:") && line.ends_with("nologin")), "{users}");

    let arguments = [&system, "--create", &file("hopmark.tmpfiles")];
    if accepted("systemd-tmpfiles", &arguments, folder.path()).is_none() {
        return;
    }
    for (path, mode) in [
        ("etc/hopmark", 0o750),
        ("etc/hopmark/certificates", 0o750),
        ("etc/hopmark/web.yml", 0o640),
        ("var/lib/hopmark/evidence", 0o750),
    ] {
        let found = fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(found, mode, "{path}: {found:o}");
    }
}

// --- Prometheus ---

const PROMETHEUS: &str = "deploy/prometheus";

/// Names of all alerts, as the rules have them.
fn alerts() -> BTreeSet<String> {
    let rules: serde_norway::Value =
        serde_norway::from_str(&read("deploy/prometheus/hopmark.rules.yml")).unwrap();
    let groups = rules["groups"].as_sequence().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_sequence().unwrap());
    let alerts: BTreeSet<String> =
        rules.filter_map(|rule| Some(rule.get("alert")?.as_str()?.to_owned())).collect();
    assert!(!alerts.is_empty());
    alerts
}

#[test]
fn prometheus_accepts_scrape_configuration_and_rules() {
    let folder = root().join(PROMETHEUS);
    accepted("promtool", &["check", "config", "prometheus.yml"], &folder);
    accepted("promtool", &["check", "rules", "hopmark.rules.yml"], &folder);
}

#[test]
fn alerts_fire_and_stay_silent_as_their_tests_say() {
    let folder = root().join(PROMETHEUS);
    if let Some(said) = accepted("promtool", &["test", "rules", "hopmark.rules.test.yml"], &folder) {
        assert!(said.contains("SUCCESS"), "{said}");
    }
}

#[test]
fn every_alert_has_a_test_that_it_fires_and_one_that_it_does_not() {
    let tests: serde_norway::Value =
        serde_norway::from_str(&read("deploy/prometheus/hopmark.rules.test.yml")).unwrap();
    let tests = tests["tests"].as_sequence().unwrap().iter();
    let mut fire = BTreeSet::new();
    let mut silent = BTreeSet::new();
    for case in tests.filter_map(|test| test.get("alert_rule_test")?.as_sequence()).flatten() {
        let name = case["alertname"].as_str().unwrap().to_owned();
        let is_silent = case["exp_alerts"].as_sequence().unwrap().is_empty();
        let tested = if is_silent { &mut silent } else { &mut fire };
        tested.insert(name);
    }
    assert_eq!(fire, alerts());
    assert_eq!(silent, alerts());
}

#[test]
fn every_alert_is_explained() {
    let page = read("docs/running.md");
    for alert in alerts() {
        assert!(page.contains(&format!("| `{alert}` |")), "docs/running.md does not say what {alert} means");
    }
}

/// Names of metrics in expressions of rules; recorded ones have colons, and are none.
fn families(rules: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':';
    let words = rules.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(|line| {
        line.split(move |c: char| !is_name(c))
            .filter(|word| word.starts_with("hopmark_") && !word.contains(':'))
    });
    words.map(|word| word.trim_end_matches("_bucket")).collect()
}

#[test]
fn rules_go_by_metrics_that_there_are() {
    let (reference, rules) = (read("docs/metrics.md"), read("deploy/prometheus/hopmark.rules.yml"));
    let families = families(&rules);
    assert!(families.len() > 10, "{families:?}");
    for family in families {
        assert!(reference.contains(&format!("| `{family}` |")), "docs/metrics.md has no {family}");
    }
}

// --- The container ---

/// The instructions of the container file, with lines joined that go on.
fn instructions() -> Vec<(String, Vec<String>)> {
    let text = read("deploy/Containerfile");
    let lines: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .fold(String::new(), |all, line| all + line.strip_suffix('\\').unwrap_or(&format!("{line}\n")));
    lines
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(word, rest)| (word.to_owned(), rest.split_whitespace().map(str::to_owned).collect()))
        .collect()
}

#[test]
fn the_container_is_built_by_the_rust_that_the_manifest_wants() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let wanted = manifest["package"]["rust-version"].as_str().unwrap();
    let images: Vec<String> = instructions()
        .into_iter()
        .filter(|(word, _)| word == "FROM")
        .map(|(_, words)| words[0].clone())
        .collect();
    let [build, run] = &images[..] else { panic!("two stages, not {images:?}") };
    assert!(build.ends_with(&format!("/rust:{wanted}-slim-bookworm")), "{build}");
    // The library that it is linked with is that of the same release.
    assert!(run.ends_with("/debian:bookworm-slim"), "{run}");
}

#[test]
fn what_the_container_copies_is_there() {
    let ignored = read(".dockerignore");
    let ignored: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    let instructions = instructions();
    let mut stages = Vec::new();
    for (word, words) in &instructions {
        if word == "FROM" {
            stages.extend(words.get(2).cloned());
        } else if word == "COPY" {
            let from = words[0].strip_prefix("--from=");
            if let Some(stage) = from {
                assert!(stages.iter().any(|name| name == stage), "no stage {stage} before {words:?}");
            } else {
                let source = &words[0];
                assert!(root().join(source).exists(), "{source} is not there");
                assert!(ignored.iter().all(|name| !source.starts_with(name)), "{source} is in .dockerignore");
            }
        }
    }
    // What a build reads: the manifest names some tests and all benches.
    for needed in ["Cargo.toml", "Cargo.lock", "src", "tests", "benches", "build.rs", "bpf", "deploy"] {
        assert!(!ignored.contains(&needed), "{needed} is in .dockerignore");
    }
}

#[test]
fn the_container_runs_as_an_ordinary_user_and_says_which_capabilities_it_takes() {
    let instructions = instructions();
    let last = |name: &str| {
        let found = instructions.iter().rev().find(|(word, _)| word == name);
        found.map_or_else(|| panic!("no {name}"), |(_, words)| words.join(" "))
    };
    assert_eq!(last("USER"), "hopmark");
    assert_eq!(last("ENTRYPOINT"), "[\"hopmark\"]");
    assert!(last("COPY").ends_with(" /etc/hopmark/hopmark.toml"));
    let text = read("deploy/Containerfile");
    let (_, given) = text.split_once("--cap-add ").unwrap();
    let given: BTreeSet<&str> = given.split_whitespace().next().unwrap().split(',').collect();
    for capability in CAPABILITIES.split(' ') {
        let name = capability.trim_start_matches("CAP_").to_ascii_lowercase();
        assert!(given.contains(name.as_str()), "{name} is not among {given:?}");
    }
}
