//! Conditions: a stream changed its way, or has several ways.

use super::context::{Context, about, packets};
use super::finding::{Finding, FindingKind, Place, Severity};
use super::outcome::JudgedStream;
use crate::meter::{HopRecord, Way};
use crate::terms::Timestamp;

pub(super) fn check(context: &Context<'_>, stream: (u32, &JudgedStream), findings: &mut Vec<Finding>) {
    for hop in stream.1.record.hops.iter().filter(|hop| hop.ways.len() > 1) {
        findings.push(ways_to(context, stream, hop));
    }
    let hops = &stream.1.record.hops;
    for (i, _) in (0_u16..).zip(&stream.1.segments).filter(|(_, segment)| segment.is_alternative) {
        if let (Some(one), Some(other)) = (hops.get(usize::from(i)), hops.get(usize::from(i) + 1)) {
            findings.push(ways_apart(context, stream, (one, other), Place::Between(i, i + 1)));
        }
    }
}

/// A stretch of time in which packets came one way.
type Stretch = (Timestamp, Timestamp);

/// Packets of the old way may arrive this long after the first of the new one.
const STRAGGLING_NS: i64 = 200_000_000;

/// Whether one way ends where another begins, but for stragglers: a tenth of the shorter one.
fn follows(before: Stretch, after: Stretch) -> bool {
    let length = |stretch: Stretch| stretch.1.0.saturating_sub(stretch.0.0);
    let most = STRAGGLING_NS.min(length(before).min(length(after)) / 10);
    before.0 < after.0 && before.1.0.saturating_sub(after.0.0) <= most
}

/// One hop, reached over several ways.
fn ways_to(context: &Context<'_>, stream: (u32, &JudgedStream), hop: &HopRecord) -> Finding {
    let mut ways: Vec<&Way> = hop.ways.iter().collect();
    ways.sort_by_key(|way| (way.first, way.last, way.ttl));
    let stretch = |way: &Way| (way.first, way.last);
    let is_change = ways.iter().zip(ways.iter().skip(1)).all(|(a, b)| follows(stretch(a), stretch(b)));
    let named = |way: &&Way| format!("{} ({})", way.ttl, way.packets);
    let name = context.name(stream.1);
    let Some(next) = ways.get(1).filter(|_| is_change) else {
        let words: Vec<String> = hop.ways.iter().map(|way| named(&way)).collect();
        let (count, words) = (hop.ways.len(), words.join(", "));
        let message = format!("{name} reached one hop over {count} ways in turn; TTL (packets): {words}");
        return several(stream, hop, message);
    };
    let words: Vec<String> = ways.iter().map(named).collect();
    let message = format!(
        "{name} came over another way from {:.1} s on; TTL (packets), in order of time: {}",
        next.first.seconds_since(hop.first),
        words.join(", ")
    );
    let after = ways.iter().skip(1).map(|way| way.packets).sum();
    changed(stream, hop, message, (next.first, after))
}

/// Two points, of which each packet passed one.
fn ways_apart(
    context: &Context<'_>,
    stream: (u32, &JudgedStream),
    (one, other): (&HopRecord, &HopRecord),
    place: Place,
) -> Finding {
    let stretch = |hop: &HopRecord| (hop.first, hop.last);
    let (before, after) = if one.first <= other.first { (one, other) } else { (other, one) };
    let name = context.name(stream.1);
    let named = |hop: &HopRecord| format!("{} ({})", context.place(hop), packets(hop.unique));
    let finding = if follows(stretch(before), stretch(after)) {
        let message = format!(
            "{name} went over {} and from {:.1} s on over {}",
            named(before),
            after.first.seconds_since(stream.1.record.first),
            named(after)
        );
        changed(stream, after, message, (after.first, after.unique))
    } else {
        let message = format!("{name} goes over {} and {} in turn", named(before), named(after));
        several(stream, before, message)
    };
    Finding { place, ..finding }
}

fn changed(
    stream: (u32, &JudgedStream),
    hop: &HopRecord,
    message: String,
    (at, after): (Timestamp, u64),
) -> Finding {
    let advice = "Look for what happened at that moment: a route, a link, a roaming client. The new way needs the same QoS policy.";
    let kind = FindingKind::PathChanged;
    // A stray packet on its own way may come after the last one that counts.
    let last = hop.last.max(at);
    Finding { first: at, last, packets: after, ..about(stream, hop, kind, Severity::Info, message, advice) }
}

fn several(stream: (u32, &JudgedStream), hop: &HopRecord, message: String) -> Finding {
    let advice = "Load sharing: each way needs the same QoS policy.";
    about(stream, hop, FindingKind::SeveralWays, Severity::Info, message, advice)
}
