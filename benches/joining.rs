//! What joining costs: by thread, and in memory for each more stream.
//!
//! `./dev bench` makes the captures and calls this with the program and two folders: of some streams, and of twice as
//! many that start one after the other in twice the time. So as many run at a time in both, and what the second run
//! takes more is what is kept of streams that have ended. Results go to standard output and `benches/joining.md`.

#![allow(clippy::print_stdout, reason = "the table is the result")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// Runs of each folder.
const RUNS: usize = 7;
/// The points, each a capture in the folder.
const POINTS: [&str; 3] = ["access", "core", "edge"];
/// How often the threads' times are read: what a thread does after the last look is lost.
const LOOK: Duration = Duration::from_millis(1);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    arguments.retain(|argument| argument != "--bench");
    let [hopmark, some, twice] = arguments.as_slice() else { return Ok(()) };
    if !is_bench {
        return Ok(());
    }
    let mut text = String::from(
        "# Joining three points\n\n\
         Written by `./dev bench`: `hopmark replay --format text` over three captures, medians of runs in turn. `judge` is the\n\
         thread that joins and judges, as a share of the processor time of all threads. Memory is the peak of the process.\n\n\
         | streams | CPU s | judge | peak MiB |\n|---:|---:|---:|---:|\n",
    );
    let mut peaks = Vec::new();
    let folders = [some, twice];
    let mut runs: [Vec<Used>; 2] = Default::default();
    for _ in 0..RUNS {
        for (folder, runs) in folders.iter().zip(&mut runs) {
            runs.push(Used::by(hopmark, folder)?);
        }
    }
    for runs in &runs {
        let of = |figure: fn(&Used) -> f64| median(runs.iter().map(figure));
        let (streams, peak) = (of(|u| u.streams), of(|u| u.peak));
        peaks.push((streams, peak));
        let (cpu, judge) = (of(|u| u.cpu), of(|u| u.judge / u.cpu));
        writeln!(text, "| {streams} | {cpu:.2} | {:.1} % | {:.0} |", judge * 100.0, peak / 1_048_576.0)?;
    }
    if let [(fewer, low), (more, high)] = *peaks {
        #[allow(clippy::cast_precision_loss, reason = "three")]
        let each = (high - low) / ((more - fewer) * POINTS.len() as f64);
        writeln!(text, "\nEach more stream takes {each:.0} octets for each of its hops.")?;
    }
    println!("{text}");
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/joining.md"), text)?;
    Ok(())
}

/// What one run used.
#[derive(Debug, Clone, Copy)]
struct Used {
    streams: f64,
    /// Processor seconds of all threads.
    cpu: f64,
    /// Processor seconds of the judge.
    judge: f64,
    /// Octets.
    peak: f64,
}

impl Used {
    fn by(hopmark: &str, folder: &str) -> Result<Self, Box<dyn Error>> {
        let before = processor_seconds()?;
        let mut child = Command::new(hopmark)
            .args(["replay", "--fail-on", "never", "--format", "text"])
            .args(POINTS.map(|point| format!("{point}={folder}/{point}.pcap")))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut output = child.stdout.take().ok_or("no standard output")?;
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut output, &mut text).map(|_| text)
        });
        let process = format!("/proc/{}", child.id());
        let (mut threads, mut peak) = (BTreeMap::new(), 0.0);
        let status = loop {
            look(&process, &mut threads);
            peak = peak_of(&process).unwrap_or(peak);
            if let Some(status) = child.try_wait()? {
                break status;
            }
            sleep(LOOK);
        };
        let text = reader.join().map_err(|_| "the reader stopped")??;
        if !status.success() {
            return Err(format!("{hopmark}: {status}").into());
        }
        let words = text.split_whitespace();
        let streams = words.take_while(|word| *word != "RTP").last().ok_or("no streams in the report")?;
        let judge = threads.values().filter(|(name, _)| name == "judge").map(|(_, ns)| ns / 1e9).sum();
        let cpu = processor_seconds()? - before;
        Ok(Self { streams: streams.replace(',', "").parse()?, cpu, judge, peak })
    }
}

/// User and system time of all runs so far.
#[allow(clippy::cast_precision_loss, reason = "microseconds of a run")]
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let (user, system) = (used.user_time(), used.system_time());
    Ok((user.tv_sec() + system.tv_sec()) as f64 + (user.tv_usec() + system.tv_usec()) as f64 / 1e6)
}

/// Name and processor time, in nanoseconds, of each thread that is there now.
fn look(process: &str, threads: &mut BTreeMap<String, (String, f64)>) {
    for thread in fs::read_dir(format!("{process}/task")).into_iter().flatten().flatten() {
        let read = |file: &str| fs::read_to_string(thread.path().join(file)).ok();
        let time = read("schedstat").and_then(|text| text.split(' ').next()?.parse().ok());
        if let (Some(name), Some(time)) = (read("comm"), time) {
            threads.insert(thread.path().display().to_string(), (name.trim().to_owned(), time));
        }
    }
}

/// The most memory that the process had, in octets.
fn peak_of(process: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
