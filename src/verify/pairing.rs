//! Which streams are two directions of one, and which are one call.

use std::cmp::Reverse;
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use smallvec::{SmallVec, smallvec};

use super::join;
use crate::meter::sort_by_number;
use crate::policy::{Evidence, Policy};
use crate::terms::{Direction, FlowKey, PointId, Timestamp};

/// What each stream was classed as, in the order of the streams.
type Classes = [(Option<u8>, Evidence)];

type Hosts = (PointId, IpAddr, IpAddr);

/// How one stream stands to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) direction: Direction,
    /// The number of the stream in the other direction.
    pub(super) reverse_of: Option<u32>,
    /// The number of the call.
    pub(super) call: u32,
}

/// Above this many streams between two hosts (a trunk) the other direction is looked for by 5-tuple only among
/// neighbours, and calls are no longer put together: it would be guessing.
const MOST_IN_GROUP: usize = 512;

/// Where a stream is compared with others, and when it ran.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) point: PointId,
    /// The 5-tuple there.
    pub(super) flow: FlowKey,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Which way it goes, where one of its hops tells.
    pub(super) told: Option<Direction>,
}

/// The two hosts of a flow at a point, whichever sends.
fn hosts(ends: &Ends) -> Hosts {
    let (a, b) = (ends.flow.source.ip(), ends.flow.destination.ip());
    (ends.point, a.min(b), a.max(b))
}

/// An address as a number; one of each family may have the same.
fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Streams that are to be paired, in order of time, so that every run decides alike.
#[derive(Debug)]
pub(super) struct Pairing {
    /// By a part of a hash of the hosts: the hosts themselves would take five times as much.
    order: Vec<(u32, u32)>,
    /// Another one for each run, so that nobody can choose hosts by it. Nothing else depends on it: hosts that only
    /// share a hash are told apart.
    seed: RandomState,
    standings: Vec<Standing>,
}

impl Pairing {
    /// For so many streams.
    pub(super) fn new(streams: usize) -> Self {
        Self {
            order: Vec::with_capacity(streams),
            seed: RandomState::default(),
            standings: Vec::with_capacity(streams),
        }
    }

    /// Takes in the next stream; gives its direction as long as no other one of its hosts is known.
    pub(super) fn add(&mut self, ends: Option<Ends>) -> Direction {
        let number = u32::try_from(self.standings.len()).unwrap_or(u32::MAX);
        if let Some(ends) = &ends {
            self.order.push((self.hash(hosts(ends)), number));
        }
        let direction = ends.and_then(|ends| ends.told).unwrap_or(Direction::Forward);
        // Until calls are numbered, it is the first stream of its own.
        self.standings.push(Standing { direction, reverse_of: None, call: number });
        direction
    }

    #[allow(clippy::cast_possible_truncation, reason = "a part of a hash")]
    fn hash(&self, (point, one, other): Hosts) -> u32 {
        self.seed.hash_one((point.0, number_of(one), number_of(other))) as u32
    }

    /// How each stream stands to the others. Those that are not alone between their hosts are asked for again.
    pub(super) fn finish(
        self,
        ends_of: impl Fn(u32) -> Option<Ends>,
        classes: &Classes,
        policy: &Policy,
    ) -> Vec<Standing> {
        let Self { mut order, standings, .. } = self;
        sort_by_number(&mut order, |&(hash, _)| hash.into());
        pair(&order, standings, ends_of, classes, policy)
    }
}

fn pair(
    order: &[(u32, u32)],
    mut standings: Vec<Standing>,
    ends_of: impl Fn(u32) -> Option<Ends>,
    classes: &Classes,
    policy: &Policy,
) -> Vec<Standing> {
    let mut members: Vec<Member> = Vec::new();
    for group in groups(order) {
        members.clear();
        members.extend(group.iter().filter_map(|&(_, number)| {
            Some(Member { number, ends: ends_of(number)?, class: classes.get(number as usize)?.0 })
        }));
        members.sort_by_key(|m| (hosts(&m.ends), m.number));
        let groups = members.chunk_by(|a, b| hosts(&a.ends) == hosts(&b.ends));
        for members in groups.filter(|members| members.len() > 1) {
            direct(members, &mut standings, policy);
            let tuples = by_tuple(members);
            pair_directions(members, &tuples, &mut standings);
            for (member, first) in members.iter().zip(calls(members, &tuples)) {
                standings[member.number as usize].call = first;
            }
        }
    }
    // Calls are numbered by their first stream, which comes first in time, whatever its hosts.
    let mut next = 0;
    for i in 0..standings.len() {
        let first = standings[i].call as usize;
        standings[i].call = if first == i {
            next += 1;
            next - 1
        } else {
            standings[first].call
        };
    }
    standings
}

/// Streams that may have the same hosts, where there are several, by the first of them: what began together lies
/// together, in the order of hashes nothing does.
fn groups(order: &[(u32, u32)]) -> impl Iterator<Item = &[(u32, u32)]> {
    let mut groups: Vec<(u32, u32)> = Vec::new();
    let mut start = 0;
    for group in order.chunk_by(|a, b| a.0 == b.0) {
        if let [(_, first), _, ..] = *group {
            groups.push((first, start));
        }
        start += u32::try_from(group.len()).unwrap_or(u32::MAX);
    }
    sort_by_number(&mut groups, |&(first, _)| first.into());
    groups
        .into_iter()
        .filter_map(|(_, start)| order.get(start as usize..)?.chunk_by(|a, b| a.0 == b.0).next())
}

/// A stream between two hosts.
#[derive(Clone, Copy)]
struct Member {
    number: u32,
    ends: Ends,
    class: Option<u8>,
}

/// Forward is from the managed side to the far side; where both or neither are managed, it is the way of the
/// first stream between the two hosts.
fn direct(members: &[Member], standings: &mut [Standing], policy: &Policy) {
    let Some(first) = members.first().map(|m| m.ends.flow) else { return };
    let near = match join::sides(first, policy) {
        (false, true) => Some(first.destination.ip()),
        (true, true) | (false, false) if first.source.ip() == first.destination.ip() => None,
        _ => Some(first.source.ip()),
    };
    let is_forward = |flow: FlowKey| match near {
        Some(near) => flow.source.ip() == near,
        None => flow.source.port() == first.source.port(),
    };
    for m in members {
        let by_first = if is_forward(m.ends.flow) { Direction::Forward } else { Direction::Reverse };
        standings[m.number as usize].direction = m.ends.told.unwrap_or(by_first);
    }
}

/// The places of members that have one 5-tuple, whichever end sends: one tuple after the other.
fn by_tuple(members: &[Member]) -> SmallVec<[(FlowKey, usize); 4]> {
    let mut tuples: SmallVec<[(FlowKey, usize); 4]> =
        members.iter().map(|m| m.ends.flow.biflow()).zip(0..).collect();
    tuples.sort_unstable();
    tuples
}

/// How long two streams ran at the same time, in nanoseconds; negative: how far they are apart.
fn overlap(a: &Ends, b: &Ends) -> i64 {
    a.last.min(b.last).nanos_since(a.first.max(b.first))
}

/// Pairs directions: the 5-tuple reversed, else the same two hosts and class; of several, those that ran longest at the
/// same time.
fn pair_directions(members: &[Member], tuples: &[(FlowKey, usize)], standings: &mut [Standing]) {
    let mut group: SmallVec<[&Member; 8]> = SmallVec::new();
    for same in tuples.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
        group.clear();
        group.extend(same.iter().filter_map(|&(_, place)| members.get(place)));
        pair_up(&group, true, standings);
    }
    if members.len() <= MOST_IN_GROUP {
        group.clear();
        group.extend(members.iter().filter(|m| standings[m.number as usize].reverse_of.is_none()));
        pair_up(&group, false, standings);
    }
}

/// Pairs the streams of one class that run in opposite directions at the same time, longest time first.
///
/// Work and memory grow with the streams, not with their pairs: the more there are, the nearer a pair has to stand.
fn pair_up(members: &[&Member], is_same_tuple: bool, standings: &mut [Standing]) {
    let near = (MOST_IN_GROUP * MOST_IN_GROUP / members.len().max(1)).clamp(1, MOST_IN_GROUP);
    let mut found: SmallVec<[(Reverse<i64>, u32, u32); 4]> = SmallVec::new();
    for (n, a) in members.iter().enumerate() {
        for b in members.iter().skip(n + 1).take(near) {
            let is_opposite = if is_same_tuple {
                a.ends.flow == b.ends.flow.reversed()
            } else {
                a.ends.flow.source.ip() == b.ends.flow.destination.ip()
            };
            let time = overlap(&a.ends, &b.ends);
            if is_opposite && a.class == b.class && time > 0 {
                found.push((Reverse(time), a.number.min(b.number), a.number.max(b.number)));
            }
        }
    }
    found.sort_unstable();
    for (_, a, b) in found {
        if [a, b].iter().all(|&one| standings[one as usize].reverse_of.is_none()) {
            standings[a as usize].reverse_of = Some(b);
            standings[b as usize].reverse_of = Some(a);
        }
    }
}

/// For each stream the number of the first stream of its call.
///
/// Streams of one biflow are one call. Biflows between the same two hosts at the same time are one call as long
/// as no class stands in both: audio beside video is one call, audio beside audio is two calls on a trunk.
fn calls(members: &[Member], tuples: &[(FlowKey, usize)]) -> SmallVec<[u32; 8]> {
    struct Call {
        number: u32,
        last: i64,
        classes: SmallVec<[u8; 8]>,
    }
    let mut calls: SmallVec<[Call; 4]> = SmallVec::new();
    // By tuple its call; by member its tuple.
    let mut of_tuple: SmallVec<[Option<usize>; 8]> = SmallVec::new();
    let mut tuple_of: SmallVec<[usize; 8]> = smallvec![0; members.len()];
    for same in tuples.chunk_by(|a, b| a.0 == b.0) {
        for &(_, place) in same {
            tuple_of[place] = of_tuple.len();
        }
        of_tuple.push(None);
    }
    let may_join = members.len() <= MOST_IN_GROUP;
    let mut numbers = SmallVec::with_capacity(members.len());
    for (member, tuple) in members.iter().zip(tuple_of) {
        let stream = &member.ends;
        let known = of_tuple[tuple];
        let joined = || {
            let fits = |call: &Call| {
                stream.first.0 <= call.last && member.class.is_some_and(|c| !call.classes.contains(&c))
            };
            if may_join { calls.iter().rposition(fits) } else { None }
        };
        let place = known.or_else(joined).unwrap_or_else(|| {
            calls.push(Call { number: member.number, last: i64::MIN, classes: SmallVec::new() });
            calls.len() - 1
        });
        of_tuple[tuple] = Some(place);
        if let Some(call) = calls.get_mut(place) {
            call.last = call.last.max(stream.last.0);
            call.classes.extend(member.class.filter(|c| !call.classes.contains(c)));
            numbers.push(call.number);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Transport;

    fn paired(flows: &[(&str, &str)], classes: &Classes) -> Vec<Standing> {
        let policy = Policy::default();
        let ends = |number: u32| {
            let (source, destination) = flows[number as usize];
            let flow = FlowKey {
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
                transport: Transport::Udp,
            };
            let told = join::told_direction(std::iter::once(flow), &policy);
            let (first, last) = (Timestamp(0), Timestamp(10_000_000_000));
            Some(Ends { point: PointId(0), flow, first, last, told })
        };
        let mut pairing = Pairing::new(flows.len());
        for number in (0..).take(flows.len()) {
            pairing.add(ends(number));
        }
        pairing.finish(ends, classes, &policy)
    }

    const AUDIO: (Option<u8>, Evidence) = (Some(0), Evidence::None);
    const VIDEO: (Option<u8>, Evidence) = (Some(1), Evidence::None);

    #[test]
    fn forward_is_from_the_managed_side() {
        let flows = [
            ("52.112.0.1:3479", "10.0.0.1:50000"),
            ("10.0.0.1:50000", "52.112.0.1:3479"),
            ("10.0.0.2:1", "10.0.0.1:2"),
            ("10.0.0.1:2", "10.0.0.2:1"),
        ];
        let standings = paired(&flows, &[AUDIO; 4]);
        let directions: Vec<_> = standings.iter().map(|s| s.direction).collect();
        let (forward, reverse) = (Direction::Forward, Direction::Reverse);
        assert_eq!(directions, [reverse, forward, forward, reverse]);
    }

    #[test]
    fn the_reversed_tuple_wins_over_the_same_hosts() {
        let flows = [
            ("10.0.0.1:50000", "10.0.0.2:50002"),
            ("10.0.0.2:40000", "10.0.0.1:40002"),
            ("10.0.0.2:50002", "10.0.0.1:50000"),
            ("10.0.0.1:6", "10.0.0.2:8"),
        ];
        let standings = paired(&flows, &[AUDIO; 4]);
        let reverse_of: Vec<_> = standings.iter().map(|s| s.reverse_of).collect();
        assert_eq!(reverse_of, [Some(2), Some(3), Some(0), Some(1)]);
    }

    #[test]
    fn audio_beside_video_is_one_call_and_beside_audio_two() {
        let flows = [
            ("10.0.0.1:50000", "10.0.0.2:50000"),
            ("10.0.0.1:50020", "10.0.0.2:50020"),
            ("10.0.0.2:50000", "10.0.0.1:50000"),
            ("10.0.0.1:50004", "10.0.0.2:50004"),
            ("10.0.0.1:50000", "10.0.0.3:50000"),
        ];
        let standings = paired(&flows, &[AUDIO, VIDEO, AUDIO, AUDIO, AUDIO]);
        let calls: Vec<_> = standings.iter().map(|s| s.call).collect();
        assert_eq!(calls, [0, 0, 0, 1, 2]);
    }

    #[test]
    fn a_flow_of_many_streams_is_paired_among_neighbours() {
        let there_and_back =
            [("10.0.0.1:50000", "10.0.0.2:50002"), ("10.0.0.2:50002", "10.0.0.1:50000")].repeat(20_000);
        let standings = paired(&there_and_back, &vec![AUDIO; there_and_back.len()]);
        assert!(standings.iter().all(|s| s.reverse_of.is_some()));
    }
}
