//! Link types as capture files write them, made one registry's numbers.

use crate::terms::LinkType;

/// The link type in the `network` field of pcap or in a pcapng interface description.
///
/// Only the low 16 bits are the type: above them stand the length of the frame check sequence and class bits
/// (draft-ietf-opsawg-pcap, section 4). Bare IP is 12 in files of most systems and 14 in those of OpenBSD,
/// whose own numbers leaked into files before the registry gave it 101.
pub(super) const fn from_network(network: u32) -> LinkType {
    match network & 0xFFFF {
        12 | 14 => LinkType::RAW,
        #[allow(clippy::cast_possible_truncation, reason = "masked to 16 bits above")]
        number => LinkType(number as u16),
    }
}

/// The link type for a datalink number of snoop (RFC 1761, section 4, and the numbers Solaris added).
pub(super) const fn from_snoop(datalink: u32) -> Option<LinkType> {
    Some(match datalink {
        // IEEE 802.3 and Ethernet: told apart only by the length field, which stands in the frame itself.
        0 | 4 => LinkType::ETHERNET,
        2 => LinkType(6),    // IEEE 802.5 token ring
        8 => LinkType(10),   // FDDI
        26 => LinkType(226), // Solaris ipnet
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_low_sixteen_bits_are_the_link_type() {
        for (network, expected) in [
            (1, LinkType::ETHERNET),
            (0xF000_0001, LinkType::ETHERNET),
            (0x3000_0065, LinkType::RAW),
            (12, LinkType::RAW),
            (14, LinkType::RAW),
            (0x3000_000C, LinkType::RAW),
            (7, LinkType(7)),
            (276, LinkType::LINUX_SLL2),
        ] {
            assert_eq!(from_network(network), expected, "{network:#x}");
        }
    }
}
