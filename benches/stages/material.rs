//! Captures for the benches, made from scenarios and kept in memory.

use std::path::Path;

use hopmark::capture::CaptureFile;
use hopmark::synth::{Format, Options, Scenario, generate};
use hopmark::terms::{Frame, LinkType, Timestamp};

/// Plays a scenario with one point, `bench`, and hands its file to `use_it`.
pub(crate) fn with_capture<T>(scenario: &str, format: Format, use_it: impl FnOnce(&Path) -> T) -> T {
    let scenario: Scenario = toml::from_str(scenario).expect("a scenario");
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { out: folder.path().to_owned(), format, one_file: false, truth: false };
    let written = generate(&scenario, &options).expect("a capture");
    use_it(written.files.first().expect("a file"))
}

/// Frames in memory, one behind the other.
pub(crate) struct Frames {
    octets: Vec<u8>,
    frames: Vec<(Timestamp, LinkType, u32, std::ops::Range<usize>)>,
}

impl Frames {
    /// All frames of a scenario's capture.
    pub(crate) fn of(scenario: &str) -> Self {
        with_capture(scenario, Format::Pcap, |path| {
            let mut capture = CaptureFile::open(path).expect("a capture");
            let mut all = Self { octets: Vec::new(), frames: Vec::new() };
            while let Some(frame) = capture.next_frame() {
                let start = all.octets.len();
                all.octets.extend_from_slice(frame.data);
                all.frames.push((frame.timestamp, frame.link, frame.wire_len, start..all.octets.len()));
            }
            all
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// One after the other, as a reader lends them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Frame<'_>> {
        self.frames.iter().map(|(timestamp, link, wire_len, place)| Frame {
            timestamp: *timestamp,
            data: &self.octets[place.clone()],
            wire_len: *wire_len,
            link: *link,
            interface: 0,
        })
    }
}
