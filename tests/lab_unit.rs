//! The unit starts Hopmark under a real systemd, reloads and stops it.
//!
//! `tests/lab/unit` boots systemd in namespaces and installs Hopmark there as `docs/running.md` says. It needs root, so it
//! runs only when asked: `./dev lab`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "an answer without its keys has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `CAP_NET_ADMIN`, `CAP_NET_RAW` and `CAP_BPF`: bits of `linux/capability.h`.
const OPENING: u64 = 1 << 12 | 1 << 13 | 1 << 39;

/// From SIGTERM to the end, in microseconds.
const TO_END: u64 = 2_000_000;

#[test]
#[ignore = "boots systemd in namespaces, which needs root: ./dev lab"]
fn the_unit_starts_reloads_and_stops() {
    let unit = Unit::run();

    let active = unit.text("active");
    assert_eq!(
        (value(&active, "ActiveState"), value(&active, "NRestarts")),
        ("active", "0"),
        "{}",
        unit.log()
    );
    the_process_that_captures_has_no_rights(&unit);
    the_one_that_opens_has_three(&unit);

    let reloaded = unit.text("reloaded");
    assert!(unit.0.join("reload-right").exists(), "{}", unit.log());
    assert!(unit.0.join("reload-wrong").exists(), "a wrong file was taken without a word");
    for key in ["ActiveState", "MainPID", "NRestarts"] {
        assert_eq!(value(&reloaded, key), value(&active, key), "{key} after two reloads; {}", unit.log());
    }

    let stopped = unit.text("stopped");
    for (key, expected) in
        [("ActiveState", "inactive"), ("Result", "success"), ("ExecMainCode", "1"), ("ExecMainStatus", "0")]
    {
        assert_eq!(value(&stopped, key), expected, "{key}; {}", unit.log());
    }
    let at = |key: &str| value(&stopped, key).parse::<u64>().unwrap();
    let took = at("InactiveEnterTimestampMonotonic") - at("ActiveExitTimestampMonotonic");
    assert!(took <= TO_END, "it took {took} us to end");
}

fn the_process_that_captures_has_no_rights(unit: &Unit) {
    let status = unit.text("status-capturing");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(u64::from_str_radix(value(&status, set), 16), Ok(0), "{set}");
    }
    assert_eq!((value(&status, "NoNewPrivs"), value(&status, "Seccomp")), ("1", "2"));
    assert!(value(&status, "Uid").split_whitespace().all(|user| user != "0"), "{status}");
}

fn the_one_that_opens_has_three(unit: &Unit) {
    let status = unit.text("status-opening");
    assert_eq!(status.matches("Name:").count(), 1, "one process besides: {status}");
    for set in ["CapPrm", "CapEff"] {
        assert_eq!(u64::from_str_radix(value(&status, set), 16), Ok(OPENING), "{set}");
    }
    assert_eq!(value(&status, "NoNewPrivs"), "1");
    assert_eq!(value(&status, "Uid"), value(&unit.text("status-capturing"), "Uid"));
}

/// What a run left in its folder.
struct Unit(PathBuf);

impl Unit {
    fn run() -> Self {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab-unit");
        let status = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/unit"))
            .arg(&out)
            .env("HOPMARK", env!("CARGO_BIN_EXE_hopmark"))
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}; what was said is in {}", out.display());
        Self(out)
    }

    fn text(&self, file: &str) -> String {
        let path = self.0.join(file);
        fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", path.display(), self.log()))
    }

    /// What Hopmark and systemd said.
    fn log(&self) -> String {
        ["boot.log", "hopmark.log"]
            .map(|file| fs::read_to_string(self.0.join(file)).unwrap_or_default())
            .concat()
    }
}

/// The value of a key, as systemctl ("key=value") or proc(5) ("key: value") write it.
fn value<'t>(text: &'t str, key: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(['=', ':']));
    found.unwrap_or_else(|| panic!("no {key} in {text}")).trim()
}
