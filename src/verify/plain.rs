//! The verdict on streams of which there is nothing to say: most are so.

use super::outcome::{Marking, QualityVerdict};
use super::pairing::Standing;
use super::quality::{Figures, RoundTrips};
use super::streams::{Note, WorstMarking};
use super::{clock, jitter, marking, one_way, priority, quality};
use crate::meter::Outline;
use crate::policy::Policy;
use crate::terms::Direction;

/// What outlines are judged by.
pub(super) struct Plain<'a> {
    pub(super) policy: &'a Policy,
    /// Names of the observation points.
    pub(super) points: &'a [String],
    pub(super) round_trips: &'a RoundTrips,
}

impl Plain<'_> {
    /// What is remembered of a stream on which no condition finds anything, unless its standing among the others says
    /// otherwise: see [`Self::stands`]. None where one may: then it has to be looked at as a whole.
    #[allow(clippy::cast_possible_truncation, reason = "to compare streams by")]
    pub(super) fn note(
        &self,
        outline: &Outline,
        (class, direction): (Option<u8>, Direction),
        from_outside: bool,
    ) -> Option<Note> {
        let Self { policy, points, round_trips } = self;
        let Outline { point, packets, jitter_seconds, .. } = *outline;
        let thresholds = &policy.thresholds;
        let enough = thresholds.marking_min_packets;
        // Where none are enough, no loss is a loss, and nothing twice a duplicate.
        if enough == 0 || quality::round_trip(round_trips, point, outline.flow).is_some() {
            return None;
        }
        let point_name = points.get(usize::from(point.0)).map_or("", String::as_str);
        let accepted = class.map_or(&[][..], |class| policy.accepted(class));
        let expected = marking::expected(policy.expectation(point_name, direction, from_outside), accepted);
        let worst = match marking::at_source(&[(outline.dscp, packets)], &expected, enough) {
            Marking::Conformant => WorstMarking::Conformant,
            Marking::Unclassified => WorstMarking::Unclassified,
            _ => return None,
        };
        let seconds = outline.last.seconds_since(outline.first);
        let (verdict, _) = Figures {
            expected: packets,
            seconds,
            certain_loss_ratio: 0.0,
            most_loss_ratio: 0.0,
            jitter_seconds,
            round_trip_seconds: None,
        }
        .verdict(thresholds);
        if outline.pcp.is_some_and(|pcp| !priority::fits(pcp, outline.dscp)) {
            return None;
        }
        let is_told = |kind| !clock::is_unknown(kind);
        let is_fine = outline.payload_type.as_ref().is_none_or(is_told)
            && !jitter_seconds.is_some_and(|mean| jitter::is_too_much(mean, thresholds));
        if !is_fine && quality::is_long_enough(packets, seconds, thresholds) {
            return None;
        }
        Some(Note {
            packets: u32::try_from(packets).ok()?,
            loss_ratio: 0.0,
            jitter_seconds: jitter_seconds.unwrap_or(0.0) as f32,
            point,
            class,
            direction,
            worst,
            is_conformant: worst == WorstMarking::Conformant,
            is_marked_wrong: false,
            has_segments: false,
            quality: verdict,
        })
    }

    /// The note, where it holds for the stream among all others too.
    pub(super) fn stands(note: Note, standing: &Standing, policy: &Policy) -> Option<Note> {
        // Points may expect another marking the other way round.
        let is_as_judged = note.direction == standing.direction || policy.points.is_empty();
        // Without losses there is a verdict on all that were long enough.
        let lacks_answer = note.quality != QualityVerdict::Unclassified
            && one_way::lacks_answer(note.class, standing.reverse_of, policy);
        (is_as_judged && !lacks_answer).then_some(Note { direction: standing.direction, ..note })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::meter::{
        ClockSource, FlowFacts, HopRecord, Jitter, OtherMarkings, Records, RoundTrip, StreamRecord,
        StunRecord,
    };
    use crate::policy::{Accepted, Expectation, Media, PointPolicy, ServiceClass, Thresholds};
    use crate::terms::{Dscp, PointId, Ssrc, Timestamp, Transport};
    use crate::verify::tests_support::{between, hop, stream};
    use crate::verify::{Material, Outcome, judge, judge_and_show};

    /// Gives a record a fault.
    type Spoil = fn(&mut StreamRecord);

    fn policy() -> Policy {
        let audio = ServiceClass {
            name: "audio".into(),
            accepted: vec![Accepted { dscp: Dscp::EF, note: None }],
            media: Some(Media::Audio),
            turn_modality: Vec::new(),
        };
        Policy { classes: vec![audio], ..Policy::default() }
    }

    fn note(record: &StreamRecord, policy: &Policy) -> Option<Note> {
        let records: Records = [record.clone()].into_iter().collect();
        let plain = Plain { policy, points: &[], round_trips: &RoundTrips::new() };
        plain.note(&records.outline(0)?, (Some(0), Direction::Forward), false)
    }

    #[test]
    fn a_stream_without_a_fault_is_plain_and_any_other_is_not() {
        let policy = policy();
        let fine = stream([hop(64, &[(46, 500)])]);
        let noted = note(&fine, &policy).unwrap();
        assert_eq!((noted.packets, noted.worst), (500, WorstMarking::Conformant));
        assert_eq!(noted.quality, QualityVerdict::Good);
        let faults: [(&str, Spoil); 7] = [
            ("unmarked", |s| s.hops = vec![hop(64, &[(0, 500)])]),
            ("lost", |s| s.hops[0].expected += 1),
            ("two hops", |s| s.hops.push(hop(63, &[(46, 500)]))),
            ("jitter", |s| s.hops[0].jitter = s.hops[0].jitter.map(|j| Jitter { mean: 1.0, ..j })),
            ("no clock", |s| s.payload_types[0].clock_source = ClockSource::Unknown),
            ("priority", |s| s.hops[0].other = Some(Box::new(tagged(1, 500)))),
            ("TCP", |s| s.flow.transport = Transport::Tcp),
        ];
        for (name, spoil) in faults {
            let mut spoilt = fine.clone();
            spoil(&mut spoilt);
            assert_eq!(note(&spoilt, &policy), None, "{name}");
        }
    }

    fn tagged(pcp: u8, packets: u64) -> OtherMarkings {
        OtherMarkings { pcp: smallvec::smallvec![(pcp, packets)], ..OtherMarkings::default() }
    }

    /// What proptest draws of a stream.
    type Drawn = (u8, u8, (u64, u64), u8, u8, (u8, u8, Option<u8>), bool);

    fn drawn() -> impl Strategy<Value = Drawn> {
        let lengths = (prop_oneof![Just(9_u64), Just(10), Just(99), Just(100), Just(500)], 4_u64..7);
        (
            0..4_u8,
            0..4_u8,
            lengths,
            0..3_u8,
            0..3_u8,
            (0..2_u8, 0..2_u8, prop::option::of(0..7_u8)),
            any::<bool>(),
        )
    }

    fn record(
        number: u32,
        (near, far, (packets, seconds), dscp, jitter, (kind, point, pcp), turned): Drawn,
    ) -> StreamRecord {
        let mut hop = hop(64, &[([46, 0, 34][usize::from(dscp)], packets)]);
        hop.other = pcp.map(|pcp| Box::new(tagged(pcp, packets)));
        hop.jitter = hop.jitter.map(|j| Jitter { mean: [0.001, 0.04, 0.2][usize::from(jitter)], ..j });
        let (near, far) = (format!("10.0.0.{near}:50004"), format!("52.112.0.{far}:3479"));
        let (from, to) = if turned { (&far, &near) } else { (&near, &far) };
        let mut record = between(from, to, stream([hop]));
        record.ssrc = Ssrc(number);
        record.point = PointId(point.into());
        record.last = Timestamp(record.first.0 + i64::try_from(seconds).unwrap() * 1_000_000_000);
        if kind == 1 {
            record.payload_types[0].number = 111;
            record.payload_types[0].clock_source = ClockSource::Unknown;
        }
        let StreamRecord { point, first, last, .. } = record;
        record.hops = record.hops.into_iter().map(|hop| HopRecord { point, first, last, ..hop }).collect();
        record
    }

    fn said(outcome: &Outcome) -> String {
        let notes: Vec<_> = outcome.streams.notes().collect();
        format!("{notes:?} {:?} {:?}", outcome.span, outcome.findings)
    }

    proptest! {
        #[test]
        fn plain_streams_are_judged_as_all_others_are(
            streams in prop::collection::vec(drawn(), 1..40),
            enough in 0..12_u64,
            expects_otherwise in any::<bool>(),
            stun in prop::option::of((0..4_u8, 0..4_u8)),
        ) {
            let mut policy = policy();
            policy.thresholds = Thresholds { marking_min_packets: enough, ..policy.thresholds };
            if expects_otherwise {
                let reverse = Some(Expectation::Unmarked);
                policy.points.push(PointPolicy { name: "edge".into(), clock: None, mirror: None, forward: None, reverse });
            }
            let policy = Arc::new(policy);
            let material = || Material {
                points: vec!["core".into(), "edge".into()],
                records: (0..).zip(&streams).map(|(number, &drawn)| record(number, drawn)).collect(),
                stun: stun.iter().map(|&(near, far)| slow_answers(near, far)).collect(),
                ..Material::default()
            };
            let whole = judge_and_show(material(), &policy, |_, _| ());
            prop_assert_eq!(said(&judge(material(), &policy)), said(&whole));
        }
    }

    fn slow_answers(near: u8, far: u8) -> StunRecord {
        StunRecord {
            point: PointId(0),
            client: ([10, 0, 0, near], 50_004).into(),
            server: ([52, 112, 0, far], 3479).into(),
            transport: Transport::Udp,
            kind: "binding",
            requests: 1,
            responses: 1,
            errors: 0,
            error_codes: smallvec::smallvec![],
            unanswered: 0,
            retransmitted: 0,
            unmatched: 0,
            consent_checks: 0,
            round_trip: Some(RoundTrip { min: 2.0, mean: 2.0, p99: 2.0, max: 2.0, samples: 1 }),
            dscp_requests: smallvec::smallvec![(0, 1)],
            dscp_responses: smallvec::smallvec![(0, 1)],
            first: Timestamp(0),
            last: Timestamp(1),
            facts: FlowFacts::default(),
        }
    }
}
