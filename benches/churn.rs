//! A day of calls that come and go, fed to `hopmark run`.
//!
//! `./dev bench` calls this with the program. Packet time runs as fast as the program takes it. A table goes to standard
//! output and `benches/churn.md`, all figures as JSON to standard output; it fails where memory grows, series stay, or a
//! count is not exact. With `--hours N` only so many hours, with `--profile day` or `full-table` only one of the two,
//! and no table is kept.

#![allow(clippy::print_stdout, reason = "the table is the result")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot be set up has failed"
)]
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "frames are built"
)]
#![allow(clippy::cast_precision_loss, reason = "figures for a table")]
#![allow(clippy::disallowed_methods, reason = "how long it takes is measured")]
#![allow(dead_code, reason = "tests use the rest")]

#[path = "../tests/common/churn/mod.rs"]
mod churn;
#[path = "../tests/common/random.rs"]
mod random;

use std::error::Error;
use std::fs;
use std::path::Path;

use churn::{Profile, soak};

const HOUR: i64 = 3600;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    arguments.retain(|argument| argument != "--bench");
    let [hopmark, flags @ ..] = arguments.as_slice() else { return Ok(()) };
    if !is_bench {
        return Ok(());
    }
    let mut profiles = vec![Profile::day(), Profile::full_table()];
    for flag in flags.chunks(2) {
        match flag {
            [name, hours] if name == "--hours" => {
                let hours = hours.parse()?;
                profiles = profiles.into_iter().map(|profile| profile.hours(hours)).collect();
            }
            [name, wanted] if name == "--profile" => profiles.retain(|profile| profile.name == wanted),
            _ => return Err(format!("{}: give --hours N or --profile NAME", flag.join(" ")).into()),
        }
    }
    let mut text = String::from(
        "# Churn\n\n\
         Written by `./dev bench`: `hopmark run` with a table of 50,000 streams, fed through its standard input, on packet\n\
         time. Each line has the most of its hour.\n",
    );
    let (mut wrongs, mut all) = (Vec::new(), Vec::new());
    for profile in profiles {
        let outcome = soak(Path::new(hopmark), &profile);
        let found = outcome.wrongs();
        let part = format!("\n## {}\n\n{}", profile.title, outcome.table(HOUR));
        println!("{part}");
        text.push_str(&part);
        wrongs.extend(found.into_iter().map(|wrong| format!("{}: {wrong}", profile.name)));
        all.push(outcome.json());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    println!("{}", serde_json::to_string(&all)?);
    if flags.is_empty() {
        fs::write(root.join("benches/churn.md"), text)?;
    }
    if wrongs.is_empty() { Ok(()) } else { Err(wrongs.join("\n").into()) }
}
