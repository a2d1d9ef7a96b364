//! The pcap format in its three kinds: micro-, nanosecond and modified.
//!
//! Source: draft-ietf-opsawg-pcap. A file header of 24 octets, then records: a header of 16 octets, then the
//! frame as far as it was kept. All numbers are in the byte order of the machine that captured, which the magic
//! number tells. The modified kind, of old Linux distributions and of some home routers, has 8 more octets in
//! each record header (interface index, protocol, packet type), which say nothing that the frame does not.

use super::error::Refusal;
use super::find;
use super::link;
use super::record::{LONGEST_RECORD, Record, Stop, size};
use super::summary::{Interface, Tally};
use super::window::Window;
use crate::terms::{Frame, LinkType, Timestamp};

/// Reads the records of one pcap file.
pub(super) struct Pcap {
    kind: Kind,
    layout: Layout,
    interface: Interface,
}

/// What the file's header says of its records.
#[derive(Clone, Copy)]
struct Layout {
    /// Whether the file's byte order is the other one than this machine's.
    is_swapped: bool,
    /// Nanoseconds in one unit of the fraction field.
    fraction_nanos: i64,
    /// Octets of a record header.
    header: usize,
    /// The longest frame that is believed.
    longest: u32,
    /// Files of version 2.3 may have the two lengths the wrong way round.
    may_swap_lengths: bool,
    link: LinkType,
}

/// Which of the kinds a magic number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Microseconds,
    Nanoseconds,
    Modified,
}

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
const MODIFIED_RECORD_HEADER: usize = 24;
/// The longest frame that is believed where the file header promises no longer ones: libpcap's own limit.
const USUAL_LONGEST: u32 = 256 << 10;

/// What the first four octets say, if they are those of a pcap file: the kind, and whether the file's byte order
/// is the other one than this machine's.
pub(super) fn magic(head: [u8; 4]) -> Option<(Kind, bool)> {
    let kind = |number| match number {
        0xA1B2_C3D4 => Some(Kind::Microseconds),
        0xA1B2_3C4D => Some(Kind::Nanoseconds),
        0xA1B2_CD34 => Some(Kind::Modified),
        _ => None,
    };
    let number = u32::from_ne_bytes(head);
    kind(number).map(|kind| (kind, false)).or_else(|| kind(number.swap_bytes()).map(|kind| (kind, true)))
}

impl Pcap {
    /// Reads the file header.
    ///
    /// # Errors
    ///
    /// The file is shorter than its header, or of a version that is not read.
    pub(super) fn open(window: &mut Window, kind: Kind, is_swapped: bool) -> Result<Self, Refusal> {
        let header: [u8; FILE_HEADER] = window.file_header("pcap")?;
        let [.., snap_length, network] = bytemuck::cast::<_, [u32; 6]>(header);
        let [_, _, major, minor, ..] = bytemuck::cast::<_, [u16; 12]>(header);
        let [snap_length, network] =
            [snap_length, network].map(|n| if is_swapped { n.swap_bytes() } else { n });
        let [major, minor] = [major, minor].map(|n| if is_swapped { n.swap_bytes() } else { n });
        if major != 2 || minor < 3 {
            return Err(Refusal::Version { format: "pcap", major, minor, read: "2.3 and 2.4" });
        }
        window.pass(FILE_HEADER);
        let link = link::from_network(network);
        let layout = Layout {
            is_swapped,
            fraction_nanos: if kind == Kind::Nanoseconds { 1 } else { 1_000 },
            header: if kind == Kind::Modified { MODIFIED_RECORD_HEADER } else { RECORD_HEADER },
            longest: snap_length.clamp(USUAL_LONGEST, LONGEST_RECORD),
            may_swap_lengths: minor == 3,
            link,
        };
        Ok(Self { kind, layout, interface: Interface::unnamed(link) })
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) const fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Finds the next frame and has it in memory; the window stays where it is.
    ///
    /// # Errors
    ///
    /// There is no next frame, or it cannot be read.
    // per frame
    #[inline]
    pub(super) fn locate(&self, window: &mut Window) -> Result<Record, Stop> {
        let record = self.layout.record(*window.require_head::<RECORD_HEADER>()?);
        if record.captured > size(self.layout.longest) {
            return Err(self.too_long(window, record.captured));
        }
        window.require(record.whole)?;
        Ok(record)
    }

    /// Finds frames that are whole and with which nothing is wrong, as [`find`] does.
    #[inline]
    pub(super) fn find<'a>(
        &self,
        left: &mut &'a [u8],
        room: &mut [Frame<'a>],
        tally: &mut Tally,
        is_mapped: bool,
    ) -> usize {
        let layout = self.layout;
        if layout.is_swapped || layout.may_swap_lengths || layout.header != RECORD_HEADER {
            return find(left, room, tally, is_mapped, |octets| layout.record_in(octets));
        }
        // The same once more, so that the compiler knows what there is of these.
        let usual = Layout { is_swapped: false, may_swap_lengths: false, header: RECORD_HEADER, ..layout };
        find(left, room, tally, is_mapped, |octets| usual.record_in(octets))
    }

    #[cold]
    fn too_long(&self, window: &Window, captured: usize) -> Stop {
        window.flaw(format!(
            "a frame of {captured} octets is announced, no more than {} are believed",
            self.layout.longest
        ))
    }
}

impl Layout {
    /// The record at the start of these octets, if it is whole, not empty and nothing is wrong with it; of all others
    /// nothing is said.
    // per frame
    #[inline]
    fn record_in(&self, octets: &[u8]) -> Option<Record> {
        let record = self.record(*octets.first_chunk()?);
        let is_usual = record.captured.wrapping_sub(1) < size(self.longest);
        (is_usual && record.whole <= octets.len()).then_some(record)
    }

    /// What a record's header says.
    // per frame
    #[inline]
    fn record(&self, header: [u8; RECORD_HEADER]) -> Record {
        let mut fields = bytemuck::cast::<_, [u32; 4]>(header);
        if self.is_swapped {
            fields = fields.map(u32::swap_bytes);
        }
        let [seconds, fraction, mut captured, mut wire_len] = fields;
        if captured > wire_len && self.may_swap_lengths {
            (captured, wire_len) = (wire_len, captured);
        }
        Record {
            // Cannot overflow: both fields have 32 bits.
            timestamp: Timestamp(
                i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * self.fraction_nanos,
            ),
            header: self.header,
            captured: size(captured),
            whole: self.header + size(captured),
            wire_len: wire_len.max(captured),
            link: self.link,
            interface: 0,
            has_time: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testfile::{BOTH_ORDERS, MICROSECONDS, MODIFIED, NANOSECONDS, Order, PcapFile};
    use super::super::tests::{failure, frames, read};
    use super::*;

    #[test]
    fn every_kind_is_read_in_both_byte_orders() {
        for order in BOTH_ORDERS {
            for (magic, name, fraction) in [
                (MICROSECONDS, "pcap", 999_999_000),
                (NANOSECONDS, "pcap-ns", 999_999),
                (MODIFIED, "pcap-modified", 999_999_000),
            ] {
                let file = PcapFile::new(order, magic).frame((1_700_000_000, 999_999), b"first", 60).frame(
                    (u32::MAX, 0),
                    b"",
                    0,
                );
                let (frames, capture) = read(&file.octets);
                let times: Vec<_> = frames.iter().map(|frame| frame.timestamp.0).collect();
                assert_eq!(
                    times,
                    [1_700_000_000_000_000_000 + fraction, 4_294_967_295_000_000_000],
                    "{name}"
                );
                assert_eq!((&frames[0].data[..], frames[0].wire_len), (&b"first"[..], 60), "{name}");
                let summary = capture.summary();
                assert_eq!((summary.format, summary.frames, summary.bytes), (name, 2, 5));
                assert_eq!((summary.damage, summary.dropped), (None, None));
            }
        }
    }

    #[test]
    fn bits_above_the_link_type_are_not_part_of_it() {
        for order in BOTH_ORDERS {
            let file = PcapFile::with_header(order, MICROSECONDS, (2, 4), 65_535, 0xF000_000C);
            let (frames, capture) = read(&file.frame((1, 0), b"E", 1).octets);
            assert_eq!(frames[0].link, LinkType::RAW);
            assert_eq!(capture.interfaces(), [Interface::unnamed(LinkType::RAW)]);
        }
    }

    #[test]
    fn files_of_version_2_3_may_have_their_lengths_swapped() {
        for order in BOTH_ORDERS {
            let mut file = PcapFile::with_header(order, MICROSECONDS, (2, 3), 65_535, 1);
            for number in [1, 0, 60, 4] {
                file.octets.extend(order.four(number));
            }
            file.octets.extend(b"kept");
            let (frames, _) = read(&file.octets);
            assert_eq!((&frames[0].data[..], frames[0].wire_len), (&b"kept"[..], 60));
        }
    }

    #[test]
    fn a_frame_longer_than_its_wire_length_is_as_long_as_what_was_kept() {
        let (frames, _) = read(&PcapFile::new(Order::Big, MICROSECONDS).frame((1, 0), b"kept", 0).octets);
        assert_eq!(frames[0].wire_len, 4);
    }

    #[test]
    fn an_absurd_length_is_damage_and_what_came_before_is_given() {
        for (snap, longest) in [(65_535, 262_144), (0, 262_144), (1 << 20, 1 << 20), (u32::MAX, 16 << 20)] {
            let mut file =
                PcapFile::with_header(Order::Little, MICROSECONDS, (2, 4), snap, 1).frame((1, 0), b"good", 4);
            for number in [2, 0, longest + 1, longest + 1] {
                file.octets.extend(Order::Little.four(number));
            }
            let (frames, capture) = read(&file.octets);
            assert_eq!(frames.len(), 1);
            assert_eq!(
                capture.summary().damage.unwrap().to_string(),
                format!(
                    "damaged at octet 44 in frame 2: a frame of {} octets is announced, no more than {longest} are believed",
                    longest + 1
                )
            );
        }
    }

    #[test]
    fn a_long_frame_is_read_whole_where_the_snap_length_allows_it() {
        let long = vec![7; 3 << 20];
        let file = PcapFile::with_header(Order::Little, MICROSECONDS, (2, 4), 4 << 20, 1)
            .frame((1, 0), b"short", 5)
            .frame((2, 0), &long, 3 << 20)
            .frame((3, 0), b"short", 5);
        let frames = frames(&file.octets);
        assert_eq!(frames.iter().map(|frame| frame.data.len()).collect::<Vec<_>>(), [5, 3 << 20, 5]);
        assert!(frames[1].data == long);
    }

    #[test]
    fn a_cut_off_file_says_where() {
        let whole =
            PcapFile::new(Order::Little, MICROSECONDS).frame((1, 0), b"first", 5).frame((2, 0), b"second", 6);
        let end = whole.octets.len();
        for (length, expected) in [
            (end - 1, "cut off at octet 45 in frame 2: 22 octets announced, 21 left"),
            (end - 7, "cut off at octet 45 in frame 2: 16 octets expected of a header, 15 left"),
        ] {
            let (frames, capture) = read(&whole.octets[..length]);
            assert_eq!(frames.len(), 1);
            assert_eq!(capture.summary().damage.unwrap().to_string(), expected);
        }
    }

    #[test]
    fn other_versions_are_refused() {
        for order in BOTH_ORDERS {
            for version in [(1, 4), (2, 2), (3, 0)] {
                let file = PcapFile::with_header(order, MICROSECONDS, version, 65_535, 1);
                let (major, minor) = version;
                assert!(failure(&file.octets).contains(&format!("pcap version {major}.{minor}")));
            }
        }
    }
}
