//! What becomes of a stretch of a file that ends while it is read.
//!
//! Where another process makes a mapped file shorter, the kernel has nothing to give for the pages behind its new end, and
//! ends whoever looks at one (SIGBUS), as it does where a disk cannot be read. Captures that are written in turn are cut
//! like that every few minutes. So such pages are replaced by empty ones, and the reader is told: it reads on from the
//! file itself, which says what is the matter.
#![allow(unsafe_code, reason = "a signal's handler, and memory at a place that is known")]

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use libc::siginfo_t;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::memory::page_octets;

/// Stretches that can be guarded at a time. Files beyond these are read.
const MOST: usize = 64;

/// Memory that one reader looks at. Only that reader's thread writes to it, and only that thread's looks at the memory make
/// the handler read it, so no order between the fields has to be kept.
struct Place {
    is_taken: AtomicBool,
    start: AtomicUsize,
    end: AtomicUsize,
    was_hit: AtomicBool,
}

static PLACES: [Place; MOST] = [const { Place::new() }; MOST];
/// What the process did on this signal before; `None` where the handler could not be set.
static BEFORE: OnceLock<Option<SigAction>> = OnceLock::new();

/// Guards one stretch at a time.
pub(super) struct Guard {
    place: &'static Place,
}

impl Guard {
    /// A guard of nothing yet; `None` where there are too many.
    pub(super) fn new() -> Option<Self> {
        BEFORE.get_or_init(handle).as_ref()?;
        let take = |place: &&Place| !place.is_taken.swap(true, Ordering::AcqRel);
        let place = PLACES.iter().find(take)?;
        place.was_hit.store(false, Ordering::Relaxed);
        Some(Self { place })
    }

    /// Guards this memory, which belongs to the caller, and none of what was guarded before. With no octets: none.
    pub(super) fn watch(&self, start: usize, octets: usize) {
        self.place.start.store(start, Ordering::Relaxed);
        self.place.end.store(start + octets, Ordering::Relaxed);
    }

    /// Whether pages had to be replaced.
    #[inline]
    pub(super) fn was_hit(&self) -> bool {
        self.place.was_hit.load(Ordering::Relaxed)
    }
}

/// Whether more than one stretch is read at a time.
pub(super) fn are_several() -> bool {
    PLACES.iter().filter(|place| place.is_taken.load(Ordering::Relaxed)).nth(1).is_some()
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.watch(0, 0);
        self.place.is_taken.store(false, Ordering::Release);
    }
}

impl Place {
    const fn new() -> Self {
        Self {
            is_taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            was_hit: AtomicBool::new(false),
        }
    }

    /// Puts empty pages from that of this address on to the end of the stretch, if it is in it.
    fn replace(&self, address: usize) -> bool {
        let end = self.end.load(Ordering::Relaxed);
        if !(self.start.load(Ordering::Relaxed)..end).contains(&address) {
            return false;
        }
        let page = address & !(page_octets() - 1);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: from this page to its end the stretch is memory that a reader mapped from a file and only reads, and that
        // stays mapped as long as it is watched. What was there could not be read: nobody has seen other octets in it.
        let pages = unsafe {
            libc::mmap(ptr::without_provenance_mut(page), end - page, libc::PROT_READ, flags, -1, 0)
        };
        self.was_hit.store(true, Ordering::Relaxed);
        pages != libc::MAP_FAILED
    }
}

/// Sets the handler; gives what was set before.
fn handle() -> Option<SigAction> {
    // So that nothing has to be found out while the signal is handled.
    page_octets();
    let action = SigAction::new(
        SigHandler::SigAction(on_bus_error),
        SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK,
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing but read and write atomics and call the kernel, which is allowed at any time.
    unsafe { sigaction(Signal::SIGBUS, &action) }.ok()
}

extern "C" fn on_bus_error(_: c_int, about: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel gives one to a handler that was set with SA_SIGINFO, and for this signal it has an address.
    let (address, is_fault) = unsafe { ((*about).si_addr(), (*about).si_code > 0) };
    if is_fault && PLACES.iter().any(|place| place.replace(address.addr())) {
        return;
    }
    // Not ours: what was done before this program read files is done now.
    if let Some(Some(before)) = BEFORE.get() {
        // SAFETY: it was the process's own.
        let _ = unsafe { sigaction(Signal::SIGBUS, before) };
    }
    // A fault comes again when this returns; what another process sent does not.
    if !is_fault {
        let _ = nix::sys::signal::raise(Signal::SIGBUS);
    }
}
