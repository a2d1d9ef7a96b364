//! A map through which entries pass: no larger than what it holds.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Fewer entries than this are not worth giving memory back for.
const FEW: usize = 1024;

/// Entries by key, one after the other.
///
/// Where one comes for each that goes, places that were taken once fill a hash map, and it grows to twice its size at
/// some time: after minutes, or after hours where it is nearly half full. Here that is a table of numbers only.
#[derive(Debug)]
pub(super) struct Passing<K, V> {
    entries: Vec<(K, V)>,
    /// Where the entry of a key is.
    index: HashTable<u32>,
    /// Who sends cannot choose keys that collide.
    hasher: RandomState,
}

impl<K, V> Default for Passing<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: HashTable::new(), hasher: RandomState::default() }
    }
}

impl<K: Eq + Hash, V> Passing<K, V> {
    fn place(&self, key: &K, hash: u64) -> Option<usize> {
        let is_it = |place: &u32| self.entries.get(*place as usize).is_some_and(|(known, _)| known == key);
        self.index.find(hash, is_it).map(|place| *place as usize)
    }

    /// What is known by this key.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(self.place(key, self.hasher.hash_one(key))?).map(|(_, value)| value)
    }

    /// Whether there is something by this key.
    pub(super) fn has(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Changes what is known by this key; where there is nothing, what is made first.
    pub(super) fn change<R>(
        &mut self,
        key: K,
        make: impl FnOnce() -> V,
        change: impl FnOnce(&mut V) -> R,
    ) -> R {
        let hash = self.hasher.hash_one(&key);
        let known = self.place(&key, hash).and_then(|place| self.entries.get_mut(place));
        if let Some((_, value)) = known {
            return change(value);
        }
        let mut value = make();
        let result = change(&mut value);
        let place = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push((key, value));
        let (entries, hasher) = (&self.entries, &self.hasher);
        let hash_of = |place: &u32| entries.get(*place as usize).map_or(0, |(key, _)| hasher.hash_one(key));
        self.index.insert_unique(hash, place, hash_of);
        result
    }

    /// Drops all entries but these, and gives memory back of which most is not needed any more.
    pub(super) fn keep(&mut self, mut is_kept: impl FnMut(&K, &V) -> bool) {
        let before = self.entries.len();
        self.entries.retain(|(key, value)| is_kept(key, value));
        if self.entries.len() == before {
            return;
        }
        self.index.clear();
        if self.entries.capacity() > 4 * self.entries.len().max(FEW) {
            self.entries.shrink_to_fit();
            self.index = HashTable::with_capacity(self.entries.len());
        }
        let (entries, hasher) = (&self.entries, &self.hasher);
        let hash_of = |place: &u32| entries.get(*place as usize).map_or(0, |(key, _)| hasher.hash_one(key));
        for (place, (key, _)) in (0..).zip(entries) {
            self.index.insert_unique(hasher.hash_one(key), place, hash_of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_come_and_go_take_no_more_room() {
        let mut all = Passing::default();
        let mut room = None;
        for n in 0..200_000_u64 {
            all.change(n, || n, |value| *value += 1);
            if n % 100 == 0 {
                // So many that a hash map would be half full now and a little more than that at another time.
                let many = 3500 + n / 100 % 100;
                all.keep(|key, _| key + many > n);
            }
            if n == 10_000 {
                room = Some((all.entries.capacity(), all.index.capacity()));
            }
        }
        assert_eq!(room, Some((all.entries.capacity(), all.index.capacity())));
        for n in 0..200_000 {
            assert_eq!(all.get(&n), (n > 196_301).then_some(&(n + 1)), "{n}");
        }
    }

    #[test]
    fn room_for_a_crowd_is_given_back_when_it_is_gone() {
        let mut all = Passing::default();
        for n in 0..100_000 {
            all.change(n, || (), |()| ());
        }
        all.keep(|key, ()| key % 100 == 0);
        assert_eq!((all.entries.len(), all.has(&500), all.has(&501)), (1000, true, false));
        assert!(all.entries.capacity() < 2000 && all.index.capacity() < 4000);
        assert_eq!(all.change(500, || (), |()| "known"), "known");
        assert_eq!(all.entries.len(), 1000);
    }
}
