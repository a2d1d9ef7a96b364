//! What one run of a program used, as the kernel has it.
//!
//! Each run is started by a small process of its own, which then asks the kernel what its one child used; so no run is
//! charged for another.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;

/// Makes this program run the command that follows and say what it used.
pub(crate) const MEASURE: &str = "--measure";

/// What one run used, or the medians of several.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Used {
    pub(crate) user_seconds: f64,
    pub(crate) system_seconds: f64,
    pub(crate) wall_seconds: f64,
    /// In millions of octets.
    pub(crate) peak_megabytes: f64,
}

impl Used {
    /// Runs a command in a process of its own.
    pub(crate) fn by(command: &[String]) -> Result<Self, Box<dyn Error>> {
        let output = Command::new(std::env::current_exe()?).arg(MEASURE).args(command).output()?;
        let said = String::from_utf8(output.stdout)?;
        let numbers: Result<Vec<f64>, _> = said.split_whitespace().map(str::parse).collect();
        let [user, system, wall, memory] = numbers?[..] else {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        };
        Ok(Self {
            user_seconds: user / 1e6,
            system_seconds: system / 1e6,
            wall_seconds: wall / 1e6,
            peak_megabytes: memory * 1024.0 / 1e6,
        })
    }

    /// The median of each figure.
    pub(crate) fn median(runs: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(runs.iter().map(figure));
        Self {
            user_seconds: of(|u| u.user_seconds),
            system_seconds: of(|u| u.system_seconds),
            wall_seconds: of(|u| u.wall_seconds),
            peak_megabytes: of(|u| u.peak_megabytes),
        }
    }

    /// User and system time.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.user_seconds + self.system_seconds
    }
}

/// Runs a command and says what it used: user, system and wall time in microseconds, peak memory in KiB.
#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
pub(crate) fn measure(command: &[String]) -> Result<String, Box<dyn Error>> {
    let [program, arguments @ ..] = command else { return Err("no command to measure".into()) };
    let begin = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let wall = begin.elapsed().as_micros();
    let status = status.map_err(|error| format!("{program}: {error}"))?;
    if !status.success() {
        return Err(format!("{}: {status}", command.join(" ")).into());
    }
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let [user, system] =
        [used.user_time(), used.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(format!("{user} {system} {wall} {}", used.max_rss()))
}

/// The middle one; no number of none.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
