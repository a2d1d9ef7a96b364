//! The pcapng format: sections, interfaces, packets of three kinds.
//!
//! Source: draft-ietf-opsawg-pcapng. A file is a row of blocks: type, total length, body, total length again. A
//! section header block sets the byte order and begins the interface numbers anew. Blocks that say nothing about
//! frames are passed over.

mod clock;
mod interfaces;
mod options;

use self::interfaces::{Described, Interfaces, MOST_INTERFACES};
use self::options::Options;
use super::error::Refusal;
use super::link;
use super::record::{LONGEST_RECORD, Record, Stop, size};
use super::summary::Interface;
use super::window::Window;
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

/// The shortest section header block.
const SECTION_HEADER_LENGTH: usize = 28;
/// Type and total length at the start of a block.
const BLOCK_HEADER: usize = 8;
/// The total length at the end of a block.
const TRAILER: usize = 4;
/// From the start of an enhanced packet block, or of a packet block, to its frame.
const PACKET_HEADER: usize = 28;
/// From the start of a simple packet block to its frame.
const SIMPLE_PACKET_HEADER: usize = 12;
const EPB_DROPCOUNT: u16 = 4;
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
        })
    }

    pub(super) fn interfaces(&self) -> &[Interface] {
        self.interfaces.all()
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
        if kind == PACKET || room - size(captured) >= 4 {
            self.count_drops(window, whole, kind);
        }
        self.last_time = clock.time(high, low);
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
                    let [_, _, interface, _, _] = self.numbers(*header);
                    self.interfaces.statistics(interface, without_trailer(rest), self.is_swapped);
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
        let whole = self.block(window, section.length)?.len();
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
            self.interfaces.dropped_before_packet(interface, count);
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

/// The fixed part of a section header block.
struct Section {
    is_swapped: bool,
    length: u32,
    major: u16,
    minor: u16,
}

impl Section {
    /// `None` where the byte-order magic is wrong.
    fn read(header: &[u8; SECTION_HEADER_LENGTH]) -> Option<Self> {
        const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
        let [_, length, magic, ..]: [u32; 7] = bytemuck::cast(*header);
        let [_, _, _, _, _, _, major, minor, ..]: [u16; 14] = bytemuck::cast(*header);
        if magic == BYTE_ORDER_MAGIC {
            Some(Self { is_swapped: false, length, major, minor })
        } else if magic.swap_bytes() == BYTE_ORDER_MAGIC {
            let [major, minor] = [major, minor].map(u16::swap_bytes);
            Some(Self { is_swapped: true, length: length.swap_bytes(), major, minor })
        } else {
            None
        }
    }

    /// Version 1.2 was written for a while and is the same as 1.0.
    const fn is_version_known(&self) -> bool {
        matches!((self.major, self.minor), (1, 0 | 2))
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
