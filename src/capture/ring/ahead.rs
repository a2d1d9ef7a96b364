//! Asks the processor for frames that will be looked at soon.
#![allow(unsafe_code)]

/// How far ahead memory is asked for, in octets: a few frames, or so much of one.
const AHEAD: usize = 1024;
/// Octets of a line of the cache.
const LINE: usize = 64;
/// Most lines that are asked for at a time: what follows is behind the headers of a long frame.
const MOST: usize = 6;

/// Brings closer what stands ahead of a place, as much as the frame there takes in all. Frames were written by another
/// processor, and where the next one begins is known only from the one before, so waiting for one would follow waiting
/// for another. Never reads anything. Per frame.
#[inline]
pub(super) fn fetch(block: &[u8], place: usize, octets: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let Some(ahead) = block.get(place + AHEAD..) else { return };
        let first: *const i8 = ahead.as_ptr().cast();
        for line in 0..octets.div_ceil(LINE).min(MOST) {
            // SAFETY: a prefetch of any address is allowed and changes nothing that can be observed; `wrapping_add`
            // makes no claim about the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(line * LINE)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (block, place, octets, AHEAD, LINE, MOST);
}
