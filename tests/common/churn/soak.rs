//! Feeds the running program and looks at it meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::http::{Scrape, get};
use super::outcome::{Outcome, Sample};
use super::traffic::{Made, Traffic};
use super::{Profile, SECOND};

/// Octets that are handed over at once.
const BATCH: usize = 1 << 16;

/// Sends a profile through the program, from its start until everything is forgotten.
pub(crate) fn soak(hopmark: &Path, profile: &Profile) -> Outcome {
    let begun = Instant::now();
    let mut program = Program::start(hopmark, profile);
    let input = program.child.stdin.take().expect("a pipe");
    let (marks, looks) = channel();
    let feeder = {
        let profile = profile.clone();
        std::thread::spawn(move || feed(input, &profile, &marks))
    };
    let (samples, late_series) = program.watch(&looks, profile.settled);
    let made = feeder.join().expect("the feeder ends");
    let fed = begun.elapsed();
    let (last, streams) = program.at_the_end();
    let processor = program.processor_seconds();
    let peak = program.memory("VmHWM");
    program.stop();
    Outcome { profile: profile.clone(), made, samples, late_series, last, streams, fed, processor, peak }
}

/// Writes everything; says so whenever the next look is due.
fn feed(mut input: ChildStdin, profile: &Profile, marks: &Sender<i64>) -> Made {
    let mut traffic = Traffic::new(profile);
    let mut buffer = Vec::with_capacity(2 * BATCH);
    Traffic::begin(&mut buffer);
    let mut mark = profile.look;
    while let Some(at) = traffic.write(&mut buffer) {
        if buffer.len() >= BATCH {
            input.write_all(&buffer).expect("the program reads");
            buffer.clear();
        }
        if at >= mark * SECOND {
            let _ = marks.send(mark);
            mark += profile.look;
        }
    }
    input.write_all(&buffer).expect("the program reads");
    traffic.made()
}

/// The program while it runs. It ends with this.
struct Program {
    child: Child,
    address: SocketAddr,
    /// Reads the log, so that the program never waits for somebody to take it.
    log: Option<JoinHandle<Vec<String>>>,
    _folder: tempfile::TempDir,
}

/// Last lines of the log that are kept.
const LINES: usize = 50;

impl Program {
    fn start(hopmark: &Path, profile: &Profile) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("hopmark.toml");
        let text = format!(
            "[[point]]\nname = \"churn\"\nfile = \"-\"\nsilent_after = \"never\"\n\
             [limits]\nmax_streams = {}\n[listen]\naddress = \"127.0.0.1:0\"\n",
            profile.table
        );
        fs::write(&config, text).expect("a file");
        let mut command = Command::new(hopmark);
        command.arg("run").arg("--config").arg(&config);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut before = Vec::new();
        let address = log.by_ref().map_while(Result::ok).find_map(|line| {
            let address = line.split_once("http://").and_then(|(_, rest)| rest.split_once("/metrics"));
            let address = address.and_then(|(address, _)| address.parse().ok());
            before.push(line);
            address
        });
        let address = address.unwrap_or_else(|| panic!("the program does not serve: {before:#?}"));
        let log = std::thread::spawn(move || {
            let mut last = std::collections::VecDeque::new();
            for line in log.map_while(Result::ok) {
                if last.len() == LINES {
                    last.pop_front();
                }
                last.push_back(line);
            }
            last.into()
        });
        Self { child, address, log: Some(log), _folder: folder }
    }

    /// Looks whenever it is told to, until nobody does any more. Gives series, too, that came late.
    fn watch(&mut self, looks: &Receiver<i64>, settled: i64) -> (Vec<Sample>, BTreeSet<String>) {
        let (mut samples, mut early, mut late) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for seconds in looks {
            let Some((sample, names)) = self.look(seconds) else {
                self.stop();
                continue;
            };
            samples.push(sample);
            let known = if seconds <= settled { &mut early } else { &mut late };
            known.extend(names);
        }
        (samples, late.difference(&early).cloned().collect())
    }

    fn look(&self, seconds: i64) -> Option<(Sample, impl Iterator<Item = String> + use<>)> {
        let memory = self.memory("VmRSS");
        let Scrape { series, octets, took } = Scrape::of(self.address)?;
        let (streams, streams_took) = get(self.address, "/api/v1/streams?per_page=1000")?;
        let page: serde_json::Value = serde_json::from_str(&streams).expect("JSON");
        let sample = Sample {
            seconds,
            memory,
            octets,
            took,
            series: series.len(),
            streams: page["total"].as_u64().unwrap_or(0),
            streams_took,
        };
        Some((sample, series.into_keys()))
    }

    /// The figures after the last packet, and the streams that are still listed.
    fn at_the_end(&self) -> (Scrape, u64) {
        let until = Instant::now() + Duration::from_secs(120);
        let mut last = Scrape::default();
        while Instant::now() < until {
            let Some(scrape) = Scrape::of(self.address) else { break };
            let intervals = |scrape: &Scrape| scrape.sum("hopmark_intervals_total", &[]);
            let is_over = scrape.sum("hopmark_capture_up", &[]) == 0;
            let stands = intervals(&last) == intervals(&scrape);
            last = scrape;
            if is_over && stands {
                break;
            }
            sleep(Duration::from_millis(200));
        }
        let page = get(self.address, "/api/v1/streams").map(|(text, _)| text).unwrap_or_default();
        let page: serde_json::Value = serde_json::from_str(&page).unwrap_or_default();
        (last, page["total"].as_u64().unwrap_or(u64::MAX))
    }

    /// Octets of memory, as the kernel has them.
    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.unwrap_or(0) << 10
    }

    /// Processor time so far, by thread, those that took most first.
    fn processor_seconds(&self) -> Vec<(String, f64)> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let of_task = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("stat")).ok()?;
            let (before, after) = stat.rsplit_once(')')?;
            let fields: Vec<&str> = after.split_whitespace().collect();
            let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
            Some((before.split_once('(')?.1.to_owned(), ticks as f64 / 100.0))
        };
        let mut all: Vec<_> = tasks.filter_map(of_task).collect();
        all.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        all
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(log) = self.log.take()
            && let Ok(lines) = log.join()
            && lines.iter().any(|line| line.contains("panicked"))
        {
            panic!("the program broke: {lines:#?}");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
