//! Records against the policy: verdicts per hop and findings.
//!
//! Pure: no I/O and no clock. One condition a file; the two lists of conditions name them all.

mod absent;
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
mod one_way_mirror;
mod outcome;
mod pairing;
mod path;
mod priority;
mod quality;
mod round_trip;
mod segment;
mod shared_gap;
mod source;
mod tap;
mod tap_gap;
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
use join::segments::segments;
pub use join::segments::{Delay, Remarked, Segment, Variation};
use mirror::Doubled;
use one_way_mirror::{Directions, OneWay};
pub use outcome::{JudgedStream, Marking, Outcome, Quality, QualityVerdict};
use pairing::Standing;
use shared_gap::SharedGaps;
use tap::Taps;

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
const CONDITIONS: &[fn(&Context<'_>, &mut Vec<Finding>)] =
    &[udp_blocked::check, tap_gap::check, one_way_mirror::check, mirror::check_points];

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
    add_shared_gaps(&mut material);
    let taps = Taps::new(material.points.len(), &material.captures, &material.gaps);
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
            let segments = segments(&record, &clocks, &taps);
            let markings =
                marking::verdicts(&record, &segments, expectation_at, accepted, &policy.thresholds);
            let kind = record.payload_types.first();
            let codec =
                kind.and_then(|p| policy.codec(p.number, p.clock_rate)).map(|name| shared(&mut codecs, name));
            let quality =
                quality::of((&record, &segments), class, codec.as_deref(), &round_trips, &taps, policy);
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
        gaps: material.gaps,
        streams,
        joins,
        stun: material.stun,
        findings: Vec::new(),
        counters: material.counters,
    };
    let mut findings = Vec::new();
    let (one_way, doubled) = mirrors(&outcome, policy);
    let context = Context { policy, outcome: &outcome, taps: &taps, one_way: &one_way, doubled: &doubled };
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

/// Adds the gaps that unrelated streams share to those that captures and tunnels tell of.
fn add_shared_gaps(material: &mut Material) {
    let mut shared = SharedGaps::default();
    for (i, stream) in material.streams.iter().enumerate() {
        StreamRecord::fetch_ahead(&material.streams, i);
        shared.add(stream);
    }
    material.gaps.extend(shared.finish());
    material.gaps.sort_unstable_by_key(|gap| (gap.point, gap.from, gap.to, gap.evidence, gap.frames));
}

/// Mirrors that deliver one direction only, and those that deliver streams twice.
fn mirrors(outcome: &Outcome, policy: &Policy) -> (Vec<OneWay>, Doubled) {
    let (mut directions, mut doubled) = (Directions::default(), Doubled::default());
    for stun in &outcome.stun {
        directions.add_stun(stun);
    }
    for stream in &outcome.streams {
        let reverse = stream.reverse_of.and_then(|number| outcome.streams.get(number as usize));
        directions.add(stream, reverse, policy);
        doubled.add(stream, policy.thresholds.marking_min_packets);
    }
    (directions.one_way(), doubled)
}

/// Whether the configuration says that two points share a clock, or that they do not.
fn named_clock(points: &[String], policy: &Policy, a: PointId, b: PointId) -> Option<bool> {
    let clock = |point: PointId| {
        let name = points.get(usize::from(point.0))?;
        policy.points.iter().find(|p| p.name == *name)?.clock.as_deref()
    };
    Some(clock(a)? == clock(b)?)
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
