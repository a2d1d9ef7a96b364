//! Several rings that share one interface's packets among them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::kernel;

/// Which rings share their packets, and how.
#[derive(Debug)]
pub struct Fanout {
    /// Rings of one network namespace that have the same number share. [`open_fanned`](super::open_fanned) has the
    /// kernel choose a number that nobody else has.
    pub group: u16,
    /// An eBPF program that chooses the ring, by its descriptor: it sees packets from the network layer on. Without
    /// one, the kernel's symmetric hash over addresses and ports chooses. Fragments, of which only the first has
    /// ports, are then put together before: a datagram in fragments is one frame, and one that lacks a fragment is
    /// none.
    pub program: Option<OwnedFd>,
}

/// How one socket joins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joining<'a> {
    /// `None` has the kernel choose a group that is not in use.
    pub(super) group: Option<u16>,
    pub(super) by: Choice<'a>,
    /// A group does not ask its members what they leave out.
    pub(super) ignores_outgoing: bool,
}

/// Who chooses the ring of a packet. All members of a group are to say the same.
#[derive(Debug, Clone, Copy)]
pub(super) enum Choice<'a> {
    Hash,
    Program(BorrowedFd<'a>),
}

impl<'a> Choice<'a> {
    pub(super) fn of(program: Option<&'a OwnedFd>) -> Self {
        program.map_or(Self::Hash, |program| Self::Program(program.as_fd()))
    }
}

/// Puts a bound socket into a group.
pub(super) fn join(socket: BorrowedFd<'_>, joining: Joining<'_>) -> io::Result<()> {
    // No roll-over: a flow whose packets are spread over rings when one of them is full is out of order in all.
    let mut way = match joining.by {
        Choice::Hash => libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG,
        Choice::Program(_) => libc::PACKET_FANOUT_EBPF,
    };
    if joining.ignores_outgoing {
        // Kernels that do not know it take no notice.
        way |= libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
    }
    if joining.group.is_none() {
        way |= libc::PACKET_FANOUT_FLAG_UNIQUEID;
    }
    let group = u32::from(joining.group.unwrap_or(0));
    kernel::set(socket, libc::PACKET_FANOUT, &(group | way << 16))?;
    if let Choice::Program(program) = joining.by {
        kernel::set(socket, libc::PACKET_FANOUT_DATA, &program.as_raw_fd())?;
    }
    Ok(())
}

/// The group of a socket that is in one: to let rings that are opened later join it. As long as any of its sockets is
/// open the kernel gives the number to nobody else who has it choose.
///
/// # Errors
///
/// The descriptor is no packet socket.
pub fn fanout_group(member: BorrowedFd<'_>) -> io::Result<u16> {
    let [group, _]: [u16; 2] = halves(kernel::get(member, libc::PACKET_FANOUT)?);
    Ok(group)
}

/// Low and high half.
const fn halves(word: u32) -> [u16; 2] {
    [(word & 0xFFFF) as u16, (word >> 16) as u16]
}
