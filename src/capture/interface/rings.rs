//! How many frames an interface holds for the kernel.

use super::ethtool::Ethtool;
use super::ioctl::Command;

/// Sizes of the receiving rings of an interface, in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingSizes {
    /// As it is.
    pub current: u32,
    /// As it can be.
    pub maximum: u32,
}

/// The sizes of an interface's receiving rings; absent where the driver has none or does not tell.
#[must_use]
pub fn ring_sizes(name: &str) -> Option<RingSizes> {
    let answer = Ethtool::open(name).ok()?.ask(Command::Rings, &[]).ok()?;
    let sizes = RingSizes { current: *answer.get(5)?, maximum: *answer.get(1)? };
    (sizes.maximum > 0).then_some(sizes)
}
