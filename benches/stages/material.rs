//! Captures for the benches, made from scenarios and kept in memory.

use std::ops::Range;
use std::path::{Path, PathBuf};

use hopmark::capture::CaptureFile;
use hopmark::synth::{Format, Options, Scenario, generate};
use hopmark::terms::{Frame, LinkType, Timestamp};

/// Between two packets of a stream: 20 ms, and as many ticks of a clock of 8,000 Hz.
pub(crate) const INTERVAL_NS: i64 = 20_000_000;
pub(crate) const INTERVAL_TICKS: u32 = 160;
/// Octets before RTP where nothing unusual stands there.
const ETHERNET_IPV4_UDP: usize = 14 + 20 + 8;

/// Plays a scenario with one point, `bench`, and hands its file to `use_it`.
pub(crate) fn with_capture<T>(scenario: &str, format: Format, use_it: impl FnOnce(&Path) -> T) -> T {
    with_all(scenario, format, |files| use_it(files.first().expect("a file")))
}

/// Plays a scenario and hands its files to `use_it`, in the order of its points.
pub(crate) fn with_captures<T>(scenario: &str, use_it: impl FnOnce(&[PathBuf]) -> T) -> T {
    with_all(scenario, Format::Pcap, use_it)
}

fn with_all<T>(scenario: &str, format: Format, use_it: impl FnOnce(&[PathBuf]) -> T) -> T {
    let scenario: Scenario = toml::from_str(scenario).expect("a scenario");
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { out: folder.path().to_owned(), format, one_file: false, truth: false };
    use_it(&generate(&scenario, &options).expect("captures").files)
}

/// Frames in memory, one behind the other.
pub(crate) struct Frames {
    octets: Vec<u8>,
    frames: Vec<(Timestamp, LinkType, u32, Range<usize>)>,
}

impl Frames {
    /// All frames of a scenario's capture.
    pub(crate) fn of(scenario: &str) -> Self {
        with_capture(scenario, Format::Pcap, Self::read)
    }

    /// All frames of a file.
    pub(crate) fn read(path: &Path) -> Self {
        let mut capture = CaptureFile::open(path).expect("a capture");
        let mut all = Self { octets: Vec::new(), frames: Vec::new() };
        while let Some(frame) = capture.next_frame() {
            let start = all.octets.len();
            all.octets.extend_from_slice(frame.data);
            all.frames.push((frame.timestamp, frame.link, frame.wire_len, start..all.octets.len()));
        }
        all
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// One after the other, as a reader lends them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Frame<'_>> {
        self.range(0..self.frames.len())
    }

    /// Some of them.
    pub(crate) fn range(&self, numbers: Range<usize>) -> impl Iterator<Item = Frame<'_>> {
        self.frames[numbers].iter().map(|(timestamp, link, wire_len, place)| Frame {
            timestamp: *timestamp,
            data: &self.octets[place.clone()],
            wire_len: *wire_len,
            link: *link,
            interface: 0,
        })
    }

    /// Makes RTP packets without tags and options later ones of their streams: so many packets later, of 20 ms each.
    pub(crate) fn delay(&mut self, numbers: Range<usize>, packets: u16) {
        for (timestamp, _, _, place) in &mut self.frames[numbers] {
            timestamp.0 += INTERVAL_NS * i64::from(packets);
            let rtp = &mut self.octets[place.start + ETHERNET_IPV4_UDP..place.end];
            let sequence = u16::from_be_bytes([rtp[2], rtp[3]]).wrapping_add(packets);
            rtp[2..4].copy_from_slice(&sequence.to_be_bytes());
            let ticks = u32::from_be_bytes([rtp[4], rtp[5], rtp[6], rtp[7]]);
            let ticks = ticks.wrapping_add(INTERVAL_TICKS * u32::from(packets));
            rtp[4..8].copy_from_slice(&ticks.to_be_bytes());
        }
    }
}
