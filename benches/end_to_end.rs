//! Whole runs of Hopmark and tcpdump over the same captures, in turn.
//!
//! `./dev bench` makes the captures and calls this with the program and the files. Each run is started by a small
//! process of its own, which then asks the kernel what its one child used; so no run is charged for another.
//! Results go to standard output as a table and as JSON, and into `benches/results.md`.

#![allow(clippy::print_stdout, reason = "the table is the result")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;

/// Pairs of runs for each capture.
const PAIRS: usize = 7;
/// Makes this program run the command that follows and say what it used.
const MEASURE: &str = "--measure";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == MEASURE) {
        println!("{}", measure(&arguments[1..])?);
        return Ok(());
    }
    // Cargo says so when benches are to be measured, and not when they are only tested.
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    arguments.retain(|argument| argument != "--bench");
    let [hopmark, captures @ ..] = arguments.as_slice() else { return Ok(()) };
    if !is_bench || captures.is_empty() {
        return Ok(());
    }
    let about = About::this_machine(hopmark);
    let rows: Result<Vec<Row>, _> = captures.iter().map(|capture| compare(hopmark, capture)).collect();
    let results = Results { about, rows: rows? };
    let table = results.table();
    println!("{table}\n{}", serde_json::to_string_pretty(&results)?);
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results.md"), table)?;
    Ok(())
}

/// Runs a command and says what it used: processor and wall time in microseconds, peak memory in KiB.
#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
fn measure(command: &[String]) -> Result<String, Box<dyn Error>> {
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
    let (user, system) = (used.user_time(), used.system_time());
    let cpu = (user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec();
    Ok(format!("{cpu} {wall} {}", used.max_rss()))
}

/// What one run used, or the medians of several.
#[derive(Debug, Clone, Copy, Serialize)]
struct Used {
    cpu_seconds: f64,
    wall_seconds: f64,
    peak_mib: f64,
}

impl Used {
    fn by(command: &[&str]) -> Result<Self, Box<dyn Error>> {
        let output = Command::new(std::env::current_exe()?).arg(MEASURE).args(command).output()?;
        let said = String::from_utf8(output.stdout)?;
        let numbers: Result<Vec<f64>, _> = said.split_whitespace().map(str::parse).collect();
        let [cpu, wall, memory] = numbers?[..] else {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        };
        Ok(Self { cpu_seconds: cpu / 1e6, wall_seconds: wall / 1e6, peak_mib: memory / 1024.0 })
    }

    fn median(runs: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(runs.iter().map(figure));
        Self {
            cpu_seconds: of(|u| u.cpu_seconds),
            wall_seconds: of(|u| u.wall_seconds),
            peak_mib: of(|u| u.peak_mib),
        }
    }
}

/// One capture, read by both.
#[derive(Debug, Serialize)]
struct Row {
    capture: String,
    packets: u64,
    hopmark: Used,
    tcpdump: Used,
    /// tcpdump's by Hopmark's: the median of the ratios of runs that stood next to each other.
    cpu_ratio: f64,
    wall_ratio: f64,
}

fn compare(hopmark: &str, capture: &str) -> Result<Row, Box<dyn Error>> {
    // Both read from memory: the first look at the file is nobody's.
    let packets = count_packets(hopmark, capture)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        ours.push(Used::by(&[hopmark, "replay", "--fail-on", "never", "--format", "text", capture])?);
        theirs.push(Used::by(&["tcpdump", "-n", "-r", capture, "-w", "/dev/null"])?);
    }
    let ratio =
        |figure: fn(&Used) -> f64| median(theirs.iter().zip(&ours).map(|(t, o)| figure(t) / figure(o)));
    Ok(Row {
        capture: Path::new(capture).file_name().unwrap_or_default().display().to_string(),
        packets,
        hopmark: Used::median(&ours),
        tcpdump: Used::median(&theirs),
        cpu_ratio: ratio(|u| u.cpu_seconds),
        wall_ratio: ratio(|u| u.wall_seconds),
    })
}

/// Packets that Hopmark counted in streams: a run that misses streams must not look fast.
fn count_packets(hopmark: &str, capture: &str) -> Result<u64, Box<dyn Error>> {
    let output =
        Command::new(hopmark).args(["replay", "--fail-on", "never", "--format", "json", capture]).output()?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let hops =
        report["streams"].as_array().into_iter().flatten().filter_map(|s| s["hops"].as_array()).flatten();
    let in_streams: u64 = hops.filter_map(|hop| hop["packets"].as_u64()).sum();
    let read = report["captures"][0]["packets"].as_u64().unwrap_or_default();
    if in_streams == read {
        Ok(read)
    } else {
        Err(format!("{capture}: {in_streams} of {read} packets in streams").into())
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Where and with what the figures were measured.
#[derive(Debug, Serialize)]
struct About {
    date: String,
    processor: String,
    processors: usize,
    kernel: String,
    /// Processes that wanted a processor in the minute before; above 0 the machine was not quiet.
    load: String,
    hopmark: String,
    tcpdump: String,
}

impl About {
    fn this_machine(hopmark: &str) -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = file("/proc/cpuinfo");
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let version = |program: &str| {
            let output = Command::new(program).arg("--version").output();
            let said = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
            said.lines().take(2).collect::<Vec<_>>().join(", ")
        };
        Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            processor: model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: file("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            hopmark: version(hopmark),
            tcpdump: version("tcpdump"),
        }
    }
}

#[derive(Debug, Serialize)]
struct Results {
    about: About,
    rows: Vec<Row>,
}

impl Results {
    fn table(&self) -> String {
        let About { date, processor, processors, kernel, load, hopmark, tcpdump } = &self.about;
        let mut text = format!(
            "# Whole runs against tcpdump\n\n\
             Written by `./dev bench` on {date}: {processor}, {processors} processors, Linux {kernel}, load {load}; {hopmark}; {tcpdump}.\n\n\
             `hopmark replay` decodes, measures and reports; `tcpdump -n -r FILE -w /dev/null` only reads and copies.\n\
             The files are in the page cache. Figures are medians of {PAIRS} runs in turn; the ratio is the median over\n\
             neighbouring runs of tcpdump's processor time (user and system) by Hopmark's: above 1, Hopmark needs less.\n\n\
             | capture | packets | Hopmark CPU s | tcpdump CPU s | ratio | Hopmark wall s | tcpdump wall s | Hopmark ns/packet | Hopmark MiB | tcpdump MiB |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        );
        for row in &self.rows {
            let (ours, theirs) = (row.hopmark, row.tcpdump);
            #[allow(clippy::cast_precision_loss, reason = "millions of packets")]
            let each = ours.cpu_seconds * 1e9 / row.packets as f64;
            let _ = writeln!(
                text,
                "| {} | {} | {:.3} | {:.3} | {:.2} | {:.3} | {:.3} | {each:.1} | {:.0} | {:.0} |",
                row.capture,
                row.packets,
                ours.cpu_seconds,
                theirs.cpu_seconds,
                row.cpu_ratio,
                ours.wall_seconds,
                theirs.wall_seconds,
                ours.peak_mib,
                theirs.peak_mib,
            );
        }
        text
    }
}
