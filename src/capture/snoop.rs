//! The snoop format of Solaris (RFC 1761).
//!
//! A file header of 16 octets, then records of a 24-octet header, the frame, and padding. All numbers are in
//! network byte order.

use super::error::Refusal;
use super::gaps::{DropGap, DropGaps};
use super::link;
use super::record::{LONGEST_RECORD, Record, Stop, size};
use super::summary::Interface;
use super::window::Window;
use crate::terms::Timestamp;

/// Reads the records of one snoop file.
pub(super) struct Snoop {
    interface: Interface,
    gaps: DropGaps,
    /// The time of the frame before.
    last_time: Timestamp,
}

/// The first octets of every snoop file.
pub(super) const MAGIC: &[u8] = b"snoop\0\0\0";

/// Octets of the file header, the shortest of the formats.
pub(super) const FILE_HEADER: usize = 16;
const RECORD_HEADER: usize = 24;

impl Snoop {
    /// Reads the file header.
    ///
    /// # Errors
    ///
    /// The file is shorter than its header, or of a version or a datalink type that is not read.
    pub(super) fn open(window: &mut Window) -> Result<Self, Refusal> {
        let header: [u8; FILE_HEADER] = window.file_header("snoop")?;
        let [_, _, version, datalink] = bytemuck::cast::<_, [u32; 4]>(header).map(u32::from_be);
        if version != 2 {
            return Err(Refusal::SnoopVersion { version });
        }
        let link = link::from_snoop(datalink).ok_or(Refusal::SnoopDatalink { datalink })?;
        window.pass(FILE_HEADER);
        let interface = Interface::unnamed(link);
        Ok(Self { interface, gaps: DropGaps::default(), last_time: Timestamp(i64::MIN) })
    }

    pub(super) const fn interface(&self) -> &Interface {
        &self.interface
    }

    pub(super) fn gaps(&self) -> &[DropGap] {
        self.gaps.all()
    }

    /// Finds the next frame and has it in memory; the window stays where it is.
    ///
    /// # Errors
    ///
    /// There is no next frame, or it cannot be read.
    // per frame
    pub(super) fn locate(&mut self, window: &mut Window) -> Result<Record, Stop> {
        let header = window.require_head::<RECORD_HEADER>()?;
        let [original, included, record, drops, seconds, microseconds] =
            bytemuck::cast::<_, [u32; 6]>(*header).map(u32::from_be);
        if record > LONGEST_RECORD {
            return Err(window.flaw(format!(
                "a record of {record} octets is announced, no more than {LONGEST_RECORD} are believed"
            )));
        }
        let (captured, whole) = (size(included), size(record));
        if whole < RECORD_HEADER || captured > whole - RECORD_HEADER {
            return Err(window.flaw(format!("a frame of {included} octets in a record of {record}")));
        }
        window.require(whole)?;
        // Since the capture began (RFC 1761, section 3), so the last record has the sum.
        let timestamp = Timestamp(i64::from(seconds) * 1_000_000_000 + i64::from(microseconds) * 1_000);
        let drops = u64::from(drops);
        let before = self.interface.dropped.replace(drops).unwrap_or(0);
        let frames = drops.saturating_sub(before);
        self.gaps.add(DropGap { interface: 0, from: self.last_time, to: timestamp, frames });
        self.last_time = timestamp;
        Ok(Record {
            timestamp,
            header: RECORD_HEADER,
            captured,
            whole,
            wire_len: original.max(included),
            link: self.interface.link,
            interface: 0,
            has_time: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testfile::SnoopFile;
    use super::super::tests::{failure, read};
    use super::*;
    use crate::terms::LinkType;

    #[test]
    fn frames_padding_and_drops_are_read() {
        let file = SnoopFile::new(2, 4).frame((10, 5), b"first", 60, 0).frame((11, 0), b"next", 4, 3);
        let (frames, capture) = read(&file.octets);
        assert_eq!((&frames[0].data[..], frames[0].wire_len), (&b"first"[..], 60));
        assert_eq!(frames[0].timestamp, Timestamp(10_000_005_000));
        assert_eq!((&frames[1].data[..], frames[1].link), (&b"next"[..], LinkType::ETHERNET));
        let summary = capture.summary();
        assert_eq!((summary.format, summary.dropped, summary.damage), ("snoop", Some(3), None));
        let (from, to) = (Timestamp(10_000_005_000), Timestamp(11_000_000_000));
        assert_eq!(capture.gaps(), [DropGap { interface: 0, from, to, frames: 3 }]);
    }

    #[test]
    fn versions_and_datalinks_that_are_not_read_are_refused() {
        assert!(failure(&SnoopFile::new(5, 4).octets).contains("Shomiti"));
        assert!(failure(&SnoopFile::new(2, 18).octets).contains("datalink type 18"));
    }

    #[test]
    fn a_record_too_small_for_its_frame_is_damage() {
        let mut file = SnoopFile::new(2, 4);
        for number in [8_u32, 8, 28, 0, 1, 0, 0, 0] {
            file.octets.extend(number.to_be_bytes());
        }
        let (frames, capture) = read(&file.octets);
        assert_eq!(frames.len(), 0);
        let expected = "damaged at octet 16 in frame 1: a frame of 8 octets in a record of 28";
        assert_eq!(capture.summary().damage.unwrap().to_string(), expected);
    }
}
