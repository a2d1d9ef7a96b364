//! All streams of an observer: index, idle time-outs, and the bound.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::hop::{Cold, Hot};
use super::key::{Key, Kind};
use super::prefetch::prefetch;
use crate::decode::PathId;

/// Streams and their hops. A stream's first hop stands in the index; its others hang on by `Cold::next`.
pub(super) struct Table {
    hots: Vec<Hot>,
    colds: Arena<Cold>,
    free: Vec<u32>,
    plain: HashTable<Slot>,
    interned: HashTable<Slot>,
    hasher: foldhash::fast::FixedState,
    streams: usize,
    removals: u64,
}

/// A stream's hops, taken out of the table or copied. Most streams have one: no allocation, which would have to be
/// aligned as [`Hot`] is, for each stream that ends.
pub(super) type Hops = SmallVec<[(Hot, Cold); 1]>;

/// What the index holds of a stream. With a part of the hash, most look-ups need not touch the stream to miss it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    tag: u32,
    first: u32,
}

/// The upper half of the hash: the index itself goes by the lower bits and the uppermost seven.
const fn tag(hash: u64) -> u32 {
    (hash >> 25 & 0xFFFF_FFFF) as u32
}

impl Table {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            hots: Vec::new(),
            colds: Arena::new(),
            free: Vec::new(),
            plain: HashTable::new(),
            interned: HashTable::new(),
            hasher: foldhash::fast::FixedState::with_seed(seed),
            streams: 0,
            removals: 0,
        }
    }

    /// Seeded, so that nobody outside can choose keys that collide.
    #[inline]
    pub(super) fn hash(&self, key: &Key) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(super) const fn hasher(&self) -> &foldhash::fast::FixedState {
        &self.hasher
    }

    const fn index(&self, kind: Kind) -> &HashTable<Slot> {
        match kind {
            Kind::Plain => &self.plain,
            Kind::Interned => &self.interned,
        }
    }

    /// The first hop of the stream with this key.
    pub(super) fn find(&self, kind: Kind, key: &Key, hash: u64) -> Option<u32> {
        let is_it = |slot: &Slot| {
            slot.tag == tag(hash) && self.hots.get(slot.first as usize).is_some_and(|hot| hot.key == *key)
        };
        self.index(kind).find(hash, is_it).map(|slot| slot.first)
    }

    /// Where the stream is likely to be, without a look at it; asks for its memory. Per packet.
    #[inline]
    pub(super) fn guess(&self, kind: Kind, hash: u64) -> Option<u32> {
        let slot = self.index(kind).find(hash, |slot| slot.tag == tag(hash))?;
        prefetch(&self.hots, slot.first as usize);
        Some(slot.first)
    }

    /// How often a stream was taken out: as long as this stays the same, guesses stay good.
    pub(super) const fn removals(&self) -> u64 {
        self.removals
    }

    #[inline]
    pub(super) fn hot(&mut self, i: u32) -> Option<&mut Hot> {
        self.hots.get_mut(i as usize)
    }

    /// Both parts of a hop.
    pub(super) fn hop(&mut self, i: u32) -> Option<(&mut Hot, &mut Cold)> {
        Some((self.hots.get_mut(i as usize)?, self.colds.get_mut(i)?))
    }

    /// The hops of a stream, in order of appearance.
    pub(super) fn chain(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(first), |&i| self.colds.get(i).and_then(|cold| cold.next))
    }

    /// How many streams there are.
    pub(super) const fn streams(&self) -> usize {
        self.streams
    }

    /// Adds a stream by its first hop.
    pub(super) fn add_stream(&mut self, hot: Hot, cold: Cold) -> u32 {
        let (kind, hash) = (cold.kind, self.hash(&hot.key));
        let i = self.place(hot, cold);
        let (hots, hasher) = (&self.hots, &self.hasher);
        let index = match kind {
            Kind::Plain => &mut self.plain,
            Kind::Interned => &mut self.interned,
        };
        let rehash = |slot: &Slot| hots.get(slot.first as usize).map_or(0, |hot| hasher.hash_one(hot.key));
        index.insert_unique(hash, Slot { tag: tag(hash), first: i }, rehash);
        self.streams += 1;
        i
    }

    /// Adds another hop to a stream, behind all it has.
    pub(super) fn add_hop(&mut self, first: u32, hot: Hot, cold: Cold) -> u32 {
        let last = self.chain(first).last().unwrap_or(first);
        let i = self.place(hot, cold);
        if let Some(cold) = self.colds.get_mut(last) {
            cold.next = Some(i);
        }
        i
    }

    fn place(&mut self, hot: Hot, cold: Cold) -> u32 {
        if let Some(i) = self.free.pop()
            && let (Some(h), Some(c)) = (self.hots.get_mut(i as usize), self.colds.get_mut(i))
        {
            (*h, *c) = (hot, cold);
            return i;
        }
        self.hots.push(hot);
        self.colds.push(cold)
    }

    /// Takes a stream out, with all its hops.
    pub(super) fn remove_stream(&mut self, first: u32) -> Hops {
        let mut hops = Hops::new();
        let mut next = Some(first);
        while let Some(i) = next {
            let Some((hot, cold)) = self.hop(i) else { break };
            next = cold.next;
            let cold = std::mem::replace(cold, Cold::empty());
            hops.push((std::mem::replace(hot, Hot::vacant()), cold));
            self.free.push(i);
        }
        if let Some((hot, cold)) = hops.first() {
            let hash = self.hash(&hot.key);
            let index = match cold.kind {
                Kind::Plain => &mut self.plain,
                Kind::Interned => &mut self.interned,
            };
            if let Ok(entry) = index.find_entry(hash, |slot| slot.first == first) {
                entry.remove();
                self.streams -= 1;
                self.removals += 1;
            }
        }
        hops
    }

    /// Keys of all streams that are not IPv4 over UDP.
    pub(super) fn interned_keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.interned.iter().filter_map(|slot| Some(self.hots.get(slot.first as usize)?.key))
    }

    /// Paths by which packets of the streams came, some of them many times.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathId> + '_ {
        let colds = self.colds.chunks.iter().flatten();
        self.hots.iter().map(|hot| hot.path).chain(colds.flat_map(Cold::paths))
    }

    /// Copies of a stream's hops, in order of appearance.
    pub(super) fn copy_stream(&self, first: u32) -> Hops {
        let hop = |i: u32| Some((self.hots.get(i as usize)?.clone(), self.colds.get(i)?.clone()));
        self.chain(first).filter_map(hop).collect()
    }

    /// Places for hops, whether they are taken or free.
    pub(super) const fn places(&self) -> usize {
        self.hots.len()
    }

    /// Latest arrival at a hop, where there is one.
    pub(super) fn arrival_at(&self, i: u32) -> Option<i64> {
        self.hots.get(i as usize).filter(|hot| !hot.is_vacant()).map(|hot| hot.last_arrival)
    }

    /// Whether a hop is the first of its stream.
    pub(super) fn is_first_hop(&self, i: u32) -> bool {
        let (Some(hot), Some(cold)) = (self.hots.get(i as usize), self.colds.get(i)) else { return false };
        self.find(cold.kind, &hot.key, self.hash(&hot.key)) == Some(i)
    }

    /// Latest arrival of a stream at any of its hops.
    pub(super) fn last_arrival(&self, first: u32) -> i64 {
        let arrivals =
            self.chain(first).filter_map(|i| self.hots.get(i as usize)).map(|hot| hot.last_arrival);
        arrivals.max().unwrap_or(i64::MIN)
    }

    /// Gives memory back that no stream needs any more: only once no stream will be added.
    pub(super) fn release_before(&mut self, first: u32) {
        let (hots, colds) = (&self.hots, &mut self.colds);
        let is_free = |i: u32| hots.get(i as usize).is_none_or(Hot::is_vacant);
        colds.release_before(first, is_free);
    }

    /// First hops of all streams, by place: an order that depends on the packets alone.
    pub(super) fn first_hops(&self) -> Vec<u32> {
        let mut all: Vec<u32> =
            self.plain.iter().chain(self.interned.iter()).map(|slot| slot.first).collect();
        all.sort_unstable();
        all
    }
}

/// A vector that grows without moving what is in it.
struct Arena<T> {
    chunks: Vec<Vec<T>>,
    /// How many of them were looked at when memory was last given back.
    looked_at: usize,
}

const CHUNK: usize = 1024;

impl<T> Arena<T> {
    const fn new() -> Self {
        Self { chunks: Vec::new(), looked_at: 0 }
    }

    fn push(&mut self, item: T) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = self.chunks.len() - 1;
        let Some(last) = self.chunks.last_mut() else { return u32::MAX };
        last.push(item);
        u32::try_from(full * CHUNK + last.len() - 1).unwrap_or(u32::MAX)
    }

    /// Drops the chunks before that of `first` in which everything is free.
    fn release_before(&mut self, first: u32, is_free: impl Fn(u32) -> bool) {
        let before = (first as usize / CHUNK).min(self.chunks.len());
        // Once for each chunk: a chunk in which one item lives on would be looked through for every stream.
        if before <= self.looked_at {
            return;
        }
        self.looked_at = before;
        for (n, chunk) in self.chunks.iter_mut().enumerate().take(before).rev() {
            if chunk.is_empty() {
                return;
            }
            let start = u32::try_from(n * CHUNK).unwrap_or(u32::MAX);
            if (start..).take(chunk.len()).all(&is_free) {
                *chunk = Vec::new();
            }
        }
    }

    fn get(&self, i: u32) -> Option<&T> {
        self.chunks.get(i as usize / CHUNK)?.get(i as usize % CHUNK)
    }

    fn get_mut(&mut self, i: u32) -> Option<&mut T> {
        self.chunks.get_mut(i as usize / CHUNK)?.get_mut(i as usize % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_in_which_all_is_free_are_given_back() {
        let mut arena = Arena::new();
        let chunk = u32::try_from(CHUNK).unwrap();
        assert!((0..3 * chunk).all(|n| arena.push(n) == n));
        // One item of the first chunk lives on.
        arena.release_before(2 * chunk, |i| i != 5);
        assert_eq!(arena.get(5), Some(&5));
        assert_eq!((arena.get(chunk), arena.get(2 * chunk)), (None, Some(&(2 * chunk))));
        arena.release_before(2 * chunk + 7, |_| true);
        assert_eq!(arena.get(5), Some(&5), "the same chunk is not looked at again");
        arena.release_before(3 * chunk, |_| true);
        assert_eq!((arena.get(5), arena.get(2 * chunk)), (Some(&5), None));
    }
}
