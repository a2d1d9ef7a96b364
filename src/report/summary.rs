//! Counts streams and calls by verdict, class, point and direction.

use std::collections::BTreeMap;

use crate::terms::{Direction, PointId};
use crate::verify::{FindingKind, Outcome, QualityVerdict};

/// How many, and how many of them are marked right at every hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub(super) struct Tally {
    pub(super) streams: u64,
    pub(super) conformant: u64,
}

impl Tally {
    fn add(&mut self, conformant: bool) {
        self.streams += 1;
        self.conformant += u64::from(conformant);
    }
}

/// An outcome in numbers.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) all: Tally,
    pub(super) forward: Tally,
    pub(super) reverse: Tally,
    pub(super) by_class: BTreeMap<Option<u8>, Tally>,
    pub(super) by_point: BTreeMap<PointId, Tally>,
    pub(super) findings: BTreeMap<FindingKind, u64>,
    pub(super) good: u64,
    pub(super) poor: u64,
    pub(super) unclassified: u64,
    pub(super) calls: u64,
    /// Calls with at least one stream in each direction.
    pub(super) two_way_calls: u64,
    /// Those of them that have a conformant stream in each direction and no stream judged otherwise.
    pub(super) conformant_calls: u64,
}

/// Tallies by small numbers.
#[derive(Debug, Default)]
struct Tallies(Vec<Tally>);

impl Tallies {
    fn add(&mut self, number: usize, conformant: bool) {
        if number >= self.0.len() {
            self.0.resize(number + 1, Tally::default());
        }
        if let Some(tally) = self.0.get_mut(number) {
            tally.add(conformant);
        }
    }

    /// Those of which there are any.
    fn known(self) -> impl Iterator<Item = (usize, Tally)> {
        self.0.into_iter().enumerate().filter(|(_, tally)| tally.streams > 0)
    }
}

/// What is known of a call's streams.
#[derive(Debug, Clone, Copy, Default)]
struct Call {
    heard: [bool; 2],
    conformant: [bool; 2],
    wrong: bool,
}

impl Summary {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let mut summary = Self::default();
        // There are few classes and points and many streams; calls are numbered without gaps.
        let (mut classes, mut points) = (Tallies::default(), Tallies::default());
        let mut calls: Vec<Call> = Vec::with_capacity(outcome.streams.len());
        for (number, stream) in outcome.streams.notes() {
            let conformant = stream.is_conformant;
            let (tally, way) = match stream.direction {
                Direction::Forward => (&mut summary.forward, 0),
                Direction::Reverse => (&mut summary.reverse, 1),
            };
            tally.add(conformant);
            summary.all.add(conformant);
            classes.add(stream.class.map_or(0, |class| usize::from(class) + 1), conformant);
            points.add(usize::from(stream.point.0), conformant);
            match stream.quality {
                QualityVerdict::Good => summary.good += 1,
                QualityVerdict::Poor => summary.poor += 1,
                QualityVerdict::Unclassified => summary.unclassified += 1,
            }
            let place = outcome.streams.call(number).unwrap_or(number) as usize;
            if place >= calls.len() {
                calls.resize(place + 1, Call::default());
            }
            let Some(call) = calls.get_mut(place) else { continue };
            call.heard[way] = true;
            call.conformant[way] |= conformant;
            call.wrong |= stream.is_marked_wrong;
        }
        let class = |number: usize| number.checked_sub(1).and_then(|class| u8::try_from(class).ok());
        summary.by_class = classes.known().map(|(number, tally)| (class(number), tally)).collect();
        let point = |number: usize| PointId(u16::try_from(number).unwrap_or(u16::MAX));
        summary.by_point = points.known().map(|(number, tally)| (point(number), tally)).collect();
        summary.calls = calls.iter().filter(|c| c.heard != [false; 2]).count() as u64;
        for call in calls.iter().filter(|c| c.heard == [true; 2]) {
            summary.two_way_calls += 1;
            summary.conformant_calls += u64::from(call.conformant == [true; 2] && !call.wrong);
        }
        for finding in &outcome.findings {
            *summary.findings.entry(finding.kind).or_default() += 1;
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;
    use crate::verify::Marking;

    #[test]
    fn a_call_is_right_when_both_directions_are() {
        let of = |markings: &[(Direction, Marking)]| {
            let mut outcome = Outcome::default();
            for &(direction, marking) in markings {
                let mut stream = example::stream(0);
                stream.direction = direction;
                stream.markings = [marking].into_iter().collect();
                outcome.streams.whole().push(stream);
            }
            let summary = Summary::of(&outcome);
            (summary.calls, summary.two_way_calls, summary.conformant_calls)
        };
        let (forward, reverse) = (Direction::Forward, Direction::Reverse);
        let (right, wrong, unknown) = (Marking::Conformant, Marking::Unmarked, Marking::Unclassified);
        assert_eq!(of(&[(forward, right), (reverse, right)]), (1, 1, 1));
        assert_eq!(of(&[(forward, right), (reverse, wrong)]), (1, 1, 0));
        assert_eq!(of(&[(forward, right)]), (1, 0, 0));
        assert_eq!(of(&[(forward, right), (reverse, right), (reverse, unknown)]), (1, 1, 1));
        assert_eq!(of(&[(forward, right), (reverse, unknown)]), (1, 1, 0));
        assert_eq!(of(&[]), (0, 0, 0));
    }
}
