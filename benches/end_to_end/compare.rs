//! Programs over one capture, in turn.

use std::error::Error;
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::used::{Used, median};

/// A program and what it is told.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) command: Vec<String>,
    /// Packets that it reads.
    pub(crate) packets: u64,
}

/// All runs of one program over one capture.
#[derive(Debug, Serialize)]
pub(crate) struct Runs {
    pub(crate) program: &'static str,
    pub(crate) packets: u64,
    pub(crate) median: Used,
    /// Its processor time by that of the first program: the median over neighbouring runs.
    pub(crate) cpu_ratio: f64,
    pub(crate) each: Vec<Used>,
}

/// Programs that were run in turn.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) capture: String,
    /// Billion octets a second that a plain read of the capture gives.
    pub(crate) read_rate: f64,
    pub(crate) programs: Vec<Runs>,
}

impl Comparison {
    /// Runs each once, then each once more, and so on. Programs that are not there are left out.
    pub(crate) fn run(
        (capture, read_rate): (&str, f64),
        contenders: Vec<Contender>,
        rounds: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let mut turns: Vec<(Contender, Vec<Used>)> =
            contenders.into_iter().filter(is_there).map(|contender| (contender, Vec::new())).collect();
        for _ in 0..rounds {
            for (contender, runs) in &mut turns {
                runs.push(Used::by(&contender.command)?);
            }
        }
        let first: Vec<Used> = turns.first().map(|(_, runs)| runs.clone()).unwrap_or_default();
        let programs = turns.into_iter().map(|(contender, runs)| Runs {
            program: contender.name,
            packets: contender.packets,
            median: Used::median(&runs),
            cpu_ratio: median(ratios(&runs, &first, Used::cpu_seconds)),
            each: runs,
        });
        Ok(Self { capture: capture.to_owned(), read_rate, programs: programs.collect() })
    }

    /// One program's figure by another's: the median over neighbouring runs; none where one of them was left out.
    pub(crate) fn ratio(&self, of: &str, by: &str, figure: fn(&Used) -> f64) -> Option<f64> {
        let runs = |name: &str| self.programs.iter().find(|runs| runs.program == name);
        Some(median(ratios(&runs(of)?.each, &runs(by)?.each, figure)))
    }

    /// The medians of one program.
    pub(crate) fn median(&self, name: &str) -> Option<Used> {
        self.programs.iter().find(|runs| runs.program == name).map(|runs| runs.median)
    }
}

fn ratios(of: &[Used], by: &[Used], figure: fn(&Used) -> f64) -> impl Iterator<Item = f64> {
    of.iter().zip(by).map(move |(of, by)| figure(of) / figure(by))
}

fn is_there(contender: &Contender) -> bool {
    let program = contender.command.first().map_or("", String::as_str);
    let said = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    said.is_ok_and(|status| status.success())
}
