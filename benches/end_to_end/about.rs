//! Where and with what the figures were measured.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// Machine, day and versions.
#[derive(Debug, Serialize)]
pub(crate) struct About {
    pub(crate) date: String,
    /// What was measured, and whether the source was changed since.
    pub(crate) commit: String,
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) kernel: String,
    /// Processes that wanted a processor in the minute before; above 0 the machine was not quiet.
    pub(crate) load: String,
    /// Of each program the first line that it says of itself.
    pub(crate) versions: Vec<String>,
}

impl About {
    /// As things are now, with these programs.
    pub(crate) fn this_machine(programs: &[&str]) -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = file("/proc/cpuinfo");
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            commit: commit(),
            processor: model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: file("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            versions: programs.iter().copied().filter_map(version).collect(),
        }
    }
}

fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().next()?.trim_end_matches('.');
    (!line.is_empty()).then(|| line.to_owned())
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        Command::new("git").current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().ok()
    };
    let number = git(&["rev-parse", "--short=12", "HEAD"]).filter(|output| output.status.success());
    let Some(number) = number else { return "unknown".to_owned() };
    let number = String::from_utf8_lossy(&number.stdout).trim().to_owned();
    let program = ["src", "bpf", "build.rs", "Cargo.toml", "Cargo.lock"];
    let is_changed = git(&[&["diff", "--quiet", "HEAD", "--"][..], &program].concat())
        .is_none_or(|output| !output.status.success());
    if is_changed { format!("{number}, with changes") } else { number }
}
