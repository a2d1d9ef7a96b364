//! `hopmark replay`: from captures to a verdict on every stream.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::progress::with_progress;
use super::sources::Sources;
use crate::pipeline;
use crate::report::{self, Anonymizer};
use crate::service::keep_memory_at_hand;
use crate::verify::{Outcome, Severity};

/// What `hopmark replay` takes.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// What is read, and by which policy.
    #[command(flatten)]
    pub sources: Sources,
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

/// Replays the captures and prints the report.
///
/// # Errors
///
/// A file that cannot be read, a wrong configuration, or standard output that cannot be written.
pub fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    keep_memory_at_hand();
    let anonymize = args.anonymize.as_deref().map(Anonymizer::from_key_file).transpose()?;
    let policy = args.sources.policy()?;
    let replay = args.sources.replay()?;
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
