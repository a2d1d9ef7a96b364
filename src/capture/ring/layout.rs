//! What the kernel writes into a ring, and what it is asked with.
//!
//! All of it in the layout of `linux/if_packet.h`, as plain octets that any content makes valid: what the content
//! means is checked where it is used.

use std::mem::{offset_of, size_of};

use bytemuck::{Pod, Zeroable};

/// The start of a block: `struct tpacket_block_desc` with its `struct tpacket_hdr_v1`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct BlockHeader {
    version_and_private: [u32; 2],
    /// Who owns the block, and `TP_STATUS_` bits.
    pub(super) status: u32,
    /// Frames in the block.
    pub(super) frames: u32,
    /// Octets from the start of the block to its first frame.
    pub(super) first: u32,
    filled: u32,
    sequence: u64,
    first_and_last_time: [u32; 4],
}

/// What stands before each frame: `struct tpacket3_hdr`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct FrameHeader {
    /// Octets from here to the next header; 0 in the last.
    pub(super) next: u32,
    /// Seconds since the Unix epoch.
    pub(super) seconds: u32,
    /// Nanoseconds of that second.
    pub(super) nanoseconds: u32,
    /// Octets that were kept.
    pub(super) kept: u32,
    /// Octets that the frame had.
    pub(super) whole: u32,
    /// `TP_STATUS_` bits.
    pub(super) status: u32,
    /// Octets from here to the frame.
    pub(super) mac: u16,
    net: u16,
    hash: u32,
    /// Priority and identifier of the outermost tag, in the low 16 bits.
    pub(super) tag: u32,
    /// The tag's `EtherType`.
    pub(super) tag_type: u16,
    padding: [u16; 5],
}

/// What a ring is asked for with: `struct tpacket_req3`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct RingRequest {
    pub(super) block_octets: u32,
    pub(super) blocks: u32,
    pub(super) frame_octets: u32,
    pub(super) frames: u32,
    pub(super) retire_milliseconds: u32,
    pub(super) private_octets: u32,
    pub(super) features: u32,
}

/// Counters since they were last asked for: `struct tpacket_stats_v3`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Statistics {
    /// Packets that passed the filter, those that were dropped among them.
    pub(super) packets: u32,
    pub(super) dropped: u32,
    pub(super) freezes: u32,
}

/// A mode of the interface that lasts as long as the socket: `struct packet_mreq`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Membership {
    pub(super) interface: i32,
    pub(super) kind: u16,
    pub(super) address_octets: u16,
    pub(super) address: [u8; 8],
}

/// Where the status stands in a block.
pub(super) const STATUS: usize = offset_of!(BlockHeader, status);
/// Where the number of frames stands in a block.
pub(super) const FRAMES: usize = offset_of!(BlockHeader, frames);

// The kernel's layout is fixed for ever; this is against slips above.
const _: () = {
    assert!(size_of::<FrameHeader>() == size_of::<libc::tpacket3_hdr>());
    assert!(offset_of!(FrameHeader, status) == offset_of!(libc::tpacket3_hdr, tp_status));
    assert!(offset_of!(FrameHeader, mac) == offset_of!(libc::tpacket3_hdr, tp_mac));
    assert!(offset_of!(FrameHeader, hash) == offset_of!(libc::tpacket3_hdr, hv1));
    assert!(size_of::<RingRequest>() == size_of::<libc::tpacket_req3>());
    assert!(size_of::<Statistics>() == size_of::<libc::tpacket_stats_v3>());
    assert!(size_of::<Membership>() == size_of::<libc::packet_mreq>());
    assert!(size_of::<BlockHeader>() == 48 && STATUS == 8 && FRAMES == 12);
};
