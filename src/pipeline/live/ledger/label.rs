//! By what figures are told apart: numbers of points, classes, verdicts.

use crate::status::{HopKey, MarkingVerdict, SegmentKey};
use crate::terms::Dscp;
use crate::verify::{JudgedStream, Marking};

/// Hops of a stream at one point that are told apart.
pub(super) const MOST_HOPS: u8 = 4;

/// Points keep their numbers for as long as the program runs.
#[derive(Debug, Default)]
pub(super) struct Labels(Vec<String>);

impl Labels {
    /// All names, each at the place of its number.
    pub(super) fn names(&self) -> &[String] {
        &self.0
    }

    /// The number of a name.
    pub(super) fn number(&mut self, name: &str) -> u16 {
        let known = self.0.iter().position(|known| known == name).unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        });
        u16::try_from(known).unwrap_or(u16::MAX)
    }

    /// The name of a number.
    pub(super) fn name(&self, number: u16) -> &str {
        self.0.get(usize::from(number)).map_or("?", String::as_str)
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
        // Some are right and some are not: where they were right before, it is here that they are changed.
        Marking::Mixed if was_right_before(stream, hop) => MarkingVerdict::Remarked,
        _ if dscp == Dscp::DF.value() => MarkingVerdict::Unmarked,
        _ => MarkingVerdict::Unexpected,
    }
}

/// Whether the hop before saw nothing but what is expected.
fn was_right_before(stream: &JudgedStream, hop: usize) -> bool {
    let before = stream.hop_before(hop).and_then(|before| stream.markings.get(before));
    before == Some(&Marking::Conformant)
}
