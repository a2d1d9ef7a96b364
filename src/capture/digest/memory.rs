//! All that is unsafe of reading digests: the memory of a BPF ring.
//!
//! The kernel's programs append records, in order; the reader says how far it has read, and the kernel writes nothing
//! into what was not read. Lengths that stand there are held against what was written.

#![allow(unsafe_code, reason = "memory shared with the kernel")]

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::unistd::{SysconfVar, sysconf};

/// Of the word before a record: not finished yet; finished and withdrawn. The rest is its length.
const BUSY: u32 = 1 << 31;
const WITHDRAWN: u32 = 1 << 30;
/// Octets of what stands before a record: its length, and a word that is the kernel's.
const HEADER: usize = 8;

/// A BPF ring, mapped.
#[derive(Debug)]
pub(super) struct Memory {
    /// How far was read: a page that is ours to write.
    read: Mapped,
    /// How far was written: a page; behind it the records, twice, so that each stands in one piece.
    written: Mapped,
    page: usize,
    /// Octets of records; a power of two.
    octets: u64,
    /// How far was read.
    position: u64,
}

/// What is at the place that is read next.
pub(super) enum Next<'a> {
    /// A record.
    Record(&'a [u8]),
    /// A record that was withdrawn.
    Nothing,
    /// A header that cannot be.
    Damaged,
}

impl Memory {
    /// Maps a ring of so many octets of records.
    pub(super) fn map(ring: BorrowedFd<'_>, octets: u32) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let page = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|page| usize::try_from(page).ok());
        let page = page.ok_or_else(invalid)?;
        if !octets.is_power_of_two() || !(octets as usize).is_multiple_of(page) {
            return Err(invalid());
        }
        let twice = (octets as usize).checked_mul(2).and_then(|twice| twice.checked_add(page));
        let twice = twice.filter(|octets| isize::try_from(*octets).is_ok()).ok_or_else(invalid)?;
        let read = Mapped::new(ring, 0, page, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
        let written = Mapped::new(ring, page, twice, ProtFlags::PROT_READ)?;
        let mut memory = Self { read, written, page, octets: u64::from(octets), position: 0 };
        memory.position = memory.read_word().load(Ordering::Acquire);
        Ok(memory)
    }

    /// How far the kernel has written, as far as it can be believed.
    #[inline]
    pub(super) fn written(&self) -> u64 {
        // SAFETY: the mapping begins with this page, which begins with this word, aligned; the kernel writes it at any
        // time, so it is an atomic here.
        let word = unsafe { AtomicU64::from_ptr(self.written.start.as_ptr().cast()) };
        // What the kernel wrote before is seen after this.
        word.load(Ordering::Acquire)
    }

    /// What stands next before `end`, a value of [`Self::written`]; nothing where all was read, or a record is still
    /// being written. It is ours until [`Self::give_back`].
    #[inline]
    pub(super) fn next(&mut self, end: u64) -> Option<Next<'_>> {
        let left = end.wrapping_sub(self.position);
        if left == 0 {
            return None;
        }
        if left > self.octets || left < HEADER as u64 {
            self.position = end;
            return Some(Next::Damaged);
        }
        let place = self.page + usize::try_from(self.position & (self.octets - 1) & !7).ok()?;
        // SAFETY: `place` is below page + octets, and page + 2 * octets are mapped; it is aligned to 8. The kernel
        // writes the word at any time, so it is an atomic here.
        let header = unsafe { AtomicU32::from_ptr(self.written.start.as_ptr().add(place).cast()) };
        // What the kernel wrote into the record before is seen after this.
        let header = header.load(Ordering::Acquire);
        if header & BUSY != 0 {
            return None;
        }
        let length = (header & !WITHDRAWN) as usize;
        let whole = (length + HEADER).next_multiple_of(8) as u64;
        if whole > left {
            self.position = end;
            return Some(Next::Damaged);
        }
        self.position = self.position.wrapping_add(whole);
        if header & WITHDRAWN != 0 {
            return Some(Next::Nothing);
        }
        // SAFETY: `place` + 8 + `length` is at most page + octets + `left`, and `left` is at most octets: within what
        // is mapped. The kernel writes nothing there before it sees in `read` that it was given back, for which
        // `self` must be borrowed anew; and this process can write nothing there at all.
        let record = unsafe {
            let start = self.written.start.as_ptr().add(place + HEADER);
            slice::from_raw_parts(start, length)
        };
        Some(Next::Record(record))
    }

    /// Lets the kernel write where all was read that was given.
    #[inline]
    pub(super) fn give_back(&mut self) {
        // What was read is read before this is seen.
        self.read_word().store(self.position, Ordering::Release);
    }

    fn read_word(&self) -> &AtomicU64 {
        // SAFETY: the mapping is this page, which begins with this word, aligned; it lives as long as `self`.
        unsafe { AtomicU64::from_ptr(self.read.start.as_ptr().cast()) }
    }
}

/// Memory of a descriptor.
#[derive(Debug)]
struct Mapped {
    start: NonNull<u8>,
    octets: usize,
}

impl Mapped {
    fn new(file: impl AsFd, offset: usize, octets: usize, access: ProtFlags) -> io::Result<Self> {
        let length = NonZeroUsize::new(octets).ok_or(io::ErrorKind::InvalidInput)?;
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that is in use.
        let start = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, file, offset) }?;
        Ok(Self { start: start.cast(), octets })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; references into it borrow its owner, so none is left.
        let _ = unsafe { munmap(self.start.cast::<c_void>(), self.octets) };
    }
}

// SAFETY: the mapping belongs to the process, not to a thread, and this is its only owner.
unsafe impl Send for Mapped {}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::*;

    const PAGE: u64 = 4096;

    /// A file in the form of a ring of one page, whose records the kernel maps twice; how far it was written.
    fn ring(records: &[(u32, &[u8])], written: Option<u64>) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4 * PAGE).unwrap();
        let mut place = 0;
        for (header, record) in records {
            for copy in [2, 3] {
                file.write_all_at(&header.to_ne_bytes(), copy * PAGE + place).unwrap();
                file.write_all_at(record, copy * PAGE + place + 8).unwrap();
            }
            place += (record.len() as u64 + 8).next_multiple_of(8);
        }
        file.write_all_at(&written.unwrap_or(place).to_ne_bytes(), PAGE).unwrap();
        file
    }

    fn read_all(memory: &mut Memory) -> Vec<Option<Vec<u8>>> {
        let end = memory.written();
        let mut all = Vec::new();
        while let Some(next) = memory.next(end) {
            match next {
                Next::Record(record) => all.push(Some(record.to_vec())),
                Next::Nothing => {}
                Next::Damaged => all.push(None),
            }
        }
        memory.give_back();
        all
    }

    fn is_page_other() -> bool {
        sysconf(SysconfVar::PAGE_SIZE).unwrap() != Some(4096)
    }

    #[test]
    fn records_come_in_order_and_are_given_back() {
        if is_page_other() {
            return;
        }
        let file = ring(
            &[(3, b"one"), (8 | WITHDRAWN, b"nothing!"), (5, b"three"), (9 | BUSY, b"unfinished")],
            None,
        );
        let mut memory = Memory::map(file.as_fd(), 4096).unwrap();
        assert_eq!(read_all(&mut memory), [Some(b"one".to_vec()), Some(b"three".to_vec())]);
        let mut read = [0; 8];
        file.read_exact_at(&mut read, 0).unwrap();
        assert_eq!(u64::from_ne_bytes(read), 16 + 16 + 16, "the one that is not finished is not given back");
        assert!(read_all(&mut memory).is_empty());
    }

    #[test]
    fn what_cannot_be_is_damage_and_ends() {
        if is_page_other() {
            return;
        }
        for (name, header, written) in [
            ("a length behind the end", 4000, None),
            ("the longest", WITHDRAWN - 1, None),
            ("more written than there is room", 3, Some(5000)),
            ("a bit of a header", 3, Some(4)),
        ] {
            let mut memory = Memory::map(ring(&[(header, b"abc")], written).as_fd(), 4096).unwrap();
            assert_eq!(read_all(&mut memory), [None], "{name}");
            assert!(read_all(&mut memory).is_empty(), "{name}");
        }
    }

    #[test]
    fn rings_that_cannot_be_are_refused() {
        let file = tempfile::tempfile().unwrap();
        for octets in [0, 4095, 5000, 12_288] {
            assert!(Memory::map(file.as_fd(), octets).is_err(), "{octets}");
        }
    }
}
