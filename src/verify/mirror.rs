//! Condition: a mirror delivers packets more than once.

use std::collections::BTreeMap;

use super::context::{Context, about, packets};
use super::finding::{Finding, FindingKind, Place, Severity};
use super::outcome::JudgedStream;
use super::streams::Note;
use crate::meter::HopRecord;
use crate::terms::{PointId, Timestamp};

/// Above this share of its packets a stream's duplicates are the mirror's doing rather than the network's.
const SHARE: u64 = 20;
/// As many streams with duplicates, if they are most of a point's, are the point's matter and not theirs.
const MANY: u64 = 3;
const ADVICE: &str =
    "Mirror one direction of each port, or one port of the path: two sources copy each packet twice.";

/// How many streams of each point came twice.
#[derive(Debug, Default)]
pub(super) struct Doubled {
    points: BTreeMap<PointId, Count>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    streams: u64,
    doubled: u64,
    duplicates: u64,
    unique: u64,
    span: Option<(Timestamp, Timestamp)>,
}

impl Count {
    const fn is_the_point(&self) -> bool {
        self.doubled >= MANY && self.doubled * 2 > self.streams
    }
}

impl Doubled {
    /// Takes in a stream's hops that have enough packets to tell.
    pub(super) fn add(&mut self, stream: &JudgedStream, enough: u64) {
        for hop in stream.record.hops.iter().filter(|hop| hop.unique >= enough) {
            let count = self.points.entry(hop.point).or_default();
            count.streams += 1;
            if is_doubled(hop, enough) {
                count.doubled += 1;
                count.duplicates = count.duplicates.saturating_add(hop.duplicates);
                count.unique = count.unique.saturating_add(hop.unique);
                let (first, last) = count.span.unwrap_or((hop.first, hop.last));
                count.span = Some((first.min(hop.first), last.max(hop.last)));
            }
        }
    }

    /// Takes in a stream of one hop of which nothing came twice.
    pub(super) fn add_plain(&mut self, note: &Note, enough: u64) {
        if u64::from(note.packets) >= enough {
            self.points.entry(note.point).or_default().streams += 1;
        }
    }

    fn has(&self, point: PointId) -> bool {
        self.points.get(&point).is_some_and(Count::is_the_point)
    }
}

const fn is_doubled(hop: &HopRecord, enough: u64) -> bool {
    hop.duplicates >= enough && hop.duplicates * SHARE >= hop.unique
}

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let enough = context.policy.thresholds.marking_min_packets;
    for hop in stream.record.hops.iter().filter(|hop| is_doubled(hop, enough)) {
        let message = format!(
            "{} of {} came twice with the same TTL and tags",
            packets(hop.duplicates),
            context.name(stream)
        );
        let severity = Severity::Warning;
        findings.push(Finding {
            packets: hop.duplicates,
            ..about((number, stream), hop, FindingKind::MirrorDuplicates, severity, message, ADVICE)
        });
    }
}

/// Whether it is said of the point already.
pub(super) fn is_overruled(context: &Context<'_>, finding: &Finding) -> bool {
    let Place::Point(point) = finding.place else { return false };
    finding.kind == FindingKind::MirrorDuplicates && context.mirrors.doubled.has(point)
}

/// One finding for a point of which most streams came twice.
pub(super) fn check_points(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (&point, count) in context.mirrors.doubled.points.iter().filter(|(_, count)| count.is_the_point()) {
        let Some((first, last)) = count.span else { continue };
        let name = context.outcome.points.get(usize::from(point.0)).map_or("?", String::as_str);
        let how_much = if count.duplicates * 20 >= count.unique * 19 { "everything" } else { "packets" };
        let message = format!(
            "the mirror of {name} delivers {how_much} twice: {} of {} streams have duplicates, {} in all",
            count.doubled,
            count.streams,
            packets(count.duplicates)
        );
        findings.push(Finding {
            kind: FindingKind::MirrorDuplicates,
            severity: Severity::Warning,
            stream: None,
            call: None,
            place: Place::Point(point),
            direction: None,
            from: None,
            to: None,
            packets: count.duplicates,
            first,
            last,
            message,
            advice: ADVICE,
        });
    }
}
