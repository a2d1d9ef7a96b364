//! Writes pcapng: one section, its interfaces, frames with comments.

use std::io::{self, Write};

use crate::terms::{Frame, LinkType, Timestamp};

/// A pcapng file that is being written: times in nanoseconds, numbers little-endian.
///
/// Source: draft-ietf-opsawg-pcapng, section 4. What it writes is whole after each block.
///
/// ```
/// use hopmark::capture::{CaptureFile, PcapngWriter, WrittenInterface};
/// use hopmark::terms::{Frame, LinkType, Timestamp};
///
/// let mut writer = PcapngWriter::new(Vec::new(), "example", None)?;
/// let eth0 = writer.interface(&WrittenInterface { name: "eth0", ..WrittenInterface::default() })?;
/// let frame =
///     Frame { timestamp: Timestamp(5), data: b"octets", wire_len: 60, link: LinkType::ETHERNET, interface: 0 };
/// writer.frame(eth0, &frame, None, &["the first one".to_owned()])?;
/// let octets = std::io::Cursor::new(writer.into_inner());
/// let mut capture = CaptureFile::from_reader("example", Box::new(octets)).unwrap();
/// assert_eq!(capture.next_frame().unwrap().data, b"octets");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PcapngWriter<W: Write> {
    out: W,
    interfaces: u32,
    frames: u64,
    octets: u64,
}

/// One interface, as its description block has it.
#[derive(Debug, Clone, Copy)]
pub struct WrittenInterface<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is, in words.
    pub description: Option<&'a str>,
    /// What stands at the start of its frames.
    pub link: LinkType,
    /// Octets kept of a frame; 0 for all.
    pub snap_length: u32,
}

impl Default for WrittenInterface<'_> {
    fn default() -> Self {
        Self { name: "", description: None, link: LinkType::ETHERNET, snap_length: 0 }
    }
}

/// What a capture says it was written by that has the packets of a few streams, out of more that were heard.
pub const EXCERPT_APPLICATION: &str = concat!("hopmark ", env!("CARGO_PKG_VERSION"), ", excerpt");

/// Whether this is [`EXCERPT_APPLICATION`], of any version.
pub(super) fn is_excerpt_application(application: &[u8]) -> bool {
    application.starts_with(b"hopmark ") && application.ends_with(b", excerpt")
}

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const END_OF_OPTIONS: [u8; 4] = [0; 4];
const COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const EPB_DROPCOUNT: u16 = 4;
const ISB_IFDROP: u16 = 5;
/// Units of 10^-9 s.
const NANOSECONDS: u8 = 9;

impl<W: Write> PcapngWriter<W> {
    /// Writes the section header: which program writes, and what there is to say of the whole.
    ///
    /// # Errors
    ///
    /// What `out` says, as in all that writes here.
    pub fn new(out: W, application: &str, comment: Option<&str>) -> io::Result<Self> {
        let mut writer = Self { out, interfaces: 0, frames: 0, octets: 0 };
        let mut body = BYTE_ORDER_MAGIC.to_le_bytes().to_vec();
        // Version 1.0, of a length that is not told.
        body.extend([1, 0, 0, 0]);
        body.extend([0xFF; 8]);
        if let Some(comment) = comment {
            option(&mut body, COMMENT, comment.as_bytes());
        }
        option(&mut body, SHB_USERAPPL, application.as_bytes());
        body.extend(END_OF_OPTIONS);
        writer.block(SECTION_HEADER, &body)?;
        Ok(writer)
    }

    /// Describes an interface and gives its number, under which frames are written.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn interface(&mut self, interface: &WrittenInterface<'_>) -> io::Result<u32> {
        let mut body = interface.link.0.to_le_bytes().to_vec();
        body.extend([0, 0]);
        body.extend(interface.snap_length.to_le_bytes());
        option(&mut body, IF_NAME, interface.name.as_bytes());
        if let Some(description) = interface.description {
            option(&mut body, IF_DESCRIPTION, description.as_bytes());
        }
        option(&mut body, IF_TSRESOL, &[NANOSECONDS]);
        body.extend(END_OF_OPTIONS);
        self.block(INTERFACE_DESCRIPTION, &body)?;
        self.interfaces += 1;
        Ok(self.interfaces - 1)
    }

    /// Writes a frame of an interface; `dropped` frames before it were not kept. Of the frame's own number of an
    /// interface nothing is written. Allocates only where there is something to say.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn frame(
        &mut self,
        interface: u32,
        frame: &Frame<'_>,
        dropped: Option<u64>,
        comments: &[String],
    ) -> io::Result<()> {
        let mut options = Vec::new();
        for comment in comments {
            option(&mut options, COMMENT, comment.as_bytes());
        }
        if let Some(dropped) = dropped {
            option(&mut options, EPB_DROPCOUNT, &dropped.to_le_bytes());
        }
        if !options.is_empty() {
            options.extend(END_OF_OPTIONS);
        }
        let kept = frame.data;
        let padding = kept.len().next_multiple_of(4) - kept.len();
        let total = 32 + kept.len() + padding + options.len();
        let [high, low] = ticks(frame.timestamp);
        let fields = [
            ENHANCED_PACKET,
            short(total),
            interface,
            high,
            low,
            short(kept.len()),
            frame.wire_len.max(short(kept.len())),
        ];
        let header: [u8; 28] = bytemuck::cast(fields.map(u32::to_le_bytes));
        self.out.write_all(&header)?;
        self.out.write_all(kept)?;
        self.out.write_all([0, 0, 0].get(..padding).unwrap_or_default())?;
        self.out.write_all(&options)?;
        self.out.write_all(&short(total).to_le_bytes())?;
        self.frames += 1;
        self.octets += total as u64;
        Ok(())
    }

    /// Writes how many frames were dropped on an interface up to a time.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn statistics(&mut self, interface: u32, at: Timestamp, dropped: u64) -> io::Result<()> {
        let [high, low] = ticks(at);
        let mut body = [interface, high, low].map(u32::to_le_bytes).concat();
        option(&mut body, ISB_IFDROP, &dropped.to_le_bytes());
        body.extend(END_OF_OPTIONS);
        self.block(INTERFACE_STATISTICS, &body)
    }

    /// Frames written so far.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Octets written so far, of all blocks.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// What it writes to; what that holds back is not flushed.
    #[must_use]
    pub fn into_inner(self) -> W {
        self.out
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let total = short(12 + body.len()).to_le_bytes();
        for part in [&kind.to_le_bytes()[..], &total, body, &total] {
            self.out.write_all(part)?;
        }
        self.octets += 12 + body.len() as u64;
        Ok(())
    }
}

/// Adds an option: its value is cut to what the length field can say, at the end of a character where it is text.
fn option(options: &mut Vec<u8>, code: u16, value: &[u8]) {
    const LONGEST: usize = 65_532;
    let mut kept = value.len().min(LONGEST);
    // An octet of the form 10xxxxxx goes on what came before it (RFC 3629).
    while kept < value.len() && value.get(kept).is_some_and(|octet| octet & 0xC0 == 0x80) {
        kept -= 1;
    }
    options.extend(code.to_le_bytes());
    options.extend(u16::try_from(kept).unwrap_or(0).to_le_bytes());
    options.extend(value.get(..kept).unwrap_or_default());
    options.resize(options.len().next_multiple_of(4), 0);
}

/// A time in the two halves of its nanoseconds; what is before 1970 has none.
fn ticks(at: Timestamp) -> [u32; 2] {
    let nanoseconds = u64::try_from(at.0).unwrap_or(0);
    [nanoseconds >> 32, nanoseconds & 0xFFFF_FFFF].map(|half| u32::try_from(half).unwrap_or(0))
}

fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureFile;

    fn frame(at: i64, data: &[u8]) -> Frame<'_> {
        Frame { timestamp: Timestamp(at), data, wire_len: 60, link: LinkType::RAW, interface: 9 }
    }

    fn written(write: impl FnOnce(&mut PcapngWriter<Vec<u8>>)) -> Vec<u8> {
        let mut writer = PcapngWriter::new(Vec::new(), "test", Some("what it is")).unwrap();
        write(&mut writer);
        let octets = writer.octets();
        let file = writer.into_inner();
        assert_eq!(octets, file.len() as u64);
        file
    }

    fn read(file: Vec<u8>) -> CaptureFile {
        CaptureFile::from_reader("test", Box::new(io::Cursor::new(file))).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let file = written(|writer| {
            for (name, link) in [("a", LinkType::ETHERNET), ("b", LinkType::RAW)] {
                let interface = WrittenInterface {
                    name,
                    description: Some("words"),
                    link,
                    ..WrittenInterface::default()
                };
                writer.interface(&interface).unwrap();
            }
            let notes = ["one".to_owned(), "two →".to_owned()];
            writer.frame(1, &frame(1_700_000_000_123_456_789, b"odd"), None, &notes).unwrap();
            writer.frame(0, &frame(1_700_000_000_123_456_790, b"four"), Some(3), &[]).unwrap();
            writer.statistics(0, Timestamp(1_700_000_000_123_456_791), 5).unwrap();
            assert_eq!(writer.frames(), 2);
        });
        let mut capture = read(file);
        let mut frames = Vec::new();
        while let Some(frame) = capture.next_frame() {
            frames.push((
                frame.timestamp.0,
                frame.data.to_vec(),
                frame.wire_len,
                frame.link,
                frame.interface,
            ));
        }
        let expected = [
            (1_700_000_000_123_456_789, b"odd".to_vec(), 60, LinkType::RAW, 1),
            (1_700_000_000_123_456_790, b"four".to_vec(), 60, LinkType::ETHERNET, 0),
        ];
        assert_eq!(frames, expected);
        assert_eq!((capture.summary().damage, capture.summary().dropped), (None, Some(5)));
        assert_eq!(capture.interfaces()[1].description.as_deref(), Some("words"));
    }

    #[test]
    fn an_excerpt_is_known_as_such() {
        for (application, expected) in
            [(EXCERPT_APPLICATION, true), ("hopmark synth", false), ("tshark", false)]
        {
            let mut writer = PcapngWriter::new(Vec::new(), application, Some("a comment before it")).unwrap();
            writer.interface(&WrittenInterface::default()).unwrap();
            writer.frame(0, &frame(0, b"frame"), None, &[]).unwrap();
            let mut capture = read(writer.into_inner());
            assert!(capture.next_frame().is_some());
            assert_eq!(capture.is_excerpt(), expected, "{application}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        for letters in ["é".repeat(40_000), format!("x{}", "é".repeat(40_000)), "→".repeat(30_000)] {
            let mut options = Vec::new();
            option(&mut options, COMMENT, letters.as_bytes());
            let length = usize::from(u16::from_le_bytes([options[2], options[3]]));
            assert!((65_530..=65_532).contains(&length), "{length}");
            assert!(std::str::from_utf8(&options[4..4 + length]).is_ok());
            assert_eq!(options.len() % 4, 0);
        }
    }

    #[test]
    fn a_full_disk_is_told() {
        let mut room = [0_u8; 100];
        let mut writer = PcapngWriter::new(&mut room[..], "test", None).unwrap();
        let failed = writer.frame(0, &frame(0, &[0; 100]), None, &[]);
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn times_before_1970_are_the_first_moment() {
        assert_eq!(ticks(Timestamp(-1)), [0, 0]);
        assert_eq!(ticks(Timestamp((7 << 32) + 5)), [7, 5]);
    }
}
