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
mod judge;
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
mod streams;
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
use join::clock::Heard;
use join::segments::Recording;
pub use join::segments::{Delay, Remarked, Segment, Variation};
use judge::{Judge, classify, ends};
pub use outcome::{JudgedStream, Marking, Outcome, Quality, QualityVerdict};
use pairing::Pairing;
pub use streams::{Note, Streams, WorstMarking};

use crate::meter::{CaptureRecord, MeterCounters, Records, StunRecord, TapGap};
use crate::policy::Policy;
use crate::terms::{PointId, Timestamp};

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
    /// The records of all streams, in order.
    pub records: Records,
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
const CONDITIONS: &[fn(&Context<'_>, &mut Vec<Finding>)] = &[asymmetric::check, udp_blocked::check];

/// Streams that are fetched from memory ahead of the one that is judged.
const AHEAD: u32 = 4;

/// Judges a finished replay.
///
/// Streams stay packed: each is taken out to be joined, once more to be judged, and then when a report asks for it.
#[must_use]
pub fn judge(mut material: Material, policy: &Arc<Policy>) -> Outcome {
    let recordings = recordings(&material);
    let Material { points, interfaces, captures, gaps: _, records, counters, .. } = material;
    let mut heard = Heard::default();
    let (joined, joins) = join::join(&records, &points, policy, |hops| heard.add(hops));
    let clocks = heard.clocks(|a, b| named_clock(&points, policy, a, b));
    material.stun.sort_by_key(|s| (s.first, s.point, s.client, s.server, s.kind));
    let round_trips = quality::round_trips(&material.stun);
    let streams = u32::try_from(joined.len()).unwrap_or(u32::MAX);
    let mut classes = Vec::with_capacity(joined.len());
    let mut pairing = Pairing::default();
    for number in 0..streams {
        joined.fetch(number + AHEAD, &records);
        let heads = joined.heads(number, &records);
        classes.push(classify(&heads, policy));
        pairing.add(ends(&heads, policy), policy);
    }
    let ends_of = |number| ends(&joined.heads(number, &records), policy);
    let standings = pairing.finish(ends_of, &classes, policy);
    let judge = Judge {
        policy: Arc::clone(policy),
        points: points.clone(),
        records,
        joined,
        clocks,
        recordings,
        round_trips,
        classes,
        standings,
    };
    let mut outcome = Outcome {
        points,
        interfaces,
        classes: policy.classes.iter().map(|c| c.name.clone()).collect(),
        captures,
        streams: Streams::packed(judge),
        span: None,
        joins,
        stun: material.stun,
        findings: Vec::new(),
        counters,
    };
    let mut findings = Vec::new();
    let mut notes = Vec::with_capacity(streams as usize);
    let mut span: Option<(Timestamp, Timestamp)> = None;
    for number in 0..streams {
        outcome.streams.fetch(number + AHEAD);
        let Some(stream) = outcome.streams.get(number) else { continue };
        let (first, last) = (stream.record.first, stream.record.last);
        span = Some(span.map_or((first, last), |(start, end)| (start.min(first), end.max(last))));
        notes.push(Note::of(&stream));
        let context = Context { policy, outcome: &outcome };
        for condition in STREAM_CONDITIONS {
            condition(&context, (number, &stream), &mut findings);
        }
    }
    outcome.span = span;
    outcome.streams.set_notes(notes);
    let context = Context { policy, outcome: &outcome };
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
        for number in capture.other_points.iter().chain([&capture.point]) {
            let Some(point) = all.get_mut(usize::from(number.0)) else { continue };
            point.dropped += capture.dropped.unwrap_or(0);
            if let Some((first, last)) = capture.first.zip(capture.last) {
                let (start, end) = point.span.unwrap_or((first, last));
                point.span = Some((start.min(first), end.max(last)));
            }
        }
    }
    all
}
