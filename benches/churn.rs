//! A day of calls that come and go, fed to `hopmark run`.
//!
//! `./dev bench` calls this with the program. Packet time runs as fast as the program takes it. Results go to standard
//! output, `benches/churn.md` and `target/bench/churn.json`; it fails where memory grows, series stay, or a count is not exact.
//! With `--hours N`, the first N hours of the day alone, and nothing is written.

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
    let (hopmark, hours) = match arguments.as_slice() {
        [hopmark] if is_bench => (Path::new(hopmark), None),
        [hopmark, flag, hours] if is_bench && flag == "--hours" => {
            (Path::new(hopmark), Some(hours.parse::<i64>()?))
        }
        _ => return Ok(()),
    };
    let part = |profile: Profile| match hours {
        Some(hours) => profile.hours(hours),
        None => profile,
    };
    let mut text = String::from(
        "# Churn\n\n\
         Written by `./dev bench`: `hopmark run` with a table of 50,000 streams, fed through its standard input, on packet\n\
         time. Each line has the most of its hour.\n",
    );
    let (mut wrongs, mut all) = (Vec::new(), Vec::new());
    for profile in [part(Profile::day()), part(Profile::full_table())] {
        let outcome = soak(hopmark, &profile);
        let found = outcome.wrongs();
        text.push_str(&format!("\n## {}\n\n{}", profile.title, outcome.table(HOUR)));
        wrongs.extend(found.into_iter().map(|wrong| format!("{}: {wrong}", profile.name)));
        all.push(outcome.json());
    }
    println!("{text}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    println!("{}", serde_json::to_string(&all)?);
    if hours.is_none() {
        fs::write(root.join("benches/churn.md"), text)?;
    }
    if wrongs.is_empty() { Ok(()) } else { Err(wrongs.join("\n").into()) }
}
