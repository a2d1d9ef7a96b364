//! Capture files as they are written: pcap and pcapng.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::error::SynthError;
use super::scenario::Format;

/// `LINKTYPE_ETHERNET`.
const ETHERNET: u16 = 1;
/// What readers take for "everything", in octets.
const WHOLE_FRAME: u32 = 262_144;
const BUFFER: usize = 1 << 20;

/// One interface of a capture: its name, and how many octets of a frame it keeps.
pub(super) type Interface<'a> = (&'a str, Option<u32>);

/// A capture file that is being written.
#[derive(Debug)]
pub(super) struct CaptureWriter {
    path: PathBuf,
    out: BufWriter<File>,
    format: Format,
}

impl CaptureWriter {
    /// Creates the file and writes what stands at its start. pcap has one interface only.
    pub(super) fn create(
        path: &Path,
        format: Format,
        interfaces: &[Interface<'_>],
    ) -> Result<Self, SynthError> {
        let failed = |source| SynthError::Write { path: path.to_owned(), source };
        let out = BufWriter::with_capacity(BUFFER, File::create(path).map_err(failed)?);
        let mut writer = Self { path: path.to_owned(), out, format };
        let start = match format {
            Format::Pcap => pcap_header(interfaces.first().and_then(|interface| interface.1)),
            Format::Pcapng => pcapng_header(interfaces),
        };
        writer.put(&start)?;
        Ok(writer)
    }

    /// What it is written as.
    pub(super) const fn format(&self) -> Format {
        self.format
    }

    /// Writes how many frames were dropped on an interface up to a time. pcap has no place for it.
    pub(super) fn statistics(&mut self, interface: u32, at: i64, dropped: u64) -> Result<(), SynthError> {
        if self.format == Format::Pcap {
            return Ok(());
        }
        let mut body = interface.to_le_bytes().to_vec();
        body.extend(low(at >> 32).to_le_bytes());
        body.extend(low(at & 0xFFFF_FFFF).to_le_bytes());
        // isb_ifdrop
        body.extend(option(5, &dropped.to_le_bytes()));
        body.extend([0; 4]);
        self.put(&block(5, &body))
    }

    /// Writes one frame, of which some octets were `kept` of so many; `dropped` frames before it were not.
    pub(super) fn write(
        &mut self,
        interface: u32,
        at: i64,
        (kept, wire_len): (&[u8], usize),
        dropped: Option<u64>,
    ) -> Result<(), SynthError> {
        let lengths = (short(kept.len()), short(wire_len));
        match self.format {
            Format::Pcap => {
                let mut header = [0; 16];
                header[0..4].copy_from_slice(&low(at / 1_000_000_000).to_le_bytes());
                header[4..8].copy_from_slice(&low(at % 1_000_000_000).to_le_bytes());
                header[8..12].copy_from_slice(&lengths.0.to_le_bytes());
                header[12..16].copy_from_slice(&lengths.1.to_le_bytes());
                self.put(&header)?;
                self.put(kept)
            }
            Format::Pcapng => {
                let padding = kept.len().next_multiple_of(4) - kept.len();
                // epb_dropcount
                let options = dropped.map(|n| [&option(4, &n.to_le_bytes())[..], &[0; 4]].concat());
                let options = options.unwrap_or_default();
                let total = short(32 + kept.len() + padding + options.len()).to_le_bytes();
                let mut header = [0; 28];
                header[0..4].copy_from_slice(&6_u32.to_le_bytes());
                header[4..8].copy_from_slice(&total);
                header[8..12].copy_from_slice(&interface.to_le_bytes());
                header[12..16].copy_from_slice(&low(at >> 32).to_le_bytes());
                header[16..20].copy_from_slice(&low(at & 0xFFFF_FFFF).to_le_bytes());
                header[20..24].copy_from_slice(&lengths.0.to_le_bytes());
                header[24..28].copy_from_slice(&lengths.1.to_le_bytes());
                self.put(&header)?;
                self.put(kept)?;
                self.put(&[0, 0, 0][..padding])?;
                self.put(&options)?;
                self.put(&total)
            }
        }
    }

    /// Writes what is still in memory.
    pub(super) fn finish(mut self) -> Result<PathBuf, SynthError> {
        self.out.flush().map_err(|source| SynthError::Write { path: self.path.clone(), source })?;
        Ok(self.path)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SynthError> {
        self.out.write_all(bytes).map_err(|source| SynthError::Write { path: self.path.clone(), source })
    }
}

fn pcap_header(snap: Option<u32>) -> Vec<u8> {
    let mut header = 0xA1B2_3C4D_u32.to_le_bytes().to_vec();
    header.extend([2, 0, 4, 0]);
    header.extend([0; 8]);
    header.extend(snap.unwrap_or(WHOLE_FRAME).to_le_bytes());
    header.extend(u32::from(ETHERNET).to_le_bytes());
    header
}

/// A section header, then an interface description for each interface.
fn pcapng_header(interfaces: &[Interface<'_>]) -> Vec<u8> {
    let mut body = 0x1A2B_3C4D_u32.to_le_bytes().to_vec();
    body.extend([1, 0, 0, 0]);
    body.extend([0xFF; 8]);
    body.extend(option(4, b"hopmark synth"));
    body.extend([0; 4]);
    let mut header = block(0x0A0D_0D0A, &body);
    for (name, snap) in interfaces {
        let mut body = ETHERNET.to_le_bytes().to_vec();
        body.extend([0, 0]);
        body.extend(snap.unwrap_or(0).to_le_bytes());
        body.extend(option(2, name.as_bytes()));
        // if_tsresol: units of 10^-9 s.
        body.extend(option(9, &[9]));
        body.extend([0; 4]);
        header.extend(block(1, &body));
    }
    header
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let total = short(12 + body.len()).to_le_bytes();
    [&kind.to_le_bytes(), &total, body, &total].concat()
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = code.to_le_bytes().to_vec();
    bytes.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A part of a time that fits 32 bits, which those of this century do.
fn low(part: i64) -> u32 {
    u32::try_from(part).unwrap_or(0)
}
