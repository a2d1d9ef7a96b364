//! By what figures are told apart: numbers of points, classes, verdicts.

use crate::status::{HopKey, MarkingVerdict, SegmentKey};
use crate::terms::{Dscp, PointId};
use crate::verify::{JudgedStream, Marking};

/// Hops of a stream at one point that are told apart.
pub(super) const MOST_HOPS: u8 = 4;

/// Points keep their numbers for as long as the program runs.
#[derive(Debug, Default)]
pub(super) struct Labels {
    names: Vec<String>,
    /// By the numbers of this interval.
    numbers: Vec<u16>,
}

impl Labels {
    /// The points of an interval, in the order of their numbers in it.
    pub(super) fn begin(&mut self, points: &[String]) {
        self.numbers = points.iter().map(|name| self.number(name)).collect();
    }

    /// The number of a name.
    pub(super) fn number(&mut self, name: &str) -> u16 {
        let known = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        u16::try_from(known).unwrap_or(u16::MAX)
    }

    /// The number of a point of this interval.
    pub(super) fn of(&self, point: PointId) -> u16 {
        self.numbers.get(usize::from(point.0)).copied().unwrap_or(u16::MAX)
    }

    /// The name of a number.
    pub(super) fn name(&self, number: u16) -> &str {
        self.names.get(usize::from(number)).map_or("?", String::as_str)
    }
}

pub(super) fn hop((point, hop): (u16, u8), stream: &JudgedStream) -> HopKey {
    HopKey { point, hop, direction: stream.direction, class: stream.class }
}

pub(super) fn segment(from: (u16, u8), to: (u16, u8), stream: &JudgedStream) -> SegmentKey {
    SegmentKey { from, to, direction: stream.direction, class: stream.class }
}

/// What to say of packets with a codepoint at a hop: what is right is right, wherever it is.
pub(super) fn verdict(stream: &JudgedStream, hop: usize, dscp: u8) -> MarkingVerdict {
    let Some(marking) = stream.markings.get(hop) else { return MarkingVerdict::Unclassified };
    let is_expected = stream.expected.iter().any(|expected| expected.value() == dscp);
    match marking {
        Marking::Unclassified => MarkingVerdict::Unclassified,
        _ if is_expected => MarkingVerdict::Conformant,
        Marking::Conformant if stream.expected.is_empty() => MarkingVerdict::Unclassified,
        Marking::Remarked => MarkingVerdict::Remarked,
        Marking::Inherited => MarkingVerdict::Inherited,
        _ if dscp == Dscp::DF.value() => MarkingVerdict::Unmarked,
        _ => MarkingVerdict::Unexpected,
    }
}
