//! Asks the processor for memory that will be needed soon.
#![allow(unsafe_code)]

/// Brings the item's first cache line closer, where the processor knows how. Never reads it.
#[inline]
pub(super) fn prefetch<T>(items: &[T], i: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = items.get(i) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch of any address is allowed and changes nothing that can be observed; this one is that
        // of a live item, as `get` has checked.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (items, i);
}
