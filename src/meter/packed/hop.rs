//! What was counted at one hop, as octets and back.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::octets::{Reader, Writer};
use super::{Head, PathBook, has, samples};
use crate::decode::Path;
use crate::meter::{
    Anchor, DscpChange, Histogram, HopRecord, Jitter, MissingRun, OtherMarkings, Part, PayloadMark, Sample,
    Way,
};
use crate::terms::{Dscp, RtpTime, Timestamp, TrafficClass};

/// Writes a hop with these flags, of a record that lasted so long.
pub(super) fn write(
    hop: &HopRecord,
    flags: u64,
    (begin, end): (Timestamp, Timestamp),
    has_marks: bool,
    paths: &mut PathBook,
    out: &mut Writer,
) {
    let HopRecord {
        point: _,
        flow: _,
        ssrc: _,
        path,
        ways,
        first,
        last,
        packets,
        unique,
        expected,
        duplicates,
        stray,
        reordered,
        resets,
        outages,
        jitter,
        loss_bursts,
        dscp,
        dscp_changes,
        dscp_change_count,
        ecn,
        other,
        parts,
        samples,
        marks,
        octets,
    } = hop;
    out.number(flags);
    paths.write(path.as_ref(), out);
    if flags & has::TIMES != 0 {
        out.moment(*first, begin);
        out.moment(*last, end);
    }
    out.number(*packets);
    out.number(*octets);
    if let (0, [way]) = (flags & has::WAYS, &**ways) {
        out.octet(way.ttl);
    } else {
        write_ways(ways, (*first, *last), paths, out);
    }
    for (flag, value) in [
        (has::UNIQUE, *unique),
        (has::LOSS, *expected),
        (has::DUPLICATES, *duplicates),
        (has::STRAY, *stray),
        (has::REORDERED, *reordered),
        (has::RESETS, u64::from(*resets)),
        (has::OUTAGES, u64::from(*outages)),
    ] {
        if flags & flag != 0 {
            out.number(value);
        }
    }
    if let Some(Jitter { last, mean, max, updates }) = *jitter {
        for value in [last, mean, max] {
            write_float(value, out);
        }
        out.number(updates);
    }
    if flags & has::BURSTS != 0 {
        for &runs in loss_bursts {
            out.number(runs);
        }
    }
    if flags & has::CHANGES != 0 {
        write_changes(dscp_changes, *dscp_change_count, *first, out);
    }
    write_histogram(dscp, flags & has::SEVERAL_DSCP != 0, out);
    write_histogram(ecn, flags & has::SEVERAL_ECN != 0, out);
    if let Some(other) = other {
        let OtherMarkings { pcp, user_priority, mpls_tc, outer_dscp, fragments } = &**other;
        if flags & has::PCP == 0 {
            for histogram in [pcp, user_priority, mpls_tc, outer_dscp, fragments] {
                write_histogram(histogram, true, out);
            }
        } else {
            write_histogram(pcp, false, out);
        }
    }
    if let (0, [part]) = (flags & has::PARTS, &**parts) {
        write_whole_part(part, out);
    } else {
        write_parts(parts, (*first, *last), out);
    }
    samples::write(samples, nothing_before(*first, parts.first()), out);
    if has_marks {
        write_marks(marks, *first, out);
    }
}

pub(super) fn read(head: &Head, paths: &[Arc<Path>], from: &mut Reader<'_>) -> HopRecord {
    let flags = from.number();
    let path = PathBook::read(paths, from);
    let (first, last) = if flags & has::TIMES == 0 {
        (head.first, head.last)
    } else {
        (from.moment(head.first), from.moment(head.last))
    };
    let packets = from.number();
    let octets = from.number();
    let ways = if flags & has::WAYS == 0 {
        smallvec![Way { ttl: from.octet(), packets, path: None, first, last }]
    } else {
        read_ways((first, last), paths, from)
    };
    let mut written = |flag: u64| (flags & flag != 0).then(|| from.number());
    let (unique, expected) = (written(has::UNIQUE), written(has::LOSS));
    let duplicates = written(has::DUPLICATES).unwrap_or(0);
    let stray = written(has::STRAY).unwrap_or(0);
    let reordered = written(has::REORDERED).unwrap_or(0);
    let mut small = |flag| written(flag).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let (resets, outages) = (small(has::RESETS), small(has::OUTAGES));
    let unique = unique.unwrap_or_else(|| packets.wrapping_sub(duplicates).wrapping_sub(stray));
    let jitter = (flags & has::JITTER != 0).then(|| Jitter {
        last: read_float(from),
        mean: read_float(from),
        max: read_float(from),
        updates: from.number(),
    });
    let mut loss_bursts = [0; 6];
    if flags & has::BURSTS != 0 {
        loss_bursts.fill_with(|| from.number());
    }
    let (dscp_changes, dscp_change_count) =
        if flags & has::CHANGES == 0 { (Vec::new(), 0) } else { read_changes(first, from) };
    let dscp = read_histogram(flags & has::SEVERAL_DSCP != 0, packets, from);
    let ecn = read_histogram(flags & has::SEVERAL_ECN != 0, packets, from);
    let other = (flags & (has::OTHER | has::PCP) != 0).then(|| {
        let mut histogram = || read_histogram(true, 0, from);
        Box::new(if flags & has::PCP == 0 {
            OtherMarkings {
                pcp: histogram(),
                user_priority: histogram(),
                mpls_tc: histogram(),
                outer_dscp: histogram(),
                fragments: histogram(),
            }
        } else {
            OtherMarkings { pcp: read_histogram(false, packets, from), ..OtherMarkings::default() }
        })
    });
    let parts = if flags & has::PARTS == 0 {
        vec![read_whole_part((first, last), from)]
    } else {
        read_parts((first, last), from)
    };
    HopRecord {
        point: head.point,
        flow: head.flow,
        ssrc: head.ssrc,
        path,
        ways,
        first,
        last,
        packets,
        unique,
        expected: expected.unwrap_or(unique),
        duplicates,
        stray,
        reordered,
        resets,
        outages,
        jitter,
        loss_bursts,
        dscp,
        dscp_changes,
        dscp_change_count,
        ecn,
        other,
        samples: samples::read(nothing_before(first, parts.first()), from),
        parts,
        marks: if head.has_marks { read_marks(first, from) } else { Vec::new() },
        octets,
    }
}

fn write_ways(ways: &[Way], (first, last): (Timestamp, Timestamp), paths: &mut PathBook, out: &mut Writer) {
    out.count(ways.len());
    for way in ways {
        out.octet(way.ttl);
        out.number(way.packets);
        paths.write(way.path.as_ref(), out);
        out.moment(way.first, first);
        out.moment(way.last, last);
    }
}

fn read_ways(
    (first, last): (Timestamp, Timestamp),
    paths: &[Arc<Path>],
    from: &mut Reader<'_>,
) -> SmallVec<[Way; 1]> {
    let count = from.count();
    let way = |_| Way {
        ttl: from.octet(),
        packets: from.number(),
        path: PathBook::read(paths, from),
        first: from.moment(first),
        last: from.moment(last),
    };
    (0..count).map(way).collect()
}

/// A figure of the jitter: they are kept in single precision mostly.
#[allow(clippy::cast_possible_truncation, reason = "looked at: only where nothing is lost")]
fn write_float(value: f64, out: &mut Writer) {
    let short = value as f32;
    let is_short = f64::from(short).to_bits() == value.to_bits();
    match value.to_bits() {
        0 => out.octet(0),
        _ if is_short => {
            out.octet(1);
            out.whole(&short.to_le_bytes());
        }
        _ => {
            out.octet(2);
            out.whole(&value.to_le_bytes());
        }
    }
}

pub(super) fn read_float(from: &mut Reader<'_>) -> f64 {
    match from.octet() {
        0 => 0.0,
        1 => f32::from_le_bytes(from.whole()).into(),
        _ => f64::from_le_bytes(from.whole()),
    }
}

fn write_histogram(histogram: &Histogram, is_whole: bool, out: &mut Writer) {
    if is_whole {
        out.count(histogram.len());
    }
    for &(value, packets) in histogram {
        out.octet(value);
        if is_whole {
            out.number(packets);
        }
    }
}

fn read_histogram(is_whole: bool, packets: u64, from: &mut Reader<'_>) -> Histogram {
    if !is_whole {
        return smallvec![(from.octet(), packets)];
    }
    let values = from.count();
    (0..values).map(|_| (from.octet(), from.number())).collect()
}

fn write_changes(changes: &[DscpChange], count: u64, first: Timestamp, out: &mut Writer) {
    out.number(count);
    out.count(changes.len());
    for &DscpChange { at, from, to, sequence, part } in changes {
        out.moment(at, first);
        out.octet(from.value());
        out.octet(to.value());
        out.number(sequence.into());
        out.number(part.into());
    }
}

fn read_changes(first: Timestamp, from: &mut Reader<'_>) -> (Vec<DscpChange>, u64) {
    let count = from.number();
    let kept = from.count();
    let dscp = |value| Dscp::try_from(value).unwrap_or_default();
    let changes = (0..kept).map(|_| DscpChange {
        at: from.moment(first),
        from: dscp(from.octet()),
        to: dscp(from.octet()),
        sequence: from.small(),
        part: from.short(),
    });
    (changes.collect(), count)
}

fn write_whole_part(part: &Part, out: &mut Writer) {
    out.number(part.lowest.into());
    out.signed(i64::from(part.highest) - i64::from(part.lowest));
    out.whole(&part.begin.timestamp.0.to_le_bytes());
    out.signed(part.end.timestamp.since(part.begin.timestamp).into());
}

fn read_whole_part((first, last): (Timestamp, Timestamp), from: &mut Reader<'_>) -> Part {
    let lowest = from.small();
    let highest = beside(lowest, from.signed());
    let timestamp = RtpTime(u32::from_le_bytes(from.whole()));
    let begin = Anchor { sequence: lowest, timestamp, arrival: first };
    let timestamp = RtpTime(beside(timestamp.0, from.signed()));
    let end = Anchor { sequence: highest, timestamp, arrival: last };
    Part { lowest, highest, begin, end, missing: Vec::new(), missing_unlisted: 0 }
}

/// `first` and `last` are those of the hop: mostly the one part's too.
fn write_parts(parts: &[Part], (first, last): (Timestamp, Timestamp), out: &mut Writer) {
    out.count(parts.len());
    let mut known = first;
    for Part { lowest, highest, begin, end, missing, missing_unlisted } in parts {
        out.number((*lowest).into());
        out.signed(i64::from(*highest) - i64::from(*lowest));
        out.signed(i64::from(begin.sequence) - i64::from(*lowest));
        out.whole(&begin.timestamp.0.to_le_bytes());
        out.moment(begin.arrival, known);
        out.signed(i64::from(end.sequence) - i64::from(*highest));
        out.signed(end.timestamp.since(begin.timestamp).into());
        out.moment(end.arrival, last);
        out.number(*missing_unlisted);
        out.count(missing.len());
        let (mut next, mut until_ms) = (*lowest, 0);
        for run in missing {
            out.signed(i64::from(run.first) - i64::from(next));
            out.number(run.length.into());
            out.signed(i64::from(run.since_ms) - i64::from(until_ms));
            out.signed(i64::from(run.until_ms) - i64::from(run.since_ms));
            until_ms = run.until_ms;
            next = run.first.wrapping_add(run.length);
        }
        known = end.arrival;
    }
}

/// A number that differs from another by so much.
pub(super) fn beside(known: u32, difference: i64) -> u32 {
    u32::try_from(i64::from(known).wrapping_add(difference) & i64::from(u32::MAX)).unwrap_or(known)
}

fn read_parts((first, last): (Timestamp, Timestamp), from: &mut Reader<'_>) -> Vec<Part> {
    let count = from.count();
    let mut known = first;
    let mut parts = Vec::with_capacity(count.min(crate::meter::MAX_PARTS));
    for _ in 0..count {
        let lowest = from.small();
        let highest = beside(lowest, from.signed());
        let sequence = beside(lowest, from.signed());
        let timestamp = RtpTime(u32::from_le_bytes(from.whole()));
        let begin = Anchor { sequence, timestamp, arrival: from.moment(known) };
        let sequence = beside(highest, from.signed());
        let timestamp = RtpTime(beside(begin.timestamp.0, from.signed()));
        let end = Anchor { sequence, timestamp, arrival: from.moment(last) };
        let missing_unlisted = from.number();
        let runs = from.count();
        let (mut next, mut until_ms) = (lowest, 0);
        let mut missing = Vec::with_capacity(runs.min(crate::meter::MAX_RUNS));
        for _ in 0..runs {
            let (first, length) = (beside(next, from.signed()), from.small());
            let since_ms = beside(until_ms, from.signed());
            let run = MissingRun { first, length, since_ms, until_ms: beside(since_ms, from.signed()) };
            until_ms = run.until_ms;
            next = run.first.wrapping_add(run.length);
            missing.push(run);
        }
        known = end.arrival;
        parts.push(Part { lowest, highest, begin, end, missing, missing_unlisted });
    }
    parts
}

fn write_marks(marks: &[PayloadMark], first: Timestamp, out: &mut Writer) {
    out.count(marks.len());
    for &PayloadMark { hash, arrival, sequence, timestamp, part, traffic_class, repeats } in marks {
        out.whole(&hash.to_le_bytes());
        out.moment(arrival, first);
        out.number(sequence.into());
        out.whole(&timestamp.0.to_le_bytes());
        out.number(u64::from(part) << 1 | u64::from(repeats));
        out.octet(traffic_class.0);
    }
}

fn read_marks(first: Timestamp, from: &mut Reader<'_>) -> Vec<PayloadMark> {
    let count = from.count();
    let mut marks = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let hash = u64::from_le_bytes(from.whole());
        let (arrival, sequence) = (from.moment(first), from.small());
        let timestamp = RtpTime(u32::from_le_bytes(from.whole()));
        let part = from.small();
        marks.push(PayloadMark {
            hash,
            arrival,
            sequence,
            timestamp,
            part: u16::try_from(part >> 1).unwrap_or(0),
            traffic_class: TrafficClass(from.octet()),
            repeats: part & 1 == 1,
        });
    }
    marks
}

/// What the first sample is told from.
fn nothing_before(first: Timestamp, part: Option<&Part>) -> Sample {
    let (sequence, timestamp) =
        part.map_or((1 << 16, RtpTime(0)), |part| (part.begin.sequence, part.begin.timestamp));
    Sample { arrival: first, sequence, timestamp, part: 0, traffic_class: TrafficClass(0) }
}
