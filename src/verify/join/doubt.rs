//! Which losses of a segment may be those of the tap behind it.

use super::clock::Clocks;
use super::intervals::Intervals;
use super::order::timed;
use super::seen::Seen;
use crate::meter::{HopRecord, Part, TapEvidence};
use crate::terms::PointId;
use crate::verify::tap::{Taps, silence_at};

/// The packets that a segment lost, if the tap behind it is to be believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Losses {
    /// The tap was listening when they should have come.
    pub(super) certain: u64,
    /// The tap may have missed them.
    pub(super) suspect: u64,
    /// What makes the first of them suspect.
    pub(super) evidence: Option<TapEvidence>,
}

/// Divides what was seen at `before` and nowhere behind it. `behind` are the hops behind it: each list one stage, of
/// which a packet passes one hop.
pub(super) fn divide(
    lost: &Intervals,
    before: &HopRecord,
    behind: &[Vec<(&HopRecord, &Seen)>],
    clocks: &Clocks,
    taps: &Taps,
) -> Losses {
    let is_doubtable =
        |stage: &Vec<(&HopRecord, &Seen)>| stage.iter().any(|(hop, _)| taps.has_gaps(hop.point));
    if lost.count() == 0 || !behind.first().is_some_and(is_doubtable) {
        return Losses { certain: lost.count(), ..Losses::default() };
    }
    let witnesses: Vec<Vec<Witness<'_>>> = behind
        .iter()
        .map(|stage| stage.iter().map(|(hop, seen)| Witness::new(before, hop, seen, clocks)).collect())
        .collect();
    let mut losses = Losses::default();
    for (start, end) in lost.iter() {
        let packets = u64::try_from(end - start).unwrap_or(0);
        match doubt(&witnesses, start, taps) {
            Some(evidence) => {
                losses.suspect += packets;
                losses.evidence.get_or_insert(evidence);
            }
            None => losses.certain += packets,
        }
    }
    losses
}

/// A hop that should have seen what the hop before saw.
struct Witness<'a> {
    point: PointId,
    /// With where their numbers begin in the coordinates that all hops share.
    parts: Vec<(&'a Part, i64)>,
    /// When the stream was at the hop before, by this hop's clock.
    heard: (i64, i64),
}

/// A packet is not on its way from one hop to the next for longer, where nothing tells how long it was.
const LONGEST_WAY_NS: i64 = 1_000_000_000;
/// Nor for less than this longer than the slowest one that was timed.
const LONGER_WAY_NS: i64 = 50_000_000;

impl<'a> Witness<'a> {
    fn new(before: &HopRecord, hop: &'a HopRecord, seen: &Seen, clocks: &Clocks) -> Self {
        let clock = clocks.between(before.point, hop.point);
        let here = |at: i64| at.saturating_sub(clock.corrected(at, 0));
        let delays = timed(before, hop).into_iter().map(|(at, delay)| clock.corrected(at, delay));
        let slowest = delays.max().map(|delay| delay.max(0).saturating_mul(2).saturating_add(LONGER_WAY_NS));
        let way = slowest.unwrap_or(LONGEST_WAY_NS);
        Self {
            point: hop.point,
            parts: hop.parts.iter().zip(seen.bases.iter().copied()).collect(),
            heard: (here(before.first.0), here(before.last.0).saturating_add(way)),
        }
    }
}

/// What says that the next tap may have missed numbers that no tap behind it saw either; none where it did listen.
///
/// That a later tap listened and did not see them proves that they were lost, but not before the next one.
fn doubt(behind: &[Vec<Witness<'_>>], number: i64, taps: &Taps) -> Option<TapEvidence> {
    let of_stage = |stage: &Vec<Witness<'_>>| {
        stage.iter().find_map(|witness| {
            let (from, to) = silence_at(&witness.parts, number);
            let (from, to) = (from.max(witness.heard.0), to.min(witness.heard.1));
            Some((taps.doubt(witness.point, from, to.max(from))?, witness.point))
        })
    };
    let (evidence, point) = of_stage(behind.first()?)?;
    // Two mirrors do not fall silent at one moment by themselves: what both missed was not there.
    let is_shared = evidence == TapEvidence::SharedGap;
    let mut others = behind.iter().skip(1).filter_map(of_stage);
    let is_heard_twice =
        is_shared && others.any(|(other, at)| other == TapEvidence::SharedGap && at != point);
    (!is_heard_twice).then_some(evidence)
}
