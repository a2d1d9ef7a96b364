//! By what an interface spreads flows over its queues.

use super::ethtool::{self, Ethtool};
use super::ioctl::Command;

/// How an interface picks the queue of a UDP packet (receive side scaling).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowHash {
    /// Whether the ports of UDP over IPv4 count; absent where it is not told.
    pub covers_udp_ports: Option<bool>,
    /// Whether both directions of a flow come to the same queue; absent where it is not told.
    pub is_symmetric: Option<bool>,
}

/// `UDP_V4_FLOW`.
const UDP_OVER_IPV4: u32 = 2;
/// `RXH_L4_B_0_1` and `RXH_L4_B_2_3`: source port and destination port.
const PORTS: u32 = 1 << 6 | 1 << 7;
/// `ETH_RSS_HASH_TOP` and `ETH_RSS_HASH_XOR`.
const TOEPLITZ: u8 = 1 << 0;
const XOR: u8 = 1 << 1;
/// `RXH_XFRM_SYM_XOR` and `RXH_XFRM_SYM_OR_XOR`: source and destination are made one before they are hashed.
const SYMMETRIC_INPUT: u8 = 1 << 0 | 1 << 1;
/// No interface has a longer table or key.
const MOST_TABLE: u32 = 1 << 14;
const MOST_KEY: u32 = 1 << 10;

/// How an interface picks queues; absent where the driver tells nothing of it.
#[must_use]
pub fn flow_hash(name: &str) -> Option<FlowHash> {
    let driver = Ethtool::open(name).ok()?;
    let hash = FlowHash { covers_udp_ports: covers_ports(&driver), is_symmetric: symmetric(&driver) };
    (hash != FlowHash { covers_udp_ports: None, is_symmetric: None }).then_some(hash)
}

fn covers_ports(driver: &Ethtool) -> Option<bool> {
    let answer = driver.ask(Command::HashFields, &[UDP_OVER_IPV4]).ok()?;
    // A number of 64 bits, of which the lower 32 are used.
    let fields = *answer.get(if cfg!(target_endian = "little") { 2 } else { 3 })?;
    (fields != 0).then_some(fields & PORTS != 0)
}

fn symmetric(driver: &Ethtool) -> Option<bool> {
    let sizes = driver.ask(Command::HashKey, &[0, 0, 0, 0, 0]).ok()?;
    let (table, key) = (*sizes.get(2)?, *sizes.get(3)?);
    if table > MOST_TABLE || key > MOST_KEY {
        return None;
    }
    let answer = driver.ask(Command::HashKey, &[0, table, key, 0, 0]).ok()?;
    let [function, input, ..] = answer.get(4)?.to_ne_bytes();
    let key = ethtool::octets(answer.get(6 + table as usize..)?).take(key as usize).collect::<Vec<u8>>();
    judge(function, input, &key)
}

/// Whether source and destination can be exchanged without another hash.
fn judge(function: u8, input: u8, key: &[u8]) -> Option<bool> {
    if input & SYMMETRIC_INPUT != 0 || function == XOR {
        return Some(true);
    }
    // A Toeplitz hash is symmetric when its key repeats after 16 bits: addresses and ports are then shifted against
    // each other by whole periods (S. Woo, K. Park, "Scalable TCP Session Monitoring with Symmetric RSS", 2012).
    let repeats = || key.iter().zip(key.iter().skip(2)).all(|(octet, later)| octet == later);
    (function == TOEPLITZ && key.len() > 2).then(repeats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_repeats_after_sixteen_bits_is_symmetric() {
        let repeating = [0x6D, 0x5A].repeat(20);
        // The key that Microsoft's documentation of receive side scaling verifies hashes with.
        let common = [
            0x6D, 0x5A, 0x56, 0xDA, 0x25, 0x5B, 0x0E, 0xC2, 0x41, 0x67, 0x25, 0x3D, 0x43, 0xA3, 0x8F, 0xB0,
            0xD0, 0xCA, 0x2B, 0xCB, 0xAE, 0x7B, 0x30, 0xB4, 0x77, 0xCB, 0x2D, 0xA3, 0x80, 0x30, 0xF2, 0x0C,
            0x6A, 0x42, 0xB7, 0x3B, 0xBE, 0xAC, 0x01, 0xFA,
        ];
        for (name, function, input, key, expected) in [
            ("repeating", TOEPLITZ, 0, &repeating[..], Some(true)),
            ("common", TOEPLITZ, 0, &common[..], Some(false)),
            ("made symmetric before", TOEPLITZ, 1, &common[..], Some(true)),
            ("exclusive or", XOR, 0, &[], Some(true)),
            ("no key told", TOEPLITZ, 0, &[], None),
            ("checksum", 1 << 2, 0, &common[..], None),
        ] {
            assert_eq!(judge(function, input, key), expected, "{name}");
        }
    }
}
