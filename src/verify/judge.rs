//! Judges one stream at a time, out of its packed records.

use std::sync::Arc;

use super::join::Heads;
use super::join::Joined;
use super::join::clock::Clocks;
use super::join::segments::segments;
use super::outcome::JudgedStream;
use super::pairing::{Ends, Standing};
use super::quality::RoundTrips;
use super::tap::Taps;
use super::{join, marking, quality};
use crate::meter::{HopRecord, Records};
use crate::policy::{Evidence, Expectation, Policy, Question};

/// All streams of a run, packed, and what they are judged by.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) policy: Arc<Policy>,
    /// Names of the observation points.
    pub(super) points: Vec<String>,
    pub(super) records: Records,
    pub(super) joined: Joined,
    pub(super) clocks: Clocks,
    pub(super) taps: Arc<Taps>,
    pub(super) round_trips: RoundTrips,
    /// By stream.
    pub(super) classes: Vec<(Option<u8>, Evidence)>,
    /// By stream.
    pub(super) standings: Vec<Standing>,
}

impl Judge {
    /// How many streams there are.
    pub(super) const fn len(&self) -> usize {
        self.joined.len()
    }

    /// A stream with everything that is decided about it; the same whenever it is asked for.
    pub(super) fn stream(&self, number: u32) -> Option<JudgedStream> {
        let policy = &*self.policy;
        let record = Box::new(self.joined.stream(number, &self.records)?);
        let (class, evidence) = *self.classes.get(number as usize)?;
        let Standing { direction, reverse_of, call } = *self.standings.get(number as usize)?;
        let from_outside = record.hops.iter().any(|h| policy.is_managed(h.flow.destination.ip()))
            && !record.hops.iter().any(|h| policy.is_managed(h.flow.source.ip()));
        let expectation_at = |hop: &HopRecord| {
            let point = self.points.get(usize::from(hop.point.0)).map_or("", String::as_str);
            policy.expectation(point, direction, from_outside)
        };
        let expectation = record.hops.first().map_or(Expectation::Any, expectation_at);
        let accepted = class.map_or(&[][..], |class| policy.accepted(class));
        let segments = segments(&record, &self.clocks, &self.taps);
        let markings = marking::verdicts(&record, &segments, expectation_at, accepted, &policy.thresholds);
        let kind = record.payload_types.first();
        let codec = kind.and_then(|p| policy.codec(p.number, p.clock_rate)).map(Arc::from);
        let quality =
            quality::of((&record, &segments), class, codec.as_deref(), &self.round_trips, &self.taps, policy);
        Some(JudgedStream {
            direction,
            reverse_of,
            call,
            class,
            evidence,
            codec,
            expectation,
            expected: marking::expected(expectation, accepted),
            markings,
            segments,
            quality,
            record,
        })
    }
}

/// What a stream is, by its addresses, payload types and timing.
pub(super) fn classify(heads: &Heads, policy: &Policy) -> (Option<u8>, Evidence) {
    let (Some(start), Some(lead)) = (heads.by_travel.first(), heads.lead()) else {
        return (None, Evidence::None);
    };
    let facts = heads.facts();
    let kind = lead.payload_types.first();
    policy.classify(&Question {
        flow: start.flow,
        modality: facts.and_then(|facts| facts.modality),
        payload_type: kind.map(|p| p.number),
        clock_rate: kind.and_then(|p| p.clock_rate),
        packet_interval_seconds: lead.packet_interval_seconds,
        mean_octets: lead.mean_octets,
    })
}

/// Where a stream is compared with others: the point that was named first, of those that saw it. Both directions of a
/// call have the same addresses there, whatever is translated or relayed further on.
pub(super) fn ends(heads: &Heads, policy: &Policy) -> Option<Ends> {
    let here = heads.by_travel.iter().min_by_key(|head| (head.point, head.flow.biflow()))?;
    let flows = heads.by_travel.iter().map(|head| head.flow);
    let (first, last) = heads.span()?;
    Some(Ends { point: here.point, flow: here.flow, first, last, told: join::told_direction(flows, policy) })
}
