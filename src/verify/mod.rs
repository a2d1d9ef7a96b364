//! Records against the policy: verdicts per hop and findings.
//!
//! Pure: no I/O and no clock. One condition a file; the two lists of conditions name them all.

mod asymmetric;
mod changed;
mod clock;
mod context;
mod finding;
mod jitter;
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
mod source;
mod tcp;
#[cfg(test)]
mod tests_support;
mod udp_blocked;

use std::cmp::Reverse;
use std::sync::Arc;

use context::Context;
pub use finding::{Finding, FindingKind, Place, Severity};
pub use outcome::{JudgedStream, Marking, Outcome, Quality, QualityVerdict};
use pairing::Standing;

use crate::meter::{CaptureRecord, MeterCounters, StreamRecord, StunRecord};
use crate::policy::{Policy, Question};

/// Everything that the observers of a run have sent.
#[derive(Debug, Default)]
pub struct Material {
    /// Names of the observation points.
    pub points: Vec<String>,
    /// Names of the interfaces of each point.
    pub interfaces: Vec<Vec<Option<String>>>,
    /// What was read.
    pub captures: Vec<CaptureRecord>,
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
    in_order(&mut material.streams);
    material.stun.sort_by_key(|s| (s.first, s.point, s.client, s.server, s.kind));
    let round_trips = quality::round_trips(&material.stun);
    let classes: Vec<_> = material.streams.iter().map(|stream| classify(stream, policy)).collect();
    let standings = pairing::pair(&material.streams, &classes, policy);
    let mut codecs: Vec<Arc<str>> = Vec::new();
    let streams = material
        .streams
        .into_iter()
        .zip(classes)
        .zip(standings)
        .map(|((record, (class, evidence)), Standing { direction, reverse_of, call })| {
            let point = material.points.get(usize::from(record.point.0)).map_or("", String::as_str);
            let from_outside = !policy.is_managed(record.flow.source.ip())
                && policy.is_managed(record.flow.destination.ip());
            let expectation = policy.expectation(point, direction, from_outside);
            let accepted = class.map_or(&[][..], |class| policy.accepted(class));
            let markings = marking::verdicts(&record, expectation, accepted, &policy.thresholds);
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
        stun: material.stun,
        findings: Vec::new(),
        counters: material.counters,
    };
    let mut findings = Vec::new();
    let context = Context { policy, outcome: &outcome };
    // Stream by stream, so that each is fetched from memory once.
    for stream in (0_u32..).zip(&outcome.streams) {
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
