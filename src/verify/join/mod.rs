//! The views of one stream from all points, put together.
//!
//! By RTP's identity, never by the 5-tuple alone: through translations, relays and tunnels; then, where a relay writes
//! RTP anew, by payload. What cannot be joined beyond doubt stays apart, and is said to.

pub(super) mod clock;
mod doubt;
pub(super) mod identity;
pub(super) mod intervals;
mod joined;
mod legs;
mod link;
pub(super) mod marks;
mod numbering;
mod order;
mod payload;
pub(super) mod remarked;
mod seen;
pub(super) mod segments;
mod stage;

use std::ops::Range;

use smallvec::{SmallVec, smallvec};

use crate::meter::{Head, HopRecord, PayloadMark, Records, sort_by_number};
use crate::policy::Policy;
use crate::terms::{FlowKey, PointId, Ssrc};
use joined::Joining;
pub(super) use joined::{Heads, Joined};
use legs::Legs;
use link::{Bond, bond, is_before};
pub(super) use order::{direction_of, sides, told_direction};

/// Streams that could not be joined, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjoined {
    /// The SSRC of the first.
    pub ssrc: Ssrc,
    /// Where each was seen, and its own SSRC.
    pub views: Vec<(PointId, FlowKey, Ssrc)>,
    /// Why they stay apart.
    pub reason: &'static str,
}

/// Records of one SSRC that are compared with each other. More than that is one sender's file played many times
/// over, and only views of one 5-tuple are joined.
const MOST_OF_ONE_SSRC: usize = 64;

/// Groups of records that are fetched from memory ahead of the one that is looked at.
const AHEAD: usize = 4;

/// Records that are fetched ahead where only their SSRC is looked at.
const FAR_AHEAD: u32 = 16;

/// A record that is out of its packing.
struct View {
    /// Its number among all records.
    number: u32,
    head: Head,
    /// Where its hops stand in those of the group.
    hops: Range<usize>,
}

/// Two views that may be one stream.
#[derive(Clone, Copy)]
struct Link {
    bond: Bond,
    one: usize,
    other: usize,
}

/// Records that are compared with each other. Its memory serves one group after the other.
#[derive(Default)]
struct Group {
    views: Vec<View>,
    hops: Vec<HopRecord>,
}

impl Group {
    fn fill(&mut self, records: &Records, numbers: impl Iterator<Item = u32>) {
        self.views.clear();
        self.hops.clear();
        for number in numbers {
            let start = self.hops.len();
            if let Some(head) = records.unpack(number, |hop| self.hops.push(hop)) {
                self.views.push(View { number, head, hops: start..self.hops.len() });
            }
        }
    }

    fn hops(&self, view: &View) -> &[HopRecord] {
        self.hops.get(view.hops.clone()).unwrap_or_default()
    }
}

/// Joins the records of all points. The hops of streams of more than one record are shown to `seen`, in the
/// order of travel.
pub(super) fn join(
    records: &Records,
    points: &[String],
    policy: &Policy,
    mut seen: impl FnMut(&[&HopRecord]),
) -> (Joined, Vec<Unjoined>) {
    let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
    let mut by_ssrc: Vec<(Ssrc, u32)> = Vec::with_capacity(records.len());
    let mut marked: Vec<u32> = Vec::new();
    for number in 0..count {
        records.fetch(number + FAR_AHEAD);
        let (ssrc, has_marks) = records.ssrc(number);
        by_ssrc.push((ssrc, number));
        if has_marks {
            marked.push(number);
        }
    }
    sort_by_number(&mut by_ssrc, |&(ssrc, _)| ssrc.0.into());
    let mut joined = Joining::new(records.len());
    let mut unjoined = Vec::new();
    let mut legs = Vec::new();
    let mut views = Group::default();
    let groups = || by_ssrc.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1);
    let mut soon = groups().skip(AHEAD);
    for group in groups() {
        for &(_, next) in soon.next().unwrap_or_default().iter().take(MOST_OF_ONE_SSRC) {
            records.fetch(next);
        }
        let numbers = || group.iter().map(|&(_, number)| number);
        match *group {
            [(ssrc, _), ..] if group.len() > MOST_OF_ONE_SSRC => {
                let mut by_flow: Vec<(FlowKey, u32)> =
                    numbers().filter_map(|i| Some((records.head(i)?.flow, i))).collect();
                by_flow.sort_unstable();
                for flow in by_flow.chunk_by(|a, b| a.0 == b.0) {
                    let some = flow.get(..MOST_OF_ONE_SSRC).unwrap_or(flow);
                    views.fill(records, some.iter().map(|&(_, number)| number));
                    for stream in streams(&views, &mut unjoined, &mut legs) {
                        joined.add(&views, &stream, points, policy, &mut seen);
                    }
                }
                let some = by_flow.iter().take(8).filter_map(|&(_, i)| Some(place(&records.head(i)?)));
                let reason = "too many streams share the SSRC: only views of one 5-tuple were joined";
                unjoined.push(Unjoined { ssrc, views: some.collect(), reason });
            }
            _ => {
                views.fill(records, numbers());
                for stream in streams(&views, &mut unjoined, &mut legs) {
                    joined.add(&views, &stream, points, policy, &mut seen);
                }
            }
        }
    }
    drop(by_ssrc);
    let mut unite = |joined: &mut Joining, links: &[(u32, u32)]| {
        for members in joined.unite(links, records) {
            views.fill(records, members.into_iter());
            let all: Vec<usize> = (0..views.views.len()).collect();
            joined.add(&views, &all, points, policy, &mut seen);
        }
    };
    unite(&mut joined, &legs::told_by_the_way_back(&legs, &mut unjoined));
    let by_payload = join_by_payload(records, &marked, &joined, &mut unjoined);
    unite(&mut joined, &by_payload);
    (joined.finish(), unjoined)
}

/// The places of the views that are one stream each, the earliest first.
fn streams(
    group: &Group,
    unjoined: &mut Vec<Unjoined>,
    legs: &mut Vec<Legs>,
) -> SmallVec<[SmallVec<[usize; 8]>; 2]> {
    let mut leader: SmallVec<[usize; 8]> = (0..group.views.len()).collect();
    join_group(group, &mut leader, unjoined, legs);
    // A leader is the first of its stream.
    let leaders = (0..leader.len()).filter(|&i| leader[i] == i);
    leaders.map(|first| (first..leader.len()).filter(|&i| find(&leader, i) == first).collect()).collect()
}

fn find(leader: &[usize], mut i: usize) -> usize {
    while leader[i] != i {
        i = leader[i];
    }
    i
}

/// Two records become one stream: the earlier one leads.
fn unite(leader: &mut [usize], one: usize, other: usize) {
    let (a, b) = (find(leader, one), find(leader, other));
    leader[a.max(b)] = a.min(b);
}

fn join_group(group: &Group, leader: &mut [usize], unjoined: &mut Vec<Unjoined>, legs: &mut Vec<Legs>) {
    let views = &*group.views;
    let mut links: Vec<Link> = Vec::new();
    for (i, one) in views.iter().enumerate() {
        for (k, other) in views.iter().enumerate().skip(i + 1) {
            if find(leader, i) == find(leader, k) {
                continue;
            }
            match bond((&one.head, group.hops(one)), (&other.head, group.hops(other))) {
                Some(Bond::SameFlow) => unite(leader, i, k),
                Some(bond) => links.push(Link { bond, one: i, other: k }),
                None => {}
            }
        }
    }
    links.retain(|l| !are_neighbours(views, l));
    if links.is_empty() {
        return;
    }
    let bonds = Bonds::of(views.len(), &links);
    let mut ambiguous = Vec::new();
    for bond in [Bond::Relay, Bond::Translation, Bond::Unique] {
        let fresh: Vec<Link> = links
            .iter()
            .filter(|l| l.bond == bond && find(leader, l.one) != find(leader, l.other))
            .copied()
            .collect();
        for l in &fresh {
            if is_plain(views, leader, &fresh, l) && have_no_rivals(views, leader, &bonds, l) {
                unite(leader, l.one, l.other);
            } else if find(leader, l.one) != find(leader, l.other) {
                ambiguous.extend([l.one, l.other]);
            }
        }
    }
    report_apart(views, leader, ambiguous, SEVERAL_RECEIVERS, unjoined);
    let two_legs: Vec<Link> = links.iter().filter(|l| l.bond == Bond::TwoLegs).copied().collect();
    for l in two_legs.iter().filter(|l| find(leader, l.one) != find(leader, l.other)) {
        if is_plain(views, leader, &two_legs, l) && have_no_rivals(views, leader, &bonds, l) {
            legs.extend(in_order(group, l));
        }
    }
    let other_payload = links.iter().filter(|l| l.bond == Bond::OtherPayload);
    let other_payload = other_payload.filter(|l| find(leader, l.one) != find(leader, l.other));
    let alike = other_payload.flat_map(|l| [l.one, l.other]).collect();
    report_apart(views, leader, alike, OTHER_PAYLOAD, unjoined);
}

/// The two legs of a relay, the earlier one first.
fn in_order(group: &Group, l: &Link) -> Option<Legs> {
    let (one, other) = (group.views.get(l.one)?, group.views.get(l.other)?);
    let (first, then) =
        if is_before(group.hops(one), group.hops(other))? { (one, other) } else { (other, one) };
    let Head { point, ssrc, flow, .. } = first.head;
    Some(Legs { records: (first.number, then.number), flows: (flow, then.head.flow), point, ssrc })
}

/// Why the same packets are not enough.
const SEVERAL_RECEIVERS: &str =
    "the same packets go to several receivers: which view continues which is not told";
/// Why equal numbers are not.
const OTHER_PAYLOAD: &str =
    "numbers and timestamps are equal, payloads are not: two senders, or a relay that encrypts anew";

/// Says of views that they stay apart.
fn report_apart(
    views: &[View],
    leader: &[usize],
    mut apart: Vec<usize>,
    reason: &'static str,
    unjoined: &mut Vec<Unjoined>,
) {
    apart.sort_unstable();
    apart.dedup();
    // Not those that are joined with all others by now.
    apart.retain(|&i| (0..views.len()).any(|other| find(leader, other) != find(leader, i)));
    if let [first, _, ..] = *apart {
        let ssrc = views[first].head.ssrc;
        let views = apart.iter().map(|&i| place(&views[i].head)).collect();
        unjoined.push(Unjoined { ssrc, views, reason });
    }
}

/// Which records are one stream by payload, of those that RTP's identity left apart.
fn join_by_payload(
    records: &Records,
    marked: &[u32],
    joined: &Joining,
    unjoined: &mut Vec<Unjoined>,
) -> Vec<(u32, u32)> {
    if marked.is_empty() {
        return Vec::new();
    }
    let streams = joined.streams_of(records);
    let stream_of = |number: u32| streams.get(number as usize).copied().unwrap_or(number);
    // First which streams have any payload in common with another: mostly none.
    let mut carriers: Vec<(u64, u32)> = Vec::new();
    for &number in marked {
        let stream = stream_of(number);
        records.unpack(number, |hop| carriers.extend(hop.marks.iter().map(|m| (m.hash, stream))));
    }
    carriers.sort_unstable();
    carriers.dedup();
    let shared = carriers.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1);
    let mut sharing: Vec<u32> = shared.flatten().map(|&(_, stream)| stream).collect();
    sharing.sort_unstable();
    sharing.dedup();
    let mut heard: Vec<(u32, Head, Vec<PayloadMark>)> = Vec::new();
    for &number in marked.iter().filter(|&&number| sharing.binary_search(&stream_of(number)).is_ok()) {
        let mut most: Vec<PayloadMark> = Vec::new();
        let head = records.unpack(number, |hop| {
            if hop.marks.len() > most.len() {
                most = hop.marks;
            }
        });
        heard.extend(head.map(|head| (number, head, most)));
    }
    let views: Vec<payload::View<'_>> = heard
        .iter()
        .map(|(record, head, marks)| {
            let Head { point, flow, first, last, .. } = *head;
            let (record, stream) = (*record as usize, stream_of(*record) as usize);
            payload::View { record, stream, point, flow, first, last, marks }
        })
        .collect();
    let number = |record: usize| u32::try_from(record).unwrap_or(u32::MAX);
    let links = payload::links(&views);
    for (apart, reason) in links.apart {
        let heads: Vec<Head> = apart.iter().filter_map(|&record| records.head(number(record))).collect();
        if let Some(first) = heads.first() {
            unjoined.push(Unjoined { ssrc: first.ssrc, views: heads.iter().map(place).collect(), reason });
        }
    }
    links.joined.into_iter().map(|(one, other)| (number(one), number(other))).collect()
}

/// Where a record was seen.
fn place(head: &Head) -> (PointId, FlowKey, Ssrc) {
    (head.point, head.flow, head.ssrc)
}

/// Whether one of two 5-tuples at different points is also seen where the other is. Then it was not translated on the
/// way: two hosts chose the same numbers, or a link at that one point says more.
fn are_neighbours(views: &[View], l: &Link) -> bool {
    let (a, b) = (&views[l.one].head, &views[l.other].head);
    let is_seen =
        |flow: FlowKey, point: PointId| views.iter().any(|v| v.head.flow == flow && v.head.point == point);
    a.point != b.point && (is_seen(a.flow, b.point) || is_seen(b.flow, a.point))
}

/// Which views have a link, one bit for each other view: there are many pairs to ask about.
struct Bonds {
    one_stream: SmallVec<[u64; 8]>,
    two_legs: SmallVec<[u64; 8]>,
}

const _: () = assert!(MOST_OF_ONE_SSRC <= 64);

impl Bonds {
    fn of(views: usize, links: &[Link]) -> Self {
        let mut bonds = Self { one_stream: smallvec![0; views], two_legs: smallvec![0; views] };
        for l in links {
            let of_kind = match l.bond {
                Bond::TwoLegs => &mut bonds.two_legs,
                bond if bond < Bond::TwoLegs => &mut bonds.one_stream,
                _ => continue,
            };
            of_kind[l.one] |= 1 << l.other;
            of_kind[l.other] |= 1 << l.one;
        }
        bonds
    }

    /// Two legs are none yet, but for themselves.
    fn are_linked(&self, a: usize, b: usize, asked: Bond) -> bool {
        let legs = if asked == Bond::TwoLegs { self.two_legs[a] } else { 0 };
        (self.one_stream[a] | legs) >> b & 1 == 1
    }
}

/// Whether no view of the one stream stands at one point beside a view of the other without being its neighbour there:
/// then they are two streams at that point, and so everywhere.
fn have_no_rivals(views: &[View], leader: &[usize], bonds: &Bonds, l: &Link) -> bool {
    let of = |stream: usize| (0..views.len()).filter(move |&i| find(leader, i) == stream);
    let (one, other) = (find(leader, l.one), find(leader, l.other));
    let is_rival = |a: usize, b: usize| {
        let (here, there) = (&views[a].head, &views[b].head);
        here.point == there.point && here.flow != there.flow && !bonds.are_linked(a, b, l.bond)
    };
    !of(one).any(|a| of(other).any(|b| is_rival(a, b)))
}

/// Whether a link is the only one of its kind from either end to the other's point: no choice, so no guess.
fn is_plain(views: &[View], leader: &[usize], links: &[Link], l: &Link) -> bool {
    let is_alone = |from: usize, to: usize| {
        let goal = views[to].head.point;
        let rivals = links.iter().filter(|k| k.bond == l.bond).filter_map(|k| match (k.one, k.other) {
            (a, b) if a == from => Some(b),
            (a, b) if b == from => Some(a),
            _ => None,
        });
        let to_leader = find(leader, to);
        rivals.filter(|&r| views[r].head.point == goal).all(|r| find(leader, r) == to_leader)
    };
    is_alone(l.one, l.other) && is_alone(l.other, l.one)
}
