//! Sorts many items by a whole number, without comparing them.

/// Bits of a number that one pass looks at: as many places to write to as a second-level cache has lines for.
const DIGIT: u32 = 11;
const PLACES: usize = 1 << DIGIT;
/// Fewer items are sorted sooner by comparing them.
const FEW: usize = 512;

/// Puts items in the order of their numbers; items of one number stay in the order in which they were.
///
/// Time grows with the items and with the bits in which their numbers differ. Takes as much memory again as the items.
pub(crate) fn sort_by_number<T: Copy>(items: &mut Vec<T>, number: impl Fn(&T) -> u64) {
    if items.len() < FEW {
        items.sort_by_key(number);
        return;
    }
    let (mut least, mut most, mut before, mut is_sorted) = (u64::MAX, 0, 0, true);
    for item in &*items {
        let number = number(item);
        (least, most) = (least.min(number), most.max(number));
        is_sorted &= before <= number;
        before = number;
    }
    if is_sorted {
        return;
    }
    let mut sorted = items.clone();
    let mut counts = vec![0_usize; PLACES];
    for shift in (0..u64::BITS - (most - least).leading_zeros()).step_by(DIGIT as usize) {
        #[allow(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
        let digit = |item: &T| ((number(item) - least) >> shift) as usize & (PLACES - 1);
        counts.fill(0);
        for item in &*items {
            counts[digit(item)] += 1;
        }
        let mut next = 0;
        for count in &mut counts {
            next += std::mem::replace(count, next);
        }
        for item in &*items {
            let place = &mut counts[digit(item)];
            sorted[*place] = *item;
            *place += 1;
        }
        std::mem::swap(items, &mut sorted);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn items_stand_by_number_and_then_as_they_were(
            numbers in prop::collection::vec(any::<u64>(), 0..3 * FEW),
            bits in 1..=64_u32,
            base in any::<u64>(),
        ) {
            let number = |n: u64| (n >> (64 - bits)).saturating_add(base);
            let mut items: Vec<(u64, usize)> = numbers.iter().map(|&n| number(n)).zip(0..).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|item| item.0);
            sort_by_number(&mut items, |item| item.0);
            prop_assert_eq!(items, expected);
        }
    }
}
