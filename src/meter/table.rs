//! All streams of an observer: index, idle time-outs, and the bound.

use std::hash::BuildHasher;

use smallvec::SmallVec;

use super::arena::Arena;
use super::hop::{Cold, Hot};
use super::index::{Index, Tag};
use super::key::{Key, Kind};
use super::payload::Gate;
use super::prefetch::prefetch;
use crate::decode::PathId;

/// Streams and their hops. A stream's first hop stands in the index; its others hang on by `Cold::next`.
pub(super) struct Table {
    hots: Vec<Hot>,
    colds: Arena<Cold>,
    free: Vec<u32>,
    index: Index,
    hasher: foldhash::fast::FixedState,
    streams: usize,
    removals: u64,
}

/// Copies of a stream's hops. Most streams have one: no allocation, which would have to be aligned as [`Hot`] is.
pub(super) type Hops = SmallVec<[(Hot, Cold); 1]>;

impl Table {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            hots: Vec::new(),
            colds: Arena::new(),
            free: Vec::new(),
            index: Index::default(),
            hasher: foldhash::fast::FixedState::with_seed(seed),
            streams: 0,
            removals: 0,
        }
    }

    /// Seeded, so that nobody outside can choose keys that collide.
    #[inline]
    pub(super) fn tag(&self, kind: Kind, key: &Key) -> Tag {
        Tag::of(self.hasher.hash_one(key), kind)
    }

    pub(super) const fn hasher(&self) -> &foldhash::fast::FixedState {
        &self.hasher
    }

    /// The first hop of the stream with this key.
    pub(super) fn find(&self, kind: Kind, key: &Key) -> Option<u32> {
        self.find_tagged(key, self.tag(kind, key))
    }

    /// The same, where the key's tag is known.
    pub(super) fn find_tagged(&self, key: &Key, tag: Tag) -> Option<u32> {
        let is_it = |place: u32| self.hots.get(place as usize).is_some_and(|hot| hot.key == *key);
        self.index.find(tag, is_it)
    }

    /// Asks for the memory that [`Self::guess`] will need. Per packet.
    #[inline]
    pub(super) fn prepare(&self, tag: Tag) {
        self.index.prepare(tag);
    }

    /// Where the stream is likely to be, without a look at it; asks for its memory. Per packet.
    #[inline]
    pub(super) fn guess(&self, tag: Tag) -> Option<u32> {
        let place = self.index.first(tag)?;
        prefetch(&self.hots, place as usize);
        Some(place)
    }

    /// How often a stream was taken out: as long as this stays the same, guesses stay good.
    #[inline]
    pub(super) const fn removals(&self) -> u64 {
        self.removals
    }

    /// Both parts of all places.
    #[inline]
    pub(super) fn parts(&mut self) -> (&mut [Hot], &mut Arena<Cold>) {
        (&mut self.hots, &mut self.colds)
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
        std::iter::successors(Some(first), |&i| self.colds.get(i).and_then(Cold::next))
    }

    /// How many streams there are.
    pub(super) const fn streams(&self) -> usize {
        self.streams
    }

    /// Adds a stream by its first hop.
    pub(super) fn add_stream(&mut self, hot: Hot, cold: Cold) -> u32 {
        let tag = self.tag(cold.kind, &hot.key);
        let i = self.place(hot, cold);
        self.index.insert(tag, i);
        self.streams += 1;
        i
    }

    /// Adds another hop to a stream, behind all it has.
    pub(super) fn add_hop(&mut self, first: u32, hot: Hot, cold: Cold) -> u32 {
        let last = self.chain(first).last().unwrap_or(first);
        let i = self.place(hot, cold);
        if let Some(cold) = self.colds.get_mut(last) {
            cold.set_next(i);
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
    pub(super) fn remove_stream(&mut self, first: u32) {
        let Some((hot, cold)) = self.hop(first) else { return };
        let (kind, key) = (cold.kind, hot.key);
        let tag = self.tag(kind, &key);
        if self.index.remove(tag, first) {
            self.streams -= 1;
            self.removals += 1;
        }
        let mut next = Some(first);
        while let Some(i) = next {
            let Some((hot, cold)) = self.hop(i) else { break };
            next = cold.next();
            (*hot, *cold) = (Hot::vacant(), Cold::empty());
            self.free.push(i);
        }
    }

    /// The only hop of a stream, as most have; none where there are several.
    pub(super) fn only_hop(&mut self, first: u32) -> Option<(&mut Hot, &mut Cold)> {
        self.hop(first).filter(|(_, cold)| cold.next().is_none())
    }

    /// Streams with one hop keep no packets to compare with other hops from now on, until they have one.
    pub(super) fn sample_no_more(&mut self) {
        for first in self.first_hops() {
            if let Some((hot, cold)) = self.only_hop(first) {
                cold.sample_no_more(hot);
            }
        }
    }

    /// Marks the places of a stream that will not be asked for again: only once no stream will be added.
    pub(super) fn vacate(&mut self, first: u32) {
        let mut next = Some(first);
        while let Some(i) = next {
            let Some((hot, cold)) = self.hop(i) else { break };
            next = cold.next();
            *hot = Hot::vacant();
        }
    }

    /// Keys of all streams that are not IPv4 over UDP.
    pub(super) fn interned_keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.index.places_of(Kind::Interned).filter_map(|place| Some(self.hots.get(place as usize)?.key))
    }

    /// Paths by which packets of the streams came, some of them many times.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathId> + '_ {
        self.hots.iter().map(|hot| hot.path).chain(self.colds.iter().flat_map(Cold::paths))
    }

    /// Copies of a stream's hops, in order of appearance.
    pub(super) fn copy_stream(&self, first: u32) -> Hops {
        let hop = |i: u32| Some((self.hots.get(i as usize)?.clone(), self.colds.get(i)?.clone()));
        self.chain(first).filter_map(hop).collect()
    }

    /// The least rare payload that any hop wants.
    pub(super) fn lowest_gate(&self) -> Gate {
        let taken = self.hots.iter().filter(|hot| !hot.is_vacant());
        taken.map(Hot::gate).min().unwrap_or(0)
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
        self.find(cold.kind, &hot.key) == Some(i)
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
        let mut all: Vec<u32> = self.index.places().collect();
        all.sort_unstable();
        all
    }
}
