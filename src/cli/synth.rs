//! `hopmark synth`: captures from a scenario, together with their truth.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::synth::{self, Format, Options, Scenario};

/// Makes captures from a scenario, together with what is true of them.
#[derive(Debug, Args)]
pub(super) struct SynthArgs {
    /// The scenario file.
    #[arg(required_unless_present = "draw", conflicts_with = "draw")]
    scenario: Option<PathBuf>,
    /// Draw a whole scenario by this seed, and write it beside its captures.
    #[arg(long, value_name = "SEED", requires = "out")]
    draw: Option<u64>,
    /// What the drawn scenario is for.
    #[arg(long, default_value = "counting", requires = "draw")]
    kind: DrawKind,
    /// Folder for the captures and `truth.json`; without it, the scenario's own.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Draw everything random by this seed instead of the scenario's.
    #[arg(long, conflicts_with = "draw")]
    seed: Option<u64>,
    /// Format of the captures, instead of the scenario's.
    #[arg(long)]
    format: Option<FileFormat>,
    /// Write all points as interfaces of one file, `capture.pcapng`.
    #[arg(long)]
    one_file: bool,
    /// Whether to write `truth.json`; it takes memory for every packet.
    #[arg(long, default_value = "json")]
    truth: TruthFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DrawKind {
    /// Counting at each hop.
    Counting,
    /// Joining streams over several points.
    Path,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FileFormat {
    /// pcap with nanoseconds.
    Pcap,
    /// pcapng with nanoseconds.
    Pcapng,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TruthFormat {
    /// As `truth.json`.
    Json,
    /// Not at all.
    None,
}

/// Makes the captures and says on standard error what was written.
///
/// # Errors
///
/// When the scenario cannot be read or played, or a file cannot be written.
pub(super) fn run(args: SynthArgs) -> anyhow::Result<()> {
    let kind = match args.kind {
        DrawKind::Counting => synth::Kind::Counting,
        DrawKind::Path => synth::Kind::Path,
    };
    let (mut scenario, folder) = match (args.scenario, args.draw) {
        (Some(path), _) => (Scenario::read(&path)?, path.parent().map(PathBuf::from)),
        (None, seed) => (synth::draw(kind, seed.unwrap_or(0)), None),
    };
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    let out = args.out.or(folder).unwrap_or_default();
    let out = if out.as_os_str().is_empty() { PathBuf::from(".") } else { out };
    let format = match args.format {
        None => scenario.format,
        Some(FileFormat::Pcap) => Format::Pcap,
        Some(FileFormat::Pcapng) => Format::Pcapng,
    };
    let one_file = args.one_file || (scenario.one_file && args.format.is_none());
    let truth = args.truth == TruthFormat::Json;
    let options = Options { out: out.clone(), format, one_file, truth };
    let written = synth::generate(&scenario, &options)?;
    if args.draw.is_some() {
        let path = out.join("scenario.toml");
        let text = toml::to_string(&scenario).context("the drawn scenario cannot be written as TOML")?;
        std::fs::write(&path, text).with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    report(&written);
    Ok(())
}

#[allow(clippy::print_stderr, reason = "this is the command line")]
fn report(written: &synth::Written) {
    eprintln!("{} frames, {} octets", written.packets, written.bytes);
    for file in &written.files {
        eprintln!("{}", file.display());
    }
}
