//! Sets of numbers as sorted intervals: what was seen, and what was not.

use smallvec::SmallVec;

/// Disjoint half-open intervals in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::verify) struct Intervals(SmallVec<[(i64, i64); 2]>);

impl Intervals {
    /// Adds an interval behind all others; empty ones are passed over.
    pub(in crate::verify) fn push(&mut self, start: i64, end: i64) {
        if start >= end {
            return;
        }
        match self.0.last_mut() {
            Some(last) if last.1 >= start => last.1 = last.1.max(end),
            _ => self.0.push((start, end)),
        }
    }

    /// The intervals, in order.
    pub(in crate::verify) fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.0.iter().copied()
    }

    /// How many numbers are in it.
    pub(in crate::verify) fn count(&self) -> u64 {
        self.0.iter().map(|(start, end)| u64::try_from(end - start).unwrap_or(0)).sum()
    }

    /// The first number, and the one behind the last.
    pub(in crate::verify) fn bounds(&self) -> Option<(i64, i64)> {
        Some((self.0.first()?.0, self.0.last()?.1))
    }

    /// What is in both.
    pub(in crate::verify) fn and(&self, other: &Self) -> Self {
        let (mut both, mut i, mut j) = (Self::default(), 0, 0);
        while let (Some(&(a, b)), Some(&(c, d))) = (self.0.get(i), other.0.get(j)) {
            both.push(a.max(c), b.min(d));
            if b <= d { i += 1 } else { j += 1 }
        }
        both
    }

    /// What is in this one and not in the other.
    pub(in crate::verify) fn without(&self, other: &Self) -> Self {
        let (mut rest, mut j) = (Self::default(), 0);
        for &(start, end) in &self.0 {
            let mut from = start;
            while other.0.get(j).is_some_and(|&(_, d)| d <= from) {
                j += 1;
            }
            let mut k = j;
            while let Some(&(c, d)) = other.0.get(k).filter(|&&(c, _)| c < end) {
                rest.push(from, c.min(end));
                from = from.max(d);
                k += 1;
            }
            rest.push(from, end);
        }
        rest
    }

    /// What is in either.
    pub(in crate::verify) fn or(&self, other: &Self) -> Self {
        let (mut either, mut i, mut j) = (Self::default(), 0, 0);
        loop {
            let (start, end) = match (self.0.get(i), other.0.get(j)) {
                (Some(&one), other) if other.is_none_or(|other| one <= *other) => {
                    i += 1;
                    one
                }
                (_, Some(&other)) => {
                    j += 1;
                    other
                }
                _ => return either,
            };
            either.push(start, end);
        }
    }

    /// The part between two bounds.
    pub(in crate::verify) fn within(&self, start: i64, end: i64) -> Self {
        let mut bounds = Self::default();
        bounds.push(start, end);
        self.and(&bounds)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of(set: &BTreeSet<i64>) -> Intervals {
        let mut intervals = Intervals::default();
        for &n in set {
            intervals.push(n, n + 1);
        }
        intervals
    }

    proptest! {
        #[test]
        fn agree_with_sets(a in prop::collection::btree_set(0_i64..60, 0..40), b in prop::collection::btree_set(0_i64..60, 0..40)) {
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(x.count(), a.len() as u64);
            prop_assert_eq!(x.and(&y), of(&a.intersection(&b).copied().collect()));
            prop_assert_eq!(x.or(&y), of(&a.union(&b).copied().collect()));
            prop_assert_eq!(x.without(&y), of(&a.difference(&b).copied().collect()));
            prop_assert_eq!(x.within(10, 20), of(&a.iter().copied().filter(|n| (10..20).contains(n)).collect()));
        }
    }
}
