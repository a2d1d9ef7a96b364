//! Which streams are two directions of one, and which streams are one call.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

use crate::meter::StreamRecord;
use crate::policy::{Evidence, Policy};
use crate::terms::{Direction, FlowKey, PointId};

/// What each stream was classed as, in the order of the streams.
type Classes = [(Option<u8>, Evidence)];

type Hosts = (PointId, IpAddr, IpAddr);

/// The two hosts of a flow at a point, whichever sends.
fn hosts(stream: &StreamRecord) -> Hosts {
    let (a, b) = (stream.flow.source.ip(), stream.flow.destination.ip());
    (stream.point, a.min(b), a.max(b))
}

/// The direction of each stream: forward is from the managed side to the far side; where both or neither are
/// managed, it is the way of the first stream between the two hosts.
///
/// `streams` are in order of time, so that every run decides alike.
pub(super) fn directions(streams: &[Box<StreamRecord>], policy: &Policy) -> Vec<Direction> {
    let mut first_sender: HashMap<Hosts, FlowKey> = HashMap::new();
    streams
        .iter()
        .map(|stream| {
            let flow = stream.flow;
            match (policy.is_managed(flow.source.ip()), policy.is_managed(flow.destination.ip())) {
                (true, false) => return Direction::Forward,
                (false, true) => return Direction::Reverse,
                _ => {}
            }
            let first = first_sender.entry(hosts(stream)).or_insert(flow);
            let is_same_way = if flow.source.ip() == flow.destination.ip() {
                first.source.port() == flow.source.port()
            } else {
                first.source.ip() == flow.source.ip()
            };
            if is_same_way { Direction::Forward } else { Direction::Reverse }
        })
        .collect()
}

/// How long two streams ran at the same time, in nanoseconds; negative: how far they are apart.
fn overlap(a: &StreamRecord, b: &StreamRecord) -> i64 {
    a.last.min(b.last).nanos_since(a.first.max(b.first))
}

/// For each stream the number of the one in the other direction: the 5-tuple reversed, else the same two hosts
/// and class; of several, the one that ran longest at the same time.
pub(super) fn reverses(streams: &[Box<StreamRecord>], classes: &Classes) -> Vec<Option<u32>> {
    let mut reverse_of = vec![None; streams.len()];
    let biflow = |s: &StreamRecord| (s.point, s.flow.biflow());
    match_up(streams, classes, &mut reverse_of, biflow, |a, b| a.flow == b.flow.reversed());
    match_up(streams, classes, &mut reverse_of, hosts, |a, b| {
        a.flow.source.ip() == b.flow.destination.ip() && a.flow.destination.ip() == b.flow.source.ip()
    });
    reverse_of
}

/// Above this many streams in one group (a trunk) pairs are no longer looked for: they would be guesses.
const MOST_IN_GROUP: usize = 512;

fn match_up<K: std::hash::Hash + Eq + Ord + Copy>(
    streams: &[Box<StreamRecord>],
    classes: &Classes,
    reverse_of: &mut [Option<u32>],
    key: impl Fn(&StreamRecord) -> K,
    are_opposite: impl Fn(&StreamRecord, &StreamRecord) -> bool,
) {
    let unpaired = streams.iter().enumerate().filter(|&(i, _)| reverse_of.get(i) == Some(&None));
    let mut order: Vec<usize> = unpaired.map(|(i, _)| i).collect();
    order.sort_by_key(|&i| streams.get(i).map(|s| key(s)));
    for group in order.chunk_by(|&a, &b| streams.get(a).map(|s| key(s)) == streams.get(b).map(|s| key(s))) {
        if group.len() < 2 || group.len() > MOST_IN_GROUP {
            continue;
        }
        let mut pairs = Vec::new();
        for (n, &a) in group.iter().enumerate() {
            for &b in group.iter().skip(n + 1) {
                let (Some(one), Some(other)) = (streams.get(a), streams.get(b)) else { continue };
                let class = |i: usize| classes.get(i).and_then(|c| c.0);
                let time = overlap(one, other);
                if are_opposite(one, other) && class(a) == class(b) && time > 0 {
                    pairs.push((Reverse(time), a, b));
                }
            }
        }
        pairs.sort_unstable();
        for (_, a, b) in pairs {
            if reverse_of.get(a) == Some(&None) && reverse_of.get(b) == Some(&None) {
                reverse_of[a] = u32::try_from(b).ok();
                reverse_of[b] = u32::try_from(a).ok();
            }
        }
    }
}

/// The number of each stream's call.
///
/// Streams of one biflow are one call. Biflows between the same two hosts at the same time are one call as long
/// as no class stands in both: audio beside video is one call, audio beside audio is two calls on a trunk.
pub(super) fn calls(streams: &[Box<StreamRecord>], classes: &Classes) -> Vec<u32> {
    struct Call {
        first: i64,
        last: i64,
        classes: Vec<u8>,
        number: u32,
    }
    let mut by_hosts: HashMap<Hosts, Vec<Call>> = HashMap::new();
    let mut of_biflow: HashMap<(PointId, FlowKey), u32> = HashMap::new();
    let mut calls = Vec::with_capacity(streams.len());
    let mut next = 0;
    for (stream, (class, _)) in streams.iter().zip(classes) {
        let biflow = (stream.point, stream.flow.biflow());
        let known = of_biflow.get(&biflow).copied();
        let between = by_hosts.entry(hosts(stream)).or_default();
        let same_time = |call: &Call| call.first <= stream.last.0 && stream.first.0 <= call.last;
        let found = between.iter_mut().rev().take(MOST_IN_GROUP).find(|call| match known {
            Some(number) => call.number == number,
            None => same_time(call) && class.is_some_and(|c| !call.classes.contains(&c)),
        });
        let number = if let Some(call) = found {
            call.last = call.last.max(stream.last.0);
            call.classes.extend(class.filter(|c| !call.classes.contains(c)));
            call.number
        } else {
            let number = known.unwrap_or(next);
            next += u32::from(known.is_none());
            between.push(Call {
                first: stream.first.0,
                last: stream.last.0,
                classes: class.iter().copied().collect(),
                number,
            });
            number
        };
        of_biflow.insert(biflow, number);
        calls.push(number);
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests_support::{between, hop, stream};

    fn streams(flows: &[(&str, &str)]) -> Vec<Box<StreamRecord>> {
        flows.iter().map(|(a, b)| Box::new(between(a, b, stream([hop(64, &[(46, 500)])])))).collect()
    }

    const AUDIO: (Option<u8>, Evidence) = (Some(0), Evidence::None);
    const VIDEO: (Option<u8>, Evidence) = (Some(1), Evidence::None);

    #[test]
    fn forward_is_from_the_managed_side() {
        let streams = streams(&[
            ("52.112.0.1:3479", "10.0.0.1:50000"),
            ("10.0.0.1:50000", "52.112.0.1:3479"),
            ("10.0.0.2:1", "10.0.0.1:2"),
            ("10.0.0.1:2", "10.0.0.2:1"),
        ]);
        let directions = directions(&streams, &Policy::default());
        use Direction::{Forward, Reverse};
        assert_eq!(directions, [Reverse, Forward, Forward, Reverse]);
    }

    #[test]
    fn the_reversed_tuple_wins_over_the_same_hosts() {
        let streams = streams(&[
            ("10.0.0.1:50000", "10.0.0.2:50002"),
            ("10.0.0.2:40000", "10.0.0.1:40002"),
            ("10.0.0.2:50002", "10.0.0.1:50000"),
            ("10.0.0.1:6", "10.0.0.2:8"),
        ]);
        let reverse_of = reverses(&streams, &[AUDIO; 4]);
        assert_eq!(reverse_of, [Some(2), Some(3), Some(0), Some(1)]);
    }

    #[test]
    fn audio_beside_video_is_one_call_and_beside_audio_two() {
        let streams = streams(&[
            ("10.0.0.1:50000", "10.0.0.2:50000"),
            ("10.0.0.1:50020", "10.0.0.2:50020"),
            ("10.0.0.2:50000", "10.0.0.1:50000"),
            ("10.0.0.1:50004", "10.0.0.2:50004"),
            ("10.0.0.1:50000", "10.0.0.3:50000"),
        ]);
        assert_eq!(calls(&streams, &[AUDIO, VIDEO, AUDIO, AUDIO, AUDIO]), [0, 0, 0, 1, 2]);
    }
}
