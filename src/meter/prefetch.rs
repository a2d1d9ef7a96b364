//! Asks the processor for memory that will be needed soon.
#![allow(unsafe_code)]

/// Brings an item's cache lines into the second-level cache, the first four at most, where the processor knows how. Never
/// reads it. The first level is left to the packets themselves: measured, `benches/README.md`.
#[inline]
pub(super) fn prefetch<T>(items: &[T], i: usize) {
    if let Some(item) = items.get(i) {
        fetch::<T, 4>(item);
    }
}

/// The same for one item, with up to `MOST` lines.
#[inline]
pub(super) fn fetch<T: ?Sized, const MOST: usize>(item: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let first: *const i8 = std::ptr::from_ref(item).cast();
        for line in 0..size_of_val(item).div_ceil(64).min(MOST) {
            // SAFETY: a prefetch of any address is allowed and changes nothing that can be observed; these lie
            // within a live item, as the reference says, and `wrapping_add` makes no claim about the address.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(first.wrapping_add(line * 64)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = item;
}
