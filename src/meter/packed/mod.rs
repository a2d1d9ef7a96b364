//! Records of ended streams, packed: about a hundred octets each.
//!
//! A run keeps the records of all its streams until it knows them all. As they are they would take ten times as much,
//! scattered; packed they lie one after the other.

mod has;
mod hop;
mod octets;
mod outline;
mod radix;
mod records;
mod samples;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use octets::Writer;
pub use outline::Outline;
pub(crate) use radix::sort_by_number;
pub use records::{Records, Source};
pub use stream::Head;

use super::StreamRecord;
use crate::decode::Path;

/// Records that were packed one after the other.
#[derive(Debug, Default)]
pub struct Packed {
    octets: Vec<u8>,
    /// Where each begins.
    starts: Vec<u32>,
    /// How many paths of its source stand before those that the records number.
    paths_before: usize,
}

impl Packed {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Octets that the records take.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.octets.len()
    }

    /// The paths that the records number were put behind so many others.
    pub const fn move_paths(&mut self, behind: usize) {
        self.paths_before += behind;
    }
}

/// Packs records; one for each observer, because it numbers the paths.
#[derive(Debug, Default)]
pub struct Packer {
    out: Writer,
    starts: Vec<u32>,
    paths: PathBook,
}

impl Packer {
    /// Packs a record.
    pub fn add(&mut self, record: &StreamRecord) {
        self.starts.push(u32::try_from(self.out.0.len()).unwrap_or(u32::MAX));
        let lasting = (record.first, record.last);
        let has_marks = record.hops.iter().any(|hop| !hop.marks.is_empty());
        let flags: SmallVec<[u64; 4]> = record.hops.iter().map(|hop| has::of(hop, lasting)).collect();
        Head::write(record, has_marks, Outline::suffices(record, &flags), &mut self.out);
        self.out.count(record.hops.len());
        for (hop, flags) in record.hops.iter().zip(flags) {
            hop::write(hop, flags, lasting, has_marks, &mut self.paths, &mut self.out);
        }
    }

    /// Octets packed since the last call of [`Self::take`].
    #[must_use]
    pub const fn size(&self) -> usize {
        self.out.0.len()
    }

    /// What was packed since the last call.
    pub fn take(&mut self) -> Packed {
        // As large as the last, so that the system's allocator gives the same memory over and over.
        let (octets, starts) = (self.out.0.capacity(), self.starts.capacity());
        Packed {
            octets: std::mem::replace(&mut self.out.0, Vec::with_capacity(octets)),
            starts: std::mem::replace(&mut self.starts, Vec::with_capacity(starts)),
            paths_before: 0,
        }
    }

    /// The paths that the records name by number. What is packed from now on numbers its paths anew.
    pub fn take_paths(&mut self) -> Vec<Arc<Path>> {
        std::mem::take(&mut self.paths).all
    }
}

/// Paths by number, each kept once.
#[derive(Debug, Default)]
struct PathBook {
    all: Vec<Arc<Path>>,
    /// By where the shared path lies: the meters share one for each path, and it stays as long as it stands in `all`.
    numbers: HashMap<*const Path, u32>,
    /// What was written last.
    last: Option<(*const Path, u32)>,
}

impl PathBook {
    fn write(&mut self, path: Option<&Arc<Path>>, out: &mut Writer) {
        let Some(path) = path else { return out.number(0) };
        // Mostly it is the one before.
        if self.last.is_some_and(|(last, _)| last == Arc::as_ptr(path)) {
            return out.number(self.last.map_or(0, |(_, number)| number.into()));
        }
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(Arc::as_ptr(path)).or_insert_with(|| {
            self.all.push(Arc::clone(path));
            next
        });
        self.last = Some((Arc::as_ptr(path), number + 1));
        out.number(u64::from(number) + 1);
    }

    fn read(paths: &[Arc<Path>], from: &mut octets::Reader<'_>) -> Option<Arc<Path>> {
        paths.get(from.count().checked_sub(1)?).map(Arc::clone)
    }
}
