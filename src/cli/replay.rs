//! `hopmark replay`: from captures to a verdict on every stream.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::load_policy;
use crate::config::Loaded;
use crate::pipeline::{self, MAX_POINTS, PointFiles, PointsBy, Progress, Replay};
use crate::report::{self, Anonymizer};
use crate::verify::{Outcome, Severity};

/// What `hopmark replay` takes.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Captures, each as FILE or as NAME=FILE; `-` is standard input
    ///
    /// Files without a name are merged by time into one observation point, `capture`. With NAME= a file belongs to the
    /// observation point of that name; several files may share one. Read are pcap, pcapng, modified pcap and snoop,
    /// also in gzip or zstd.
    #[arg(value_name = "[NAME=]FILE", required_unless_present = "point")]
    pub captures: Vec<PathBuf>,
    /// An observation point and its file, for names and files that hold a `=`
    #[arg(long, value_name = "NAME=FILE")]
    pub point: Vec<String>,
    /// What is an observation point: each file (or the name it was given), each interface of a capture, or each session
    /// of a mirror that a capture holds
    #[arg(long, value_enum, default_value_t = Points::File)]
    pub points: Points,
    /// The operator's file: classes, rules, thresholds, managed networks, points
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A built-in profile: teams, lync-2013, webrtc, zoom, webex, rfc4594 (`hopmark check` prints it)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// How the report is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// How many of the worst streams the text report lists
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub worst: usize,
    /// Exit with status 1 when there is a finding of this severity or above
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = FailOn::Error)]
    pub fail_on: FailOn,
    /// Replace addresses by others that keep their prefixes, with the key in this file
    ///
    /// The same key gives the same addresses. Make one with: head -c 32 /dev/urandom > KEYFILE
    #[arg(long, value_name = "KEYFILE")]
    pub anonymize: Option<PathBuf>,
    /// How many observation points are read at a time; the report does not depend on it
    #[arg(long, value_name = "N", default_value_t = default_threads())]
    pub threads: usize,
}

/// What makes an observation point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Points {
    /// The files of one name.
    File,
    /// Each interface of a capture, by its name.
    Interface,
    /// Each session of a mirror: ERSPAN session (`erspan 12`), VXLAN or GENEVE network, outermost VLAN tag.
    Session,
}

impl From<Points> for PointsBy {
    fn from(points: Points) -> Self {
        match points {
            Points::File => Self::Name,
            Points::Interface => Self::Interface,
            Points::Session => Self::Session,
        }
    }
}

/// Formats of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: the answer first, then the worst streams, then the findings.
    Text,
    /// For programs: one object, schema hopmark/report/v1.
    Json,
}

/// From which severity on a finding is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any finding.
    Info,
    /// Warnings and errors.
    Warning,
    /// Errors.
    Error,
    /// Nothing is.
    Never,
}

impl FailOn {
    fn is_met_by(self, outcome: &Outcome) -> bool {
        let least = match self {
            Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
            Self::Never => return false,
        };
        outcome.findings.iter().any(|f| f.severity >= least)
    }
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Replays the captures and prints the report.
///
/// # Errors
///
/// A file that cannot be read, a wrong configuration, or standard output that cannot be written.
pub fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let Loaded { policy, notes, .. } = load_policy(args.config.as_deref(), args.profile.as_deref())?;
    for note in notes {
        writeln!(io::stderr(), "note: {note}")?;
    }
    let anonymize = args.anonymize.as_deref().map(Anonymizer::from_key_file).transpose()?;
    let replay = Replay {
        points: points(&args.captures, &args.point)?,
        points_by: args.points.into(),
        threads: args.threads,
    };
    let policy = Arc::new(policy);
    let outcome = with_progress(|progress| pipeline::replay(&replay, &policy, progress))?;
    let no_color = std::env::var_os("NO_COLOR");
    let options = report::Options {
        worst: args.worst,
        colour: report::wants_colour(io::stdout().is_terminal(), no_color.as_deref()),
        anonymize,
        ..report::Options::default()
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = match args.format {
        Format::Text => report::write_text(&outcome, &options, &mut out),
        Format::Json => report::write_json(&outcome, &options, &mut out),
    }
    .and_then(|()| out.flush());
    match written {
        // Whoever read the report had enough of it, as `head` has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other.context("cannot write the report to standard output")?,
    }
    let is_failure = args.fail_on.is_met_by(&outcome);
    // The program ends here: giving back the memory of every stream one by one would only cost time.
    std::mem::forget(outcome);
    Ok(if is_failure { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The files by observation point, in the order in which the points were first named.
fn points(captures: &[PathBuf], named: &[String]) -> anyhow::Result<Vec<PointFiles>> {
    let mut points: Vec<PointFiles> = Vec::new();
    let mut add = |name: &str, file: PathBuf| match points.iter_mut().find(|p| p.name == name) {
        Some(point) => point.files.push(file),
        None => points.push(PointFiles { name: name.to_owned(), files: vec![file] }),
    };
    for text in named {
        let Some((name, file)) = text.split_once('=') else {
            bail!("--point {text}: write it as NAME=FILE");
        };
        add(checked_name(name)?, file.into());
    }
    for capture in captures {
        match capture.to_str().and_then(|text| text.split_once('=')) {
            // A file whose name holds a `=` is that file.
            Some((name, file)) if !capture.exists() && !name.contains('/') => {
                add(checked_name(name)?, file.into());
            }
            _ => add("", capture.clone()),
        }
    }
    if points.len() > MAX_POINTS {
        bail!("{} observation points: at most {MAX_POINTS} are compared in one run", points.len());
    }
    if points.iter().flat_map(|p| &p.files).filter(|f| f.as_os_str() == "-").count() > 1 {
        bail!("standard input (-) is named more than once: it can be read once only");
    }
    Ok(points)
}

fn checked_name(name: &str) -> anyhow::Result<&str> {
    if name.is_empty() || name.chars().any(char::is_control) {
        bail!("{name:?} is no name for an observation point: write NAME=FILE");
    }
    Ok(name)
}

/// Runs long work with a progress bar on standard error, where that is a terminal.
fn with_progress<T>(work: impl FnOnce(&Progress) -> T) -> T {
    let progress = Progress::default();
    if !io::stderr().is_terminal() {
        return work(&progress);
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
                show(&bar, &progress);
            }
            bar.finish_and_clear();
        });
        let result = work(&progress);
        is_over.store(true, Ordering::Relaxed);
        result
    })
}

fn show(bar: &ProgressBar, progress: &Progress) {
    let total = progress.total.load(Ordering::Relaxed);
    let template = if total > 0 {
        "{bar:40} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left"
    } else {
        "{spinner} {bytes} read  {bytes_per_sec}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if total > 0 {
        bar.set_length(total);
    }
    bar.set_position(progress.read.load(Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_share_a_point_by_name() {
        let files = ["core=a.pcap", "b.pcap", "core=c.pcap", "/x=y/d.pcap"].map(PathBuf::from);
        let got = points(&files, &["edge=f=g.pcap".to_owned()]).unwrap();
        let got: Vec<_> = got.iter().map(|p| (p.name.as_str(), p.files.len())).collect();
        assert_eq!(got, [("edge", 1), ("core", 2), ("", 2)]);
    }

    #[test]
    fn standard_input_is_read_once() {
        let files = ["-", "a=-"].map(PathBuf::from);
        assert!(points(&files, &[]).unwrap_err().to_string().contains("more than once"));
    }
}
