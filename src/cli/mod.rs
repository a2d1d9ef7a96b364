//! One file a command.

mod synth;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// At which hop does a media stream lose its priority marking?
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make captures from a scenario, together with what is true of them.
    Synth(synth::SynthArgs),
}

/// Runs the command line and says how it went.
#[must_use]
#[allow(clippy::print_stderr, reason = "this is the command line")]
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Synth(args) => synth::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hopmark: {error:#}");
            ExitCode::from(2)
        }
    }
}
