//! How the system's allocator treats memory that comes and goes.
#![allow(
    unsafe_code,
    reason = "mallopt(3), malloc_trim(3), sbrk(2) and advice on memory of no item; the safe faces are below"
)]

/// What is larger than this comes from the system and goes back to it at once, and no more than this stays free at the
/// end of a pool. With four times as much, what is free between what is in use doubles within a day.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 64 << 10;

/// Pools of memory. Each keeps what was freed in it for itself; with two, who judges and who listens seldom wait for each
/// other.
#[cfg(target_env = "gnu")]
const POOLS: libc::c_int = 2;

/// Has freed memory used again by whoever asks next, and large pieces given back, for as long as the program runs.
///
/// The GNU C library keeps a pool for every thread, and takes large pieces from these as soon as one was freed: where
/// each interval's records are made by one thread and dropped by another, free memory grows over a day to as much as is
/// in use. Other C libraries have no such pools, and nothing is changed. Call it before the first thread is started.
pub fn keep_memory_together() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in
        [(libc::M_ARENA_MAX, POOLS), (libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, LARGE)]
    {
        // SAFETY: takes two numbers and locks the allocator's state; of a value that it does not take it says so, and
        // stays as it was.
        unsafe { libc::mallopt(parameter, value) };
    }
}

/// Keeps freed memory at hand for whoever asks next, and takes it in large pages, for a program that ends soon.
///
/// Of 100,000 streams the GNU C library would else give each piece back and ask for it anew, page by page: a tenth of a
/// replay's time (measured). One pool, as what observers free is what the judge needs next. Call it before the first
/// thread is started.
pub fn keep_memory_at_hand() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let set = |parameter, value| {
            // SAFETY: as above.
            unsafe { libc::mallopt(parameter, value) };
        };
        set(libc::M_ARENA_MAX, 1);
        set(libc::M_MMAP_THRESHOLD, 1 << 20);
        set(libc::M_TRIM_THRESHOLD, 1 << 30);
        if !is_memory_limited() {
            set(libc::M_TOP_PAD, POOL);
            // More than is free by now and less than what the system itself gives, so that the pool grows.
            drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 19)));
            ask_for_large_pages();
        }
        set(libc::M_TOP_PAD, 1 << 20);
    }
}

/// Octets by which the pool of a program that ends soon is made larger; none of them is used before it is needed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const POOL: libc::c_int = 32 << 20;

/// Whether the program may have so much memory only (`ulimit`), used or not.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn is_memory_limited() -> bool {
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
    [Resource::RLIMIT_DATA, Resource::RLIMIT_AS]
        .into_iter()
        .any(|resource| getrlimit(resource).is_ok_and(|(most, _)| most != RLIM_INFINITY))
}

/// Asks for the end of the pool to be backed by large pages, where the system has any to spare.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn ask_for_large_pages() {
    const LARGE_PAGE: usize = 2 << 20;
    // SAFETY: moves nothing: the pool's end is only asked for.
    let end = unsafe { libc::sbrk(0) };
    let octets = usize::try_from(POOL).unwrap_or(0).saturating_sub(LARGE_PAGE);
    let start = end.wrapping_byte_sub(octets);
    let to_page = start.align_offset(LARGE_PAGE);
    // The second where there is no such pool: -1.
    let Some(whole) = octets.checked_sub(to_page).filter(|_| end.addr() != usize::MAX) else { return };
    // SAFETY: advice on how to back memory changes nothing that can be observed, whatever lies there; where it is not
    // taken, pages stay small.
    unsafe { libc::madvise(start.wrapping_byte_add(to_page), whole, libc::MADV_HUGEPAGE) };
}

/// Gives whole pages back that are free between what is in use: what many streams at once have left behind.
///
/// Takes about two milliseconds with 130 MiB in use (measured); call it now and then.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number of octets that may stay, and locks each pool for as long as it is looked through.
    unsafe {
        libc::malloc_trim(0)
    };
}
