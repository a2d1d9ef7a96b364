//! How the system's allocator treats memory that comes and goes.
#![allow(unsafe_code, reason = "mallopt(3), which no crate wraps; the safe face is `keep_memory_together`")]

/// What is larger than this comes from the system and goes back to it at once. So little at the end of the heap stays.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 256 << 10;

/// Pools of memory. Each keeps what was freed in it for itself, and whoever reads what others wrote frees in theirs.
#[cfg(target_env = "gnu")]
const POOLS: libc::c_int = 1;

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
