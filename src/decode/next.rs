//! What stands at the start of the octets that are left.

/// The header to read next, told by the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Ethernet addresses and a type.
    Ethernet,
    /// What an `EtherType` names; below 0x0600 it is the length of what begins with LLC.
    Type(u16),
    /// LLC (IEEE 802.2).
    Llc,
    /// IPv4 or IPv6, told by the version.
    Ip,
    /// A PPP frame.
    Ppp,
    /// IEEE 802.11.
    Wlan {
        /// Whether the header is padded to four octets.
        is_padded: bool,
    },
}
