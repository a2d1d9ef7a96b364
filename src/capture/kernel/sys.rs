//! System calls of kernel programs that no library makes safe.

#![allow(unsafe_code, reason = "socket options and shared memory of the kernel; each block has its reason")]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// Attaches a loaded eBPF program to a socket.
pub(super) fn attach_ebpf(socket: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SO_ATTACH_BPF, &program.as_raw_fd())
}

/// Puts a loaded XDP program on an interface, for as long as the descriptor that this gives is open anywhere.
/// `flags` are those of `XDP_FLAGS_`.
pub(super) fn attach_xdp(program: BorrowedFd<'_>, interface_index: u32, flags: u32) -> io::Result<OwnedFd> {
    /// The beginning of `union bpf_attr` for this command; what follows counts as 0.
    #[repr(C)]
    struct Wanted {
        program: i32,
        interface_index: u32,
        kind: u32,
        flags: u32,
    }
    const BPF_LINK_CREATE: libc::c_int = 28;
    const BPF_XDP: u32 = 37;
    let wanted = Wanted { program: program.as_raw_fd(), interface_index, kind: BPF_XDP, flags };
    // SAFETY: the pointer and the length are those of `wanted`, which the kernel only reads.
    let made =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_LINK_CREATE, &raw const wanted, size_of::<Wanted>()) };
    let number = RawFd::try_from(made).map_err(io::Error::other)?;
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for this process, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Attaches a classic program to a socket. The kernel copies it.
pub(super) fn attach_classic(socket: BorrowedFd<'_>, program: &[libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // The kernel does not write there, whatever the type of the field.
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    set(socket, libc::SO_ATTACH_FILTER, &program)
}

fn set<T>(socket: BorrowedFd<'_>, option: libc::c_int, value: &T) -> io::Result<()> {
    let octets = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: value is readable for that many octets, and what it points to, a program that the caller lends, lives
    // as long as the call, which reads both and keeps neither.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            std::ptr::from_ref(value).cast(),
            octets,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Words that the kernel writes and this process reads.
#[derive(Debug)]
pub(super) struct SharedWords {
    start: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: the words are read only, and only as atomics; nothing else is reached through the pointer.
unsafe impl Send for SharedWords {}

// SAFETY: as for Send.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Maps the first words of a file, or of a map of the kernel.
    pub(super) fn map(file: impl AsFd, words: usize) -> io::Result<Self> {
        let octets = NonZeroUsize::new(words * size_of::<AtomicU64>()).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: the kernel chooses where, so that nothing that is mapped is replaced.
        let start = unsafe { mmap(None, octets, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, file, 0) }?;
        Ok(Self { start: start.cast(), words })
    }

    /// One of the words; 0 beyond the last.
    pub(super) fn get(&self, word: usize) -> u64 {
        if word >= self.words {
            return 0;
        }
        // SAFETY: within what is mapped, which is aligned to pages and lasts as long as this value; a map of the
        // kernel does not shrink.
        unsafe { self.start.add(word).as_ref() }.load(Ordering::Relaxed)
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: this is what map() mapped, and no reference into it outlives this value.
        let unmapped = unsafe { munmap(self.start.cast(), self.words * size_of::<AtomicU64>()) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    #[test]
    fn words_are_read_where_they_are_and_when() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7_u64.to_ne_bytes(), 8_u64.to_ne_bytes()].concat()).unwrap();
        let words = SharedWords::map(&file, 2).unwrap();
        assert_eq!((words.get(0), words.get(1), words.get(2)), (7, 8, 0));
    }

    #[test]
    fn what_cannot_be_mapped_is_an_error() {
        let pipe: OwnedFd = io::pipe().unwrap().0.into();
        assert!(SharedWords::map(File::from(pipe), 2).is_err());
    }

    #[test]
    fn a_program_is_refused_where_there_is_no_socket() {
        let file = tempfile::tempfile().unwrap();
        let accept = libc::sock_filter { code: 6, jt: 0, jf: 0, k: 1 };
        let error = attach_classic(file.as_fd(), &[accept]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    }
}
