//! `hopmark extract`: the packets of one stream, out of all captures.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::Args;

use self::writer::Extract;
use super::progress::with_progress;
use super::sources::Sources;
use crate::evidence::NewFile;
use crate::pipeline::{self, Replay};
use crate::terms::Ssrc;
use crate::verify::{JudgedStream, Outcome};

mod about;
mod writer;

/// What `hopmark extract` takes.
#[derive(Debug, Args)]
pub(super) struct ExtractArgs {
    /// The stream, by its id in the report of `hopmark replay` on the same captures (`s2`), or by its SSRC (`0x28f19623`)
    #[arg(long, value_name = "ID|0xSSRC")]
    stream: Wanted,
    /// The file to be written, in pcapng; `-` is standard output
    #[arg(short, long, value_name = "OUT.pcapng")]
    output: PathBuf,
    /// Also write the stream in the other direction
    #[arg(long)]
    with_reverse: bool,
    /// Also write STUN, DTLS, ZRTP and RTCP on the stream's flows, in both directions
    #[arg(long)]
    with_control: bool,
    /// Write headers only, those of RTP with them: nothing of what was said or shown
    #[arg(long)]
    headers: bool,
    #[command(flatten)]
    sources: Sources,
}

/// How a stream is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// By its number, from 0.
    Number(u32),
    Ssrc(Ssrc),
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = || text.strip_prefix('s')?.parse::<u32>().ok()?.checked_sub(1).map(Self::Number);
        let ssrc = || {
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
            u32::from_str_radix(digits, 16).ok().map(|ssrc| Self::Ssrc(Ssrc(ssrc)))
        };
        number().or_else(ssrc).ok_or_else(|| {
            "write the id that the report prints (s1, s2, ...) or the SSRC (0x and up to eight hexadecimal digits)"
                .to_owned()
        })
    }
}

/// Reads the captures twice: to find the stream and all its hops, then to write its packets.
///
/// # Errors
///
/// There is no such stream, or more than one; a file cannot be read or written.
pub(super) fn run(args: &ExtractArgs) -> anyhow::Result<()> {
    let policy = args.sources.policy()?;
    let replay = args.sources.replay()?;
    check_inputs(&replay)?;
    check_output(&args.output, &replay)?;
    let outcome = with_progress(|progress| pipeline::replay(&replay, &policy, progress))?;
    let streams = chosen(&outcome, args)?;

    let into = |out: &mut dyn Write| -> anyhow::Result<String> {
        let mut extract = Extract::begin(&outcome, &streams, args, out)?;
        with_progress(|progress| {
            pipeline::scan(&replay, &policy, &outcome.captures, progress, |heard| extract.take(heard))
        })?;
        Ok(extract.finish()?)
    };
    let told = || format!("{}: cannot be written", args.output.display());
    let said = if args.output == Path::new("-") {
        into(&mut BufWriter::new(io::stdout().lock()))?
    } else if fs::metadata(&args.output).is_ok_and(|about| !about.is_file()) {
        // A pipe or a device keeps its name.
        into(&mut BufWriter::new(File::create(&args.output).with_context(told)?))?
    } else {
        let mut file = NewFile::create(&args.output, None).with_context(told)?;
        let said = into(&mut file)?;
        file.put_in_place().with_context(told)?;
        said
    };
    writeln!(io::stderr(), "{}: {said}", args.output.display())?;
    Ok(())
}

/// Files that can be read twice.
fn check_inputs(replay: &Replay) -> anyhow::Result<()> {
    for file in replay.points.iter().flat_map(|point| &point.files) {
        let is_stream = fs::metadata(file).is_ok_and(|about| !about.is_file() && !about.is_dir());
        if file == Path::new("-") || is_stream {
            let name =
                if file == Path::new("-") { "standard input (-)".into() } else { file.to_string_lossy() };
            bail!(
                "{name}: extract reads the captures twice, to find the stream and to write it, and a pipe can be \
                 read once only; write it to a file first"
            );
        }
    }
    Ok(())
}

/// Not one of the captures that are read.
fn check_output(output: &Path, replay: &Replay) -> anyhow::Result<()> {
    let Ok(there) = fs::canonicalize(output) else { return Ok(()) };
    let is_input = |file: &PathBuf| fs::canonicalize(file).is_ok_and(|file| file == there);
    if replay.points.iter().flat_map(|point| &point.files).any(is_input) {
        bail!("{}: this is one of the captures that are read; name another file with -o", output.display());
    }
    Ok(())
}

/// The streams to be written, with their numbers.
fn chosen(outcome: &Outcome, args: &ExtractArgs) -> anyhow::Result<Vec<(u32, JudgedStream)>> {
    let number = find(outcome, args.stream)?;
    let stream = |number: u32| outcome.streams.get(number).map(|stream| (number, stream.into_owned()));
    let mut streams: Vec<_> = stream(number).into_iter().collect();
    if args.with_reverse {
        let reverse = streams.first().and_then(|(_, stream)| stream.reverse_of);
        match reverse.and_then(stream) {
            Some(reverse) => streams.push(reverse),
            None => writeln!(io::stderr(), "note: s{} has no stream in the other direction", number + 1)?,
        }
    }
    Ok(streams)
}

/// How many streams a message lists.
const LISTED: usize = 20;

fn find(outcome: &Outcome, wanted: Wanted) -> anyhow::Result<u32> {
    let count = outcome.streams.len();
    if count == 0 {
        bail!("the captures hold no RTP stream (hopmark replay says what they hold)");
    }
    let ssrc = match wanted {
        Wanted::Number(number) if (number as usize) < count => return Ok(number),
        Wanted::Number(number) => {
            bail!("there is no stream s{}: the captures hold s1 to s{count}", u64::from(number) + 1)
        }
        Wanted::Ssrc(ssrc) => ssrc,
    };
    let has_it = |number: &u32| {
        let record = outcome.streams.record(*number);
        record.is_some_and(|record| record.hops.iter().any(|hop| hop.ssrc == ssrc))
    };
    let found: Vec<u32> = outcome.streams.numbers().filter(has_it).collect();
    match *found {
        [] => bail!("no stream has SSRC {ssrc}: hopmark replay lists those that there are"),
        [number] => Ok(number),
        _ => {
            let mut message = format!("{} streams have SSRC {ssrc}; name one by its id:", found.len());
            for number in found.iter().take(LISTED) {
                message.push_str("\n  ");
                message.push_str(&about::in_one_line(outcome, *number));
            }
            if found.len() > LISTED {
                message.push_str("\n  ...");
            }
            bail!(message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_by_id_or_ssrc() {
        for (text, expected) in [
            ("s1", Some(Wanted::Number(0))),
            ("s4294967295", Some(Wanted::Number(u32::MAX - 1))),
            ("0x28f19623", Some(Wanted::Ssrc(Ssrc(0x28f1_9623)))),
            ("0X7", Some(Wanted::Ssrc(Ssrc(7)))),
            ("s0", None),
            ("s", None),
            ("7", None),
            ("0x", None),
            ("0x128f19623", None),
            ("c1", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
