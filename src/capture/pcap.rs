//! The pcap format in its three kinds: micro-, nanosecond and modified.
//!
//! Source: draft-ietf-opsawg-pcap. A file header of 24 octets, then records: a header of 16 octets, then the
//! frame as far as it was kept. All numbers are in the byte order of the machine that captured, which the magic
//! number tells. The modified kind, of old Linux distributions and of some home routers, has 8 more octets in
//! each record header (interface index, protocol, packet type), which say nothing that the frame does not.

use super::error::Refusal;
use super::link;
use super::record::{LONGEST_RECORD, Record, Stop, size};
use super::summary::Interface;
use super::window::Window;
use crate::terms::{LinkType, Timestamp};

/// Reads the records of one pcap file.
pub(super) struct Pcap {
    kind: Kind,
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
    interface: Interface,
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
        Ok(Self {
            kind,
            is_swapped,
            fraction_nanos: if kind == Kind::Nanoseconds { 1 } else { 1_000 },
            header: if kind == Kind::Modified { MODIFIED_RECORD_HEADER } else { RECORD_HEADER },
            longest: snap_length.clamp(USUAL_LONGEST, LONGEST_RECORD),
            may_swap_lengths: minor == 3,
            link,
            interface: Interface::unnamed(link),
        })
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
        let header = window.require_head::<RECORD_HEADER>()?;
        let mut fields = bytemuck::cast::<_, [u32; 4]>(*header);
        if self.is_swapped {
            fields = fields.map(u32::swap_bytes);
        }
        let [seconds, fraction, mut captured, mut wire_len] = fields;
        if captured > wire_len && self.may_swap_lengths {
            (captured, wire_len) = (wire_len, captured);
        }
        if captured > self.longest {
            return Err(self.too_long(window, captured));
        }
        let whole = self.header + size(captured);
        window.require(whole)?;
        Ok(Record {
            // Cannot overflow: both fields have 32 bits.
            timestamp: Timestamp(
                i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * self.fraction_nanos,
            ),
            header: self.header,
            captured: size(captured),
            whole,
            wire_len: wire_len.max(captured),
            link: self.link,
            interface: 0,
            has_time: true,
        })
    }

    #[cold]
    fn too_long(&self, window: &Window, captured: u32) -> Stop {
        window.flaw(format!(
            "a frame of {captured} octets is announced, no more than {} are believed",
            self.longest
        ))
    }
}
