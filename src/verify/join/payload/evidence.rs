//! Whether two streams carry the same packets, and how far apart.

use super::way::Way;
use super::{Streams, View, pairs};
use crate::meter::PayloadMark;
use crate::terms::PointId;

/// Two streams that carry the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meeting {
    pub(super) one: usize,
    pub(super) other: usize,
    /// Points of the views that were compared.
    pub(super) here: PointId,
    pub(super) there: PointId,
    /// By the addresses of all views.
    pub(super) way: Way,
    /// From the one to the other in nanoseconds, by the captures' own clocks.
    pub(super) least: i64,
    pub(super) median: i64,
    pub(super) most: i64,
}

/// Equal packets that prove two streams to be one.
///
/// One packet in four is chosen at most, so three equal ones stand for a dozen that were carried from the one to the
/// other, at the pace and in the order of the first. Two, with one step of the timestamp between them, are all that a
/// stream of a dozen packets has; by chance alone not even one of 64 bits would be equal.
const PROOF: usize = 3;
const PROOF_OF_SHORT: usize = 2;
/// A stream with more marks than this is not short.
const SHORT: usize = 4;
/// Views of one stream that are looked at, to find two at one point.
const VIEWS: usize = 16;

/// Compares two streams, at a point that heard both if there is one.
pub(super) fn meeting(streams: &Streams<'_>, one: usize, other: usize) -> Option<Meeting> {
    let (ours, theirs) = (streams.get(&one)?, streams.get(&other)?);
    let at_one_point = ours.iter().take(VIEWS).find_map(|a| {
        let b = theirs.iter().take(VIEWS).find(|b| b.point == a.point)?;
        Some((a, b))
    });
    let (a, b) = at_one_point.or_else(|| ours.first().zip(theirs.first()))?;
    let equal = pairs(a.marks, b.marks);
    let is_short = a.marks.len().max(b.marks.len()) <= SHORT;
    if equal.len() < if is_short { PROOF_OF_SHORT } else { PROOF } {
        return None;
    }
    let stamp = equal.first().map(|(mark, _)| mark.timestamp);
    let have_advanced = equal.iter().any(|(mark, _)| Some(mark.timestamp) != stamp);
    let overtaken = equal
        .windows(2)
        .filter(|two| matches!(two, [p, q] if (q.1.part, q.1.sequence) <= (p.1.part, p.1.sequence)));
    if !have_advanced || overtaken.count() * 8 > equal.len() {
        return None;
    }
    let mut apart: Vec<i64> =
        equal.iter().map(|(mark, other)| other.arrival.0.saturating_sub(mark.arrival.0)).collect();
    apart.sort_unstable();
    let (least, most) = (*apart.first()?, *apart.last()?);
    let median = *apart.get(apart.len() / 2)?;
    // Marks of the rarer kinds, which both have kept.
    let rarest = |view: &View<'_>| view.marks.iter().map(PayloadMark::rank).max().unwrap_or(0);
    let rank = rarest(a).min(rarest(b));
    let expected = |view: &View<'_>, other: &View<'_>, apart: i64| {
        let was_there = |at: i64| (other.first.0..=other.last.0).contains(&at.saturating_add(apart));
        view.marks.iter().filter(|m| !m.repeats && m.rank() <= rank && was_there(m.arrival.0)).count()
    };
    // Two calls may begin with the same announcement: most of what the one carries while the other lasts is in both.
    let wanted = expected(a, b, median).max(expected(b, a, median.saturating_neg()));
    (equal.len() * 2 >= wanted).then_some(Meeting {
        one,
        other,
        here: a.point,
        there: b.point,
        way: way_between(ours, theirs),
        least,
        median,
        most,
    })
}

/// What is told by the views with the most to say: of a stream that passed one relay unchanged, the last leg tells that
/// another one follows.
fn way_between(ours: &[View<'_>], theirs: &[View<'_>]) -> Way {
    let theirs = |a: &View<'_>| {
        let (flow, point) = (a.flow, a.point);
        theirs.iter().take(VIEWS).map(move |b| Way::between(flow, b.flow, point == b.point))
    };
    ours.iter().take(VIEWS).flat_map(|a| theirs(a).collect::<Vec<_>>()).min().unwrap_or(Way::Unknown)
}
