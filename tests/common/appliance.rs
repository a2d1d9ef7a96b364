//! The built program as it listens live, and what it says of itself.
//!
//! It runs in the network of the thread that starts it, so that its port is its own.

#![allow(clippy::disallowed_methods, reason = "programs and senders are waited for by this machine's clock")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::Folder;
use super::run::hopmark;
use super::served::Answer;

/// The longest that anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// The address where a configuration of a test listens, unless it says otherwise.
pub(crate) const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 9847);

/// A running program; it is killed when it goes.
pub(crate) struct Appliance {
    process: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    folder: Arc<Folder>,
}

impl Appliance {
    /// Starts it with this configuration, and waits until it listens everywhere and is ready.
    pub(crate) fn start(config: &str) -> Self {
        let appliance = Self::start_with(config, |command| command);
        appliance.wait_for("it is ready", || appliance.get("/-/ready").status == 200);
        appliance.wait_for("every point is up", || appliance.metrics().all("hopmark_capture_up", 1.0));
        appliance
    }

    /// Starts it as `change` says, and waits until it answers.
    pub(crate) fn start_with(config: &str, change: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let folder = Folder::new();
        // Whoever it becomes reads the configuration again.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a folder to read");
        let config = folder.write("hopmark.toml", config.as_bytes());
        let mut command = hopmark();
        command.arg("run").arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = change(&mut command).stderr(Stdio::piped()).spawn().expect("the program runs");
        let stderr = process.stderr.take().expect("a pipe");
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().expect("the log").extend([line.as_str(), "\n"]);
            }
        });
        let appliance = Self { process, log, reader: Some(reader), folder: Arc::new(folder) };
        appliance.wait_for("it answers", || TcpStream::connect(SocketAddr::from(ADDRESS)).is_ok());
        appliance
    }

    /// Writes another configuration in the place of the one before.
    pub(crate) fn configure(&self, config: &str) {
        self.folder.write("hopmark.toml", config.as_bytes());
    }

    /// A place for files that goes with the program.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The process that keeps the capabilities.
    pub(crate) fn opener(&self) -> u32 {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        let children = fs::read_to_string(path).expect("a kernel that lists children");
        let children: Vec<&str> = children.split_whitespace().collect();
        assert_eq!(children.len(), 1, "one opener: {children:?}; {}", self.log());
        children[0].parse().expect("a number")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).expect("a number")), signal).expect("it runs");
    }

    /// All lines of the log up to now.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path)
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Answer {
        let stream = TcpStream::connect(SocketAddr::from(ADDRESS));
        let mut stream = stream.unwrap_or_else(|error| panic!("{path}: {error}; {}", self.log()));
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Answer::of(&mut stream, method, path, &[])
    }

    pub(crate) fn api(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Metrics(self.get("/metrics").text().to_owned())
    }

    /// Findings of a kind, open or not.
    pub(crate) fn findings(&self, kind: &str) -> Vec<Value> {
        let answer = self.api(&format!("/api/v1/findings?kind={kind}&per_page=1000"));
        answer["findings"].as_array().expect("a list").clone()
    }

    /// Waits until something is so.
    pub(crate) fn wait_for(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(
                begun.elapsed() < PATIENCE,
                "{what}: not after {PATIENCE:?}; its log:\n{}\nits figures:\n{}",
                self.log(),
                self.metrics().with_values()
            );
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Waits until a figure, over all series with these labels, has a value.
    pub(crate) fn wait_for_figure(&self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.wait_for(&format!("{name} {labels:?} is {value}"), || {
            self.metrics().count(name, labels) == value
        });
    }

    /// Waits for the end; how it ended.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("a process") {
                if let Some(reader) = self.reader.take() {
                    reader.join().expect("the log is read");
                }
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end; its log:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One scrape.
#[derive(Debug, Clone)]
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// The values of all series of a family that have these labels.
    pub(crate) fn values(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let (own, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.split_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            let has = |(label, value): &(&str, &str)| {
                let pair = format!("{label}=\"{value}\"");
                own.starts_with(&pair) || own.contains(&format!(",{pair}"))
            };
            labels.iter().all(has).then(|| value.parse().expect("a number"))
        };
        self.0.lines().filter_map(value).collect()
    }

    /// The sum of a counter over all series that have these labels.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.values(name, labels).iter().map(|value| *value as u64).sum()
    }

    /// Whether the family has a series, and each has this value.
    pub(crate) fn all(&self, name: &str, value: f64) -> bool {
        let values = self.values(name, &[]);
        !values.is_empty() && values.iter().all(|own| (own - value).abs() < 1e-9)
    }

    /// The series that are not zero, for a message.
    pub(crate) fn with_values(&self) -> String {
        let is_worth =
            |line: &&str| line.starts_with("hopmark_") && !line.ends_with(" 0") && !line.contains("_bucket");
        self.0.lines().filter(is_worth).flat_map(|line| [line, "\n"]).collect()
    }

    /// Counters of an earlier scrape that were higher there, or are gone.
    pub(crate) fn fallen_since(&self, earlier: &Self) -> Vec<String> {
        let series = |text: &str| -> Vec<(String, f64)> {
            let is_counter = |line: &&str| line.starts_with("hopmark_") && line.contains("_total");
            let split = |line: &str| {
                let (name, value) = line.rsplit_once(' ').expect("a series");
                (name.to_owned(), value.parse().expect("a number"))
            };
            text.lines().filter(is_counter).map(split).collect()
        };
        let now: std::collections::HashMap<String, f64> = series(&self.0).into_iter().collect();
        let has_fallen = |(name, value): &(String, f64)| now.get(name).is_none_or(|own| own < value);
        series(&earlier.0)
            .into_iter()
            .filter(has_fallen)
            .map(|(name, value)| format!("{name} was {value}, is {:?}", now.get(&name)))
            .collect()
    }
}

/// A figure of the kernel's on an interface, as `tx_packets`.
pub(crate) fn kernel_count(interface: &str, what: &str) -> u64 {
    let (direction, field) = what.split_once('_').expect("tx or rx, and what");
    let said = super::cable::ip(&format!("-json -statistics link show dev {interface}"));
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let count = &said[0]["stats64"][direction][field];
    count.as_u64().unwrap_or_else(|| panic!("no {what} of {interface} in {said}"))
}
