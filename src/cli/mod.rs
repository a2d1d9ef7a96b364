//! The command line: one file a command.

mod bench;
pub mod check;
pub mod doctor;
mod extract;
mod progress;
pub mod replay;
pub mod run;
pub mod sources;
mod synth;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Appliance, Loaded};

/// At which hop does a media stream lose its priority marking?
///
/// Hopmark finds RTP and STUN in captures, without signalling, and says for every media stream, in each direction:
/// which DSCP it should carry, which it carried at every hop, where it was changed, and what that cost.
#[derive(Debug, Parser)]
#[command(version, after_help = "Exit status: 0 nothing to report, 1 findings, 2 could not run.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read captures and report every stream's marking, loss and jitter at every hop
    Replay(Box<replay::ReplayArgs>),
    /// Listen on mirror ports, and serve metrics
    Run(run::RunArgs),
    /// Opens interfaces for `hopmark run`, which starts it
    #[command(hide = true)]
    Opener,
    /// Write the packets of one stream as pcapng, from all points, with comments
    Extract(Box<extract::ExtractArgs>),
    /// Read a configuration and print the effective policy
    Check(check::CheckArgs),
    /// Tell whether this box is fit to listen on its mirror ports, and how to mend what is not
    Doctor(doctor::DoctorArgs),
    /// Make captures from a scenario, together with what is true of them
    Synth(synth::SynthArgs),
    /// Run what Hopmark's speed is held against
    #[command(hide = true)]
    Bench(bench::BenchArgs),
}

/// Runs the command line and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Replay(args) => replay::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Opener => Ok(run::serve_openings()),
        Command::Extract(args) => extract::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Synth(args) => synth::run(args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => bench::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Doctor(args) => doctor::run(&args, &mut io::stdout().lock()),
        Command::Check(args) => check::run(&args, &mut io::stdout().lock()).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "{error:#}");
        ExitCode::from(2)
    })
}

/// The policy of the operator's file, or of a built-in profile.
fn load_policy(file: Option<&Path>, profile: Option<&str>) -> anyhow::Result<Loaded> {
    if let Some(path) = file {
        return Ok(config::load(path, profile)?);
    }
    let name = profile.unwrap_or(config::default_profile());
    Ok(Loaded { policy: config::builtin(name)?, appliance: Appliance::default(), notes: Vec::new() })
}
