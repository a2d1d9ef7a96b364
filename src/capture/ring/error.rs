//! Why a ring could not be opened or read.

use std::io;

/// A ring that could not be opened, or that gives no more frames for now or for good.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// A figure that no ring can have.
    #[error("interface {interface}: {what}; {remedy}")]
    Options {
        /// The interface.
        interface: String,
        /// What is asked for.
        what: String,
        /// What may be asked for.
        remedy: &'static str,
    },
    /// The process may not capture.
    #[error(
        "interface {interface}: not permitted to capture, as CAP_NET_RAW is missing: start hopmark as root or by its \
         systemd unit (AmbientCapabilities=CAP_NET_RAW), or give the program the capability: \
         setcap cap_net_raw+ep $(command -v hopmark)"
    )]
    Permission {
        /// The interface.
        interface: String,
    },
    /// No interface has this name.
    #[error("interface {interface}: not found; interfaces here: {}", .there.join(", "))]
    NoSuchInterface {
        /// The interface.
        interface: String,
        /// The interfaces there are.
        there: Vec<String>,
    },
    /// Frames of this interface do not begin with an Ethernet header.
    #[error(
        "interface {interface}: not Ethernet (hardware type {hardware} of linux/if_arp.h), which the ring does not \
         read; set backend = \"pcap\" for it"
    )]
    NotEthernet {
        /// The interface.
        interface: String,
        /// `ARPHRD_` number.
        hardware: u16,
    },
    /// Not even one block could be had.
    #[error(
        "interface {interface}: no memory for even one block of {block_octets} octets; set smaller blocks for the \
         ring, or free memory"
    )]
    Memory {
        /// The interface.
        interface: String,
        /// Octets of one block.
        block_octets: u32,
    },
    /// The filter could not be put on.
    #[error(
        "interface {interface}: the filter could not be put on: {reason}; an eBPF program needs CAP_BPF, a classic one \
         at most 4096 instructions"
    )]
    Filter {
        /// The interface.
        interface: String,
        /// What the kernel says.
        reason: io::Error,
    },
    /// The kernel refuses something that it should not.
    #[error("interface {interface}: {what}: {reason}; Linux 4.20 or later is needed, with CONFIG_PACKET")]
    Setup {
        /// The interface.
        interface: String,
        /// What was being done.
        what: &'static str,
        /// What the kernel says.
        reason: io::Error,
    },
    /// The ring could not be mapped.
    #[error(
        "interface number {interface_index}: the ring of {blocks} blocks of {block_octets} octets could not be mapped: \
         {reason}; RLIMIT_AS of this process must leave room for it"
    )]
    Map {
        /// The interface's number.
        interface_index: u32,
        /// Blocks of the ring.
        blocks: u32,
        /// Octets of each.
        block_octets: u32,
        /// What the kernel says.
        reason: io::Error,
    },
    /// The interface went down. All frames from before were given. The ring may be kept: it fills again once the
    /// interface is up.
    #[error("interface number {interface_index} went down; bring it up: ip link set dev NAME up")]
    Down {
        /// The interface's number.
        interface_index: u32,
    },
    /// The interface was removed, or moved to another namespace. All frames from before were given. The ring is of no
    /// more use; an interface of the same name needs a new one.
    #[error("interface number {interface_index} was removed; if it comes back, it has to be opened anew")]
    Gone {
        /// The interface's number.
        interface_index: u32,
    },
    /// Waiting for frames failed.
    #[error("interface number {interface_index}: waiting for frames failed: {reason}; open it anew")]
    Wait {
        /// The interface's number.
        interface_index: u32,
        /// What the kernel says.
        reason: io::Error,
    },
}

/// Names of the interfaces there are, for messages.
pub(in crate::capture) fn interfaces() -> Vec<String> {
    let there = nix::net::if_::if_nameindex();
    there.iter().flatten().map(|interface| interface.name().to_string_lossy().into_owned()).collect()
}
