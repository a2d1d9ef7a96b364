//! What was counted since the start: what each interval adds to it.
//!
//! Records of streams count from their first packet. The ledger remembers how much of each was taken over, and adds
//! what is new. What may still be taken back, as a loss that a late packet undoes, is added an interval later.

mod findings;
mod hop;
mod label;
mod passing;
mod peak;
mod segment;
mod stun;

use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use findings::Findings;
use hop::{HopEntry, ViewKey};
use label::Labels;
use passing::Passing;
use peak::Peaks;
use segment::SegmentEntry;
use smallvec::SmallVec;
use stun::StunLedger;

use super::LiveOptions;
use super::proof::Reporter;
use crate::meter::{FORGET_AFTER, HopRecord, MeterCounters};
use crate::policy::Policy;
use crate::status::{Figures, PointFigures, Status, StreamId, StreamStatus};
use crate::terms::{PointId, Timestamp};
use crate::verify::{JudgedStream, Material, Note, Outcome, WorstMarking};

/// Looked up for each stream in each interval; who sends cannot choose keys that collide.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The point of each hop of a stream.
type HopPoints = SmallVec<[u16; 2]>;

/// A stream that was not heard for so long does not run at the moment.
const RUNNING_NS: i64 = 10_000_000_000;

/// Adds up figures over intervals.
pub(super) struct Ledger {
    figures: Figures,
    labels: Labels,
    hops: Passing<ViewKey, HopEntry>,
    segments: Passing<(ViewKey, ViewKey), SegmentEntry>,
    stun: StunLedger,
    peaks: Peaks,
    findings: Findings,
    streams: Vec<StreamStatus>,
    /// By stream.
    hop_points: Vec<HopPoints>,
    at: Timestamp,
    before: Option<Timestamp>,
    /// Entries of streams that were not heard for so long are forgotten.
    forget_ns: i64,
    /// The same of pairs that speak STUN: a meter knows them for half as long.
    forget_stun_ns: i64,
    /// By point: what observers had counted that are gone.
    before_points: HashMap<usize, PointFigures>,
    /// What their meters had counted.
    before_meters: MeterCounters,
    /// Up to when gaps were counted, by point and evidence.
    gaps_until: HashMap<(u16, &'static str), Timestamp>,
}

impl Ledger {
    pub(super) fn new(options: &LiveOptions, policy: &Policy, reporter: Option<Reporter>) -> Self {
        let ns = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX / 4);
        let (timeout, stun_timeout) = (ns(policy.limits.stream_timeout), ns(policy.limits.stun_timeout));
        Self {
            figures: Figures::default(),
            labels: Labels::default(),
            hops: Passing::default(),
            segments: Passing::default(),
            stun: StunLedger::default(),
            peaks: Peaks::default(),
            findings: Findings::new(options.keep_findings, reporter),
            streams: Vec::new(),
            hop_points: Vec::new(),
            at: Timestamp(0),
            before: None,
            forget_ns: timeout.saturating_mul(2),
            forget_stun_ns: stun_timeout.saturating_mul(2 * FORGET_AFTER),
            before_points: HashMap::default(),
            before_meters: MeterCounters::default(),
            gaps_until: HashMap::default(),
        }
    }

    /// Names of all points so far, each at the place of its number.
    pub(super) fn point_names(&self) -> &[String] {
        self.labels.names()
    }

    /// An interval is to be judged.
    pub(super) fn begin<'a>(
        &mut self,
        at: Timestamp,
        material: &Material,
        points: impl Iterator<Item = &'a PointFigures>,
        policy: &Policy,
    ) {
        self.before = (self.figures.intervals > 0).then_some(self.at);
        self.at = at;
        self.streams.clear();
        self.hop_points.clear();
        for name in &material.points {
            self.labels.number(name);
        }
        let figures = &mut self.figures;
        figures.classes = policy.classes.iter().map(|class| class.name.clone()).collect();
        figures.verdicts.clear();
        for hop in figures.hops.values_mut() {
            hop.active = 0;
        }
        self.take_over_points(points);
        self.stun.add(&material.stun, &mut self.figures);
        let mut meters = self.before_meters;
        meters.add(&material.counters);
        self.figures.refused = refused(&meters);
    }

    /// Observers count from their start themselves. Those that share a point are added up; those that took the place of
    /// others count on from where these were.
    fn take_over_points<'a>(&mut self, points: impl Iterator<Item = &'a PointFigures>) {
        for slot in &mut self.figures.points {
            (slot.is_up, slot.is_gone) = (false, true);
        }
        for one in summed(points) {
            let place = usize::from(self.labels.number(&one.name));
            while self.figures.points.len() <= place {
                self.figures.points.push(PointFigures::default());
            }
            let Some(slot) = self.figures.points.get_mut(place) else { continue };
            let stun_round_trip = std::mem::take(&mut slot.stun_round_trip);
            let (is_up, has_been_up) = (one.is_up, one.has_been_up);
            *slot = PointFigures { stun_round_trip, ..one };
            if let Some(before) = self.before_points.get(&place) {
                slot.add(before);
                (slot.is_up, slot.has_been_up) = (is_up, has_been_up);
            }
        }
    }

    /// Observers have ended and are named no more: what they counted stays counted.
    pub(super) fn keep<'a>(
        &mut self,
        points: impl Iterator<Item = &'a PointFigures>,
        meters: &MeterCounters,
    ) {
        for one in points {
            let place = usize::from(self.labels.number(&one.name));
            match self.before_points.entry(place) {
                Entry::Occupied(mut known) => known.get_mut().add(one),
                Entry::Vacant(free) => {
                    free.insert(one.clone());
                }
            }
        }
        self.before_meters.add(meters);
    }

    /// Takes in one stream as it is judged now.
    pub(super) fn add_stream(&mut self, number: u32, stream: &JudgedStream) {
        let is_over = self.at.nanos_since(stream.record.last) > RUNNING_NS;
        let mut seen_at: Vec<(PointId, u8)> = Vec::with_capacity(stream.record.hops.len());
        let mut views: Vec<(ViewKey, (u16, u8))> = Vec::with_capacity(stream.record.hops.len());
        let mut oldest: Option<(u64, StreamId)> = None;
        for hop in &stream.record.hops {
            let ordinal = if let Some((_, n)) = seen_at.iter_mut().find(|(point, _)| *point == hop.point) {
                *n = n.saturating_add(1).min(label::MOST_HOPS);
                *n
            } else {
                seen_at.push((hop.point, 1));
                1
            };
            let point = hop.point.0;
            let key = ViewKey::of(point, hop, &views);
            if let Some(entry) = self.hops.get(&key)
                && let Some(id) = entry.stream
                && oldest.is_none_or(|(since, _)| entry.since < since)
            {
                oldest = Some((entry.since, id));
            }
            views.push((key, (point, ordinal)));
        }
        let id = oldest.map_or_else(|| self.name_of(stream), |(_, id)| id);
        for (i, (hop, &(key, place))) in stream.record.hops.iter().zip(&views).enumerate() {
            self.add_hop((key, place), (i, hop), stream, id, is_over);
        }
        for (i, segment) in stream.segments.iter().enumerate() {
            let after = i + 1;
            let before = stream.hop_before(after).and_then(|before| views.get(before));
            if let (Some(before), Some(after), false) = (before, views.get(after), segment.is_alternative) {
                let labels = label::segment(before.1, after.1, stream);
                let (round, figures) = (self.figures.intervals, &mut self.figures);
                let add = |entry: &mut SegmentEntry| entry.add(segment, labels, round, figures);
                self.segments.change((before.0, after.0), SegmentEntry::default, add);
            }
        }
        if !is_over {
            let key = (stream.direction, stream.class, WorstMarking::of(stream));
            *self.figures.verdicts.entry(key).or_default() += 1;
        }
        self.remember(number, stream, id, &views, is_over);
    }

    fn add_hop(
        &mut self,
        (key, place): (ViewKey, (u16, u8)),
        (i, hop): (usize, &HopRecord),
        stream: &JudgedStream,
        id: StreamId,
        is_over: bool,
    ) {
        let labels = label::hop(place, stream);
        let round = self.figures.intervals;
        let verdict_on = |dscp| label::verdict(stream, i, dscp);
        let figures = &mut self.figures;
        let add = |entry: &mut HopEntry| {
            entry.stream = Some(id);
            entry.add_marking(hop, |dscp, packets| {
                *figures.marking.entry((labels, dscp, verdict_on(dscp))).or_default() += packets;
            });
            entry.add(hop, round, figures.hops.entry(labels).or_default())
        };
        let octets = self.hops.change(key, || HopEntry::new(round), add);
        self.peaks.add(labels, octets);
        if !is_over && let Some(figures) = self.figures.hops.get_mut(&labels) {
            figures.active += 1;
        }
    }

    fn remember(
        &mut self,
        number: u32,
        stream: &JudgedStream,
        id: StreamId,
        views: &[(ViewKey, (u16, u8))],
        is_over: bool,
    ) {
        let record = &stream.record;
        let first = record.hops.first();
        let status = StreamStatus {
            id,
            note: Note::of(stream),
            ssrc: record.ssrc,
            source: first.map_or(record.flow, |hop| hop.flow).source,
            destination: first.map_or(record.flow, |hop| hop.flow).destination,
            points: views.iter().fold(0, |mask, (_, (point, _))| mask | 1 << (point & 63)),
            first: record.first,
            last: record.last,
            is_over,
        };
        // Numbers are places.
        while self.streams.len() < number as usize {
            self.streams.push(status.clone());
            self.hop_points.push(HopPoints::new());
        }
        self.streams.push(status);
        self.hop_points.push(views.iter().map(|(_, (point, _))| *point).collect());
    }

    /// A name that the same packets give again.
    fn name_of(&self, stream: &JudgedStream) -> StreamId {
        let record = &stream.record;
        let Some(hop) = record.hops.iter().min_by_key(|hop| (hop.first, hop.point)) else {
            return StreamId(0);
        };
        let name = self.labels.name(hop.point.0);
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        StreamId(hasher.hash_one((name, hop.flow, hop.ssrc.0, hop.first.0)))
    }

    /// The interval was judged.
    pub(super) fn finish(
        &mut self,
        outcome: &Outcome,
        status: &Status,
        spent: Duration,
    ) -> (Vec<StreamStatus>, Figures) {
        self.count_gaps(outcome);
        let elapsed = self.before.map_or(0, |before| self.at.nanos_since(before));
        self.peaks.close(self.at, elapsed, &mut self.figures);
        let streams = (&*self.streams, &*self.hop_points);
        self.findings.update(outcome, streams, &self.labels, self.at, status, &mut self.figures);
        self.figures.intervals += 1;
        self.figures.judge_last_seconds = spent.as_secs_f64();
        self.figures.judge_seconds += spent.as_secs_f64();
        self.forget();
        (std::mem::take(&mut self.streams), self.figures.clone())
    }

    /// Points that missed frames in this interval, as far as that is known. A gap that goes on counts each time.
    fn count_gaps(&mut self, outcome: &Outcome) {
        let mut ends: HashMap<(u16, &'static str), Timestamp> = HashMap::default();
        for gap in outcome.gaps.iter().filter(|gap| gap.from < self.at) {
            let end = ends.entry((gap.point.0, gap.evidence.as_str())).or_insert(Timestamp(i64::MIN));
            *end = gap.to.min(self.at).max(*end);
        }
        for (key, end) in ends {
            let until = self.gaps_until.entry(key).or_insert(Timestamp(i64::MIN));
            if end > *until {
                *until = end;
                *self.figures.suspect_intervals.entry(key).or_default() += 1;
            }
        }
    }

    /// Drops what belongs to streams that cannot come back.
    fn forget(&mut self) {
        let round = self.figures.intervals;
        if !round.is_multiple_of(16) {
            return;
        }
        let limit = self.at.0.saturating_sub(self.forget_ns);
        let (hops, segments) = (&mut self.hops, &mut self.segments);
        hops.keep(|_, entry| entry.last.0 >= limit);
        segments.keep(|(from, to), _| hops.has(from) || hops.has(to));
        self.stun.forget(Timestamp(self.at.0.saturating_sub(self.forget_stun_ns)));
    }
}

/// One for each point: those of observers that share one are added up.
fn summed<'a>(points: impl Iterator<Item = &'a PointFigures>) -> Vec<PointFigures> {
    let mut sums: Vec<PointFigures> = Vec::new();
    for one in points {
        match sums.iter_mut().find(|known| known.name == one.name) {
            Some(known) => known.add(one),
            None => sums.push(one.clone()),
        }
    }
    sums
}

/// What the meters dropped or refused, by what it was.
fn refused(counters: &MeterCounters) -> Vec<(&'static str, u64)> {
    vec![
        ("unconfirmed-rtp", counters.unconfirmed_rtp_packets),
        ("candidates-evicted", counters.candidates_evicted),
        ("transactions-evicted", counters.transactions_evicted),
        ("orphan-fragments", counters.orphan_fragments),
        ("beyond-hop-limit", counters.packets_beyond_hop_limit),
        ("records-refused", counters.records_refused),
        ("paths-overflowed", counters.paths_overflowed),
        ("beyond-point-limit", counters.packets_beyond_point_limit),
        ("tunnels-unfollowed", counters.tunnel_frames_unfollowed),
    ]
}
