//! `hopmark bench`: what Hopmark's own speed is held against.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::capture::CaptureFile;
use crate::terms::Frame;

/// What `hopmark bench` takes.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read a capture, look at the headers of every frame, and say how many there are
    ///
    /// By `read()`, as every other program does: the floor under them all.
    Walk {
        /// The capture.
        file: PathBuf,
        /// Map the file in place of reading it, as `hopmark replay` does: no packet can be counted for less.
        #[arg(long)]
        mapped: bool,
    },
}

/// Runs it and prints one number.
///
/// # Errors
///
/// A capture that cannot be read to its end, or standard output that cannot be written.
pub(super) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let What::Walk { file, mapped } = &args.what;
    let capture = if *mapped { CaptureFile::open(file)? } else { read(file)? };
    let frames = walk(capture, file)?;
    writeln!(io::stdout(), "{frames}").context("cannot write to standard output")
}

/// Ethernet, IPv4, UDP and RTP without options.
const HEADERS: usize = 14 + 20 + 8 + 12;

/// The capture, to be read.
fn read(file: &Path) -> anyhow::Result<CaptureFile> {
    let name = file.display().to_string();
    let opened = File::open(file).with_context(|| format!("{name}: cannot be opened"))?;
    Ok(CaptureFile::from_reader(&name, Box::new(opened))?)
}

/// Takes all frames and touches what a decoder would; how many they were.
fn walk(mut capture: CaptureFile, file: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    loop {
        capture.give_in_memory(u64::MAX, |frames| {
            sum = frames.iter().fold(sum, |sum, frame| sum ^ touch(frame));
        });
        let Some(frame) = capture.next_frame() else { break };
        sum ^= touch(&frame);
    }
    // Else nothing of it would be done.
    black_box(sum);
    let summary = capture.summary();
    if let Some(damage) = summary.damage {
        bail!("{}: {damage}", file.display());
    }
    Ok(summary.frames)
}

/// One number of the words that tell what a packet is: types, addresses, ports, sequence number, timestamp, SSRC.
// per frame
#[inline]
fn touch(frame: &Frame<'_>) -> u64 {
    let Some(headers) = frame.data.first_chunk::<HEADERS>() else { return 0 };
    let words: [[u8; 8]; 5] = [
        // Type, version, class, length.
        std::array::from_fn(|octet| headers[12 + octet]),
        std::array::from_fn(|octet| headers[20 + octet]),
        // Addresses.
        std::array::from_fn(|octet| headers[26 + octet]),
        // Ports.
        std::array::from_fn(|octet| headers[34 + octet]),
        // Timestamp, SSRC.
        std::array::from_fn(|octet| headers[46 + octet]),
    ];
    words.into_iter().fold(frame.timestamp.0.cast_unsigned(), |sum, word| sum ^ u64::from_ne_bytes(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{Format, Options, Scenario, generate};

    #[test]
    fn every_frame_of_every_format_is_walked_once() {
        let folder = tempfile::tempdir().unwrap();
        let scenario: Scenario = toml::from_str(
            "[[point]]\nname = \"walk\"\n[[stream]]\nsource = \"10.0.0.1\"\ndestination = \"10.0.0.2\"\n\
             count = 3\npackets = 1000\n",
        )
        .unwrap();
        for format in [Format::Pcap, Format::Pcapng] {
            let out = folder.path().to_owned();
            let options = Options { out, format, one_file: false, truth: false };
            let written = generate(&scenario, &options).unwrap();
            let file = &written.files[0];
            for capture in [read(file).unwrap(), CaptureFile::open(file).unwrap()] {
                assert_eq!(walk(capture, file).unwrap(), 3_000, "{format:?}");
            }
        }
    }

    #[test]
    fn a_capture_that_was_cut_off_is_no_floor() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cut.pcap");
        let header = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
        std::fs::write(&file, [&header[..], &[1; 9]].concat()).unwrap();
        assert!(walk(read(&file).unwrap(), &file).unwrap_err().to_string().contains("cut.pcap"));
    }

    #[test]
    fn what_is_touched_depends_on_every_header() {
        let touched = |data: &[u8]| {
            touch(&Frame {
                timestamp: crate::terms::Timestamp(0),
                data,
                wire_len: 60,
                link: crate::terms::LinkType::ETHERNET,
                interface: 0,
            })
        };
        let zeros = [0; 60];
        for octet in [12, 15, 23, 26, 33, 34, 37, 46, 53] {
            let mut changed = zeros;
            changed[octet] = 1;
            assert_ne!(touched(&changed), touched(&zeros), "octet {octet}");
        }
    }
}
