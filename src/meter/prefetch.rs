//! Asks the processor for memory that will be needed soon.
#![allow(unsafe_code)]

/// Brings an item's cache lines closer, the first four at most, where the processor knows how. Never reads it.
#[inline]
pub(super) fn prefetch<T>(items: &[T], i: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = items.get(i) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first: *const i8 = std::ptr::from_ref(item).cast();
        for line in 0..size_of::<T>().div_ceil(64).min(4) {
            // SAFETY: a prefetch of any address is allowed and changes nothing that can be observed; these lie
            // within a live item, as `get` has checked, and `wrapping_add` makes no claim about the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(line * 64)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (items, i);
}
