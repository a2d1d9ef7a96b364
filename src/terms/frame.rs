//! One captured frame, borrowed from the buffer it was read into.

use super::Timestamp;

/// What stands at the start of a frame: a `LINKTYPE_` number of the pcap registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a 4-octet address family in the byte order of the machine that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP (RFC 1661), with or without HDLC framing.
    pub const PPP: Self = Self(9);
    /// PPP in HDLC-like framing (RFC 1662).
    pub const PPP_HDLC: Self = Self(50);
    /// `PPPoE` session header, then PPP.
    pub const PPP_ETHER: Self = Self(51);
    /// Bare IPv4 or IPv6, told by the version nibble.
    pub const RAW: Self = Self(101);
    /// IEEE 802.11.
    pub const IEEE802_11: Self = Self(105);
    /// OpenBSD loopback: a 4-octet address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// IEEE 802.11 behind a radiotap header.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// Bare IPv4.
    pub const IPV4: Self = Self(228);
    /// Bare IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One frame as it was captured.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// When it was captured.
    pub timestamp: Timestamp,
    /// The octets that were kept; fewer than `wire_len` in a snapped capture.
    pub data: &'a [u8],
    /// How long it was on the wire, in octets.
    pub wire_len: u32,
    /// What stands at the start of `data`.
    pub link: LinkType,
    /// Which of the capture's interfaces heard it; 0 where a capture has one only.
    pub interface: u16,
}

impl Frame<'_> {
    /// No frame: what stands in a list before there is one.
    pub const NONE: Self =
        Self { timestamp: Timestamp(0), data: &[], wire_len: 0, link: LinkType::NULL, interface: 0 };
}
