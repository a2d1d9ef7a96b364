//! The judged streams of a run: kept packed, judged when asked for.

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

use super::judge::Judge;
use super::one_way_mirror::{Passage, Way};
use super::outcome::{JudgedStream, Marking, QualityVerdict};
use super::plain::Plain;
use crate::meter::{Outline, StreamRecord};
use crate::terms::{Direction, Dscp, PointId};

/// All streams of an outcome, by number.
#[derive(Debug)]
pub struct Streams(Kept);

#[derive(Debug)]
enum Kept {
    /// Put together by hand.
    Whole(Vec<JudgedStream>),
    Packed {
        judge: Box<Judge>,
        notes: Vec<Option<Note>>,
    },
}

/// What is remembered of each stream, to count and compare all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Note {
    /// Packets at the hop that saw most of them; so many at most.
    pub packets: u32,
    /// Lost of expected, 0 to 1: as judged, else as counted at the last hop; 0 where nothing was expected.
    pub loss_ratio: f32,
    /// Mean jitter: as judged, else as measured at the last hop; 0 where there is none.
    pub jitter_seconds: f32,
    /// Where it was seen first on its way.
    pub point: PointId,
    /// Its service class.
    pub class: Option<u8>,
    /// Forward is from the managed side to the far side.
    pub direction: Direction,
    /// Its marking over all hops.
    pub worst: WorstMarking,
    /// Whether it is marked right at every hop where it has to be.
    pub is_conformant: bool,
    /// Whether it is marked wrong at a hop where that can be told.
    pub is_marked_wrong: bool,
    /// Whether it was seen at more than one hop.
    pub has_segments: bool,
    /// How good it is likely to have been.
    pub quality: QualityVerdict,
}

/// A stream's marking over all its hops, the least bad first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorstMarking {
    /// As expected at every hop.
    Conformant,
    /// Too few packets, or no expectation, to tell.
    Unclassified,
    /// Wrong already at the hop before.
    Inherited,
    /// Marked, but with a value that is not expected.
    Unexpected,
    /// Not marked.
    Unmarked,
    /// Partly right, partly wrong.
    Mixed,
    /// Right before, wrong after.
    Remarked,
    /// Right before, zero after.
    Bleached,
}

impl WorstMarking {
    /// The worst of the verdicts at the stream's hops.
    #[must_use]
    pub fn of(stream: &JudgedStream) -> Self {
        let at_hops = stream.markings.iter().enumerate().map(|(hop, marking)| match marking {
            Marking::Conformant => Self::Conformant,
            Marking::Unclassified => Self::Unclassified,
            Marking::Inherited => Self::Inherited,
            Marking::Unexpected => Self::Unexpected,
            Marking::Unmarked => Self::Unmarked,
            Marking::Mixed => Self::Mixed,
            Marking::Remarked if stream.main_dscp(hop) == Some(Dscp::DF.value()) => Self::Bleached,
            Marking::Remarked => Self::Remarked,
        });
        at_hops.max().unwrap_or(Self::Unclassified)
    }

    /// As the text report writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conformant => "conformant",
            Self::Unclassified => "unclassified",
            Self::Inherited => "inherited",
            Self::Unexpected => "unexpected",
            Self::Unmarked => "unmarked",
            Self::Mixed => "mixed",
            Self::Remarked => "remarked",
            Self::Bleached => "bleached",
        }
    }
}

impl fmt::Display for WorstMarking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is one for each stream.
const _: () = assert!(size_of::<Option<Note>>() == 24);

impl Note {
    /// What is remembered of a stream.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "to compare streams by")]
    pub fn of(stream: &JudgedStream) -> Self {
        Self {
            packets: u32::try_from(stream.packets()).unwrap_or(u32::MAX),
            loss_ratio: stream.loss_ratio().unwrap_or(0.0) as f32,
            jitter_seconds: stream.jitter_seconds().unwrap_or(0.0) as f32,
            point: stream.record.point,
            class: stream.class,
            direction: stream.direction,
            worst: WorstMarking::of(stream),
            is_conformant: stream.is_conformant(),
            is_marked_wrong: stream.is_marked_wrong(),
            has_segments: stream.record.hops.len() > 1,
            quality: stream.quality.verdict,
        }
    }
}

impl Streams {
    pub(super) fn packed(judge: Judge) -> Self {
        Self(Kept::Packed { judge: Box::new(judge), notes: Vec::new() })
    }

    /// Remembers of each stream, in the order of their numbers.
    pub(super) fn set_notes(&mut self, all: Vec<Option<Note>>) {
        if let Kept::Packed { notes, .. } = &mut self.0 {
            *notes = all;
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Whole(streams) => streams.len(),
            Kept::Packed { judge, .. } => judge.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks for the memory of a stream that will be needed soon.
    pub(super) fn fetch(&self, number: u32) {
        if let Kept::Packed { judge, .. } = &self.0 {
            judge.joined.fetch(number, &judge.records);
        }
    }

    /// What is remembered of a stream of which there is nothing to say, if that holds for it among all others.
    pub(super) fn plain(&self, number: u32, note: Note) -> Option<Note> {
        let Kept::Packed { judge, .. } = &self.0 else { return None };
        Plain::stands(note, judge.standings.get(number as usize)?, &judge.policy)
    }

    /// A stream of which there is nothing to say at its one hop.
    pub(super) fn passage(&self, number: u32, note: &Note) -> Option<(Passage, Way)> {
        let Kept::Packed { judge, .. } = &self.0 else { return None };
        let Outline { point, flow, first, last, .. } = judge.joined.outline(number, &judge.records)?;
        let way = Way { class: note.class, direction: note.direction, reverse_of: self.reverse_of(number) };
        Some((Passage { point, flow, first, last }, way))
    }

    /// A stream; judged anew each time.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<Cow<'_, JudgedStream>> {
        match &self.0 {
            Kept::Whole(streams) => streams.get(number as usize).map(Cow::Borrowed),
            Kept::Packed { judge, .. } => judge.stream(number).map(Cow::Owned),
        }
    }

    /// The points at which a stream was heard, in the order of travel; one stands there for each hop.
    #[must_use]
    pub fn points(&self, number: u32) -> SmallVec<[PointId; 4]> {
        match &self.0 {
            Kept::Whole(streams) => {
                let hops = streams.get(number as usize).into_iter().flat_map(|s| &s.record.hops);
                hops.map(|hop| hop.point).collect()
            }
            Kept::Packed { judge, .. } => {
                judge.joined.heads(number, &judge.records).by_travel.iter().map(|head| head.point).collect()
            }
        }
    }

    /// What is remembered of a stream.
    #[must_use]
    pub fn note(&self, number: u32) -> Option<Note> {
        match &self.0 {
            Kept::Whole(streams) => streams.get(number as usize).map(Note::of),
            Kept::Packed { notes, .. } => notes.get(number as usize).copied().flatten(),
        }
    }

    /// What was counted of a stream; nothing is judged.
    #[must_use]
    pub fn record(&self, number: u32) -> Option<Cow<'_, StreamRecord>> {
        match &self.0 {
            Kept::Whole(streams) => streams.get(number as usize).map(|stream| Cow::Borrowed(&*stream.record)),
            Kept::Packed { judge, .. } => judge.joined.stream(number, &judge.records).map(Cow::Owned),
        }
    }

    /// The number of the call that a stream belongs to.
    #[must_use]
    pub fn call(&self, number: u32) -> Option<u32> {
        match &self.0 {
            Kept::Whole(streams) => streams.get(number as usize).map(|stream| stream.call),
            Kept::Packed { judge, .. } => judge.standings.get(number as usize).map(|standing| standing.call),
        }
    }

    /// The number of the stream in the other direction.
    pub(super) fn reverse_of(&self, number: u32) -> Option<u32> {
        match &self.0 {
            Kept::Whole(streams) => streams.get(number as usize)?.reverse_of,
            Kept::Packed { judge, .. } => judge.standings.get(number as usize)?.reverse_of,
        }
    }

    /// The numbers of all streams.
    #[must_use]
    pub fn numbers(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    /// All streams, one at a time.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, JudgedStream>> {
        self.numbers().filter_map(|number| self.get(number))
    }

    /// What is remembered of all streams.
    pub fn notes(&self) -> impl Iterator<Item = (u32, Note)> {
        self.numbers().filter_map(|number| Some((number, self.note(number)?)))
    }

    /// Streams that were put together by hand.
    #[cfg(test)]
    pub(crate) fn whole(&mut self) -> &mut Vec<JudgedStream> {
        match &mut self.0 {
            Kept::Whole(streams) => streams,
            Kept::Packed { .. } => panic!("these streams are packed"),
        }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self(Kept::Whole(Vec::new()))
    }
}

impl From<Vec<JudgedStream>> for Streams {
    fn from(streams: Vec<JudgedStream>) -> Self {
        Self(Kept::Whole(streams))
    }
}

impl FromIterator<JudgedStream> for Streams {
    fn from_iter<I: IntoIterator<Item = JudgedStream>>(streams: I) -> Self {
        Self(Kept::Whole(streams.into_iter().collect()))
    }
}
