//! The verdict on the marking at each hop of a stream.

use smallvec::SmallVec;

use super::context::{most_common, total};
use super::join::segments::Segment;
use super::outcome::Marking;
use crate::meter::{HopRecord, StreamRecord};
use crate::policy::{Accepted, Expectation, Thresholds};
use crate::terms::Dscp;

/// The codepoints that are right for a stream, the preferred one first.
pub(super) fn expected(expectation: Expectation, accepted: &[Accepted]) -> SmallVec<[Dscp; 4]> {
    match expectation {
        Expectation::Class | Expectation::ClassOrUnmarked => accepted.iter().map(|a| a.dscp).collect(),
        Expectation::Unmarked => [Dscp::DF].into_iter().collect(),
        Expectation::Any => SmallVec::new(),
    }
}

/// How the packets of one hop divide into right and wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    right: u64,
    wrong: u64,
    /// The most common wrong codepoint.
    wrong_value: Option<u8>,
}

impl Share {
    fn of(dscp: &[(u8, u64)], expected: &[Dscp]) -> Self {
        let is_wrong = |value: u8| !expected.iter().any(|d| d.value() == value);
        let wrong = dscp.iter().filter(|d| is_wrong(d.0)).map(|d| d.1).sum();
        Self {
            right: total(dscp) - wrong,
            wrong,
            wrong_value: if wrong == 0 { None } else { most_common(dscp, is_wrong).map(|(value, _)| value) },
        }
    }
}

/// One verdict for each hop.
pub(super) fn verdicts(
    record: &StreamRecord,
    segments: &[Segment],
    expectation_at: impl Fn(&HopRecord) -> Expectation,
    accepted: &[Accepted],
    thresholds: &Thresholds,
) -> SmallVec<[Marking; 2]> {
    let mut before: Option<(Share, Marking)> = None;
    let mut last = None;
    let mut markings = SmallVec::new();
    for (i, hop) in record.hops.iter().enumerate() {
        // Hops side by side come after the same hop.
        let is_alternative = i.checked_sub(1).and_then(|i| segments.get(i)).is_some_and(|s| s.is_alternative);
        if !is_alternative {
            before = last;
        }
        let expected = expected(expectation_at(hop), accepted);
        let (share, marking) = verdict(&hop.dscp, &expected, before, thresholds.marking_min_packets);
        markings.push(marking);
        last = Some((share, marking));
    }
    markings
}

/// The verdict on the hop that sees a stream first.
pub(super) fn at_source(dscp: &[(u8, u64)], expected: &[Dscp], enough: u64) -> Marking {
    verdict(dscp, expected, None, enough).1
}

/// The verdict on a hop that saw these codepoints, after what the hop before saw.
fn verdict(
    dscp: &[(u8, u64)],
    expected: &[Dscp],
    before: Option<(Share, Marking)>,
    enough: u64,
) -> (Share, Marking) {
    let share = Share::of(dscp, expected);
    let marking = if expected.is_empty() || share.right + share.wrong < enough {
        Marking::Unclassified
    } else if share.wrong < enough {
        Marking::Conformant
    } else if share.right >= enough {
        Marking::Mixed
    } else {
        wrong(share, before)
    };
    (share, marking)
}

/// The verdict on a hop where all is wrong, after what the hop before saw.
fn wrong(share: Share, before: Option<(Share, Marking)>) -> Marking {
    let at_source = if share.wrong_value == Some(0) { Marking::Unmarked } else { Marking::Unexpected };
    match before {
        None | Some((_, Marking::Unclassified)) => at_source,
        Some((_, Marking::Conformant | Marking::Mixed)) => Marking::Remarked,
        Some((earlier, _)) if earlier.wrong_value == share.wrong_value => Marking::Inherited,
        Some(_) => Marking::Remarked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests_support::{hop, stream};

    const EF_ONLY: [(u8, u64); 1] = [(46, 500)];

    fn accepted() -> Vec<Accepted> {
        vec![Accepted { dscp: Dscp::EF, note: None }]
    }

    #[test]
    #[allow(clippy::type_complexity, reason = "a table of cases")]
    fn each_hop_is_judged_after_the_one_before() {
        use Marking::{Conformant, Inherited, Mixed, Remarked, Unclassified, Unexpected, Unmarked};
        let cases: &[(&str, &[&[(u8, u64)]], &[Marking])] = &[
            ("right everywhere", &[&EF_ONLY, &EF_ONLY], &[Conformant, Conformant]),
            ("never marked", &[&[(0, 500)], &[(0, 500)]], &[Unmarked, Inherited]),
            ("bleached", &[&EF_ONLY, &[(0, 475)], &[(0, 470)]], &[Conformant, Remarked, Inherited]),
            ("changed twice", &[&EF_ONLY, &[(40, 500)], &[(0, 500)]], &[Conformant, Remarked, Remarked]),
            ("another value", &[&[(34, 500)]], &[Unexpected]),
            ("half and half", &[&[(46, 250), (0, 250)]], &[Mixed]),
            ("a handful wrong", &[&[(46, 491), (0, 9)]], &[Conformant]),
            ("marked on the way", &[&[(0, 500)], &EF_ONLY], &[Unmarked, Conformant]),
            ("too few", &[&[(0, 9)]], &[Unclassified]),
        ];
        for (name, hops, wanted) in cases {
            let record = stream(hops.iter().map(|dscp| hop(64, dscp)));
            let got = verdicts(&record, &[], |_| Expectation::Class, &accepted(), &Thresholds::default());
            assert_eq!(&*got, *wanted, "{name}");
        }
    }

    #[test]
    fn where_anything_goes_nothing_is_judged() {
        let record = stream([hop(64, &[(0, 500)])]);
        let got = verdicts(&record, &[], |_| Expectation::Any, &accepted(), &Thresholds::default());
        assert_eq!(&*got, &[Marking::Unclassified]);
    }
}
