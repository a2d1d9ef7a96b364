//! Findings since the start: when each was opened, and whether it stands.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::Ordering;

use super::label::Labels;
use crate::evidence::EvidenceRequest;
use crate::pipeline::live::proof::Reporter;
use crate::status::{Figures, FindingId, FindingStatus, Status, StreamStatus};
use crate::terms::{Direction, Dscp, PointId, Timestamp};
use crate::verify::{Finding, FindingKind, Outcome, Place};

/// Opens, follows and closes findings.
pub(super) struct Findings {
    most: usize,
    /// Open ones, with the interval that named them last.
    open: HashMap<FindingId, u64>,
    /// Named once: what is named again in the next interval is opened. A stream that just began looks like much.
    named: HashMap<FindingId, u64>,
    /// All that are kept, the oldest first.
    kept: VecDeque<FindingId>,
    /// Who keeps packets for findings.
    reporter: Option<Reporter>,
}

/// What makes a finding another one.
type Subject<'a> = (FindingKind, Option<u64>, &'a [String], Option<Direction>, Option<Dscp>, Option<Dscp>);

impl Findings {
    pub(super) fn new(most: usize, reporter: Option<Reporter>) -> Self {
        Self {
            most: most.max(1),
            open: HashMap::new(),
            named: HashMap::new(),
            kept: VecDeque::new(),
            reporter,
        }
    }

    /// Holds the findings of an interval against those that are known.
    pub(super) fn update(
        &mut self,
        outcome: &Outcome,
        streams: &[StreamStatus],
        labels: &Labels,
        at: Timestamp,
        status: &Status,
        figures: &mut Figures,
    ) {
        let round = figures.intervals;
        for finding in &outcome.findings {
            let (id, fresh) = describe(finding, outcome, streams, labels, at);
            if let Some(last) = self.open.get_mut(&id) {
                *last = round;
                if let Some(mut known) = status.findings.get_mut(&id) {
                    let opened = known.opened;
                    *known = FindingStatus { opened, ..fresh };
                }
                continue;
            }
            let is_confirmed = self.named.get(&id).is_some_and(|&last| last + 1 == round);
            if !is_confirmed {
                self.named.insert(id, round);
                continue;
            }
            self.named.remove(&id);
            self.open.insert(id, round);
            *figures.findings.entry((finding.kind, finding.severity)).or_default() += 1;
            tracing::info!(
                kind = finding.kind.as_str(),
                severity = finding.severity.as_str(),
                points = fresh.points.join(" to "),
                "finding: {}",
                fresh.message
            );
            self.keep_packets(finding, &fresh, outcome);
            if status.findings.insert(id, fresh).is_none() {
                self.kept.push_back(id);
            }
        }
        self.named.retain(|_, last| *last == round);
        self.open.retain(|id, last| {
            let stands = *last == round;
            if !stands && let Some(mut known) = status.findings.get_mut(id) {
                known.is_open = false;
            }
            stands
        });
        while self.kept.len() > self.most
            && let Some(oldest) = self.kept.pop_front()
        {
            status.findings.remove(&oldest);
            status.findings_dropped.fetch_add(1, Ordering::Relaxed);
        }
        figures.findings_open.clear();
        for id in self.open.keys() {
            if let Some(known) = status.findings.get(id) {
                *figures.findings_open.entry((known.kind, known.severity)).or_default() += 1;
            }
        }
    }
}

impl Findings {
    /// Has packets of the stream kept, if the finding is bad enough.
    fn keep_packets(&self, finding: &Finding, fresh: &FindingStatus, outcome: &Outcome) {
        let wanted = self.reporter.as_ref().filter(|reporter| reporter.wants(finding.severity));
        let stream = finding.stream.and_then(|number| outcome.streams.get(number));
        if let (Some(reporter), Some(stream), Some(id)) = (wanted, stream, fresh.stream) {
            reporter.tell(EvidenceRequest {
                kind: finding.kind,
                severity: finding.severity,
                message: finding.message.clone(),
                advice: finding.advice.to_owned(),
                stream: id.to_string(),
                views: stream.record.hops.iter().map(|hop| (hop.flow, hop.ssrc)).collect(),
            });
        }
    }
}

/// A finding with names for numbers.
fn describe(
    finding: &Finding,
    outcome: &Outcome,
    streams: &[StreamStatus],
    labels: &Labels,
    at: Timestamp,
) -> (FindingId, FindingStatus) {
    let stream = finding.stream.and_then(|number| streams.get(number as usize));
    let name = |point: PointId| labels.name(point.0).to_owned();
    let (points, is_between) = match finding.place {
        Place::Everywhere => (Vec::new(), false),
        Place::Point(point) => (vec![name(point)], false),
        Place::Between(from, to) => {
            let judged = finding.stream.and_then(|number| outcome.streams.get(number));
            let hops = judged.as_ref().map_or(&[][..], |stream| &stream.record.hops);
            let hop = |place: u16| {
                let point = hops.get(usize::from(place))?.point;
                let before = hops.iter().take(usize::from(place)).filter(|hop| hop.point == point).count();
                // As the labels of segments say it.
                Some(if before == 0 { name(point) } else { format!("{}/{}", name(point), before + 1) })
            };
            ([from, to].into_iter().filter_map(hop).collect(), true)
        }
    };
    let class = stream.and_then(|stream| outcome.classes.get(usize::from(stream.note.class?)));
    let id = stream.map(|stream| stream.id);
    let subject: Subject<'_> =
        (finding.kind, id.map(|id| id.0), &points, finding.direction, finding.from, finding.to);
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let status = FindingStatus {
        kind: finding.kind,
        severity: finding.severity,
        stream: id,
        is_between,
        direction: finding.direction,
        class: class.cloned(),
        from: finding.from,
        to: finding.to,
        packets: finding.packets,
        first: finding.first,
        last: finding.last,
        opened: at,
        is_open: true,
        message: finding.message.clone(),
        advice: finding.advice,
        points: points.clone(),
    };
    (FindingId(hasher.hash_one(subject)), status)
}
