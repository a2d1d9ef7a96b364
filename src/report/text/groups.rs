//! Puts findings that say the same of the same place together.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::place::Spot;
use crate::report::view::View;
use crate::terms::{Direction, Dscp, Timestamp};
use crate::verify::{Finding, FindingKind, Severity};

/// What findings of one group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Likeness {
    pub(super) kind: FindingKind,
    pub(super) severity: Severity,
    pub(super) class: Option<u8>,
    pub(super) direction: Option<Direction>,
    pub(super) from: Option<Dscp>,
    pub(super) to: Option<Dscp>,
    pub(super) spot: Spot,
    pub(super) advice: &'static str,
}

/// Findings that differ only in the stream.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) like: Likeness,
    /// The one with the most packets: it speaks for the others.
    pub(super) example: &'a Finding,
    pub(super) findings: u64,
    pub(super) packets: u64,
    /// Numbers of the streams, ascending, each once.
    pub(super) streams: Vec<u32>,
    /// Numbers of the calls, ascending, each once.
    pub(super) calls: Vec<u32>,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Before and after, where all findings have the same.
    pub(super) ttls: Option<(u8, u8)>,
}

/// All findings, the most severe and then those on the most packets first.
pub(super) fn groups<'a>(view: &View<'a>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut places: BTreeMap<Likeness, usize> = BTreeMap::new();
    for finding in &view.outcome.findings {
        let (like, ttls) = likeness(finding, view);
        let place = *places.entry(like.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.add(finding, ttls),
            None => groups.push(Group::new(like, finding, ttls)),
        }
    }
    for group in &mut groups {
        for numbers in [&mut group.streams, &mut group.calls] {
            numbers.sort_unstable();
            numbers.dedup();
        }
    }
    groups.sort_by(|a, b| {
        let by_weight = |g: &Group<'_>| Reverse((g.like.severity, g.packets, g.findings));
        by_weight(a).cmp(&by_weight(b)).then_with(|| a.like.cmp(&b.like))
    });
    groups
}

fn likeness(finding: &Finding, view: &View<'_>) -> (Likeness, Option<(u8, u8)>) {
    let note = finding.stream.and_then(|number| view.outcome.streams.note(number));
    let (spot, ttls) = Spot::of(finding, view);
    let like = Likeness {
        kind: finding.kind,
        severity: finding.severity,
        class: note.and_then(|note| note.class),
        direction: finding.direction,
        from: finding.from,
        to: finding.to,
        spot,
        advice: finding.advice,
    };
    (like, ttls)
}

impl<'a> Group<'a> {
    fn new(like: Likeness, finding: &'a Finding, ttls: Option<(u8, u8)>) -> Self {
        Self {
            like,
            example: finding,
            findings: 1,
            packets: finding.packets,
            streams: finding.stream.into_iter().collect(),
            calls: finding.call.into_iter().collect(),
            first: finding.first,
            last: finding.last,
            ttls,
        }
    }

    fn add(&mut self, finding: &'a Finding, ttls: Option<(u8, u8)>) {
        self.findings += 1;
        self.packets = self.packets.saturating_add(finding.packets);
        self.streams.extend(finding.stream);
        self.calls.extend(finding.call);
        self.first = self.first.min(finding.first);
        self.last = self.last.max(finding.last);
        if self.ttls != ttls {
            self.ttls = None;
        }
        if finding.packets > self.example.packets {
            self.example = finding;
        }
    }

    /// What it is, what happened to the codepoint, and whom it is about: class and direction.
    pub(super) fn title(&self, view: &View<'_>) -> String {
        let class = view.class(self.like.class).map(str::to_owned);
        let whom: Vec<String> = class.into_iter().chain(self.like.direction.map(|d| d.to_string())).collect();
        let words = [self.like.kind.as_str().to_owned(), self.change(), whom.join(" ")];
        words.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// What happened to the codepoint; empty where it is not about one.
    fn change(&self) -> String {
        use FindingKind::{Bleached, MarkingChangedMidCall, Remarked};
        match (self.like.from, self.like.to) {
            (Some(from), Some(to))
                if matches!(self.like.kind, Bleached | Remarked | MarkingChangedMidCall) =>
            {
                format!("{from} → {to}")
            }
            (Some(from), Some(to)) => format!("{to} instead of {from}"),
            (Some(from), None) => format!("expected {from}"),
            (None, Some(to)) => format!("seen {to}"),
            (None, None) => String::new(),
        }
    }

    /// On how many streams, calls and packets; empty where it is about a point as such.
    pub(super) fn extent(&self) -> String {
        use super::numbers::counted;
        let mut words = Vec::new();
        for (numbers, what) in [(&self.streams, "stream"), (&self.calls, "call")] {
            if !numbers.is_empty() {
                words.push(counted(numbers.len() as u64, what));
            }
        }
        if self.packets > 0 {
            words.push(counted(self.packets, "packet"));
        }
        words.join(", ")
    }
}
