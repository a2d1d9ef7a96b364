//! What the judge hands to reports: verdicts and findings.

use std::cmp::Reverse;
use std::sync::Arc;

use smallvec::SmallVec;

use super::SilentPoint;
use super::finding::Finding;
use super::join::Unjoined;
use super::join::segments::Segment;
use super::streams::Streams;
use crate::meter::{CaptureRecord, MeterCounters, StreamRecord, StunRecord, TapGap};
use crate::policy::{Evidence, Expectation};
use crate::terms::{Direction, Dscp, Timestamp};

/// Everything that a replay found, in a fixed order: the same packets give the same outcome.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Names of the observation points; a `PointId` is a place in this list.
    pub points: Vec<String>,
    /// Names of the interfaces of each point, by number; none for an interface without a name.
    pub interfaces: Vec<Vec<Option<String>>>,
    /// Names of the service classes; a `JudgedStream::class` is a place in this list.
    pub classes: Vec<String>,
    /// What was read.
    pub captures: Vec<CaptureRecord>,
    /// Times in which points missed frames, by point and time.
    pub gaps: Vec<TapGap>,
    /// By first packet, then by point, flow and SSRC. A stream's place in this list is its number.
    pub streams: Streams,
    /// First and last packet of all streams.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What could not be joined, and why.
    pub joins: Vec<Unjoined>,
    /// By first message.
    pub stun: Vec<StunRecord>,
    /// Points that heard nothing at all for longer than they should: known while a capture runs.
    pub silent: Vec<SilentPoint>,
    /// Most severe first.
    pub findings: Vec<Finding>,
    /// What the meters of all points dropped or refused, added up.
    pub counters: MeterCounters,
}

/// One RTP stream with everything that was decided about it.
#[derive(Debug, Clone)]
pub struct JudgedStream {
    /// What was counted.
    pub record: Box<StreamRecord>,
    /// Forward is from the managed side to the far side.
    pub direction: Direction,
    /// The number of the stream in the other direction.
    pub reverse_of: Option<u32>,
    /// The number of the call it belongs to: from 0 on, without gaps.
    pub call: u32,
    /// Its service class; none where nothing told.
    pub class: Option<u8>,
    /// What the class was decided from.
    pub evidence: Evidence,
    /// Name of the codec of the most frequent payload type, where RFC 3551 or the configuration gives it one.
    pub codec: Option<Arc<str>>,
    /// Which marking is expected of it where it was seen.
    pub expectation: Expectation,
    /// The codepoints that are right for it, the preferred one first. Empty: no expectation.
    pub expected: SmallVec<[Dscp; 4]>,
    /// One verdict for each hop of the record.
    pub markings: SmallVec<[Marking; 2]>,
    /// What happened between neighbouring hops: one less than hops.
    pub segments: Vec<Segment>,
    /// What the user is likely to have heard or seen of it.
    pub quality: Quality,
}

impl JudgedStream {
    /// Verdicts on the hops where it has to be marked: all of them; of what comes in from outside, those from the
    /// edge on that marks it, where one does.
    fn binding_markings(&self) -> &[Marking] {
        let is_unmarked = |m: &Marking| matches!(m, Marking::Unmarked | Marking::Inherited);
        let before_edge = self.markings.iter().take_while(|m| is_unmarked(m)).count();
        let behind_edge = self.markings.get(before_edge..).unwrap_or_default();
        let may_come_unmarked = self.expectation == Expectation::ClassOrUnmarked;
        if may_come_unmarked && behind_edge.first() == Some(&Marking::Conformant) {
            behind_edge
        } else {
            &self.markings
        }
    }

    /// The hop that comes before another one on the way: not one beside it.
    #[must_use]
    pub fn hop_before(&self, hop: usize) -> Option<usize> {
        let is_way = |at: &usize| self.segments.get(*at).is_some_and(|segment| segment.is_alternative);
        (0..hop).rev().find(|at| !is_way(at))
    }

    /// Whether it is marked right at every hop; what comes in from outside, at every hop from the edge on.
    #[must_use]
    pub fn is_conformant(&self) -> bool {
        let markings = self.binding_markings();
        !markings.is_empty() && markings.iter().all(|m| *m == Marking::Conformant)
    }

    /// Lost of expected, 0 to 1: as judged, else for certain, else as counted at the last hop.
    #[must_use]
    pub fn loss_ratio(&self) -> Option<f64> {
        self.quality.loss_ratio.or(self.quality.certain_loss_ratio).or_else(|| {
            let hop = self.record.hops.last()?;
            #[allow(clippy::cast_precision_loss, reason = "packets of one stream are far below 2^53")]
            (hop.expected > 0).then(|| hop.lost() as f64 / hop.expected as f64)
        })
    }

    /// Mean jitter in seconds: as judged, else as measured at the last hop.
    #[must_use]
    pub fn jitter_seconds(&self) -> Option<f64> {
        self.quality.jitter_seconds.or_else(|| Some(self.record.hops.last()?.jitter?.mean))
    }

    /// The most frequent codepoint at a hop.
    #[must_use]
    pub fn main_dscp(&self, hop: usize) -> Option<u8> {
        let counts = &self.record.hops.get(hop)?.dscp;
        counts.iter().max_by_key(|(value, packets)| (*packets, Reverse(*value))).map(|(value, _)| *value)
    }

    /// Packets at the hop that saw most of them.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.record.hops.iter().map(|h| h.packets).max().unwrap_or(0)
    }

    /// Whether it is marked wrong at a hop where that can be told.
    #[must_use]
    pub fn is_marked_wrong(&self) -> bool {
        self.binding_markings().iter().any(|m| !matches!(m, Marking::Conformant | Marking::Unclassified))
    }
}

/// The verdict on the marking at one hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Marking {
    /// As expected.
    Conformant,
    /// Not marked, and no hop before saw it marked.
    Unmarked,
    /// Right at the hop before, wrong here: the segment before this hop changed it.
    Remarked,
    /// Wrong already at the hop before, by the same value.
    Inherited,
    /// Partly right, partly wrong at this hop.
    Mixed,
    /// Marked, but with a value that is not expected, and no hop before saw it right.
    Unexpected,
    /// Too few packets, or no expectation, to tell.
    Unclassified,
}

impl Marking {
    /// As the report writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conformant => "conformant",
            Self::Unmarked => "unmarked",
            Self::Remarked => "remarked",
            Self::Inherited => "inherited",
            Self::Mixed => "mixed",
            Self::Unexpected => "unexpected",
            Self::Unclassified => "unclassified",
        }
    }
}

/// Quality of one stream at its last hop. A figure that could not be measured is absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quality {
    /// Lost of expected, 0 to 1; absent where some of it is suspect.
    pub loss_ratio: Option<f64>,
    /// Then, how much of expected is lost for certain.
    pub certain_loss_ratio: Option<f64>,
    /// Mean interarrival jitter, in seconds.
    pub jitter_seconds: Option<f64>,
    /// Mean STUN round trip on the flow, in seconds.
    pub round_trip_seconds: Option<f64>,
    /// E-model estimate from the network alone (ITU-T G.107, simplified), 1 to 4.5; audio only.
    pub mos_estimate: Option<f64>,
    /// Good, poor or unclassified.
    pub verdict: QualityVerdict,
    /// What made it poor, or why it was not classified.
    pub reasons: SmallVec<[&'static str; 2]>,
}

/// Good or poor, as the service's own dashboard would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QualityVerdict {
    /// Nothing is over its limit.
    Good,
    /// At least one figure is over its limit.
    Poor,
    /// Too short, or too few packets.
    #[default]
    Unclassified,
}

impl QualityVerdict {
    /// As the report writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Poor => "poor",
            Self::Unclassified => "unclassified",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests_support::{hop, stream};

    #[test]
    fn what_comes_from_outside_may_be_unmarked_up_to_the_edge() {
        use Marking::{Conformant, Inherited, Mixed, Remarked, Unclassified, Unmarked};
        let judged = |expectation, markings: &[Marking]| {
            let stream = JudgedStream {
                record: Box::new(stream([hop(64, &[(46, 500)])])),
                direction: Direction::Reverse,
                reverse_of: None,
                call: 0,
                class: Some(0),
                evidence: Evidence::None,
                codec: None,
                expectation,
                expected: SmallVec::new(),
                markings: markings.iter().copied().collect(),
                segments: Vec::new(),
                quality: Quality::default(),
            };
            (stream.is_conformant(), stream.is_marked_wrong())
        };
        for (markings, outside, inside) in [
            (&[][..], (false, false), (false, false)),
            (&[Conformant, Conformant], (true, false), (true, false)),
            (&[Unmarked, Inherited, Conformant], (true, false), (false, true)),
            (&[Unmarked, Inherited], (false, true), (false, true)),
            (&[Unmarked, Conformant, Remarked], (false, true), (false, true)),
            (&[Unmarked, Mixed, Conformant], (false, true), (false, true)),
            (&[Unclassified], (false, false), (false, false)),
        ] {
            assert_eq!(judged(Expectation::ClassOrUnmarked, markings), outside, "{markings:?}");
            assert_eq!(judged(Expectation::Class, markings), inside, "{markings:?}");
        }
    }
}
