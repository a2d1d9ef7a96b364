//! A vector in pieces, which grows without moving what is in it.
//!
//! Pieces of all kinds are about as large as each other, so that one kind can take what another gives back: what were
//! packets that may become streams are the streams a moment later.

use super::prefetch::prefetch;

/// Items in order, by number.
pub(super) struct Arena<T> {
    chunks: Vec<Vec<T>>,
    /// How many of them were looked at when memory was last given back.
    looked_at: usize,
}

/// Octets of a piece, at most.
const PIECE: usize = 256 << 10;

impl<T> Arena<T> {
    /// Items of a piece.
    const CHUNK: usize = PIECE / size_of::<T>();

    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), looked_at: 0 }
    }

    /// Adds an item behind all others; gives its number.
    pub(super) fn push(&mut self, item: T) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == Self::CHUNK) {
            self.chunks.push(Vec::with_capacity(Self::CHUNK));
        }
        let full = self.chunks.len() - 1;
        let Some(last) = self.chunks.last_mut() else { return u32::MAX };
        last.push(item);
        u32::try_from(full * Self::CHUNK + last.len() - 1).unwrap_or(u32::MAX)
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * Self::CHUNK + last.len())
    }

    #[inline]
    pub(super) fn get(&self, i: u32) -> Option<&T> {
        self.chunks.get(i as usize / Self::CHUNK)?.get(i as usize % Self::CHUNK)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, i: u32) -> Option<&mut T> {
        self.chunks.get_mut(i as usize / Self::CHUNK)?.get_mut(i as usize % Self::CHUNK)
    }

    /// Asks for an item's memory.
    #[inline]
    pub(super) fn prepare(&self, i: u32) {
        if let Some(chunk) = self.chunks.get(i as usize / Self::CHUNK) {
            prefetch(chunk, i as usize % Self::CHUNK);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// Puts an item where another one is, which is dropped; the places of both are known.
    pub(super) fn replace(&mut self, at: u32, item: T) {
        if let Some(place) = self.get_mut(at) {
            *place = item;
        }
    }

    /// Takes the last item out.
    pub(super) fn pop(&mut self) -> Option<T> {
        let last = self.chunks.last_mut()?.pop();
        if self.chunks.last().is_some_and(Vec::is_empty) {
            self.chunks.pop();
        }
        last
    }

    /// Drops the chunks before that of `first` in which everything is free.
    pub(super) fn release_before(&mut self, first: u32, is_free: impl Fn(u32) -> bool) {
        let before = (first as usize / Self::CHUNK).min(self.chunks.len());
        // Once for each chunk: a chunk in which one item lives on would be looked through for every stream.
        if before <= self.looked_at {
            return;
        }
        self.looked_at = before;
        for (n, chunk) in self.chunks.iter_mut().enumerate().take(before).rev() {
            if chunk.is_empty() {
                return;
            }
            let start = u32::try_from(n * Self::CHUNK).unwrap_or(u32::MAX);
            if (start..).take(chunk.len()).all(&is_free) {
                *chunk = Vec::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_in_which_all_is_free_are_given_back() {
        let mut arena = Arena::new();
        let chunk = u32::try_from(Arena::<u32>::CHUNK).unwrap();
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
