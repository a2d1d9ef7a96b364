//! Records against the policy: verdicts per hop and findings.
//!
//! Pure: no I/O and no clock. One condition a file; the two lists of conditions name them all.

mod asymmetric;
mod changed;
mod clock;
mod context;
mod finding;
mod jitter;
mod join;
mod loss;
mod marking;
mod mid_call;
mod mirror;
mod one_way;
mod outcome;
mod pairing;
mod path;
mod priority;
mod quality;
mod round_trip;
mod segment;
mod source;
mod tcp;
#[cfg(test)]
mod tests_support;
mod udp_blocked;

use std::cmp::Reverse;
use std::sync::Arc;

use context::Context;
pub use finding::{Finding, FindingKind, Place, Severity};
pub use join::Unjoined;
pub use join::clock::ClockRelation;
use join::clock::Clocks;
pub use join::identity::JoinedBy;
pub use join::segments::{Delay, Remarked, Segment, Variation};
use join::segments::{Recording, segments};
pub use outcome::{JudgedStream, Marking, Outcome, Quality, QualityVerdict};
use pairing::Standing;

use crate::meter::{CaptureRecord, HopRecord, MeterCounters, StreamRecord, StunRecord, TapGap};
use crate::policy::{Expectation, Policy, Question};
use crate::terms::PointId;

/// Everything that the observers of a run have sent.
#[derive(Debug, Default)]
pub struct Material {
    /// Names of the observation points.
    pub points: Vec<String>,
    /// Names of the interfaces of each point.
    pub interfaces: Vec<Vec<Option<String>>>,
    /// What was read.
    pub captures: Vec<CaptureRecord>,
    /// Times in which points missed frames, in any order.
    pub gaps: Vec<TapGap>,
    /// All streams, in any order.
    pub streams: Vec<Box<StreamRecord>>,
    /// STUN of all points, in any order.
    pub stun: Vec<StunRecord>,
    /// Added up over all observers.
    pub counters: MeterCounters,
}

/// A condition on one stream: adds what it finds.
type StreamCondition = fn(&Context<'_>, (u32, &JudgedStream), &mut Vec<Finding>);

/// The conditions on single streams.
const STREAM_CONDITIONS: &[StreamCondition] = &[
    source::check,
    changed::check,
    mid_call::check,
    asymmetric::check,
    priority::check,
    segment::check,
    loss::check,
    jitter::check,
    round_trip::check,
    mirror::check,
    path::check,
    one_way::check,
    clock::check,
    tcp::check,
];

/// The conditions on everything that was heard.
const CONDITIONS: &[fn(&Context<'_>, &mut Vec<Finding>)] = &[udp_blocked::check];

/// Judges a finished replay.
#[must_use]
pub fn judge(mut material: Material, policy: &Policy) -> Outcome {
    // Joined in a fixed order, so that the same packets are joined alike.
    in_order(&mut material.streams);
    let views = material.streams.len();
    let (streams, joins) = join::join(material.streams, &material.points, policy);
    material.streams = streams;
    if material.streams.len() < views {
        in_order(&mut material.streams);
    }
    let clocks = if material.points.len() > 1 {
        Clocks::of(&material.streams, |a, b| named_clock(&material.points, policy, a, b))
    } else {
        Clocks::default()
    };
    let recordings = recordings(&material);
    let recording = |point: PointId| recordings.get(usize::from(point.0)).copied().unwrap_or_default();
    material.stun.sort_by_key(|s| (s.first, s.point, s.client, s.server, s.kind));
    let round_trips = quality::round_trips(&material.stun);
    let mut classes = Vec::with_capacity(material.streams.len());
    for (i, stream) in material.streams.iter().enumerate() {
        StreamRecord::fetch_ahead(&material.streams, i);
        classes.push(classify(stream, policy));
    }
    let standings = pairing::pair(&material.streams, &classes, policy);
    let mut codecs: Vec<Arc<str>> = Vec::new();
    let streams = material
        .streams
        .into_iter()
        .zip(classes)
        .zip(standings)
        .map(|((record, (class, evidence)), Standing { direction, reverse_of, call })| {
            let from_outside = record.hops.iter().any(|h| policy.is_managed(h.flow.destination.ip()))
                && !record.hops.iter().any(|h| policy.is_managed(h.flow.source.ip()));
            let expectation_at = |hop: &HopRecord| {
                let point = material.points.get(usize::from(hop.point.0)).map_or("", String::as_str);
                policy.expectation(point, direction, from_outside)
            };
            let expectation = record.hops.first().map_or(Expectation::Any, expectation_at);
            let accepted = class.map_or(&[][..], |class| policy.accepted(class));
            let markings = marking::verdicts(&record, expectation_at, accepted, &policy.thresholds);
            let segments = segments(&record, &clocks, recording);
            let kind = record.payload_types.first();
            let codec =
                kind.and_then(|p| policy.codec(p.number, p.clock_rate)).map(|name| shared(&mut codecs, name));
            let quality = quality::of(&record, class, codec.as_deref(), &round_trips, policy);
            JudgedStream {
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
            }
        })
        .collect();
    let mut outcome = Outcome {
        points: material.points,
        interfaces: material.interfaces,
        classes: policy.classes.iter().map(|c| c.name.clone()).collect(),
        captures: material.captures,
        streams,
        joins,
        stun: material.stun,
        findings: Vec::new(),
        counters: material.counters,
    };
    let mut findings = Vec::new();
    let context = Context { policy, outcome: &outcome };
    // Stream by stream, so that each is fetched from memory once.
    for stream in (0_u32..).zip(&outcome.streams) {
        if let Some(next) = outcome.streams.get(stream.0 as usize + 8) {
            next.record.fetch();
        }
        for condition in STREAM_CONDITIONS {
            condition(&context, stream, &mut findings);
        }
    }
    for condition in CONDITIONS {
        condition(&context, &mut findings);
    }
    findings.sort_by_key(|f| (Reverse(f.severity), f.kind, Reverse(f.packets), f.stream));
    outcome.findings = findings;
    outcome
}

/// Whether the configuration says that two points share a clock, or that they do not.
fn named_clock(points: &[String], policy: &Policy, a: PointId, b: PointId) -> Option<bool> {
    let clock = |point: PointId| {
        let name = points.get(usize::from(point.0))?;
        policy.points.iter().find(|p| p.name == *name)?.clock.as_deref()
    };
    Some(clock(a)? == clock(b)?)
}

/// What the captures say of each point.
fn recordings(material: &Material) -> Vec<Recording> {
    let mut all = vec![Recording::default(); material.points.len()];
    for capture in &material.captures {
        let Some(point) = all.get_mut(usize::from(capture.point.0)) else { continue };
        point.dropped += capture.dropped.unwrap_or(0);
        if let Some((first, last)) = capture.first.zip(capture.last) {
            let (start, end) = point.span.unwrap_or((first, last));
            point.span = Some((start.min(first), end.max(last)));
        }
    }
    all
}

/// Puts streams in order of time, then of point, flow and SSRC. Times apart, so that few streams need a look.
fn in_order(streams: &mut Vec<Box<StreamRecord>>) {
    let mut timed: Vec<_> = std::mem::take(streams).into_iter().map(|s| (s.first, s)).collect();
    timed.sort_unstable_by(|(first, a), (other, b)| {
        let rest = |s: &StreamRecord| (s.point, s.flow, s.ssrc, s.last);
        first.cmp(other).then_with(|| rest(a).cmp(&rest(b)))
    });
    streams.extend(timed.into_iter().map(|(_, stream)| stream));
}

/// One of a few names, kept once.
fn shared(names: &mut Vec<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.iter().find(|n| ***n == *name) {
        return Arc::clone(known);
    }
    let new: Arc<str> = Arc::from(name);
    names.push(Arc::clone(&new));
    new
}

fn classify(stream: &StreamRecord, policy: &Policy) -> (Option<u8>, crate::policy::Evidence) {
    let kind = stream.payload_types.first();
    policy.classify(&Question {
        flow: stream.flow,
        modality: stream.facts.as_ref().and_then(|facts| facts.modality),
        payload_type: kind.map(|p| p.number),
        clock_rate: kind.and_then(|p| p.clock_rate),
        packet_interval_seconds: stream.packet_interval_seconds,
        mean_octets: stream.mean_octets,
    })
}
