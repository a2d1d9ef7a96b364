//! Hops side by side: each packet of a stream passes one of them.

use super::clock::Clocks;
use super::seen::Seen;
use crate::meter::HopRecord;
use crate::verify::tap::Taps;

/// Fewer packets prove nothing.
const ENOUGH: u64 = 10;
/// More than one packet in so many that both saw, and they lie in a row.
const COMMON: u64 = 20;
/// A capture that begins, or ends, this much before or after was there.
const MARGIN_NS: i64 = 1_000_000_000;

/// For each hop the first hop of its stage: itself, or that of the hop before where both are ways of one stage.
pub(super) fn stages(hops: &[HopRecord], seen: &[Seen], clocks: &Clocks, taps: &Taps) -> Vec<usize> {
    let mut firsts: Vec<usize> = (0..hops.len()).collect();
    // A pair is in a row for all that can be known: nobody saw what both might have in common.
    if hops.len() < 3 {
        return firsts;
    }
    for at in 1..hops.len() {
        let start = firsts[at - 1];
        let are_ways = (start..at).all(|other| are_side_by_side(hops, seen, (other, at), clocks, taps));
        if are_ways {
            firsts[at] = start;
        }
    }
    firsts
}

/// Whether two hops heard different packets of what another hop heard all of, while both were listening.
fn are_side_by_side(
    hops: &[HopRecord],
    seen: &[Seen],
    (one, other): (usize, usize),
    clocks: &Clocks,
    taps: &Taps,
) -> bool {
    let (Some((a, x)), Some((b, y))) =
        (hops.get(one).zip(seen.get(one)), hops.get(other).zip(seen.get(other)))
    else {
        return false;
    };
    let fewer = a.unique.min(b.unique);
    if a.point == b.point || fewer < ENOUGH || x.numbers.and(&y.numbers).count() * COMMON > fewer {
        return false;
    }
    let both = x.numbers.or(&y.numbers);
    let knows_both = |(place, seen): (usize, &Seen)| {
        let most =
            |numbers: &super::intervals::Intervals| seen.numbers.and(numbers).count() * 2 > numbers.count();
        place != one && place != other && most(&x.numbers) && most(&y.numbers) && most(&both)
    };
    let was_there = |hop: &HopRecord, at: &HopRecord| {
        let clock = clocks.between(at.point, hop.point);
        let here = |t: i64| t.saturating_sub(clock.corrected(t, 0));
        taps.span(hop.point).is_none_or(|(start, end)| {
            start.0 <= here(at.last.0).saturating_sub(MARGIN_NS)
                && end.0 >= here(at.first.0).saturating_add(MARGIN_NS)
        })
    };
    seen.iter().enumerate().any(knows_both) && was_there(a, b) && was_there(b, a)
}
