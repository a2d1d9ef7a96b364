//! Findings since the start: when each was opened, and whether it stands.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::label::Labels;
use super::{HashMap, HopPoints};
use crate::evidence::EvidenceRequest;
use crate::pipeline::live::proof::Reporter;
use crate::status::{Figures, FindingId, FindingStatus, Status, StreamStatus};
use crate::terms::{Direction, Dscp, Timestamp};
use crate::verify::{Finding, FindingKind, Outcome, Place, Severity};

/// Opens, follows and closes findings.
pub(super) struct Findings {
    most: usize,
    open: HashMap<FindingId, Open>,
    /// Named once: what is named again in the next interval is opened. A stream that just began looks like much.
    named: HashMap<FindingId, u64>,
    /// All that are kept, the oldest first.
    kept: VecDeque<FindingId>,
    /// Who keeps packets for findings.
    reporter: Option<Reporter>,
    hasher: foldhash::fast::RandomState,
}

/// One that stands.
struct Open {
    /// The interval that named it last.
    round: u64,
    kind: FindingKind,
    severity: Severity,
    /// What was told of it, as a hash: most findings are what they were an interval ago.
    told: u64,
}

/// What makes a finding another one.
type Subject<'a> =
    (FindingKind, Option<u64>, &'a [Cow<'a, str>], Option<Direction>, Option<Dscp>, Option<Dscp>);

impl Findings {
    pub(super) fn new(most: usize, reporter: Option<Reporter>) -> Self {
        Self {
            most: most.max(1),
            open: HashMap::default(),
            named: HashMap::default(),
            kept: VecDeque::new(),
            reporter,
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    /// Holds the findings of an interval against those that are known.
    pub(super) fn update(
        &mut self,
        outcome: &Outcome,
        (streams, hop_points): (&[StreamStatus], &[HopPoints]),
        labels: &Labels,
        at: Timestamp,
        status: &Status,
        figures: &mut Figures,
    ) {
        let round = figures.intervals;
        for finding in &outcome.findings {
            let stream = finding.stream.and_then(|number| streams.get(number as usize));
            let at_hops = finding.stream.and_then(|number| hop_points.get(number as usize));
            let points = points_of(finding, at_hops.map_or(&[][..], |points| points), labels);
            let subject: Subject<'_> = (
                finding.kind,
                stream.map(|stream| stream.id.0),
                &points,
                finding.direction,
                finding.from,
                finding.to,
            );
            let id = FindingId(BuildHasherDefault::<DefaultHasher>::default().hash_one(subject));
            let told = self.hasher.hash_one((
                (finding.severity as u8, finding.packets, finding.first, finding.last),
                (&finding.message, finding.advice, stream.map(|stream| stream.note.class)),
            ));
            if let Some(open) = self.open.get_mut(&id) {
                open.round = round;
                if open.told == told {
                    continue;
                }
                (open.told, open.severity) = (told, finding.severity);
                if let Some(mut known) = status.findings.get_mut(&id) {
                    let opened = known.opened;
                    **known = described(finding, outcome, stream, &points, opened);
                }
                continue;
            }
            let is_confirmed = self.named.get(&id).is_some_and(|&last| last + 1 == round);
            if !is_confirmed {
                self.named.insert(id, round);
                continue;
            }
            self.named.remove(&id);
            self.open.insert(id, Open { round, kind: finding.kind, severity: finding.severity, told });
            *figures.findings.entry((finding.kind, finding.severity)).or_default() += 1;
            tracing::info!(
                kind = finding.kind.as_str(),
                severity = finding.severity.as_str(),
                points = points.join(" to "),
                "finding: {}",
                finding.message
            );
            let fresh = described(finding, outcome, stream, &points, at);
            self.keep_packets(finding, &fresh, outcome);
            if status.findings.insert(id, Box::new(fresh)).is_none() {
                self.kept.push_back(id);
            }
        }
        self.named.retain(|_, last| *last == round);
        self.open.retain(|id, open| {
            let stands = open.round == round;
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
        for open in self.open.values() {
            *figures.findings_open.entry((open.kind, open.severity)).or_default() += 1;
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

/// The names of the points that a finding is about.
fn points_of<'a>(finding: &Finding, hops: &[u16], labels: &'a Labels) -> SmallVec<[Cow<'a, str>; 2]> {
    let hop = |place: u16| {
        let point = *hops.get(usize::from(place))?;
        let before = hops.iter().take(usize::from(place)).filter(|other| **other == point).count();
        let name = labels.name(point);
        // As the labels of segments say it.
        Some(if before == 0 { Cow::Borrowed(name) } else { format!("{name}/{}", before + 1).into() })
    };
    match finding.place {
        Place::Everywhere => SmallVec::new(),
        Place::Point(point) => [Cow::Borrowed(labels.name(point.0))].into_iter().collect(),
        Place::Between(from, to) => [from, to].into_iter().filter_map(hop).collect(),
    }
}

/// A finding with names for numbers.
fn described(
    finding: &Finding,
    outcome: &Outcome,
    stream: Option<&StreamStatus>,
    points: &[Cow<'_, str>],
    opened: Timestamp,
) -> FindingStatus {
    let class = stream.and_then(|stream| outcome.classes.get(usize::from(stream.note.class?)));
    FindingStatus {
        kind: finding.kind,
        severity: finding.severity,
        stream: stream.map(|stream| stream.id),
        is_between: matches!(finding.place, Place::Between(..)),
        direction: finding.direction,
        class: class.cloned(),
        from: finding.from,
        to: finding.to,
        packets: finding.packets,
        first: finding.first,
        last: finding.last,
        opened,
        is_open: true,
        message: finding.message.clone(),
        advice: finding.advice,
        points: points.iter().map(|name| name.clone().into_owned()).collect(),
    }
}
