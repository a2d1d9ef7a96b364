//! All packed records of a run, in an order that no thread decides.

use std::sync::Arc;

use super::octets::Reader;
use super::stream::Peek;
use super::{Head, Outline, Packed, Packer, hop, sort_by_number};
use crate::decode::Path;
use crate::meter::{HopRecord, StreamRecord, prefetch};
use crate::terms::{PointId, Ssrc, Timestamp};

/// What is needed to read what one observer packed.
#[derive(Debug, Default)]
pub struct Source {
    /// Its paths, by number.
    pub paths: Vec<Arc<Path>>,
    /// The run's numbers of its points, by its own number; one that is not in it stays as it is.
    pub points: Vec<(PointId, PointId)>,
}

/// Octets of a chunk: records are moved into few large pieces of memory.
const CHUNK: usize = 1 << 20;

/// Where a record lies, and what has to be known of it over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    flags_and_chunk: u32,
    offset: u32,
}

const HAS_LOSSES: u32 = 1 << 31;
const HAS_MARKS: u32 = 1 << 30;
const IS_OUTLINE: u32 = 1 << 29;
/// The rest: the number of the chunk.
const CHUNK_BITS: u32 = IS_OUTLINE - 1;

impl Place {
    const fn new(chunk: u32, offset: u32, peek: &Peek) -> Self {
        let losses = if peek.has_losses { HAS_LOSSES } else { 0 };
        let marks = if peek.has_marks { HAS_MARKS } else { 0 };
        let outline = if peek.is_outline { IS_OUTLINE } else { 0 };
        Self { flags_and_chunk: chunk & CHUNK_BITS | losses | marks | outline, offset }
    }

    const fn chunk(self) -> usize {
        (self.flags_and_chunk & CHUNK_BITS) as usize
    }
}

/// Records lie side by side in chunks of one source each.
#[derive(Debug, Default)]
struct Chunk {
    source: usize,
    /// Which of its source's paths is the first that records number here.
    first_path: usize,
    octets: Vec<u8>,
}

/// All records of a run.
#[derive(Debug, Default)]
pub struct Records {
    chunks: Vec<Chunk>,
    /// As they arrive, with the first packet of each. What is freed in large pieces is not given back by every
    /// allocator, so these become the places where they are.
    open: Vec<(Timestamp, Place)>,
    /// In order.
    places: Vec<Place>,
    sources: Vec<Source>,
}

impl Records {
    /// Takes in what a source packed.
    pub fn add(&mut self, source: usize, packed: &Packed) {
        let size = packed.octets.len();
        let first_path = packed.paths_before;
        let open = self.chunks.iter().rposition(|c| (c.source, c.first_path) == (source, first_path));
        let open = open.filter(|&i| self.chunks.get(i).is_some_and(|c| c.octets.len() + size <= CHUNK));
        let i = open.unwrap_or_else(|| {
            self.chunks.push(Chunk { source, first_path, octets: Vec::with_capacity(CHUNK.max(size)) });
            self.chunks.len() - 1
        });
        let Some(chunk) = self.chunks.get_mut(i) else { return };
        let base = u32::try_from(chunk.octets.len()).unwrap_or(u32::MAX);
        chunk.octets.extend_from_slice(&packed.octets);
        let number = u32::try_from(i).unwrap_or(u32::MAX);
        let place = |&start: &u32| {
            let peek = Peek::at(packed.octets.get(start as usize..).unwrap_or_default());
            (peek.first, Place::new(number, base.saturating_add(start), &peek))
        };
        self.open.extend(packed.starts.iter().map(place));
    }

    /// Puts the records in order: by first packet, then point, flow, SSRC and last packet, then by their sources, of
    /// which each has an order of its own. From now on a record's number is its place.
    pub fn close(&mut self, sources: Vec<Source>) {
        self.sources = sources;
        let mut open = std::mem::take(&mut self.open);
        sort_by_number(&mut open, |&(first, _)| in_order(first));
        for same in open.chunk_by_mut(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
            same.sort_unstable_by(|&(_, a), &(_, b)| {
                let rest = |place| {
                    let head = self.head_at(place);
                    (head.point, head.flow, head.ssrc, head.last)
                };
                // Chunks are numbered in the order of arrival, which is the same within one source.
                let packed = |place: Place| (self.source_number(place), place.chunk(), place.offset);
                rest(a).cmp(&rest(b)).then_with(|| packed(a).cmp(&packed(b)))
            });
        }
        self.places = open.into_iter().map(|(_, place)| place).collect();
        self.places.shrink_to_fit();
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Asks for the memory of a record that will be needed soon: records that belong together lie scattered.
    #[inline]
    pub fn fetch(&self, number: u32) {
        if let Some(place) = self.place(number) {
            prefetch::fetch::<[u8], 4>(self.octets(place));
        }
    }

    /// The numbers of all records.
    #[must_use]
    pub fn numbers(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    /// Whether a hop of a record lacks any packet.
    #[must_use]
    pub fn has_losses(&self, number: u32) -> bool {
        self.place(number).is_some_and(|place| place.flags_and_chunk & HAS_LOSSES != 0)
    }

    /// A record's SSRC, and whether one of its hops keeps packets that were chosen by payload.
    #[must_use]
    pub fn ssrc(&self, number: u32) -> (Ssrc, bool) {
        let Some(place) = self.place(number) else { return (Ssrc(0), false) };
        (Peek::at(self.octets(place)).ssrc, place.flags_and_chunk & HAS_MARKS != 0)
    }

    /// A record without its hops.
    #[must_use]
    pub fn head(&self, number: u32) -> Option<Head> {
        self.place(number).map(|place| self.head_at(place))
    }

    /// What there is to say of a record, where that is no more than an outline.
    #[must_use]
    pub fn outline(&self, number: u32) -> Option<Outline> {
        let place = self.place(number).filter(|place| place.flags_and_chunk & IS_OUTLINE != 0)?;
        let mut outline = Outline::read(&mut Reader(self.octets(place)));
        outline.point = number_of(outline.point, self.source(place));
        Some(outline)
    }

    /// A record's head; its hops are handed over one by one, in their own order.
    pub fn unpack(&self, number: u32, mut take: impl FnMut(HopRecord)) -> Option<Head> {
        let place = self.place(number)?;
        let mut from = Reader(self.octets(place));
        let source = self.source(place);
        let head = Self::read_head(source, &mut from);
        let first_path = self.chunks.get(place.chunk()).map_or(0, |chunk| chunk.first_path);
        let paths = source.and_then(|s| s.paths.get(first_path..)).unwrap_or_default();
        for _ in 0..from.count() {
            take(hop::read(&head, paths, &mut from));
        }
        Some(head)
    }

    fn place(&self, number: u32) -> Option<Place> {
        self.places.get(number as usize).copied()
    }

    fn octets(&self, place: Place) -> &[u8] {
        let chunk = self.chunks.get(place.chunk());
        chunk.and_then(|c| c.octets.get(place.offset as usize..)).unwrap_or_default()
    }

    fn source_number(&self, place: Place) -> Option<usize> {
        self.chunks.get(place.chunk()).map(|chunk| chunk.source)
    }

    fn source(&self, place: Place) -> Option<&Source> {
        self.sources.get(self.source_number(place)?)
    }

    fn head_at(&self, place: Place) -> Head {
        Self::read_head(self.source(place), &mut Reader(self.octets(place)))
    }

    fn read_head(source: Option<&Source>, from: &mut Reader<'_>) -> Head {
        let mut head = Head::read(from);
        head.point = number_of(head.point, source);
        head
    }
}

/// The run's number of a point that its source numbers so.
fn number_of(point: PointId, source: Option<&Source>) -> PointId {
    let points = source.map_or(&[][..], |s| &s.points);
    points.iter().find(|(own, _)| *own == point).map_or(point, |&(_, number)| number)
}

/// A moment as a number that is the greater the later it is.
const fn in_order(moment: Timestamp) -> u64 {
    moment.0.cast_unsigned() ^ 1 << 63
}

impl FromIterator<StreamRecord> for Records {
    fn from_iter<I: IntoIterator<Item = StreamRecord>>(records: I) -> Self {
        let mut packer = Packer::default();
        let mut all = Self::default();
        for record in records {
            packer.add(&record);
            all.add(0, &packer.take());
        }
        all.close(vec![Source { paths: packer.take_paths(), points: Vec::new() }]);
        all
    }
}
