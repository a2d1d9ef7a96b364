//! Which packets each hop saw, in coordinates that all hops share.

use smallvec::{SmallVec, smallvec};

use super::clock::ClockRelation;
use super::identity::{Common, JoinedBy, Match, Matches, matches};
use super::intervals::Intervals;
use super::numbering::Numbering;
use super::order::timed;
use crate::meter::HopRecord;
use crate::terms::Timestamp;

/// A point that began to record this much later than a packet should have come was not there yet.
const LATE_NS: i64 = 100_000_000;
/// No packet takes longer from one point to the next.
const LONGEST_WAY_NS: i64 = 1_000_000_000;

/// The numbers that one hop saw, in coordinates that all hops share.
pub(super) struct Seen {
    pub(super) numbers: Intervals,
    /// Where each part of the hop begins in the common coordinates.
    pub(super) bases: SmallVec<[i64; 2]>,
    pub(super) is_incomplete: bool,
    /// How its numbers stand to those of the hop before.
    pub(super) numbering: Numbering,
    /// What it has in common with the hop before.
    pub(super) before: Common,
}

/// Parts lie this far apart in the common coordinates: further than numbers of a part can be.
const PART: i64 = 1 << 40;
/// A part is looked for at so many hops before: more than any way has, fewer than somebody can make up.
const FARTHEST: usize = 64;

/// What each hop saw.
pub(super) fn seen_by_hop(hops: &[HopRecord]) -> Vec<Seen> {
    let mut all: Vec<Seen> = Vec::with_capacity(hops.len());
    let mut next = PART;
    for (k, hop) in hops.iter().enumerate() {
        let mut bases: SmallVec<[Option<i64>; 2]> = smallvec![None; hop.parts.len()];
        let mut numbering = Numbering::default();
        let mut before: Common = (Matches::new(), JoinedBy::Rtp);
        // The hop just before is the likeliest to have seen the same parts.
        for (j, earlier) in hops.iter().enumerate().take(k).rev().take(FARTHEST) {
            if bases.iter().all(Option::is_some) {
                break;
            }
            let common = matches(earlier, hop);
            for m in &common.0 {
                let base = all.get(j).and_then(|seen| seen.bases.get(m.one)).copied();
                if let (Some(base), Some(slot @ None)) = (base, bases.get_mut(m.other)) {
                    *slot = Some(base - i64::from(m.shift.cast_signed()));
                }
            }
            if j + 1 == k {
                numbering = Numbering::of(earlier, hop, &common.0, common.1);
                before = common;
            }
        }
        if k > 0 && bases.iter().any(Option::is_none) {
            through_later(hops, &all, k, &mut bases);
        }
        let bases: SmallVec<[i64; 2]> = bases
            .into_iter()
            .map(|base| {
                base.unwrap_or_else(|| {
                    next += PART;
                    next
                })
            })
            .collect();
        let mut runs: SmallVec<[(i64, i64); 4]> = SmallVec::new();
        for (part, base) in hop.parts.iter().zip(&bases) {
            let mut from = base + i64::from(part.lowest);
            for run in &part.missing {
                runs.push((from, base + i64::from(run.first)));
                from = base + i64::from(run.first) + i64::from(run.length);
            }
            runs.push((from, base + i64::from(part.highest) + 1));
        }
        runs.sort_unstable();
        let mut numbers = Intervals::default();
        for (start, end) in runs {
            numbers.push(start, end);
        }
        let is_incomplete = hop.parts.iter().any(|p| p.missing_unlisted > 0);
        all.push(Seen { numbers, bases, is_incomplete, numbering, before });
    }
    all
}

/// Hops that are searched for one that heard the parts of two others.
const WITNESSES: usize = 16;

/// Two hops may have heard nothing in common, and a later one both: it tells how their numbers stand to each other.
fn through_later(hops: &[HopRecord], all: &[Seen], k: usize, bases: &mut [Option<i64>]) {
    let Some(hop) = hops.get(k) else { return };
    for later in hops.iter().skip(k + 1).take(WITNESSES) {
        if bases.iter().all(Option::is_some) {
            return;
        }
        let here = matches(hop, later).0;
        let is_wanted = |m: &&Match| bases.get(m.one).is_some_and(Option::is_none);
        let wanted: Vec<_> = here.iter().filter(is_wanted).copied().collect();
        if wanted.is_empty() {
            continue;
        }
        for (earlier, seen) in hops.iter().zip(all).take(k).rev().take(WITNESSES) {
            for m in matches(earlier, later).0 {
                let ours = wanted.iter().find(|ours| ours.other == m.other);
                if let Some((ours, base)) = ours.zip(seen.bases.get(m.one))
                    && let Some(slot @ None) = bases.get_mut(ours.one)
                {
                    let shift = |m: &Match| i64::from(m.shift.cast_signed());
                    *slot = Some(base - shift(&m) + shift(ours));
                }
            }
        }
    }
}

/// The numbers of one hop for which the other one was recording: what passed before the other's capture began, or
/// after it ended, was neither lost nor missed. `numbers` are those of the hop, `others` those seen on the other side,
/// `other` the first and last moment of the other's capture.
pub(super) fn recorded(
    (hop, seen): (&HopRecord, &Seen),
    there: &HopRecord,
    other: Option<(Timestamp, Timestamp)>,
    numbers: &Intervals,
    others: &Intervals,
    clock: &ClockRelation,
) -> (i64, i64) {
    let (Some((lowest, highest)), Some((first, last))) = (numbers.bounds(), others.bounds()) else {
        return (i64::MIN, i64::MAX);
    };
    let Some((start, end)) = other else { return (lowest, highest + 1) };
    // The packet's time at this hop, by the clock of the other.
    let at = |t: Timestamp| t.0.saturating_sub(clock.corrected(t.0, 0));
    let late = start.0.saturating_sub(at(hop.first));
    let was_there =
        late <= LATE_NS || (late <= LATE_NS + LONGEST_WAY_NS && late <= LATE_NS + way(hop, there, clock));
    let stayed = at(hop.last) <= end.0.saturating_add(LATE_NS);
    // What passed well before the other's capture ended would be in it: at a point that listens on, a stream that no
    // longer arrives is lost from then on.
    let settled = || seen.number_at(hop, |t| at(t).saturating_add(LONGEST_WAY_NS) <= end.0);
    let start = if was_there { lowest } else { first.max(lowest) };
    (start, if stayed { highest } else { settled().map_or(last, |number| last.max(number)).min(highest) })
}

impl Seen {
    /// The number behind the last packet of a hop that was sampled at a moment that is wanted.
    fn number_at(&self, hop: &HopRecord, is_wanted: impl Fn(Timestamp) -> bool) -> Option<i64> {
        let sample = hop.samples.iter().rev().find(|sample| is_wanted(sample.arrival))?;
        Some(self.bases.get(usize::from(sample.part))? + i64::from(sample.sequence) + 1)
    }
}

/// How long the fastest packet took from one hop to another.
fn way(hop: &HopRecord, other: &HopRecord, clock: &ClockRelation) -> i64 {
    let delays = timed(hop, other).into_iter().map(|(at, delay)| clock.corrected(at, delay));
    delays.min().unwrap_or(0).clamp(0, LONGEST_WAY_NS)
}
