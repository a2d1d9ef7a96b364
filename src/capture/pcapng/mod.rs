//! The pcapng format: sections, interfaces, packets of three kinds.
//!
//! Source: draft-ietf-opsawg-pcapng. A file is a row of blocks: type, total length, body, total length again. A
//! section header block sets the byte order and begins the interface numbers anew. Blocks that say nothing about
//! frames are passed over.

mod clock;
mod interfaces;
mod options;
mod section;

use self::interfaces::{Described, Interfaces, MOST_INTERFACES};
use self::options::Options;
use self::section::{SECTION_HEADER_LENGTH, Section};
use super::error::Refusal;
use super::gaps::DropGap;
use super::link;
use super::record::{LONGEST_RECORD, Record, Stop, size};
use super::summary::Interface;
use super::window::Window;
use super::writer::is_excerpt_application;
use crate::terms::Timestamp;

/// Reads the blocks of one pcapng file.
pub(super) struct Pcapng {
    /// Whether the section's byte order is the other one than this machine's.
    is_swapped: bool,
    interfaces: Interfaces,
    /// The time of the last frame that had one.
    last_time: Timestamp,
    /// Before which octet drops were counted: a block may be looked at twice.
    drops_counted_before: u64,
    /// Whether the section at hand has frames of a few streams only.
    is_excerpt: bool,
}

/// Block types (section 10.1). That of a section header reads the same in both byte orders.
const SECTION_HEADER: u32 = 0x0A0D_0D0A;
/// The first octets of every pcapng file.
pub(super) const MAGIC: &[u8] = &[0x0A, 0x0D, 0x0D, 0x0A];
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// Type and total length at the start of a block.
const BLOCK_HEADER: usize = 8;
/// The total length at the end of a block.
const TRAILER: usize = 4;
/// From the start of an enhanced packet block, or of a packet block, to its frame.
const PACKET_HEADER: usize = 28;
/// From the start of a simple packet block to its frame.
const SIMPLE_PACKET_HEADER: usize = 12;
const EPB_DROPCOUNT: u16 = 4;
const SHB_USERAPPL: u16 = 4;
/// In a packet block: the number of dropped frames is not known.
const UNKNOWN_DROPS: u16 = u16::MAX;

impl Pcapng {
    /// Looks at the first section header, which [`locate`](Self::locate) then takes up.
    ///
    /// # Errors
    ///
    /// The file is shorter than that, or of a byte order or version that is not known.
    pub(super) fn open(window: &mut Window) -> Result<Self, Refusal> {
        let header = window.file_header("pcapng")?;
        let Some(section) = Section::read(&header) else {
            return Err(Refusal::ByteOrderMagic);
        };
        if !section.is_version_known() {
            let Section { major, minor, .. } = section;
            return Err(Refusal::Version { format: "pcapng", major, minor, read: "1.0 and 1.2" });
        }
        Ok(Self {
            is_swapped: section.is_swapped,
            interfaces: Interfaces::new(),
            last_time: Timestamp(0),
            drops_counted_before: 0,
            is_excerpt: false,
        })
    }

    pub(super) fn interfaces(&self) -> &[Interface] {
        self.interfaces.all()
    }

    /// Whether the section at hand was written by this program, of a few streams only.
    pub(super) const fn is_excerpt(&self) -> bool {
        self.is_excerpt
    }

    pub(super) fn gaps(&self) -> &[DropGap] {
        self.interfaces.gaps()
    }

    /// Finds the next frame and has it in memory; the window stays before its block.
    ///
    /// # Errors
    ///
    /// There is no next frame, or it cannot be read.
    // per frame
    #[inline]
    pub(super) fn locate(&mut self, window: &mut Window) -> Result<Record, Stop> {
        loop {
            let head = window.require_head::<BLOCK_HEADER>()?;
            let [kind, length] = self.numbers(*head);
            if kind == ENHANCED_PACKET {
                return self.packet(window, length, ENHANCED_PACKET);
            }
            if let Some(record) = self.other_block(window, kind, length)? {
                return Ok(record);
            }
        }
    }

    /// The frame of the enhanced packet block at the start of these octets, if the block is whole, says nothing more,
    /// and nothing is wrong with it; of all others nothing is said.
    // per frame
    #[inline]
    pub(super) fn record_in(&mut self, octets: &[u8]) -> Option<Record> {
        let [kind, length, interface, high, low, captured, wire_len] =
            self.numbers(*octets.first_chunk::<PACKET_HEADER>()?);
        let whole = size(length);
        let room = whole.checked_sub(PACKET_HEADER + TRAILER)?;
        if kind != ENHANCED_PACKET
            || length > LONGEST_RECORD
            || !length.is_multiple_of(4)
            || size(captured) > room
            || room - size(captured) >= 4
        {
            return None;
        }
        let [again] = self.numbers::<TRAILER, 1>(*octets.get(..whole)?.last_chunk()?);
        if again != length {
            return None;
        }
        let described = self.interfaces.get_mut(interface)?;
        let timestamp = described.clock.time(high, low);
        described.last_time = timestamp;
        self.last_time = timestamp;
        Some(Record {
            timestamp,
            header: PACKET_HEADER,
            captured: size(captured),
            whole,
            wire_len: wire_len.max(captured),
            link: described.link,
            interface: described.number,
            has_time: true,
        })
    }

    /// An enhanced packet block, or an obsolete packet block, which differs in one field only.
    // per frame
    #[inline]
    fn packet(&mut self, window: &mut Window, length: u32, kind: u32) -> Result<Record, Stop> {
        let block = self.block(window, length)?;
        let whole = block.len();
        let Some(header) = block.first_chunk::<PACKET_HEADER>().copied() else {
            return Err(too_short(window, length));
        };
        let [_, _, interface, high, low, captured, wire_len] = self.numbers(header);
        let interface = if kind == PACKET { self.halves(interface)[0].into() } else { interface };
        let room = whole.saturating_sub(PACKET_HEADER + TRAILER);
        if size(captured) > room {
            return Err(overfull(window, captured, length));
        }
        let Some(Described { number, link, clock, .. }) = self.interfaces.get(interface).copied() else {
            return Err(self.undescribed(window, interface));
        };
        self.last_time = clock.time(high, low);
        if kind == PACKET || room - size(captured) >= 4 {
            self.count_drops(window, whole, kind);
        }
        if let Some(described) = self.interfaces.get_mut(interface) {
            described.last_time = self.last_time;
        }
        Ok(Record {
            timestamp: self.last_time,
            header: PACKET_HEADER,
            captured: size(captured),
            whole,
            wire_len: wire_len.max(captured),
            link,
            interface: number,
            has_time: true,
        })
    }

    /// Any block but the usual one: taken up or passed over, or the frame in it.
    #[cold]
    #[inline(never)]
    fn other_block(&mut self, window: &mut Window, kind: u32, length: u32) -> Result<Option<Record>, Stop> {
        match kind {
            SECTION_HEADER => self.begin_section(window)?,
            PACKET => return self.packet(window, length, PACKET).map(Some),
            SIMPLE_PACKET => return self.simple_packet(window, length).map(Some),
            INTERFACE_DESCRIPTION => {
                let whole = self.describe_interface(window, length)?;
                window.pass(whole);
            }
            INTERFACE_STATISTICS => {
                let block = self.block(window, length)?;
                let whole = block.len();
                if let Some((header, rest)) = block.split_first_chunk::<20>() {
                    let [_, _, interface, high, low] = self.numbers(*header);
                    let options = without_trailer(rest);
                    self.interfaces.statistics(interface, (high, low), options, self.is_swapped);
                }
                window.pass(whole);
            }
            // Some hold whole files, such as the secrets of a decryption: these need not fit into memory.
            _ if length > LONGEST_RECORD => window.skip(u64::from(length).next_multiple_of(4))?,
            _ => {
                let whole = self.block(window, length)?.len();
                window.pass(whole);
            }
        }
        Ok(None)
    }

    fn begin_section(&mut self, window: &mut Window) -> Result<(), Stop> {
        let header = window.require_head::<SECTION_HEADER_LENGTH>()?;
        let Some(section) = Section::read(header) else {
            return Err(window.flaw("a section header whose byte-order magic is in no byte order"));
        };
        if !section.is_version_known() {
            let Section { major, minor, .. } = section;
            return Err(window.flaw(format!("a section of pcapng version {major}.{minor}")));
        }
        self.is_swapped = section.is_swapped;
        let is_swapped = self.is_swapped;
        let block = self.block(window, section.length)?;
        let whole = block.len();
        let options = without_trailer(block.get(SECTION_HEADER_LENGTH - TRAILER..).unwrap_or_default());
        let is_excerpt = Options::new(options, is_swapped)
            .any(|(code, value)| code == SHB_USERAPPL && is_excerpt_application(value));
        self.is_excerpt = is_excerpt;
        self.interfaces.begin_section();
        window.pass(whole);
        Ok(())
    }

    /// Takes up an interface description, and gives the length of its block.
    fn describe_interface(&mut self, window: &mut Window, length: u32) -> Result<usize, Stop> {
        let block = self.block(window, length)?;
        let whole = block.len();
        let Some((header, rest)) = block.split_first_chunk::<16>() else {
            return Err(too_short(window, length));
        };
        let [_, _, link, snap_length] = self.numbers(*header);
        let link = link::from_network(self.halves(link)[0].into());
        if !self.interfaces.describe(link, snap_length, without_trailer(rest), self.is_swapped) {
            return Err(window.flaw(format!("more than {MOST_INTERFACES} interfaces")));
        }
        Ok(whole)
    }

    /// A simple packet block: of the section's first interface, without a time.
    fn simple_packet(&mut self, window: &mut Window, length: u32) -> Result<Record, Stop> {
        let block = self.block(window, length)?;
        let whole = block.len();
        let Some(header) = block.first_chunk::<SIMPLE_PACKET_HEADER>().copied() else {
            return Err(too_short(window, length));
        };
        let [_, _, wire_len] = self.numbers(header);
        let Some(Described { number, link, snap_length, .. }) = self.interfaces.get(0).copied() else {
            return Err(self.undescribed(window, 0));
        };
        let kept = if snap_length == 0 { wire_len } else { wire_len.min(snap_length) };
        let room = whole.saturating_sub(SIMPLE_PACKET_HEADER + TRAILER);
        Ok(Record {
            timestamp: self.last_time,
            header: SIMPLE_PACKET_HEADER,
            captured: size(kept).min(room),
            whole,
            wire_len,
            link,
            interface: number,
            has_time: false,
        })
    }

    /// Counts what a packet block says was dropped before its frame, once, however often the block is looked at.
    #[cold]
    fn count_drops(&mut self, window: &mut Window, whole: usize, kind: u32) {
        let end = window.position() + whole as u64;
        if end <= self.drops_counted_before {
            return;
        }
        let Ok(block) = window.require(whole) else { return };
        let Some((header, rest)) = block.split_first_chunk::<PACKET_HEADER>() else { return };
        let [_, _, interface, _, _, captured, _] = self.numbers(*header);
        let (interface, count) = if kind == PACKET {
            let [interface, drops] = self.halves(interface);
            (u32::from(interface), (drops != UNKNOWN_DROPS).then_some(u64::from(drops)))
        } else {
            let options = rest.get(size(captured).next_multiple_of(4)..).unwrap_or_default();
            let drops = Options::new(without_trailer(options), self.is_swapped)
                .find(|(code, _)| *code == EPB_DROPCOUNT)
                .and_then(|(_, value)| options::number(value, self.is_swapped));
            (interface, drops)
        };
        if let Some(count) = count {
            self.interfaces.dropped_before_packet(interface, self.last_time, count);
        }
        self.drops_counted_before = end;
    }

    /// A whole block, in memory, whose two lengths agree.
    // per frame
    #[inline]
    fn block<'w>(&self, window: &'w mut Window, length: u32) -> Result<&'w [u8], Stop> {
        // The length should be a multiple of 4; that of some writers leaves the padding out.
        let whole = size(length).next_multiple_of(4);
        if whole < BLOCK_HEADER + TRAILER || length > LONGEST_RECORD {
            return Err(unbelievable(window, length));
        }
        let trailer = window.require(whole)?.last_chunk().copied().unwrap_or_default();
        let [again] = self.numbers::<TRAILER, 1>(trailer);
        if again != length {
            return Err(unequal(window, length, again));
        }
        window.require(whole)
    }

    /// 32-bit numbers in the byte order of the section.
    #[inline]
    fn numbers<const OCTETS: usize, const N: usize>(&self, octets: [u8; OCTETS]) -> [u32; N]
    where
        [u8; OCTETS]: bytemuck::Pod,
        [u32; N]: bytemuck::Pod,
    {
        let numbers: [u32; N] = bytemuck::cast(octets);
        if self.is_swapped { numbers.map(u32::swap_bytes) } else { numbers }
    }

    /// The two 16-bit fields that were read as one number in the byte order of the section, in file order.
    const fn halves(&self, both: u32) -> [u16; 2] {
        let both = if self.is_swapped { both.swap_bytes() } else { both };
        let [a, b, c, d] = both.to_ne_bytes();
        let halves = [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])];
        if self.is_swapped { [halves[0].swap_bytes(), halves[1].swap_bytes()] } else { halves }
    }

    #[cold]
    fn undescribed(&self, window: &Window, interface: u32) -> Stop {
        let known = self.interfaces.described();
        window
            .flaw(format!("a frame of interface {interface}, of which {known} are described in this section"))
    }
}

fn without_trailer(octets: &[u8]) -> &[u8] {
    octets.get(..octets.len().saturating_sub(TRAILER)).unwrap_or_default()
}

#[cold]
fn unbelievable(window: &Window, length: u32) -> Stop {
    window.flaw(format!("a block of {length} octets is announced, 12 to {LONGEST_RECORD} are believed"))
}

#[cold]
fn unequal(window: &Window, length: u32, again: u32) -> Stop {
    window.flaw(format!("a block of {length} octets by its first and {again} by its last length field"))
}

#[cold]
fn too_short(window: &Window, length: u32) -> Stop {
    window.flaw(format!("a block of {length} octets is too short for its kind"))
}

#[cold]
fn overfull(window: &Window, captured: u32, length: u32) -> Stop {
    window.flaw(format!("a frame of {captured} octets in a block of {length}"))
}

#[cfg(test)]
mod tests {
    use super::super::testfile::{BOTH_ORDERS, Order, PcapngFile};
    use super::super::tests::{failure, frames, read};
    use super::DropGap;
    use crate::terms::{LinkType, Timestamp};

    fn name(name: &str) -> (u16, Vec<u8>) {
        (2, name.as_bytes().to_vec())
    }

    #[test]
    fn packets_of_all_three_kinds_are_read_in_both_byte_orders() {
        for order in BOTH_ORDERS {
            let file = PcapngFile::new(order)
                .interface(1, 0, &[name("eth0"), (3, b"uplink".to_vec())])
                .interface(113, 0, &[(9, vec![9])])
                .enhanced(1, 1_700_000_000_123_456_789, b"first", 60, &[])
                .packet(0, 0, 1_700_000_000_500_000, b"obsolete")
                .simple(b"simple", 6);
            let (frames, capture) = read(&file.octets);
            let seen: Vec<_> = frames
                .iter()
                .map(|f| (f.timestamp.0, &f.data[..], f.wire_len, f.link.0, f.interface))
                .collect();
            assert_eq!(
                seen,
                [
                    (1_700_000_000_123_456_789, &b"first"[..], 60, 113, 1),
                    (1_700_000_000_500_000_000, b"obsolete", 8, 1, 0),
                    (1_700_000_000_500_000_000, b"simple", 6, 1, 0),
                ]
            );
            let summary = capture.summary();
            assert_eq!((summary.format, summary.frames_without_time, summary.damage), ("pcapng", 1, None));
            let names: Vec<_> =
                capture.interfaces().iter().map(|i| (i.name.as_deref(), i.description.as_deref())).collect();
            assert_eq!(names, [(Some("eth0"), Some("uplink")), (None, None)]);
        }
    }

    #[test]
    fn a_simple_packet_is_as_long_as_the_snap_length_allows() {
        let file = PcapngFile::new(Order::Little).interface(1, 5, &[]).simple(b"snapp\0\0\0", 60);
        let frames = frames(&file.octets);
        assert_eq!((&frames[0].data[..], frames[0].wire_len), (&b"snapp"[..], 60));
    }

    #[test]
    fn a_section_has_its_own_byte_order_and_interface_numbers() {
        let file = PcapngFile::new(Order::Little)
            .interface(1, 0, &[name("eth0")])
            .interface(1, 0, &[name("eth1")])
            .interface(1, 0, &[name("eth1")])
            .enhanced(2, 1, b"a", 1, &[])
            .section(Order::Big)
            .interface(1, 0, &[name("eth1")])
            .interface(113, 0, &[name("eth0")])
            .interface(1, 0, &[name("eth1")])
            .interface(1, 0, &[name("eth1")])
            .enhanced(0, 2, b"b", 1, &[])
            .enhanced(1, 3, b"c", 1, &[])
            .enhanced(2, 4, b"d", 1, &[])
            .enhanced(3, 5, b"e", 1, &[]);
        let (frames, capture) = read(&file.octets);
        let numbers: Vec<_> = frames.iter().map(|f| (f.interface, f.link.0, f.timestamp.0)).collect();
        assert_eq!(numbers, [(2, 1, 1_000), (1, 1, 2_000), (3, 113, 3_000), (2, 1, 4_000), (4, 1, 5_000)]);
        assert_eq!(capture.interfaces().len(), 5);
    }

    #[test]
    fn drops_are_taken_from_the_last_statistics_of_each_section() {
        for order in BOTH_ORDERS {
            let file = PcapngFile::new(order).interface(1, 0, &[name("eth0")]).interface(1, 0, &[]);
            let (early, late) =
                (file.number(5, 3), [file.number(5, 10), file.number(7, 4), file.number(4, 99)]);
            let file = file.statistics(0, &[early]).statistics(0, &late).section(order);
            let again = [file.number(7, 6)];
            let file = file.interface(1, 0, &[name("eth0")]).statistics(0, &again).statistics(9, &again);
            let (_, capture) = read(&file.octets);
            assert_eq!(capture.summary().damage, None);
            assert_eq!(capture.interfaces().iter().map(|i| i.dropped).collect::<Vec<_>>(), [Some(20), None]);
            assert_eq!(capture.summary().dropped, Some(20));
        }
    }

    #[test]
    fn drops_beside_packets_are_summed_once() {
        for order in BOTH_ORDERS {
            let file = PcapngFile::new(order).interface(1, 0, &[]);
            let drops = [(2, vec![0; 4]), file.number(4, 5)];
            let file = file.enhanced(0, 1, b"five", 4, &drops).enhanced(0, 2, b"odd", 3, &drops);
            let file = file.packet(0, 2, 3, b"two").packet(0, u16::MAX, 4, b"?");
            let (_, capture) = read(&file.octets);
            assert_eq!((capture.summary().damage, capture.summary().dropped), (None, Some(12)));
        }
    }

    #[test]
    fn drops_have_the_time_in_which_they_rose() {
        let at = |us: i64| Timestamp(us * 1_000);
        let gap = |interface, from: Timestamp, to: Timestamp, frames| DropGap { interface, from, to, frames };
        let none = Timestamp(i64::MIN);
        for order in BOTH_ORDERS {
            let file = PcapngFile::new(order).interface(1, 0, &[]).interface(1, 0, &[]);
            let (five, two) = (file.number(4, 5), file.number(4, 2));
            let [three, also_three, seven] = [3, 3, 7].map(|n| file.number(5, n));
            let file = file
                .enhanced(1, 5, b"the other", 9, &[two])
                .enhanced(0, 10, b"whole", 5, &[])
                .enhanced(1, 15, b"the other", 9, &[])
                .enhanced(0, 20, b"after five", 10, &[five])
                .statistics_at(1, 30, &[three])
                .statistics_at(1, 40, &[also_three])
                .enhanced(1, 45, b"late", 4, &[])
                .statistics_at(1, 50, &[seven]);
            let (_, capture) = read(&file.octets);
            assert_eq!(capture.summary().dropped, Some(12));
            assert_eq!(
                capture.gaps(),
                [
                    gap(1, none, at(5), 2),
                    gap(0, at(10), at(20), 5),
                    // Two of the three were counted beside a packet.
                    gap(1, none, at(30), 1),
                    gap(1, at(15), at(50), 4),
                ]
            );
        }
    }

    #[test]
    fn blocks_that_are_not_known_are_passed_over() {
        let file = PcapngFile::new(Order::Little)
            .block(0xBAD, &[])
            .interface(1, 0, &[])
            .block(4, &[1; 1_000])
            .block(0x8000_0001, &vec![1; 17 << 20])
            .enhanced(0, 1, b"frame", 5, &[])
            .block(10, b"secrets");
        assert_eq!(frames(&file.octets).len(), 1);
    }

    #[test]
    fn what_contradicts_itself_is_damage() {
        let good = || PcapngFile::new(Order::Little).interface(1, 0, &[]).enhanced(0, 1, b"good", 4, &[]);
        let at = good().octets.len();
        let with = |kind: u32, body: &[u8]| good().block(kind, body).octets;
        let mut unequal = with(6, &[0; 20]);
        let last = unequal.len() - 4;
        unequal[last] = 36;
        let captured = |octets: u8| [&[0; 12][..], &[octets, 0, 0, 0, 9, 0, 0, 0], &[0; 8]].concat();
        for (octets, expected) in [
            (unequal, "a block of 32 octets by its first and 36 by its last length field"),
            (with(6, &captured(9)), "a frame of 9 octets in a block of 40"),
            (with(6, &[0; 8]), "a block of 20 octets is too short for its kind"),
            (with(6, &[7; 20]), "a frame of 117901063 octets in a block of 32"),
            (
                good().enhanced(1, 1, b"", 0, &[]).octets,
                "a frame of interface 1, of which 1 are described in this section",
            ),
            (
                good().section(Order::Big).simple(b"", 0).octets,
                "a frame of interface 0, of which 0 are described in this section",
            ),
            (
                [good().octets, vec![6, 0, 0, 0, 0, 0, 0, 0]].concat(),
                "a block of 0 octets is announced, 12 to 16777216 are believed",
            ),
            (
                [good().octets, vec![6, 0, 0, 0, 255, 255, 255, 255]].concat(),
                "a block of 4294967295 octets is announced, 12 to 16777216 are believed",
            ),
            (with(0x0A0D_0D0A, &[0; 16]), "a section header whose byte-order magic is in no byte order"),
        ] {
            let (frames, capture) = read(&octets);
            let damage = capture.summary().damage.unwrap();
            assert_eq!((frames.len(), damage.frame), (1, 2), "{damage}");
            assert_eq!((&damage.what[..], damage.is_cut_off), (expected, false));
            assert!(damage.octet >= at as u64, "{damage}");
        }
    }

    #[test]
    fn lengths_without_padding_are_read() {
        let mut octets = PcapngFile::new(Order::Little).interface(1, 0, &[]).octets;
        let body = [&[0; 12][..], &[5, 0, 0, 0, 5, 0, 0, 0], b"frame"].concat();
        octets.extend([6, 0, 0, 0, 37, 0, 0, 0]);
        octets.extend(&body);
        octets.extend([0; 3]);
        octets.extend([37, 0, 0, 0]);
        assert_eq!(frames(&octets)[0].data, b"frame");
    }

    #[test]
    fn times_count_from_the_offset_of_their_interface() {
        let file = PcapngFile::new(Order::Big);
        let offset = file.number(14, 1_000);
        let file = file.interface(101, 0, &[offset, (9, vec![0x80 | 1])]).enhanced(0, 3, b"", 0, &[]);
        let frames = frames(&file.octets);
        assert_eq!((frames[0].timestamp.0, frames[0].link), (1_001_500_000_000, LinkType::RAW));
    }

    #[test]
    fn an_unknown_byte_order_or_version_is_refused() {
        let mut octets = PcapngFile::new(Order::Little).octets;
        octets[12] = 3;
        assert!(failure(&octets).contains("pcapng version 3.0"), "{}", failure(&octets));
        octets[8] = 0;
        assert!(failure(&octets).contains("byte-order magic"));
    }
}
