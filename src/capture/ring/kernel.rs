//! All that is unsafe of the ring: its memory and calls to the kernel.
//!
//! The face is safe. Memory is lent block by block, only while the kernel has handed the block over, and what was
//! written into it is octets: who reads lengths and offsets there checks them against the block.

#![allow(unsafe_code, reason = "memory shared with the kernel, and socket options that no crate wraps")]

use std::ffi::c_void;
use std::io;
use std::mem::{self, size_of};
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use bytemuck::{AnyBitPattern, NoUninit};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::layout::{BlockHeader, FRAMES, STATUS};

/// The blocks of one ring, mapped.
#[derive(Debug)]
pub(super) struct Memory {
    start: NonNull<u8>,
    blocks: u32,
    block_octets: u32,
}

/// A block that the kernel has handed over.
pub(super) struct Block<'a> {
    /// All of it, its header included.
    pub(super) octets: &'a mut [u8],
    /// Its `TP_STATUS_` bits when it was taken.
    pub(super) status: u32,
}

impl Memory {
    /// Maps the ring of a socket. The kernel refuses any other length than the ring's.
    pub(super) fn map(socket: BorrowedFd<'_>, blocks: u32, block_octets: u32) -> io::Result<Self> {
        let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
        if (block_octets as usize) < size_of::<BlockHeader>() || !block_octets.is_multiple_of(4096) {
            return Err(invalid());
        }
        let octets =
            (blocks as usize).checked_mul(block_octets as usize).filter(|n| isize::try_from(*n).is_ok());
        let octets = octets.and_then(NonZeroUsize::new).ok_or_else(invalid)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that is in use.
        let start = unsafe { mmap(None, octets, access, MapFlags::MAP_SHARED, socket, 0) }?;
        Ok(Self { start: start.cast(), blocks, block_octets })
    }

    /// How many blocks there are, at least one.
    pub(super) const fn blocks(&self) -> u32 {
        self.blocks
    }

    /// The block, if the kernel has handed it over; it stays ours until [`Self::give_back`].
    #[inline]
    pub(super) fn take(&mut self, block: u32) -> Option<Block<'_>> {
        // What the kernel wrote before it set the status is seen after this.
        let status = self.word(block, STATUS)?.load(Ordering::Acquire);
        if status & libc::TP_STATUS_USER == 0 {
            return None;
        }
        let start = self.start_of(block)?;
        // SAFETY: `start_of` gives a block of `block_octets` within the mapping, which lives as long as `self`. The
        // kernel writes nothing into a block that has TP_STATUS_USER, and `self` is borrowed as long as the
        // slice, so that nobody else reads or writes it either.
        let octets = unsafe { slice::from_raw_parts_mut(start.as_ptr(), self.block_octets as usize) };
        Some(Block { octets, status })
    }

    /// Lets the kernel fill the block again.
    #[inline]
    pub(super) fn give_back(&mut self, block: u32) {
        if let Some(status) = self.word(block, STATUS) {
            // What was read and written in the block is done before this is seen.
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
    }

    /// Whether the kernel has handed a block over.
    pub(super) fn is_handed_over(&self, block: u32) -> bool {
        self.word(block, STATUS)
            .is_some_and(|status| status.load(Ordering::Relaxed) & libc::TP_STATUS_USER != 0)
    }

    /// Whether the kernel has frames in a block that it has not handed over.
    pub(super) fn is_filling(&self, block: u32) -> bool {
        let word = |offset| Some(self.word(block, offset)?.load(Ordering::Acquire));
        word(STATUS).is_some_and(|status| status & libc::TP_STATUS_USER == 0)
            && word(FRAMES).is_some_and(|frames| frames > 0)
    }

    /// A word of the header that the kernel may write at any time; `None` outside the ring.
    #[inline]
    fn word(&self, block: u32, offset: usize) -> Option<&AtomicU32> {
        let start = self.start_of(block)?;
        debug_assert!(offset.is_multiple_of(4) && offset + 4 <= self.block_octets as usize);
        // SAFETY: `offset` is STATUS or FRAMES, which are inside the block, as `map` refused blocks shorter than
        // their header, and aligned, as blocks begin at pages. The mapping lives as long as `self`, and the word is
        // only ever accessed as an atomic while the kernel may write it.
        Some(unsafe { AtomicU32::from_ptr(start.as_ptr().add(offset).cast()) })
    }

    /// Where a block begins; `None` behind the last.
    #[inline]
    fn start_of(&self, block: u32) -> Option<NonNull<u8>> {
        if block >= self.blocks {
            return None;
        }
        // SAFETY: `map` mapped `blocks` times `block_octets` octets, which fit an `isize`, and `block` is below
        // `blocks`.
        Some(unsafe { self.start.add(block as usize * self.block_octets as usize) })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let octets = self.blocks as usize * self.block_octets as usize;
        // SAFETY: exactly what `map` mapped; slices into it borrow `self`, so none is left. It can only fail for
        // other arguments than these.
        let _ = unsafe { munmap(self.start.cast::<c_void>(), octets) };
    }
}

// SAFETY: the mapping belongs to the process, not to a thread, and `Memory` is its only owner.
unsafe impl Send for Memory {}

/// Sets an option of packet sockets.
pub(super) fn set<T: NoUninit>(socket: BorrowedFd<'_>, option: i32, value: &T) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of `value`, which has no octet that is not set.
    unsafe { set_raw(socket, libc::SOL_PACKET, option, (&raw const *value).cast(), size_of::<T>()) }
}

/// Asks for an option of packet sockets.
pub(super) fn get<T: AnyBitPattern>(socket: BorrowedFd<'_>, option: i32) -> io::Result<T> {
    let mut value = T::zeroed();
    let mut octets = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `octets` octets to `value`, of which any content is valid.
    let failed = unsafe {
        let place = (&raw mut value).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, place, &raw mut octets)
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    if octets as usize == size_of::<T>() {
        Ok(value)
    } else {
        Err(io::Error::other(format!("option {option} has {octets} octets, not {}", size_of::<T>())))
    }
}

/// The address family of packet sockets, as addresses have it.
#[allow(clippy::cast_possible_truncation, reason = "it is 17")]
const FAMILY: libc::sa_family_t = libc::AF_PACKET.cast_unsigned() as libc::sa_family_t;

/// Binds a packet socket to an interface. With protocol 0 it is bound, but hears nothing.
pub(super) fn bind(socket: BorrowedFd<'_>, interface: i32, protocol: u16) -> io::Result<()> {
    let octets = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    let address = libc::sockaddr_ll {
        sll_family: FAMILY,
        sll_protocol: protocol.to_be(),
        sll_ifindex: interface,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the pointer and the length are those of `address`.
    let failed = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), octets) };
    done(failed)
}

/// The interface that a packet socket is bound to: its number, which is below 1 where there is none any more, and its
/// `ARPHRD_` number.
pub(super) fn bound_to(socket: BorrowedFd<'_>) -> io::Result<(i32, u16)> {
    let mut address = libc::sockaddr_ll {
        sll_family: 0,
        sll_protocol: 0,
        sll_ifindex: 0,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let mut octets = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `octets` octets to `address`, of which any content is valid.
    done(unsafe { libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut octets) })?;
    // Of another family it would mean something else.
    if address.sll_family == FAMILY {
        Ok((address.sll_ifindex, address.sll_hatype))
    } else {
        Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
    }
}

/// Puts a classic filter on a socket, in the place of the one that is there.
///
/// # Errors
///
/// The kernel refuses the program: it is empty, has more than 4096 instructions, or jumps where it may not.
pub fn attach_classic(socket: BorrowedFd<'_>, program: &[libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // The kernel only reads it.
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    let octets = size_of::<libc::sock_fprog>();
    // SAFETY: the pointer and the length are those of `program`, which points at `len` instructions.
    unsafe { set_raw(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, (&raw const program).cast(), octets) }
}

/// Takes the filter off a socket.
pub(super) fn detach_filter(socket: BorrowedFd<'_>) -> io::Result<()> {
    let ignored = 0_i32;
    let octets = size_of::<i32>();
    // SAFETY: the pointer and the length are those of `ignored`.
    unsafe { set_raw(socket, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, (&raw const ignored).cast(), octets) }
}

/// Whether the socket's filter is this one; two instructions, so that no length can be wrong.
pub(super) fn has_filter(socket: BorrowedFd<'_>, program: &[libc::sock_filter; 2]) -> bool {
    const NONE: libc::sock_filter = libc::sock_filter { code: 0, jt: 0, jf: 0, k: 0 };
    let mut found = [NONE; 2];
    // For this option alone the length is in instructions, not in octets.
    let mut instructions: libc::socklen_t = 2;
    // SAFETY: the kernel writes as many instructions as `instructions` says, or none where the filter is longer.
    let failed = unsafe {
        let place = (&raw mut found).cast();
        let (level, option) = (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER);
        libc::getsockopt(socket.as_raw_fd(), level, option, place, &raw mut instructions)
    };
    let facts = |i: &libc::sock_filter| (i.code, i.jt, i.jf, i.k);
    failed == 0 && instructions == 2 && found.iter().map(facts).eq(program.iter().map(facts))
}

/// Whether the interface's hardware is asked to stamp: `SIOCGHWTSTAMP` or `SIOCSHWTSTAMP` with `config`, in which
/// the kernel writes what holds afterwards.
pub(super) fn hardware_stamps(
    socket: BorrowedFd<'_>,
    interface: &str,
    request: libc::c_ulong,
    config: &mut libc::hwtstamp_config,
) -> io::Result<()> {
    // SAFETY: a request of zeros is a valid one, with an empty name.
    let mut ifreq: libc::ifreq = unsafe { mem::zeroed() };
    if interface.len() >= ifreq.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (place, octet) in ifreq.ifr_name.iter_mut().zip(interface.bytes()) {
        *place = octet.cast_signed();
    }
    ifreq.ifr_ifru.ifru_data = (&raw mut *config).cast();
    // SAFETY: both requests take an `ifreq` whose data points at a `hwtstamp_config` that may be written.
    let failed = unsafe { libc::ioctl(socket.as_raw_fd(), request as libc::Ioctl, &raw mut ifreq) };
    done(failed)
}

/// # Safety
///
/// `value` points at `octets` octets that may be read.
unsafe fn set_raw(
    socket: BorrowedFd<'_>,
    level: i32,
    option: i32,
    value: *const c_void,
    octets: usize,
) -> io::Result<()> {
    let octets = libc::socklen_t::try_from(octets).map_err(io::Error::other)?;
    // SAFETY: as the caller promises.
    done(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, octets) })
}

fn done(failed: i32) -> io::Result<()> {
    if failed == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
