//! A filter that passes nothing, until a ring is ready.
//!
//! A socket hears as soon as it is bound, but can join a fan-out group only then (before Linux 6.13), so that
//! in between the ring would get packets that are another ring's, or that no filter has seen.

use std::io;
use std::os::fd::BorrowedFd;

use super::kernel;

/// Loads a number and drops the packet. The number only makes the program known again.
#[allow(clippy::cast_possible_truncation, reason = "the codes of instructions have 16 bits")]
const NOTHING: [libc::sock_filter; 2] = [
    libc::sock_filter { code: (libc::BPF_LD | libc::BPF_IMM) as u16, jt: 0, jf: 0, k: 0x686F_706D },
    libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 },
];

/// Lets nothing through from now on.
pub(super) fn close(socket: BorrowedFd<'_>) -> io::Result<()> {
    kernel::attach_classic(socket, &NOTHING)
}

/// Lets everything through, unless another filter has taken this one's place.
pub(super) fn open(socket: BorrowedFd<'_>) -> io::Result<()> {
    if kernel::has_filter(socket, &NOTHING) { kernel::detach_filter(socket) } else { Ok(()) }
}
