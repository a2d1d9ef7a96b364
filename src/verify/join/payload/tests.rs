//! Facts about joining by payload: what is looked at, and what is enough.

use super::*;
use crate::terms::{RtpTime, TrafficClass, Transport};

/// The mark of the n-th packet of something, sent on by a relay so many milliseconds after.
fn mark(n: u32, shift: u32, later_ms: i64) -> PayloadMark {
    PayloadMark {
        hash: u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 2,
        arrival: Timestamp((i64::from(n) * 20 + later_ms) * 1_000_000),
        sequence: 70_000 + n + shift,
        timestamp: RtpTime((n * 160).wrapping_add(shift << 20)),
        part: 0,
        traffic_class: TrafficClass(0),
        repeats: false,
    }
}

fn marks(of: impl IntoIterator<Item = PayloadMark>) -> Vec<PayloadMark> {
    let mut marks: Vec<PayloadMark> = of.into_iter().collect();
    marks.sort_unstable_by_key(|m| m.hash);
    marks
}

fn flow(source: u8, destination: u8) -> FlowKey {
    let end = |host: u8| ([10, 0, 0, host], 5004).into();
    FlowKey { source: end(source), destination: end(destination), transport: Transport::Udp }
}

fn view(record: usize, flow: FlowKey, marks: &[PayloadMark]) -> View<'_> {
    let (first, last) = (Timestamp(0), Timestamp(60_000_000_000));
    View { record, stream: record, point: PointId(0), flow, first, last, marks }
}

/// What comes of two legs of a relay with these marks.
fn joined(ours: &[PayloadMark], theirs: &[PayloadMark]) -> bool {
    links(&[view(0, flow(1, 2), ours), view(1, flow(2, 3), theirs)]).joined == [(0, 1)]
}

#[test]
fn three_packets_that_advance_alike_are_enough_and_two_of_a_short_stream() {
    let sent = |ns: &[u32], later| marks(ns.iter().map(|&n| mark(n, 9, later)));
    let ours = sent(&[1, 5, 9, 30], 0);
    assert!(joined(&ours, &sent(&[1, 5, 9, 30], 4)));
    assert!(joined(&ours, &sent(&[1, 9, 30], 4)), "one was lost");
    assert!(joined(&ours, &sent(&[1, 9], 4)));
    assert!(!joined(&ours, &sent(&[1], 4)), "one packet tells no pace");
    assert!(!joined(&ours, &sent(&[1, 5, 9, 30], -4)), "a relay does not send before it has received");
    assert!(!joined(&ours, &sent(&[1, 5, 9, 30], 1500)), "too late");
    let long: Vec<u32> = (1..30).collect();
    assert!(!joined(&sent(&long, 0), &sent(&[1, 2], 4)), "two of thirty");
    assert!(joined(&sent(&long, 0), &sent(&long[4..], 4)));
}

#[test]
fn timestamps_and_order_have_to_agree() {
    let ours = marks((1..20).map(|n| mark(n, 0, 0)));
    let scattered = (1..20).map(|n| PayloadMark { timestamp: RtpTime(n * n * 77), ..mark(n, 3, 4) });
    assert!(!joined(&ours, &marks(scattered)));
    let backwards = (1..20).map(|n| PayloadMark { sequence: 90_000 - n, ..mark(n, 3, 4) });
    assert!(!joined(&ours, &marks(backwards)));
    let still = |later| marks((1..20).map(|n| PayloadMark { timestamp: RtpTime(5), ..mark(n, 3, later) }));
    assert!(!joined(&still(0), &still(4)), "one picture is no advance");
    let again = (1..20).map(|n| PayloadMark { repeats: true, ..mark(n, 3, 4) });
    assert!(!joined(&ours, &marks(again)), "what comes again is no evidence");
}

#[test]
fn most_of_what_either_carries_has_to_be_in_the_other() {
    let ours = marks((1..24).map(|n| mark(n, 0, 0)));
    for (alike, expected) in [(20, true), (14, true), (8, false)] {
        let theirs = (1..24).map(|n| mark(if n <= alike { n } else { n + 500 }, 3, 4));
        let theirs = theirs.map(|m| PayloadMark { arrival: Timestamp(m.arrival.0 % 1_000_000_000), ..m });
        assert_eq!(joined(&ours, &marks(theirs)), expected, "{alike} of 23");
    }
}

#[test]
fn what_many_streams_carry_takes_no_more_time_than_there_are_marks() {
    let song = marks((1..30).map(|n| mark(n, 0, 0)));
    for streams in [10_usize, 64, 2000] {
        let flows = |i: usize| flow(u8::try_from(i % 240).unwrap(), 240 + u8::try_from(i / 240).unwrap());
        let views: Vec<View<'_>> = (0..streams).map(|i| view(i, flows(i), &song)).collect();
        let mut all = Streams::new();
        for v in &views {
            all.entry(v.stream).or_default().push(*v);
        }
        let found = candidates::candidates(&all);
        assert!(found.pairs.len() < streams, "{streams}: {} pairs", found.pairs.len());
        let links = links(&views);
        assert_eq!(links.joined, [], "{streams}");
        assert!(links.apart.iter().all(|(records, _)| records.len() <= NAMED), "{streams}");
        assert_eq!(links.apart.iter().any(|(_, reason)| *reason == TOO_MANY), streams > 64, "{streams}");
    }
}

#[test]
fn a_stream_that_was_joined_by_rtp_is_joined_as_a_whole() {
    let ours = marks((1..20).map(|n| mark(n, 0, 0)));
    let theirs = marks((1..20).map(|n| mark(n, 8, 3)));
    // Records 0 and 1 are one stream, over a relay that changes nothing but addresses.
    let later = View { stream: 0, ..view(1, flow(2, 3), &ours) };
    let views = [view(0, flow(1, 2), &ours), later, view(2, flow(3, 4), &theirs)];
    assert_eq!(links(&views), Links { joined: vec![(0, 2)], apart: vec![] });
}
