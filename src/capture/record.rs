//! What a format's reader hands to the capture: a frame found, or a stop.

use crate::terms::{LinkType, Timestamp};

/// One frame found at the start of the window, whole and in memory, not yet taken.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) timestamp: Timestamp,
    /// Octets of the record before the frame.
    pub(super) header: usize,
    /// Octets of the frame that were kept.
    pub(super) captured: usize,
    /// Octets of the whole record, header and padding included.
    pub(super) whole: usize,
    /// Octets of the frame on the wire, never below `captured`.
    pub(super) wire_len: u32,
    pub(super) link: LinkType,
    pub(super) interface: u16,
    /// Whether the record has a time of its own; a pcapng Simple Packet Block has none.
    pub(super) has_time: bool,
}

/// Why no further frame comes.
#[derive(Debug)]
pub(super) enum Stop {
    /// The capture ends where a record ends.
    End,
    /// What stands here cannot be read.
    Flaw(Box<Flaw>),
}

/// Damage as a format's reader sees it: it knows octets, the capture adds the frame's number.
#[derive(Debug)]
pub(super) struct Flaw {
    /// Where the record that cannot be read begins, in octets of the unpacked capture.
    pub(super) octet: u64,
    /// Set where the capture ends inside a record, as opposed to a record that says something impossible.
    pub(super) is_cut_off: bool,
    pub(super) what: String,
}

/// The longest frame or block that is believed, in octets: what announces more is damaged.
pub(super) const LONGEST_RECORD: u32 = 16 << 20;

/// A length from the capture as a size in memory.
#[inline]
pub(super) const fn size(octets: u32) -> usize {
    octets as usize
}
