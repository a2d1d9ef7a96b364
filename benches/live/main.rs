//! `hopmark run` and tcpdump on one cable, in turn, at full speed.
//!
//!     cargo bench --bench live -- PROGRAM [--packets N] [--pairs N] [--streams N] [--background none|tcp|udp]
//!     cargo bench --bench live -- PROGRAM --pace N
//!
//! The latter sends from within the kernel, so many packets a second at most, and has digests beside frames.
//!
//! Needs root, for two network namespaces; `./dev bench` calls it where it may. A run in which the program did not account
//! for every packet that was sent ends the bench. Results go to standard output as a table and as JSON, and, where they are
//! of as many packets and pairs as usual, into `benches/live.md`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the table is the result")]
#![allow(clippy::cast_precision_loss, reason = "packets and nanoseconds of a run")]
#![allow(clippy::cast_possible_truncation, reason = "fields are filled by their low bits")]
#![allow(clippy::indexing_slicing, reason = "frames are built here")]

#[path = "../end_to_end/about.rs"]
mod about;
mod fast;
mod frames;
mod hopmark;
mod network;
mod receiver;
mod results;
mod sender;
mod tcpdump;

use std::error::Error;
use std::path::Path;

use about::About;
use frames::Background;
use hopmark::Settings;
use results::{DIGESTS, FROM_KERNEL, Results, Row, Run};
use sender::{Load, SENDER, Sender};

/// What is measured, unless something else is asked for.
const USUAL: (u64, usize, u32) = (10_000_000, 7, 1000);

/// Packets a second that nobody can send.
const UNPACED: u64 = 20_000_000;
/// Streams of what the kernel sends: of fewer each would have more packets a second than media has.
const FAST_STREAMS: u32 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == SENDER) {
        return sender::serve();
    }
    // Cargo says so when benches are to be measured, and not when they are only tested.
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    arguments.retain(|argument| argument != "--bench");
    let [program, options @ ..] = arguments.as_slice() else { return Ok(()) };
    if !is_bench {
        return Ok(());
    }
    if !nix::unistd::geteuid().is_root() {
        return Err("two network namespaces are needed: run it as root".into());
    }
    let (mut packets, mut pairs, mut streams) = USUAL;
    let mut pace = None;
    let mut backgrounds = vec![Background::None, Background::Tcp, Background::Udp];
    for option in options.chunks(2) {
        match option {
            [name, value] if name == "--packets" => packets = value.parse()?,
            [name, value] if name == "--pairs" => pairs = value.parse()?,
            [name, value] if name == "--streams" => streams = value.parse()?,
            [name, value] if name == "--pace" => pace = Some(value.parse()?),
            [name, value] if name == "--background" => {
                backgrounds = vec![Background::named(value).ok_or("no such background")?];
            }
            other => return Err(format!("not known: {}", other.join(" ")).into()),
        }
    }
    let about = About::this_machine(&[program, "tcpdump"]);
    let mut sender = network::build()?;
    let folder = tempfile::tempdir()?;
    let mut results = Results { about, packets, streams, pairs, rows: Vec::new() };
    let is_usual =
        pace.is_none() && (packets, pairs, streams, backgrounds.len()) == (USUAL.0, USUAL.1, USUAL.2, 3);
    if pace.is_some() {
        backgrounds.clear();
    }
    for background in backgrounds {
        // With background fewer packets say as much: it is a share that matters.
        let packets = if background == Background::None { packets } else { packets / 4 };
        let load = Load { packets, streams, background, pace: None };
        results.rows.extend(in_turn(program, &mut sender, load, pairs, folder.path())?);
    }
    if pace.is_some() || is_usual {
        // Else the kernel hands over nothing that was sent by the kernel.
        network::switch_gro_on()?;
        let streams = streams.max(FAST_STREAMS);
        let load =
            Load { packets, streams, background: Background::None, pace: Some(pace.unwrap_or(UNPACED)) };
        results.rows.extend(in_turn(program, &mut sender, load, pairs, folder.path())?);
    }
    drop(sender);
    let table = results.table();
    println!("{table}\n{}", serde_json::to_string_pretty(&results)?);
    if is_usual {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/live.md"), table)?;
    }
    let broken = results.broken();
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ").into()) }
}

/// Each receiver in turn, again and again.
fn in_turn(
    program: &str,
    sender: &mut Sender,
    load: Load,
    pairs: usize,
    folder: &Path,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let background = if load.pace.is_some() { FROM_KERNEL } else { load.background.name() };
    let row = |receiver| Row { background, receiver, runs: Vec::new() };
    let third = if load.pace.is_some() { DIGESTS } else { "hopmark, no filter" };
    let mut rows = vec![row("hopmark"), row("tcpdump"), row(third)];
    for pair in 1..=pairs {
        for (n, row) in rows.iter_mut().enumerate() {
            let run: Run = match n {
                0 => hopmark::run(program, Settings::Default, sender, load, folder)?,
                1 => tcpdump::run(sender, load, folder)?,
                _ if load.pace.is_some() => hopmark::run(program, Settings::Digests, sender, load, folder)?,
                _ => hopmark::run(program, Settings::Everything, sender, load, folder)?,
            };
            eprintln!(
                "{pair}/{pairs}, background {}, {}: {:.1} ns/packet, {} dropped, {:.2} Mpps",
                row.background,
                row.receiver,
                run.used.all,
                run.counted.dropped,
                run.sent as f64 / run.seconds / 1e6
            );
            row.runs.push(run);
        }
    }
    Ok(rows)
}
