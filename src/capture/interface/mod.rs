//! What the kernel and the driver say of a network interface.
//!
//! State and counters come from a routing socket ([`Links`]): cheap, without privilege, and right in any network
//! namespace. What only the driver knows is asked for with the ethtool ioctl. What a driver does not tell is absent,
//! never zero. Nothing here reads a packet.

mod coalescing;
mod error;
mod ethtool;
mod hash;
mod ioctl;
mod message;
mod netlink;
mod offloads;
mod queues;
mod rings;
mod statistics;
mod timestamping;

pub use coalescing::{Coalescing, coalescing};
pub use error::InterfaceError;
pub use hash::{FlowHash, flow_hash};
pub use netlink::Links;
pub use offloads::{MergesWhat, Offload, VLAN_OFFLOAD, merging_offloads, switch_off, vlan_offload};
pub use queues::{Queues, queues};
pub use rings::{RingSizes, ring_sizes};
pub use statistics::InterfaceStatistics;
pub use timestamping::{TimeStamping, time_stamping};

use self::ethtool::Ethtool;
use self::ioctl::Command;

/// An interface, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number in this network namespace; a new one when it comes back.
    pub index: u32,
    /// Whether it was switched on.
    pub is_up: bool,
    /// Whether there is a link; false also where it is not switched on.
    pub has_carrier: bool,
    /// Whether it takes frames for other machines, for whatever reason.
    pub is_promiscuous: bool,
    /// How many users hold it promiscuous: captures, bridges, the operator.
    pub promiscuity: Option<u32>,
    /// Largest packet in octets, without the link header.
    pub mtu: u32,
    /// What stands at the start of its frames: an `ARPHRD_` number of `include/uapi/linux/if_arp.h`.
    pub link_kind: u16,
    /// What makes it, where that is software: `veth`, `vlan`, `bridge`, ...
    pub software_kind: Option<String>,
}

impl Interface {
    /// `ARPHRD_ETHER`.
    pub const ETHERNET: u16 = 1;
    /// `ARPHRD_LOOPBACK`, whose frames look like Ethernet.
    pub const LOOPBACK: u16 = 772;

    /// Asks for one interface.
    ///
    /// # Errors
    ///
    /// There is none of this name, and then which there are; or the kernel does not answer.
    pub fn of(name: &str) -> Result<Self, InterfaceError> {
        Links::open()?.interface(name)
    }

    /// Whether its frames begin with an Ethernet header.
    #[must_use]
    pub const fn is_ethernet(&self) -> bool {
        matches!(self.link_kind, Self::ETHERNET | Self::LOOPBACK)
    }
}

/// The names of all interfaces in this network namespace.
///
/// # Errors
///
/// The kernel does not answer.
pub fn list() -> Result<Vec<String>, InterfaceError> {
    Links::open()?.names()
}

/// What an interface has counted since it was made. To ask every second, keep a [`Links`].
///
/// # Errors
///
/// There is no such interface, or the kernel does not answer.
pub fn statistics(name: &str) -> Result<InterfaceStatistics, InterfaceError> {
    Links::open()?.statistics(name)
}

/// The name of the driver: `ixgbe`, `mlx5_core`, `veth`.
#[must_use]
pub fn driver(name: &str) -> Option<String> {
    let answer = Ethtool::open(name).ok()?.ask(Command::Driver, &[]).ok()?;
    let driver = ethtool::text(answer.get(1..9)?);
    (!driver.is_empty()).then_some(driver)
}

/// The speed of the link in Mbit/s; absent where there is no link, or none with a speed.
#[must_use]
pub fn speed_mbits(name: &str) -> Option<u32> {
    let answer = Ethtool::open(name).ok()?.ask(Command::Settings, &[]).ok()?;
    // The low half stands beside duplex and port, the high half later in the structure.
    let low = ethtool::halves(*answer.get(3)?)[0];
    let high = ethtool::halves(*answer.get(7)?)[0];
    let speed = u32::from(high) << 16 | u32::from(low);
    (speed != 0 && speed != u32::MAX && speed != u32::from(u16::MAX)).then_some(speed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_of_every_machine_is_told() {
        let interface = Interface::of("lo").unwrap();
        assert_eq!(interface.link_kind, Interface::LOOPBACK);
        assert!(interface.is_ethernet());
        assert!(list().unwrap().contains(&"lo".to_owned()));
        // It has no link speed, and no hardware to time frames with.
        assert_eq!(speed_mbits("lo"), None);
        assert_eq!(ring_sizes("lo"), None);
    }

    #[test]
    fn the_driver_of_no_interface_is_absent() {
        assert_eq!(driver("hopmark-none"), None);
        assert_eq!(coalescing("hopmark-none"), None);
        assert!(merging_offloads("hopmark-none").is_err());
    }
}
