//! Asks the processor for frames that will be looked at soon.
#![allow(unsafe_code)]

use super::TOGETHER;

/// How many frames ahead memory is asked for: as many as are given together, so that it comes while those before are
/// counted.
const AHEAD: usize = TOGETHER;
/// Octets ahead of which memory that was not just read is brought into the second-level cache: some four batches of packets
/// of speech, so that it comes steadily, whatever is done with the packets meanwhile.
const FAR: usize = 16 << 10;
/// Octets that are asked for at a time at most: of longer frames most is not looked at.
const MOST: usize = 2 << 10;
/// Octets of a line of the cache.
const LINE: usize = 64;
/// Lines that are asked for: of the header before the frame and those of the packet.
const LINES: usize = 3;

/// Brings closer what stands some frames ahead, if frames are about as long as the one that comes first, which with all
/// that is around it takes so many octets. Where the next one begins is known only from the one before, so waiting for one
/// would follow waiting for another: in a ring frames were written by another processor, and what was read of a file is no
/// longer in the second-level cache where streams are many. Never reads anything. Per frame.
#[inline]
pub(super) fn fetch(left: &[u8], octets: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first: *const i8 = left.as_ptr().cast();
        let first = first.wrapping_add(octets.wrapping_mul(AHEAD));
        for line in 0..LINES {
            // SAFETY: a prefetch of any address is allowed and changes nothing that can be observed; `wrapping_add`
            // makes no claim about the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(line * LINE)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (left, octets, AHEAD, LINE, LINES);
}

/// Brings closer what stands far ahead, over as many octets as the record here has. Those of a mapped file come from memory,
/// those of a ring from another processor's cache, and the processor's own foresight does not reach from one packet's headers
/// to the next one's while packets are counted. Never reads anything. Per frame.
#[inline]
pub(super) fn fetch_far(left: &[u8], octets: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let first: *const i8 = left.as_ptr().cast();
        let first = first.wrapping_add(FAR);
        let step = *STEP;
        // To the next address that the step divides: 0 where this one is.
        let mut at = first.addr().wrapping_neg() & (step - 1);
        while at < octets.min(MOST) {
            // SAFETY: as above.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(first.wrapping_add(at)) };
            at += step;
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (left, octets, FAR, MOST);
}

/// Octets from one line that is asked for far ahead to the next, a power of two. Intel's second-level cache, asked for one
/// line, fetches those beside it too, and to ask for each takes the places in which it waits for memory from one another.
#[cfg(target_arch = "x86_64")]
static STEP: std::sync::LazyLock<usize> =
    std::sync::LazyLock::new(|| if is_of_intel() { 4 * LINE } else { LINE });

#[cfg(target_arch = "x86_64")]
fn is_of_intel() -> bool {
    #[allow(unused_unsafe, reason = "newer releases of Rust have it as a safe function")]
    // SAFETY: every processor of this architecture has the instruction.
    let about = unsafe { std::arch::x86_64::__cpuid(0) };
    [about.ebx, about.edx, about.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
}
