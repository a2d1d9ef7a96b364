//! The views of one stream from all points, put together.
//!
//! By RTP's identity, never by the 5-tuple alone: through translations, relays and tunnels. What cannot be joined
//! beyond doubt stays apart, and is said to.

pub(super) mod clock;
pub(super) mod identity;
pub(super) mod intervals;
mod joined;
mod link;
mod order;
pub(super) mod segments;

use joined::Joining;
pub(super) use joined::{Heads, Joined, facts};
use link::{Bond, Link, link};
pub(super) use order::told_direction;

use crate::meter::{Records, StreamRecord};
use crate::policy::Policy;
use crate::terms::{FlowKey, PointId, Ssrc};

/// Streams that could not be joined, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjoined {
    /// Their SSRC.
    pub ssrc: Ssrc,
    /// Where each was seen.
    pub views: Vec<(PointId, FlowKey)>,
    /// Why they stay apart.
    pub reason: &'static str,
}

/// Records of one SSRC that are compared with each other. More than that is one sender's file played many times
/// over, and only views of one 5-tuple are joined.
const MOST_OF_ONE_SSRC: usize = 64;

/// Records that are fetched from memory ahead of the one that is looked at.
const AHEAD: usize = 12;

/// A record that is out of its packing, with its number.
struct View {
    number: u32,
    record: StreamRecord,
}

/// Joins the records of all points. Streams of more than one record are shown to `seen`.
pub(super) fn join(
    records: &Records,
    points: &[String],
    policy: &Policy,
    mut seen: impl FnMut(&StreamRecord),
) -> (Joined, Vec<Unjoined>) {
    let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
    let mut by_ssrc: Vec<(Ssrc, u32)> = (0..count).map(|i| (records.ssrc(i), i)).collect();
    by_ssrc.sort_unstable();
    let mut joined = Joining::default();
    let mut unjoined = Vec::new();
    let mut done = 0;
    for group in by_ssrc.chunk_by(|a, b| a.0 == b.0) {
        for &(_, next) in by_ssrc.iter().skip(done + AHEAD).take(group.len()) {
            records.fetch(next);
        }
        done += group.len();
        let numbers = || group.iter().map(|&(_, number)| number);
        match *group {
            [(_, number)] => joined.alone(number),
            [(ssrc, _), ..] if group.len() > MOST_OF_ONE_SSRC => {
                let mut by_flow: Vec<(FlowKey, u32)> =
                    numbers().filter_map(|i| Some((records.head(i)?.flow, i))).collect();
                by_flow.sort_unstable();
                for flow in by_flow.chunk_by(|a, b| a.0 == b.0) {
                    let (some, rest) = flow.split_at(flow.len().min(MOST_OF_ONE_SSRC));
                    let views = views(records, some.iter().map(|&(_, number)| number));
                    for stream in streams(views, &mut unjoined) {
                        joined.add(stream, points, policy, &mut seen);
                    }
                    for &(_, number) in rest {
                        joined.alone(number);
                    }
                }
                let some =
                    by_flow.iter().take(8).filter_map(|&(flow, i)| Some((records.head(i)?.point, flow)));
                let reason = "too many streams share the SSRC: only views of one 5-tuple were joined";
                unjoined.push(Unjoined { ssrc, views: some.collect(), reason });
            }
            _ => {
                for stream in streams(views(records, numbers()), &mut unjoined) {
                    joined.add(stream, points, policy, &mut seen);
                }
            }
        }
    }
    (joined.finish(), unjoined)
}

fn views(records: &Records, numbers: impl Iterator<Item = u32>) -> Vec<View> {
    numbers.filter_map(|number| Some(View { number, record: records.record(number)? })).collect()
}

/// The streams that the records of one SSRC are views of.
fn streams(views: Vec<View>, unjoined: &mut Vec<Unjoined>) -> Vec<Vec<View>> {
    let mut leader: Vec<usize> = (0..views.len()).collect();
    join_group(&views, &mut leader, unjoined);
    let mut streams: Vec<Vec<View>> = Vec::new();
    // A leader is the first of its stream.
    let mut place: Vec<usize> = vec![0; views.len()];
    for (i, view) in views.into_iter().enumerate() {
        let first = find(&leader, i);
        if first == i {
            place[i] = streams.len();
            streams.push(vec![view]);
        } else {
            streams[place[first]].push(view);
        }
    }
    streams
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

fn join_group(views: &[View], leader: &mut [usize], unjoined: &mut Vec<Unjoined>) {
    let mut links: Vec<Link> = Vec::new();
    for one in 0..views.len() {
        links.extend((one + 1..views.len()).filter_map(|other| link(views, one, other)));
    }
    for l in links.iter().filter(|l| l.bond == Bond::SameFlow) {
        unite(leader, l.one, l.other);
    }
    links.retain(|l| l.bond != Bond::SameFlow && !are_neighbours(views, l));
    if links.is_empty() {
        return;
    }
    let mut ambiguous = Vec::new();
    for bond in [Bond::Relay, Bond::Translation, Bond::Unique] {
        let fresh: Vec<Link> = links
            .iter()
            .filter(|l| l.bond == bond && find(leader, l.one) != find(leader, l.other))
            .copied()
            .collect();
        for l in &fresh {
            if is_plain(views, leader, &fresh, l) {
                unite(leader, l.one, l.other);
            } else if find(leader, l.one) != find(leader, l.other) {
                ambiguous.extend([l.one, l.other]);
            }
        }
    }
    ambiguous.sort_unstable();
    ambiguous.dedup();
    // Not those that are joined with all others by now.
    ambiguous.retain(|&i| (0..views.len()).any(|other| find(leader, other) != find(leader, i)));
    if let ([first, _, ..], Some(View { record, .. })) = (&*ambiguous, views.first()) {
        debug_assert!(*first < views.len());
        unjoined.push(Unjoined {
            ssrc: record.ssrc,
            views: ambiguous.iter().map(|&i| (views[i].record.point, views[i].record.flow)).collect(),
            reason: "the same packets go to several receivers: which view continues which is not told",
        });
    }
}

/// Whether one of two 5-tuples at different points is also seen where the other is. Then it was not translated on the
/// way: two hosts chose the same numbers, or a link at that one point says more.
fn are_neighbours(views: &[View], l: &Link) -> bool {
    let (a, b) = (&views[l.one].record, &views[l.other].record);
    let is_seen = |flow: FlowKey, point: PointId| {
        views.iter().any(|v| v.record.flow == flow && v.record.point == point)
    };
    a.point != b.point && (is_seen(a.flow, b.point) || is_seen(b.flow, a.point))
}

/// Whether a link is the only one of its kind from either end to the other's point: no choice, so no guess.
fn is_plain(views: &[View], leader: &[usize], links: &[Link], l: &Link) -> bool {
    let is_alone = |from: usize, to: usize| {
        let goal = views[to].record.point;
        let rivals = links.iter().filter(|k| k.bond == l.bond).filter_map(|k| match (k.one, k.other) {
            (a, b) if a == from => Some(b),
            (a, b) if b == from => Some(a),
            _ => None,
        });
        let to_leader = find(leader, to);
        rivals.filter(|&r| views[r].record.point == goal).all(|r| find(leader, r) == to_leader)
    };
    is_alone(l.one, l.other) && is_alone(l.other, l.one)
}
