//! Capture files as they are written: pcap and pcapng.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::error::SynthError;
use super::scenario::Format;
use crate::capture::{PcapngWriter, WrittenInterface};
use crate::terms::{Frame, LinkType, Timestamp};

/// What readers take for "everything", in octets.
const WHOLE_FRAME: u32 = 262_144;
const BUFFER: usize = 1 << 20;

/// One interface of a capture: its name, and how many octets of a frame it keeps.
pub(super) type Interface<'a> = (&'a str, Option<u32>);

/// A capture file that is being written.
#[derive(Debug)]
pub(super) struct CaptureWriter {
    path: PathBuf,
    out: Out,
}

#[derive(Debug)]
enum Out {
    Pcap(BufWriter<File>),
    Pcapng(PcapngWriter<BufWriter<File>>),
}

impl CaptureWriter {
    /// Creates the file and writes what stands at its start. pcap has one interface only.
    pub(super) fn create(
        path: &Path,
        format: Format,
        interfaces: &[Interface<'_>],
    ) -> Result<Self, SynthError> {
        let begin = || {
            let mut file = BufWriter::with_capacity(BUFFER, File::create(path)?);
            Ok(match format {
                Format::Pcap => {
                    file.write_all(&pcap_header(interfaces.first().and_then(|interface| interface.1)))?;
                    Out::Pcap(file)
                }
                Format::Pcapng => {
                    let mut writer = PcapngWriter::new(file, "hopmark synth", None)?;
                    for (name, snap) in interfaces {
                        let snap_length = snap.unwrap_or(0);
                        writer.interface(&WrittenInterface { name, snap_length, ..Default::default() })?;
                    }
                    Out::Pcapng(writer)
                }
            })
        };
        let out = begin().map_err(|source| SynthError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), out })
    }

    /// What it is written as.
    pub(super) const fn format(&self) -> Format {
        match self.out {
            Out::Pcap(_) => Format::Pcap,
            Out::Pcapng(_) => Format::Pcapng,
        }
    }

    /// Writes how many frames were dropped on an interface up to a time. pcap has no place for it.
    pub(super) fn statistics(&mut self, interface: u32, at: i64, dropped: u64) -> Result<(), SynthError> {
        let written = match &mut self.out {
            Out::Pcap(_) => Ok(()),
            Out::Pcapng(writer) => writer.statistics(interface, Timestamp(at), dropped),
        };
        self.told(written)
    }

    /// Writes one frame, of which some octets were `kept` of so many; `dropped` frames before it were not.
    pub(super) fn write(
        &mut self,
        interface: u32,
        at: i64,
        (kept, wire_len): (&[u8], usize),
        dropped: Option<u64>,
    ) -> Result<(), SynthError> {
        let written = match &mut self.out {
            Out::Pcap(out) => write_pcap(out, at, (kept, wire_len)),
            Out::Pcapng(writer) => {
                let frame = Frame {
                    timestamp: Timestamp(at),
                    data: kept,
                    wire_len: short(wire_len),
                    link: LinkType::ETHERNET,
                    interface: 0,
                };
                writer.frame(interface, &frame, dropped, &[])
            }
        };
        self.told(written)
    }

    /// Writes what is still in memory.
    pub(super) fn finish(self) -> Result<PathBuf, SynthError> {
        let mut out = match self.out {
            Out::Pcap(out) => out,
            Out::Pcapng(writer) => writer.into_inner(),
        };
        out.flush().map_err(|source| SynthError::Write { path: self.path.clone(), source })?;
        Ok(self.path)
    }

    fn told(&self, written: io::Result<()>) -> Result<(), SynthError> {
        written.map_err(|source| SynthError::Write { path: self.path.clone(), source })
    }
}

fn pcap_header(snap: Option<u32>) -> Vec<u8> {
    let mut header = 0xA1B2_3C4D_u32.to_le_bytes().to_vec();
    header.extend([2, 0, 4, 0]);
    header.extend([0; 8]);
    header.extend(snap.unwrap_or(WHOLE_FRAME).to_le_bytes());
    header.extend(u32::from(LinkType::ETHERNET.0).to_le_bytes());
    header
}

fn write_pcap(out: &mut impl Write, at: i64, (kept, wire_len): (&[u8], usize)) -> io::Result<()> {
    let fields = [low(at / 1_000_000_000), low(at % 1_000_000_000), short(kept.len()), short(wire_len)];
    out.write_all(fields.map(u32::to_le_bytes).as_flattened())?;
    out.write_all(kept)
}

fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A part of a time that fits 32 bits, which those of this century do.
fn low(part: i64) -> u32 {
    u32::try_from(part).unwrap_or(0)
}
