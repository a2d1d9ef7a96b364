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
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};

use libc::siginfo_t;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::memory::page_octets;

/// Stretches that can be guarded at a time. Files beyond these are read.
const MOST: usize = 64;
/// Octets of a stretch at most, of the smallest pages there are.
pub(super) const MOST_OCTETS: usize = 128 << 20;

/// Memory that one reader looks at.
struct Place {
    is_taken: AtomicBool,
    /// The number of the first page, and in the lower bits how many there are: one word, as the handler also looks at the
    /// places of other threads, which may write to them meanwhile.
    pages: AtomicU64,
    was_hit: AtomicBool,
}

/// Bits of the number of pages: a stretch is a few thousand pages at most, and addresses have 57 bits.
const COUNT_BITS: u32 = 16;
const MOST_PAGES: usize = (1 << COUNT_BITS) - 1;

const _: () = assert!(MOST_OCTETS / 4096 <= MOST_PAGES);

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

    /// Guards memory that begins with a page, belongs to the caller and is no longer than [`MOST_OCTETS`], and none of what was
    /// guarded before. With no octets: none.
    pub(super) fn watch(&self, start: usize, octets: usize) {
        let count = octets.div_ceil(page_octets()).min(MOST_PAGES);
        let pages = ((start / page_octets()) as u64) << COUNT_BITS | count as u64;
        self.place.pages.store(pages, Ordering::SeqCst);
    }

    /// Whether pages had to be replaced.
    #[inline]
    pub(super) fn was_hit(&self) -> bool {
        // The looks at memory that may have set it come before this.
        compiler_fence(Ordering::SeqCst);
        self.place.was_hit.load(Ordering::Relaxed)
    }
}

/// How many stretches there are.
pub(super) fn count() -> usize {
    PLACES.iter().filter(|place| place.is_taken.load(Ordering::Relaxed)).count()
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.watch(0, 0);
        self.place.is_taken.store(false, Ordering::Release);
    }
}

impl Place {
    const fn new() -> Self {
        Self { is_taken: AtomicBool::new(false), pages: AtomicU64::new(0), was_hit: AtomicBool::new(false) }
    }

    /// Puts empty pages from that of this address on to the end of the stretch, if it is in it.
    fn replace(&self, address: usize) -> bool {
        let pages = self.pages.load(Ordering::SeqCst);
        let (first, count) = (pages >> COUNT_BITS, pages & MOST_PAGES as u64);
        let page = (address / page_octets()) as u64;
        let Some(left) = (first + count).checked_sub(page).filter(|left| *left > 0 && page >= first) else {
            return false;
        };
        let start = ptr::without_provenance_mut(address - address % page_octets());
        let octets = usize::try_from(left).map_or(0, |left| left * page_octets());
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: from this page to its end the stretch is memory that the thread which looked at it mapped from a file, only
        // reads, and does not give back while it is in this handler. What is lent of it are plain octets that another process
        // may change at any time; now they are zeros.
        let replaced = unsafe { libc::mmap(start, octets, libc::PROT_READ, flags, -1, 0) };
        self.was_hit.store(true, Ordering::Relaxed);
        replaced != libc::MAP_FAILED
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
    // Not ours. A fault comes again when this returns, and is for whoever handled it before.
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    let next = match BEFORE.get() {
        Some(Some(before)) if is_fault => before,
        _ => &default,
    };
    // SAFETY: the process's own, or what the system does by itself.
    let _ = unsafe { sigaction(Signal::SIGBUS, next) };
    if !is_fault {
        // Another process sent it: to end this one.
        let _ = nix::sys::signal::raise(Signal::SIGBUS);
    }
}
