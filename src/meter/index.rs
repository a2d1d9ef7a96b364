//! Where each key's entry stands: a table of hashes and places.
//!
//! Eight entries share a cache line, which can be asked for before it is needed, and are compared all at once: a look-up
//! goes the same way whichever of them it is, so that the processor does not have to guess. Which entry has a key is for
//! the caller to say, who has the keys.
#![allow(unsafe_code)]

use super::key::Kind;
use super::prefetch::prefetch;

/// What is left of a key's seeded hash, and the key's kind: nobody outside can choose keys that collide. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(u32);

impl Tag {
    const TAKEN: u32 = 1 << 31;
    const INTERNED: u32 = 1 << 30;

    /// Of a hash, the most of its upper half, and the kind of what was hashed.
    #[inline]
    pub(super) const fn of(hash: u64, kind: Kind) -> Self {
        let hash = (hash >> 32) as u32;
        Self(match kind {
            Kind::Plain => hash & !Self::INTERNED | Self::TAKEN,
            Kind::Interned => hash | Self::INTERNED | Self::TAKEN,
        })
    }

    /// The kind of its key.
    #[inline]
    pub(super) const fn kind(self) -> Kind {
        if self.0 & Self::INTERNED == 0 { Kind::Plain } else { Kind::Interned }
    }
}

const ENTRIES: usize = 8;

/// Entries that stand together, without room between them.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line {
    /// 0 behind the last one.
    tags: [u32; ENTRIES],
    places: [u32; ENTRIES],
}

const _: () = assert!(size_of::<Line>() == 64);

const EMPTY: Line = Line { tags: [0; ENTRIES], places: [0; ENTRIES] };

impl Line {
    /// A bit for each entry that has this tag; for those behind the last one with 0.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn matches(&self, tag: u32) -> u32 {
        use std::arch::x86_64::{
            __m128i, _mm_cmpeq_epi32, _mm_movemask_epi8, _mm_packs_epi16, _mm_packs_epi32, _mm_set1_epi32,
            _mm_setzero_si128,
        };
        let [low, high]: [__m128i; 2] = bytemuck::cast(self.tags);
        // SAFETY: every processor of this architecture has these instructions (SSE2), and they touch no memory.
        let octets = unsafe {
            let wanted = _mm_set1_epi32(tag.cast_signed());
            let words = _mm_packs_epi32(_mm_cmpeq_epi32(low, wanted), _mm_cmpeq_epi32(high, wanted));
            _mm_movemask_epi8(_mm_packs_epi16(words, _mm_setzero_si128()))
        };
        octets.cast_unsigned()
    }

    /// A bit for each entry that has this tag; for those behind the last one with 0.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    fn matches(&self, tag: u32) -> u32 {
        (0..).zip(&self.tags).fold(0, |bits, (i, known)| bits | u32::from(*known == tag) << i)
    }

    const fn is_full(&self) -> bool {
        self.tags[ENTRIES - 1] != 0
    }

    fn entries(&self) -> impl Iterator<Item = (Tag, u32)> + '_ {
        let taken = self.tags.iter().zip(&self.places).take_while(|(tag, _)| **tag != 0);
        taken.map(|(tag, place)| (Tag(*tag), *place))
    }

    /// Adds an entry; false where there is no room.
    fn push(&mut self, tag: Tag, place: u32) -> bool {
        let free = self.matches(0).trailing_zeros() as usize;
        let Some((t, p)) = self.tags.get_mut(free).zip(self.places.get_mut(free)) else { return false };
        (*t, *p) = (tag.0, place);
        true
    }

    /// Takes an entry out; the last one takes its stand.
    fn swap_remove(&mut self, at: usize) {
        let taken = (self.matches(0) | 1 << ENTRIES).trailing_zeros() as usize;
        let last = taken.saturating_sub(1);
        self.tags.swap(at, last);
        self.places.swap(at, last);
        self.tags[last] = 0;
    }
}

/// Entries stand in the line that their tag names, or, where that was full, in the next that was not.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// None, or a power of two.
    lines: Vec<Line>,
    len: usize,
}

/// Whether so many lines hold so many entries, so that few of the lines are full: five of eight may be taken.
const fn are_enough(lines: usize, entries: usize) -> bool {
    entries <= lines * 5
}

impl Index {
    /// An index with room for so many entries.
    fn with_capacity(entries: usize) -> Self {
        let mut lines = 1;
        while !are_enough(lines, entries) {
            lines *= 2;
        }
        Self { lines: vec![EMPTY; lines], len: 0 }
    }

    /// Asks for the memory in which a look-up begins. Per packet.
    #[inline]
    pub(super) fn prepare(&self, tag: Tag) {
        prefetch(&self.lines, self.home(tag));
    }

    /// The line that a tag names.
    #[inline]
    const fn home(&self, tag: Tag) -> usize {
        tag.0 as usize & self.lines.len().wrapping_sub(1)
    }

    #[inline]
    const fn next(&self, line: usize) -> usize {
        (line + 1) & self.lines.len().wrapping_sub(1)
    }

    /// The place of the first entry with this tag, which is most likely the one: hardly any two keys share one. Per packet.
    #[inline]
    pub(super) fn first(&self, tag: Tag) -> Option<u32> {
        let line = self.lines.get(self.home(tag))?;
        let matches = line.matches(tag.0);
        if matches != 0 {
            return Some(line.places[matches.trailing_zeros() as usize % ENTRIES]);
        }
        if line.is_full() { self.find(tag, |_| true) } else { None }
    }

    /// The place of the entry with this tag of which the caller says that it is the one.
    pub(super) fn find(&self, tag: Tag, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (line, at) = self.look_up(tag, is_it)?;
        Some(self.lines.get(line)?.places[at % ENTRIES])
    }

    /// The line of an entry, and where it stands in it.
    fn look_up(&self, tag: Tag, is_it: impl Fn(u32) -> bool) -> Option<(usize, usize)> {
        let mut number = self.home(tag);
        // Ends at a line that is not full: most are not.
        while let Some(line) = self.lines.get(number) {
            let mut matches = line.matches(tag.0);
            while matches != 0 {
                let at = matches.trailing_zeros() as usize % ENTRIES;
                if is_it(line.places[at]) {
                    return Some((number, at));
                }
                matches &= matches - 1;
            }
            if !line.is_full() {
                return None;
            }
            number = self.next(number);
        }
        None
    }

    /// Adds an entry that is not there yet.
    pub(super) fn insert(&mut self, tag: Tag, place: u32) {
        if !are_enough(self.lines.len(), self.len + 1) {
            self.make_room_for((2 * self.len).max(1));
        }
        self.put(tag, place);
    }

    /// Puts an entry where there is room for it.
    fn put(&mut self, tag: Tag, place: u32) {
        let mut number = self.home(tag);
        while let Some(line) = self.lines.get_mut(number) {
            if line.push(tag, place) {
                self.len += 1;
                return;
            }
            number = self.next(number);
        }
    }

    /// Says where what an entry stands for has moved to.
    pub(super) fn relocate(&mut self, tag: Tag, from: u32, to: u32) {
        if let Some((line, at)) = self.look_up(tag, |known| known == from)
            && let Some(line) = self.lines.get_mut(line)
        {
            line.places[at % ENTRIES] = to;
        }
    }

    /// Gives memory back where hardly any of it is needed any more.
    pub(super) fn shrink(&mut self) {
        if are_enough(self.lines.len() / 8, self.len) {
            self.make_room_for(2 * self.len);
        }
    }

    /// Puts all entries into lines that have room for so many.
    fn make_room_for(&mut self, entries: usize) {
        let mut other = Self::with_capacity(entries);
        for (tag, place) in self.entries() {
            other.put(tag, place);
        }
        *self = other;
    }

    /// Takes an entry out; false where it was not there.
    pub(super) fn remove(&mut self, tag: Tag, place: u32) -> bool {
        let Some((mut hole, mut at)) = self.look_up(tag, |known| known == place) else { return false };
        self.len -= 1;
        while let Some(line) = self.lines.get_mut(hole) {
            let was_full = line.is_full();
            line.swap_remove(at);
            // Only behind a full line stands something that would rather be in it.
            let Some((from, then)) = was_full.then(|| self.first_that_fits(hole)).flatten() else { break };
            if let Some((tag, place)) = self.lines.get(from).and_then(|line| line.entries().nth(then))
                && let Some(line) = self.lines.get_mut(hole)
            {
                line.push(tag, place);
            }
            (hole, at) = (from, then);
        }
        true
    }

    /// The first entry behind a line, in one of the full lines or the one after them, that may stand in it.
    fn first_that_fits(&self, hole: usize) -> Option<(usize, usize)> {
        let last = self.lines.len() - 1;
        let mut number = self.next(hole);
        while let Some(line) = self.lines.get(number).filter(|_| number != hole) {
            let from_hole = number.wrapping_sub(hole) & last;
            let may_move = |(tag, _)| number.wrapping_sub(self.home(tag)) & last >= from_hole;
            if let Some(at) = line.entries().position(may_move) {
                return Some((number, at));
            }
            if !line.is_full() {
                return None;
            }
            number = self.next(number);
        }
        None
    }

    fn entries(&self) -> impl Iterator<Item = (Tag, u32)> + '_ {
        self.lines.iter().flat_map(Line::entries)
    }

    /// The places of all entries, in no order that means anything.
    pub(super) fn places(&self) -> impl Iterator<Item = u32> + '_ {
        self.entries().map(|(_, place)| place)
    }

    /// The places of all entries of a kind.
    pub(super) fn places_of(&self, kind: Kind) -> impl Iterator<Item = u32> + '_ {
        self.entries().filter(move |(tag, _)| tag.kind() == kind).map(|(_, place)| place)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::hash::BuildHasher;

    use proptest::prelude::*;

    use super::*;

    fn any_tag(n: u32) -> Tag {
        Tag::of(u64::from(n.wrapping_sub(3)) << 32, Kind::Plain)
    }

    proptest! {
        /// Tags of a few bits, so that many of them want the same lines, the last one too.
        #[test]
        fn what_was_added_and_not_taken_out_is_found(
            steps in proptest::collection::vec((0..4, 0_u32..90, 0_u32..12), 0..600),
        ) {
            let mut index = Index::default();
            let mut known: BTreeMap<u32, Tag> = BTreeMap::new();
            for (kind, place, tag) in steps {
                let (is_removal, tag) = (kind == 0, any_tag(tag));
                match known.get(&place).copied() {
                    Some(tag) if is_removal => {
                        prop_assert!(index.remove(tag, place));
                        known.remove(&place);
                        index.shrink();
                    }
                    Some(tag) => {
                        let to = place + 90;
                        if !known.contains_key(&to) {
                            index.relocate(tag, place, to);
                            known.remove(&place);
                            known.insert(to, tag);
                        }
                    }
                    None if is_removal => prop_assert!(!index.remove(tag, place)),
                    None => {
                        index.insert(tag, place);
                        known.insert(place, tag);
                    }
                }
            }
            for place in 0..180 {
                for tag in (0..12).map(any_tag) {
                    let is_known = known.get(&place) == Some(&tag);
                    prop_assert_eq!(index.find(tag, |at| at == place).is_some(), is_known);
                }
            }
            let mut places: Vec<u32> = index.places().collect();
            places.sort_unstable();
            prop_assert_eq!(places, known.keys().copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn most_stand_in_the_line_that_their_tag_names() {
        let mut index = Index::default();
        let hash = |n: u32| foldhash::fast::FixedState::with_seed(7).hash_one(n);
        let tag = |n| Tag::of(hash(n), Kind::Plain);
        for n in 0..100_000 {
            index.insert(tag(n), n);
        }
        assert_eq!(index.lines.len(), 1 << 15, "eight octets for each of 262,144");
        let at_home = |n: &u32| {
            let line = &index.lines[index.home(tag(*n))];
            line.entries().any(|(_, place)| place == *n)
        };
        assert!((0..100_000).filter(at_home).count() > 99_500);
        for n in 0..100_000 {
            assert_eq!(index.find(tag(n), |place| place == n), Some(n));
            assert!(n % 3 > 0 || index.remove(tag(n), n));
        }
        for n in 0..100_000 {
            assert_eq!(index.find(tag(n), |place| place == n), (n % 3 > 0).then_some(n));
        }
    }

    #[test]
    fn a_tag_keeps_its_kind_and_is_never_that_of_no_entry() {
        for hash in [0, 1 << 32, 1 << 62, 1 << 63, u64::MAX] {
            let both = [Kind::Plain, Kind::Interned].map(|kind| Tag::of(hash, kind));
            assert_eq!(both.map(Tag::kind), [Kind::Plain, Kind::Interned]);
            assert!(both.iter().all(|tag| tag.0 != 0) && both[0] != both[1]);
            let mut index = Index::default();
            index.insert(both[0], 4);
            assert_eq!(both.map(|tag| index.first(tag)), [Some(4), None]);
            assert_eq!(index.places_of(Kind::Interned).count(), 0);
        }
    }

    #[test]
    fn an_empty_index_holds_nothing() {
        let mut index = Index::default();
        index.prepare(any_tag(5));
        assert_eq!(index.find(any_tag(5), |_| true), None);
        assert!(!index.remove(any_tag(5), 0));
        assert_eq!(index.places().count(), 0);
    }
}
