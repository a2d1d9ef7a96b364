//! Frames from an observation point: capture files of every common kind.
//!
//! [`CaptureFile`] tells the format and the compression by content, never by the file's name, and lends one frame
//! after the other from its buffer. What cannot be read is either refused at the start, with what to do about it
//! ([`OpenError`]), or found on the way: then all frames before the damage have been given, and
//! [`Summary::damage`] says where it is.

mod ahead;
pub mod digest;
mod error;
mod foreign;
mod gaps;
mod gzip;
pub mod interface;
pub mod kernel;
pub mod libpcap;
mod link;
mod mapped;
mod pcap;
mod pcapng;
mod record;
pub mod ring;
mod snoop;
mod source;
mod summary;
#[cfg(test)]
mod testfile;
#[cfg(test)]
mod tests;
mod window;
mod writer;
mod zstd;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::slice;

pub use self::error::{OpenError, Refusal};
pub use self::gaps::DropGap;
pub use self::summary::{Damage, Interface, Summary};
pub use self::writer::{EXCERPT_APPLICATION, PcapngWriter, WrittenInterface};

use self::mapped::Mapped;
use self::pcap::{Kind, Pcap};
use self::pcapng::Pcapng;
use self::record::{Record, Stop};
use self::snoop::Snoop;
use self::source::{Packing, Source};
use self::summary::Tally;
use self::window::Window;
use crate::terms::{Frame, Timestamp};

/// One capture being read.
///
/// ```
/// # use hopmark::capture::CaptureFile;
/// // A pcap header of Ethernet in the byte order of PCs, and no frame.
/// let octets: &[u8] = &[
///     0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
/// ];
/// let mut capture = CaptureFile::from_reader("empty.pcap", Box::new(octets))?;
/// assert!(capture.next_frame().is_none());
/// assert_eq!(capture.summary().format, "pcap");
/// # Ok::<(), hopmark::capture::OpenError>(())
/// ```
pub struct CaptureFile {
    window: Window,
    format: Format,
    tally: Tally,
    damage: Option<Damage>,
    total_octets: Option<u64>,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
    Snoop(Snoop),
}

impl CaptureFile {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or is no capture that is read; the error says what it is and how to convert it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if path == Path::new("-") {
            return Self::from_reader(error::STANDARD_INPUT, Box::new(io::stdin()));
        }
        let name = path.display().to_string();
        let file = match File::open(path) {
            Ok(file) => file,
            Err(reason) => return Err(OpenError { file: name, refusal: Refusal::Open(reason) }),
        };
        // Of a pipe or a device the length means nothing.
        let total_octets = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|about| about.len());
        let file = match Mapped::open(file, total_octets.unwrap_or(0)) {
            Ok(mapped) if may_be_mapped(mapped.octets()) => {
                let capture = Self::begin(&name, || Ok(Window::mapped(mapped)))?;
                return Ok(Self { total_octets, ..capture });
            }
            Ok(other) => other.into_file(0),
            Err(file) => Ok(file),
        };
        let read = || Ok(Window::new(Source::open(Box::new(file?))?));
        Ok(Self { total_octets, ..Self::begin(&name, read)? })
    }

    /// Reads a capture from anything that gives octets; `name` is for messages.
    ///
    /// # Errors
    ///
    /// The reader fails, or its octets are no capture that is read.
    pub fn from_reader(name: &str, reader: Box<dyn Read + Send>) -> Result<Self, OpenError> {
        Self::begin(name, || Ok(Window::new(Source::open(reader)?)))
    }

    fn begin(name: &str, window: impl FnOnce() -> io::Result<Window>) -> Result<Self, OpenError> {
        let begin = || {
            let mut window = window().map_err(Refusal::Read)?;
            let format = Format::open(&mut window)?;
            Ok(Self { window, format, tally: Tally::new(), damage: None, total_octets: None })
        };
        begin().map_err(|refusal| OpenError { file: name.to_owned(), refusal })
    }

    /// The next frame; `None` at the end of the capture or where it is damaged.
    // per frame
    #[inline]
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        match self.locate() {
            Ok(record) => {
                self.tally.count(&record);
                Some(Frame {
                    timestamp: record.timestamp,
                    data: self.window.take(&record),
                    wire_len: record.wire_len,
                    link: record.link,
                    interface: record.interface,
                })
            }
            Err(stop) => {
                self.stop(stop);
                None
            }
        }
    }

    /// Gives frames to `sink` as long as they are in memory and of the commonest form, some at a time, and `most` at most;
    /// how many they were. What follows, if anything, [`next_frame`](Self::next_frame) tells. Much faster than that for each
    /// frame.
    // per frame
    #[inline]
    pub fn give_in_memory(&mut self, most: u64, sink: impl FnMut(&[Frame<'_>])) -> u64 {
        self.give_in_memory_before(None, most, sink)
    }

    /// The same as long as frames are earlier than `until`, to merge captures by time.
    // per frame
    #[inline]
    pub fn give_in_memory_before(
        &mut self,
        until: Option<Timestamp>,
        most: u64,
        mut sink: impl FnMut(&[Frame<'_>]),
    ) -> u64 {
        let in_memory = self.window.in_memory();
        let is_mapped = self.window.is_mapped();
        let mut frames = [Frame::NONE; TOGETHER];
        let (mut left, mut given) = (in_memory, 0);
        while given < most {
            let wanted = usize::try_from(most - given).unwrap_or(TOGETHER).min(TOGETHER);
            let Some(room) = frames.get_mut(..wanted) else { break };
            let before = (left, self.tally);
            let found = match &mut self.format {
                Format::Pcap(pcap) => pcap.find(&mut left, room, &mut self.tally, is_mapped),
                Format::Pcapng(pcapng) => {
                    find(&mut left, room, &mut self.tally, is_mapped, |octets| pcapng.record_in(octets))
                }
                Format::Snoop(_) => 0,
            };
            let found_frames = frames.get(..found).unwrap_or_default();
            let is_late = until.is_some_and(|until| found_frames.iter().any(|f| f.timestamp >= until));
            if is_late || self.window.was_cut() {
                (left, self.tally) = before;
                break;
            }
            given += found as u64;
            if found > 0 {
                sink(found_frames);
            }
            if found < wanted {
                break;
            }
        }
        let passed = in_memory.len() - left.len();
        self.window.pass(passed);
        if self.window.was_cut() {
            self.window.read_again();
        }
        given
    }

    /// The time of the frame that [`next_frame`](Self::next_frame) will give, to merge captures by time; `None`
    /// where it will give none.
    // per frame, where captures are merged
    #[inline]
    pub fn peek_timestamp(&mut self) -> Option<Timestamp> {
        match self.locate() {
            Ok(record) => Some(record.timestamp),
            Err(stop) => {
                self.stop(stop);
                None
            }
        }
    }

    /// What has been read so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let drops = || self.interfaces().iter().filter_map(|interface| interface.dropped);
        let span = self.tally.span();
        Summary {
            format: self.format_name(),
            frames: self.tally.frames,
            bytes: self.tally.octets,
            first: span.map(|(first, _)| first),
            last: span.map(|(_, last)| last),
            damage: self.damage.clone(),
            dropped: drops().reduce(u64::saturating_add),
            frames_without_time: self.tally.without_time,
        }
    }

    /// The interfaces described so far, in the order of [`Frame::interface`]. A pcapng capture describes an
    /// interface before its first frame, not all of them at the start.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        match &self.format {
            Format::Pcap(pcap) => slice::from_ref(pcap.interface()),
            Format::Pcapng(pcapng) => pcapng.interfaces(),
            Format::Snoop(snoop) => slice::from_ref(snoop.interface()),
        }
    }

    /// Times in which the capturing machine dropped frames, as far as the capture says so; in no order. Where there
    /// are very many, neighbours are one.
    #[must_use]
    pub fn gaps(&self) -> &[DropGap] {
        match &self.format {
            Format::Pcap(_) => &[],
            Format::Pcapng(pcapng) => pcapng.gaps(),
            Format::Snoop(snoop) => snoop.gaps(),
        }
    }

    /// Whether the frame given last comes from a capture that this program made of a few streams
    /// ([`EXCERPT_APPLICATION`]): numbers that a mirror's tunnel gave to other frames are no gaps in it.
    #[must_use]
    pub const fn is_excerpt(&self) -> bool {
        match &self.format {
            Format::Pcapng(pcapng) => pcapng.is_excerpt(),
            Format::Pcap(_) | Format::Snoop(_) => false,
        }
    }

    /// Octets of the file as it is stored, to show progress; `None` for standard input and pipes.
    #[must_use]
    pub const fn total_octets(&self) -> Option<u64> {
        self.total_octets
    }

    /// Octets read so far of the file as it is stored.
    #[must_use]
    pub fn octets_read(&self) -> u64 {
        self.window.stored_octets_read()
    }

    // per frame
    #[inline]
    fn locate(&mut self) -> Result<Record, Stop> {
        let located = self.locate_here();
        // Behind the end of a file that was cut while it is in memory stand zeros.
        let is_empty = located.as_ref().map_or(true, |record| record.captured == 0);
        let may_be_cut = is_empty || self.window.was_cut();
        if may_be_cut && self.window.is_doubtful() {
            self.window.read_again();
            return self.locate_here();
        }
        located
    }

    // per frame
    #[inline]
    fn locate_here(&mut self) -> Result<Record, Stop> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.locate(&mut self.window),
            Format::Pcapng(pcapng) => pcapng.locate(&mut self.window),
            Format::Snoop(snoop) => snoop.locate(&mut self.window),
        }
    }

    /// Notes why no frame comes. The window gives nothing from then on, so this is the end for good.
    #[cold]
    fn stop(&mut self, stop: Stop) {
        if let Stop::Flaw(flaw) = stop {
            self.damage = Some(Damage {
                octet: flaw.octet,
                frame: self.tally.frames + 1,
                is_cut_off: flaw.is_cut_off,
                what: flaw.what,
            });
        }
        self.window.close();
    }

    fn format_name(&self) -> &'static str {
        let kind = match &self.format {
            Format::Pcap(pcap) => match pcap.kind() {
                Kind::Microseconds => ["pcap", "pcap+gzip", "pcap+zstd"],
                Kind::Nanoseconds => ["pcap-ns", "pcap-ns+gzip", "pcap-ns+zstd"],
                Kind::Modified => ["pcap-modified", "pcap-modified+gzip", "pcap-modified+zstd"],
            },
            Format::Pcapng(_) => ["pcapng", "pcapng+gzip", "pcapng+zstd"],
            Format::Snoop(_) => ["snoop", "snoop+gzip", "snoop+zstd"],
        };
        let [plain, gzip, zstd] = kind;
        match self.window.packing() {
            Packing::None => plain,
            Packing::Gzip => gzip,
            Packing::Zstd => zstd,
        }
    }
}

/// Whether a file that begins so may be mapped. What is packed is read; so is snoop, of which each record's header counts what
/// was dropped, so that one of a file that is cut must not be believed.
fn may_be_mapped(head: &[u8]) -> bool {
    Packing::of(head) == Packing::None && !head.starts_with(snoop::MAGIC)
}

/// Frames that are given together: enough that their waits for memory overlap, and few enough to stay in the first-level
/// cache.
const TOGETHER: usize = 16;

/// Finds the frames of records that stand one behind the other, as many as there is room for, and moves past them; how many
/// they were.
#[allow(clippy::inline_always, reason = "measured: what is the same of all records is then looked at once")]
#[inline(always)]
fn find<'a>(
    left: &mut &'a [u8],
    room: &mut [Frame<'a>],
    tally: &mut Tally,
    is_mapped: bool,
    mut record_in: impl FnMut(&[u8]) -> Option<Record>,
) -> usize {
    let mut rest = *left;
    let mut found = 0;
    let mut counted = *tally;
    for frame in room {
        let Some(record) = record_in(rest) else { break };
        let Some((whole, behind)) = rest.split_at_checked(record.whole) else { break };
        let Some(data) = whole.get(record.header..record.header + record.captured) else { break };
        if is_mapped {
            ahead::fetch_far(rest, record.whole);
        }
        ahead::fetch(rest, record.whole);
        counted.count(&record);
        let Record { timestamp, wire_len, link, interface, .. } = record;
        *frame = Frame { timestamp, data, wire_len, link, interface };
        rest = behind;
        found += 1;
    }
    (*left, *tally) = (rest, counted);
    found
}

/// Octets that are looked at to tell a format that is not read.
const HEAD: usize = 512;

impl Format {
    /// Tells the format by the first octets, and reads the file's header.
    fn open(window: &mut Window) -> Result<Self, Refusal> {
        let head = window.ahead(4);
        if let Some(first) = head.first_chunk::<4>().copied() {
            if let Some((kind, is_swapped)) = pcap::magic(first) {
                return Pcap::open(window, kind, is_swapped).map(Self::Pcap);
            }
            if head.starts_with(pcapng::MAGIC) {
                return Pcapng::open(window).map(Self::Pcapng);
            }
        }
        if window.ahead(snoop::MAGIC.len()).starts_with(snoop::MAGIC) {
            return Snoop::open(window).map(Self::Snoop);
        }
        Err(Self::refuse(window))
    }

    /// Says what the file is, or that it is nothing known.
    fn refuse(window: &mut Window) -> Refusal {
        if let Some(failure) = window.take_failure() {
            return Refusal::Read(failure);
        }
        let head = window.ahead(HEAD);
        if head.is_empty() {
            return Refusal::Empty;
        }
        if let Some((format, remedy)) = foreign::recognise(head.get(..HEAD).unwrap_or(head)) {
            return Refusal::Foreign { format, remedy };
        }
        if head.len() < snoop::FILE_HEADER {
            return Refusal::TooShort { format: "capture", octets: head.len(), header: snoop::FILE_HEADER };
        }
        Refusal::Unknown { first: head.iter().take(8).copied().collect() }
    }
}
