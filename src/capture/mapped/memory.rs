//! A stretch of a file as memory.
#![allow(unsafe_code, reason = "memory of a file, which the kernel gives")]

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::OnceLock;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::guard::Guard;

/// Octets of a page of memory: files are mapped from multiples of this on.
pub(super) fn page_octets() -> usize {
    static OCTETS: OnceLock<usize> = OnceLock::new();
    *OCTETS.get_or_init(|| {
        // SAFETY: a question without an argument in memory.
        let octets = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(octets).unwrap_or(4096)
    })
}

/// Octets of a file that the kernel maps at least, where it has them, when one of them is looked at. So the first of each are
/// looked at beforehand: what is [asked for ahead](crate::capture) has to be mapped. To have the kernel map all at once
/// (`MADV_POPULATE_READ`) takes a tenth longer, as it goes through all pages once more.
const AROUND: usize = 64 << 10;

/// Part of a file, mapped to be read, and guarded.
pub(super) struct Stretch {
    guard: Guard,
    /// Where it begins, and its octets.
    mapped: Option<(NonNull<u8>, NonZeroUsize)>,
}

impl Stretch {
    /// Of no octets yet; `None` where it could not be guarded.
    pub(super) fn new() -> Option<Self> {
        Some(Self { guard: Guard::new()?, mapped: None })
    }

    /// Maps so many octets of a file from a page on, in place of what was mapped before, and has them read from disk.
    ///
    /// # Errors
    ///
    /// The file cannot be mapped, is shorter, or cannot be read; then nothing is mapped.
    pub(super) fn map(&mut self, file: impl AsFd, page: u64, octets: usize) -> io::Result<()> {
        self.unmap();
        let octets = NonZeroUsize::new(octets).ok_or(io::ErrorKind::InvalidInput)?;
        let offset = libc::off_t::try_from(page).map_err(io::Error::other)?;
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that is in use.
        let start = unsafe { mmap(None, octets, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, file, offset) }?;
        self.mapped = Some((start.cast(), octets));
        self.guard.watch(start.addr().get(), octets.get());
        // SAFETY: advice on what was just mapped, which changes nothing that is in it.
        let _ = unsafe { libc::madvise(start.as_ptr(), octets.get(), libc::MADV_SEQUENTIAL) };
        for place in self.octets().iter().step_by(AROUND) {
            // SAFETY: a reference is readable. It is only to be looked at, which an optimised program would else leave out.
            unsafe { ptr::read_volatile(place) };
        }
        if self.was_cut() {
            self.unmap();
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// What is mapped.
    #[inline]
    pub(super) fn octets(&self) -> &[u8] {
        let Some((start, octets)) = self.mapped else { return &[] };
        // SAFETY: `map` mapped so many octets there, to be read, and they stay mapped as long as `self` is borrowed; pages
        // that go are replaced. Another process may write to the file meanwhile, which no type can rule out: what is read are
        // plain octets, each of which may be anything, and every place that they name is checked where it is used.
        unsafe { slice::from_raw_parts(start.as_ptr(), octets.get()) }
    }

    /// Whether some of what was mapped was no longer in the file when it was looked at, and is empty.
    #[inline]
    pub(super) fn was_cut(&self) -> bool {
        self.guard.was_hit()
    }

    fn unmap(&mut self) {
        let Some((start, octets)) = self.mapped.take() else { return };
        self.guard.watch(0, 0);
        // SAFETY: exactly what `map` mapped; slices of it borrow `self`, so none is left.
        let _ = unsafe { munmap(start.cast::<c_void>(), octets.get()) };
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        self.unmap();
    }
}

// SAFETY: the mapping belongs to the process, not to a thread, and this is its only owner.
unsafe impl Send for Stretch {}
