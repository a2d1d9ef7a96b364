//! Records against the policy: verdicts per hop and findings.
//!
//! Pure: no I/O and no clock. One condition a file; the two lists of conditions name them all.

mod absent;
mod asymmetric;
mod changed;
mod clock;
mod context;
mod dead_mirror;
mod finding;
mod jitter;
mod join;
mod judge;
mod loss;
mod marking;
mod mid_call;
mod mirror;
mod one_way;
mod one_way_mirror;
mod outcome;
mod pairing;
mod path;
mod plain;
mod priority;
mod quality;
mod round_trip;
mod segment;
mod shared_gap;
mod source;
mod streams;
mod survey;
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
use join::clock::Heard;
pub use join::identity::JoinedBy;
pub use join::remarked::Remarked;
pub use join::segments::{Delay, Segment, Variation};
use judge::Judge;
use mirror::Doubled;
use one_way_mirror::{Directions, OneWay, Passage, Way};
pub use outcome::{JudgedStream, Marking, Outcome, Quality, QualityVerdict};
use shared_gap::SharedGaps;
pub use streams::{Note, Streams, WorstMarking};
use survey::Survey;
use tap::{Taps, between_files, leave_out_explained};

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
    /// Points that ought to hear something, and have not for too long.
    pub silent: Vec<SilentPoint>,
    /// Added up over all observers.
    pub counters: MeterCounters,
}

/// A point that heard nothing at all for longer than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilentPoint {
    /// Which one.
    pub point: PointId,
    /// The last frame, or when listening began.
    pub since: Timestamp,
    /// Now.
    pub until: Timestamp,
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
const CONDITIONS: &[fn(&Context<'_>, &mut Vec<Finding>)] = &[
    asymmetric::check,
    udp_blocked::check,
    tap_gap::check,
    one_way_mirror::check,
    mirror::check_points,
    dead_mirror::check,
];

/// Which findings on single streams are said of their point instead.
const OVERRULES: &[fn(&Context<'_>, &Finding) -> bool] = &[one_way::is_overruled, mirror::is_overruled];

/// Streams that are fetched from memory ahead of the one that is judged.
const AHEAD: u32 = 4;

/// What streams are shown to.
type Show<'a> = &'a mut dyn FnMut(u32, &JudgedStream);

/// Judges a finished replay.
///
/// Streams stay packed: each is taken out to be joined, once more to be judged, and then when a report asks for it.
#[must_use]
pub fn judge(material: Material, policy: &Arc<Policy>) -> Outcome {
    judge_all(material, policy, None)
}

/// The same, and shows each stream once, by number, when it is judged.
#[must_use]
pub fn judge_and_show(
    material: Material,
    policy: &Arc<Policy>,
    mut show: impl FnMut(u32, &JudgedStream),
) -> Outcome {
    judge_all(material, policy, Some(&mut show))
}

fn judge_all(mut material: Material, policy: &Arc<Policy>, show: Option<Show<'_>>) -> Outcome {
    let Material { points, interfaces, captures, mut gaps, records, counters, silent, .. } = material;
    let mut heard = Heard::default();
    let (joined, joins) = join::join(&records, &points, policy, |hops| heard.add(hops));
    let clocks = heard.clocks(|a, b| named_clock(&points, policy, a, b));
    gaps.extend(between_files(points.len(), &captures));
    gaps.extend(shared_gaps(&records));
    leave_out_explained(&mut gaps);
    gaps.sort_unstable_by_key(|gap| (gap.point, gap.from, gap.to, gap.evidence, gap.frames));
    let taps = Arc::new(Taps::new(points.len(), &captures, &gaps));
    material.stun.sort_by_key(|s| (s.first, s.point, s.client, s.server, s.kind));
    let mut judge = Judge {
        policy: Arc::clone(policy),
        points: points.clone(),
        records,
        joined,
        clocks,
        taps: Arc::clone(&taps),
        round_trips: quality::round_trips(&material.stun),
        classes: Vec::new(),
        standings: Vec::new(),
    };
    let survey = judge.survey(show.is_none());
    let mut outcome = Outcome {
        points,
        interfaces,
        classes: policy.classes.iter().map(|c| c.name.clone()).collect(),
        captures,
        gaps,
        streams: Streams::packed(judge),
        span: None,
        joins,
        stun: material.stun,
        silent,
        findings: Vec::new(),
        counters,
    };
    let (notes, mirrors, mut findings) = judge_streams(&mut outcome, survey, policy, &taps, show);
    outcome.streams.set_notes(notes);
    let context = Context { policy, outcome: &outcome, taps: &taps, mirrors: &mirrors };
    findings.retain(|finding| !OVERRULES.iter().any(|is_overruled| is_overruled(&context, finding)));
    for condition in CONDITIONS {
        condition(&context, &mut findings);
    }
    findings.sort_by_key(|f| (Reverse(f.severity), f.kind, Reverse(f.packets), f.stream));
    outcome.findings = findings;
    outcome
}

/// What is known of the mirrors once every stream was looked at.
#[derive(Debug, Default)]
struct Mirrors {
    /// Points that hear one direction only.
    one_way: Vec<OneWay>,
    doubled: Doubled,
}

/// Looks at each stream once.
fn judge_streams(
    outcome: &mut Outcome,
    survey: Survey,
    policy: &Policy,
    taps: &Taps,
    mut show: Option<Show<'_>>,
) -> (Vec<Option<Note>>, Mirrors, Vec<Finding>) {
    let mut findings = Vec::new();
    let (mut directions, mut doubled) = (Directions::default(), Doubled::default());
    for stun in &outcome.stun {
        directions.add_stun(stun);
    }
    let unknown = Mirrors::default();
    let points_of = |number| outcome.streams.points(number);
    let Survey { mut notes, mut span } = survey;
    for number in outcome.streams.numbers() {
        let is_plain = |number: u32| notes.get(number as usize).is_some_and(Option::is_some);
        if !is_plain(number + AHEAD) {
            outcome.streams.fetch(number + AHEAD);
        }
        let Some(noted) = notes.get_mut(number as usize) else { continue };
        if let Some(note) = noted.take().and_then(|note| outcome.streams.plain(number, note)) {
            *noted = Some(note);
            doubled.add_plain(&note, policy.thresholds.marking_min_packets);
            if directions.are_wanted(note.point)
                && let Some((passage, way)) = outcome.streams.passage(number, &note)
            {
                directions.add(&passage, &way, points_of, policy);
            }
            continue;
        }
        let Some(stream) = outcome.streams.get(number) else { continue };
        let (first, last) = (stream.record.first, stream.record.last);
        span = Some(span.map_or((first, last), |(start, end)| (start.min(first), end.max(last))));
        *noted = Some(Note::of(&stream));
        if let Some(show) = &mut show {
            show(number, &stream);
        }
        let way = Way::of(&stream);
        for hop in &stream.record.hops {
            directions.add(&Passage::of(hop), &way, points_of, policy);
        }
        doubled.add(&stream, policy.thresholds.marking_min_packets);
        let context = Context { policy, outcome, taps, mirrors: &unknown };
        for condition in STREAM_CONDITIONS {
            condition(&context, (number, &stream), &mut findings);
        }
    }
    outcome.span = span;
    (notes, Mirrors { one_way: directions.one_way(), doubled }, findings)
}

/// The gaps that streams of unrelated hosts share: most captures have none, and then few records are looked at.
fn shared_gaps(records: &Records) -> Vec<TapGap> {
    let mut shared = SharedGaps::default();
    for number in records.numbers().filter(|&number| records.has_losses(number)) {
        records.unpack(number, |hop| shared.add(&hop));
    }
    if shared.is_possible() {
        for head in records.numbers().filter_map(|number| records.head(number)) {
            shared.add_active(&head);
        }
    }
    shared.finish()
}

/// Whether the configuration says that two points share a clock, or that they do not.
fn named_clock(points: &[String], policy: &Policy, a: PointId, b: PointId) -> Option<bool> {
    let clock = |point: PointId| {
        let name = points.get(usize::from(point.0))?;
        policy.points.iter().find(|p| p.name == *name)?.clock.as_deref()
    };
    Some(clock(a)? == clock(b)?)
}
