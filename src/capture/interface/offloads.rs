//! Offloads that change frames before they are seen, and switching off.

use super::InterfaceError;
use super::ethtool::{self, Ethtool};
use super::ioctl::Command;

/// An offload that merges packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offload {
    /// As `ethtool -K` takes it.
    pub name: &'static str,
    /// Which packets it merges.
    pub merges: MergesWhat,
    /// Whether it is at work.
    pub is_on: bool,
    /// Whether the driver does not let it be changed.
    pub is_fixed: bool,
}

/// Which packets an offload merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergesWhat {
    /// Segments of a TCP connection.
    Tcp,
    /// Datagrams of a UDP flow also: media itself.
    Udp,
}

/// The kernel's name, ethtool's name, and what it merges.
const MERGING: [(&str, &str, MergesWhat); 5] = [
    ("rx-gro", "gro", MergesWhat::Tcp),
    ("rx-lro", "lro", MergesWhat::Tcp),
    ("rx-gro-hw", "rx-gro-hw", MergesWhat::Tcp),
    ("rx-udp-gro-forwarding", "rx-udp-gro-forwarding", MergesWhat::Udp),
    ("rx-gro-list", "rx-gro-list", MergesWhat::Udp),
];

/// The kernel's name of what takes the outer VLAN tag out of a frame (`rxvlan` of ethtool).
const VLAN_TAKEN: &str = "rx-vlan-hw-parse";

/// The offloads of an interface that merge received packets, on or off; those that the kernel does not have are absent.
///
/// # Errors
///
/// There is no such interface, or the kernel does not say.
pub fn merging_offloads(name: &str) -> Result<Vec<Offload>, InterfaceError> {
    let features = Features::read(&Ethtool::open(name)?)?;
    let offload = |(kernels, name, merges): (&str, &'static str, MergesWhat)| {
        let (is_on, is_fixed) = features.state(kernels)?;
        Some(Offload { name, merges, is_on, is_fixed })
    };
    Ok(MERGING.into_iter().filter_map(offload).collect())
}

/// Whether the interface takes the outer VLAN tag out of frames: then it stands beside the frame, in what the kernel
/// says of it. Absent where it is not told.
#[must_use]
pub fn vlan_offload(name: &str) -> Option<bool> {
    let features = Features::read(&Ethtool::open(name).ok()?).ok()?;
    features.state(VLAN_TAKEN).map(|(is_on, _)| is_on)
}

/// As `ethtool -K` takes what [`vlan_offload`] tells.
pub const VLAN_OFFLOAD: &str = "rxvlan";

/// Switches one of [`merging_offloads`] off, or [`VLAN_OFFLOAD`]; one that is off already stays so. Needs `CAP_NET_ADMIN`.
///
/// # Errors
///
/// There is no such interface, the process may not, or the driver does not let it be switched off.
pub fn switch_off(name: &str, offload: &str) -> Result<(), InterfaceError> {
    let driver = Ethtool::open(name)?;
    let features = Features::read(&driver)?;
    let known = MERGING.iter().map(|(kernels, name, _)| (*kernels, *name));
    let mut known = known.chain([(VLAN_TAKEN, VLAN_OFFLOAD)]);
    let kernels = known.find(|(_, name)| *name == offload).map(|(kernels, _)| kernels);
    let place = kernels.and_then(|kernels| features.place(kernels));
    let Some(place) = place else {
        let (name, offload) = (name.to_owned(), offload.to_owned());
        return Err(InterfaceError::UnknownOffload { name, offload });
    };
    if !features.is_active(place) {
        return Ok(());
    }
    let request: Vec<u32> = std::iter::once(features.blocks())
        .chain((0..features.state.len()).flat_map(|block| {
            let valid = if block == place / 32 { 1 << (place % 32) } else { 0 };
            [valid, 0]
        }))
        .collect();
    driver.demand("switch an offload off", Command::ChangeFeatures, &request)?;
    // The kernel takes the wish also where the driver does not follow it.
    if Features::read(&driver)?.is_active(place) {
        return Err(InterfaceError::StaysOn { name: name.to_owned(), offload: offload.to_owned() });
    }
    Ok(())
}

/// All offloads of an interface, by the kernel's names.
struct Features {
    names: Vec<String>,
    state: Vec<Block>,
}

/// 32 offloads (`ethtool_get_features_block`).
struct Block {
    available: u32,
    active: u32,
    never_changed: u32,
}

/// The set of names that offloads have (`ETH_SS_FEATURES`).
const NAME_SET: u32 = 4;
/// Its bit in a number of 64 bits, as that lies in memory.
const NAME_SET_MASK: [u32; 2] =
    if cfg!(target_endian = "little") { [1 << NAME_SET, 0] } else { [0, 1 << NAME_SET] };
/// Words that one name takes (`ETH_GSTRING_LEN` octets).
const NAME_WORDS: usize = 8;

impl Features {
    fn read(driver: &Ethtool) -> Result<Self, InterfaceError> {
        const DOING: &str = "read its offloads";
        let count = driver.demand(DOING, Command::NameCount, &[0, NAME_SET_MASK[0], NAME_SET_MASK[1], 0])?;
        let count = count.get(4).copied().unwrap_or_default();
        let names = driver.demand(DOING, Command::Names, &[NAME_SET, count])?;
        let names = names.get(3..).unwrap_or_default().chunks_exact(NAME_WORDS);
        let names = names.take(count as usize).map(ethtool::text).collect();
        let state = driver.demand(DOING, Command::Features, &[count.div_ceil(32)])?;
        let blocks = state.get(2..).unwrap_or_default().chunks_exact(4).take(count.div_ceil(32) as usize);
        let block = |words: &[u32]| match *words {
            [available, _requested, active, never_changed] => {
                Some(Block { available, active, never_changed })
            }
            _ => None,
        };
        Ok(Self { names, state: blocks.filter_map(block).collect() })
    }

    fn blocks(&self) -> u32 {
        u32::try_from(self.state.len()).unwrap_or(u32::MAX)
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    fn is_active(&self, place: usize) -> bool {
        self.state.get(place / 32).is_some_and(|block| block.active >> (place % 32) & 1 == 1)
    }

    /// Whether it is on, and whether that is fixed.
    fn state(&self, name: &str) -> Option<(bool, bool)> {
        let place = self.place(name)?;
        let block = self.state.get(place / 32)?;
        let bit = |mask: u32| mask >> (place % 32) & 1 == 1;
        Some((bit(block.active), !bit(block.available) || bit(block.never_changed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::interface::list;

    #[test]
    fn what_is_on_and_what_is_fixed_is_read_from_the_block_of_the_name() {
        let mut names = vec![String::new(); 40];
        names[3] = "rx-lro".into();
        names[34] = "rx-gro".into();
        let state = vec![
            Block { available: 0, active: 0, never_changed: 0 },
            Block { available: 0b100, active: 0b100, never_changed: 0 },
        ];
        let features = Features { names, state };
        assert_eq!(features.state("rx-gro"), Some((true, false)));
        assert_eq!(features.state("rx-lro"), Some((false, true)));
        assert_eq!(features.state("rx-gro-hw"), None);
    }

    #[test]
    fn the_kernel_of_this_machine_knows_gro() {
        for name in list().unwrap() {
            let offloads = merging_offloads(&name).unwrap();
            assert!(offloads.iter().any(|offload| offload.name == "gro"), "{name}: {offloads:?}");
        }
    }

    #[test]
    fn an_offload_that_is_none_is_refused() {
        let error = switch_off("lo", "tso").unwrap_err();
        assert!(error.to_string().contains("gro, lro, rx-gro-hw"), "{error}");
    }
}
