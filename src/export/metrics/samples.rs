//! The samples of the families, each taken from the figures.

use std::sync::atomic::Ordering;

use super::source::{Source, direction};
use super::writer::{Label, Writer};
use crate::status::{HopFigures, HopKey, PointFigures, SegmentFigures, SegmentKey};
use crate::verify::{FindingKind, Severity};

const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Error];

pub(super) fn build_info(_: &Source<'_>, writer: &mut Writer<'_>) {
    writer.number(&[env!("CARGO_PKG_VERSION").into()], 1);
}

/// A figure of the process, by the name of its family.
pub(super) fn process(source: &Source<'_>, writer: &mut Writer<'_>, name: &str) {
    if let Some((_, value)) = source.process.iter().find(|(known, _)| known == name) {
        writer.real(&[], *value);
    }
}

pub(super) fn reload_successful(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.number(&[], u64::from(source.reload.is_successful));
}

pub(super) fn reload_timestamp(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.real(&[], source.reload.success_seconds);
}

pub(super) fn opener_up(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.number(&[], u64::from(!source.is_opener_gone));
}

pub(super) fn scrapes(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.number(&[], source.counters.scrapes.load(Ordering::Relaxed));
}

pub(super) fn requests(source: &Source<'_>, writer: &mut Writer<'_>) {
    for ((handler, code), requests) in &*source.counters.requests() {
        writer.number(&[(*handler).into(), Label::Number(u64::from(*code))], *requests);
    }
}

pub(super) fn connections(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.number(&[], source.counters.connections.load(Ordering::Relaxed));
}

pub(super) fn connections_refused(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.number(&["displaced".into()], source.counters.displaced.load(Ordering::Relaxed));
    writer.number(&["tls".into()], source.counters.tls_failed.load(Ordering::Relaxed));
}

pub(super) fn intervals(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.number(&[], source.figures.intervals);
}

pub(super) fn judge_seconds(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.real(&[], source.figures.judge_seconds);
}

pub(super) fn judge_last_seconds(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.real(&[], source.figures.judge_last_seconds);
}

pub(super) fn refused(source: &Source<'_>, writer: &mut Writer<'_>) {
    for (reason, count) in &source.figures.refused {
        writer.number(&[(*reason).into()], *count);
    }
}

/// One number of each point that has it.
pub(super) fn of_points(
    source: &Source<'_>,
    writer: &mut Writer<'_>,
    figure: impl Fn(&PointFigures) -> Option<u64>,
) {
    for point in &source.figures.points {
        if let Some(value) = figure(point) {
            writer.number(&[point.name.as_str().into()], value);
        }
    }
}

/// The numbers of each point by reason.
pub(super) fn by_reason(
    source: &Source<'_>,
    writer: &mut Writer<'_>,
    figures: impl Fn(&PointFigures) -> &[(&'static str, u64)],
) {
    for point in &source.figures.points {
        for (reason, count) in figures(point) {
            writer.number(&[point.name.as_str().into(), (*reason).into()], *count);
        }
    }
}

pub(super) fn up(source: &Source<'_>, writer: &mut Writer<'_>) {
    of_points(source, writer, |point| (!point.is_gone).then(|| u64::from(point.is_up)));
}

pub(super) fn xdp_native(source: &Source<'_>, writer: &mut Writer<'_>) {
    of_points(source, writer, |point| point.is_xdp_native.filter(|_| !point.is_gone).map(u64::from));
}

pub(super) fn time_source(source: &Source<'_>, writer: &mut Writer<'_>) {
    for point in source.figures.points.iter().filter(|point| !point.is_gone) {
        if let Some(times) = point.time_source {
            writer.number(&[point.name.as_str().into(), times.into()], 1);
        }
    }
}

pub(super) fn last_packet(source: &Source<'_>, writer: &mut Writer<'_>) {
    for point in source.figures.points.iter().filter(|point| !point.is_gone) {
        if let Some(seconds) = point.last_packet_seconds {
            writer.real(&[point.name.as_str().into()], seconds);
        }
    }
}

pub(super) fn stun_round_trip(source: &Source<'_>, writer: &mut Writer<'_>) {
    for point in &source.figures.points {
        writer.histogram(&[point.name.as_str().into()], &point.stun_round_trip);
    }
}

pub(super) fn suspect_intervals(source: &Source<'_>, writer: &mut Writer<'_>) {
    for ((point, reason), count) in &source.figures.suspect_intervals {
        if let Some(name) = source.point(*point) {
            writer.number(&[name.into(), (*reason).into()], *count);
        }
    }
}

pub(super) fn verdicts(source: &Source<'_>, writer: &mut Writer<'_>) {
    for ((way, class, verdict), streams) in &source.figures.verdicts {
        if let Some(class) = source.class(*class) {
            writer.number(&[direction(*way).into(), class.into(), verdict.as_str().into()], *streams);
        }
    }
}

/// Zero for what was never found too, so that the first finding of a kind is a rise.
pub(super) fn findings(source: &Source<'_>, writer: &mut Writer<'_>) {
    for &kind in FindingKind::ALL {
        for severity in SEVERITIES {
            let count = source.figures.findings.get(&(kind, severity)).copied().unwrap_or(0);
            writer.number(&[kind.as_str().into(), severity.as_str().into()], count);
        }
    }
}

pub(super) fn findings_open(source: &Source<'_>, writer: &mut Writer<'_>) {
    for ((kind, severity), count) in &source.figures.findings_open {
        writer.number(&[kind.as_str().into(), severity.as_str().into()], *count);
    }
}

pub(super) fn evidence_files(source: &Source<'_>, writer: &mut Writer<'_>) {
    for (result, files) in source.evidence_files {
        writer.number(&[Label::Text(result)], files);
    }
}

pub(super) fn evidence_bytes(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.number(&[], source.evidence_octets);
}

pub(super) fn findings_forgotten(source: &Source<'_>, writer: &mut Writer<'_>) {
    writer.number(&[], source.findings_forgotten);
}

/// The labels of a hop: point, hop, direction, class.
fn hop_labels<'a>(source: &Source<'a>, key: HopKey) -> Option<[Label<'a>; 4]> {
    let HopKey { point, hop, direction: way, class } = key;
    Some([source.point(point)?.into(), hop.into(), direction(way).into(), source.class(class)?.into()])
}

/// One number of each hop.
pub(super) fn of_hops(source: &Source<'_>, writer: &mut Writer<'_>, figure: impl Fn(&HopFigures) -> u64) {
    for (key, hop) in &source.hops {
        if let Some(labels) = hop_labels(source, *key) {
            writer.number(&labels, figure(hop));
        }
    }
}

pub(super) fn peak(source: &Source<'_>, writer: &mut Writer<'_>) {
    for (key, hop) in &source.hops {
        if let Some(labels) = hop_labels(source, *key) {
            writer.real(&labels, hop.peak_bytes_per_second);
        }
    }
}

pub(super) fn jitter(source: &Source<'_>, writer: &mut Writer<'_>) {
    for (key, hop) in &source.hops {
        if let Some(labels) = hop_labels(source, *key) {
            writer.histogram(&labels, &hop.jitter);
        }
    }
}

pub(super) fn marking(source: &Source<'_>, writer: &mut Writer<'_>) {
    for ((key, dscp, verdict), packets) in &source.figures.marking {
        if let Some([point, hop, way, class]) = hop_labels(source, *key) {
            writer.number(&[point, hop, way, class, (*dscp).into(), verdict.as_str().into()], *packets);
        }
    }
}

/// The labels of a segment: from, to, direction, class.
fn segment_labels<'s>(source: &'s Source<'_>, key: SegmentKey) -> Option<[Label<'s>; 4]> {
    let SegmentKey { from, to, direction: way, class } = key;
    Some([
        source.place(from)?.into(),
        source.place(to)?.into(),
        direction(way).into(),
        source.class(class)?.into(),
    ])
}

/// One number of each segment.
pub(super) fn of_segments(
    source: &Source<'_>,
    writer: &mut Writer<'_>,
    figure: impl Fn(&SegmentFigures) -> u64,
) {
    for (key, segment) in &source.figures.segments {
        if let Some(labels) = segment_labels(source, *key) {
            writer.number(&labels, figure(segment));
        }
    }
}

pub(super) fn segment_delay(source: &Source<'_>, writer: &mut Writer<'_>) {
    for (key, segment) in &source.figures.segments {
        if segment.delay.count() > 0
            && let Some(labels) = segment_labels(source, *key)
        {
            writer.histogram(&labels, &segment.delay);
        }
    }
}

pub(super) fn remarked(source: &Source<'_>, writer: &mut Writer<'_>) {
    for ((key, before, after), packets) in &source.figures.remarked {
        if let Some([from, to, way, class]) = segment_labels(source, *key) {
            writer.number(&[from, to, way, class, (*before).into(), (*after).into()], *packets);
        }
    }
}
