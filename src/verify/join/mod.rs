//! The views of one stream from all points, put together.
//!
//! By RTP's identity, never by the 5-tuple alone: through translations, relays and tunnels; then, where a relay writes
//! RTP anew, by payload. What cannot be joined beyond doubt stays apart, and is said to.

pub(super) mod clock;
pub(super) mod identity;
pub(super) mod intervals;
mod link;
pub(super) mod marks;
mod numbering;
mod order;
mod payload;
pub(super) mod segments;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use link::{Bond, Link, link};
pub(super) use order::told_direction;

use crate::meter::{FlowFacts, StreamRecord};
use crate::policy::Policy;
use crate::terms::{FlowKey, PointId, Ssrc};

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

/// Joins the records of all points.
pub(super) fn join(
    records: Vec<Box<StreamRecord>>,
    points: &[String],
    policy: &Policy,
) -> (Vec<Box<StreamRecord>>, Vec<Unjoined>) {
    let mut by_ssrc: Vec<(Ssrc, u32)> = Vec::with_capacity(records.len());
    for (i, record) in (0_u32..).zip(&records) {
        StreamRecord::fetch_ahead(&records, i as usize);
        by_ssrc.push((record.ssrc, i));
    }
    by_ssrc.sort_unstable();
    let mut leader: Vec<u32> = (0_u32..).take(records.len()).collect();
    let mut unjoined = Vec::new();
    for group in by_ssrc.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
        let group: Vec<u32> = group.iter().map(|&(_, i)| i).collect();
        join_group(&records, &group, &mut leader, &mut unjoined);
    }
    join_by_payload(&records, &mut leader, &mut unjoined);
    if leader.iter().zip(0_u32..).all(|(&l, i)| l == i) {
        return (records, unjoined);
    }
    let mut members: BTreeMap<u32, Vec<Box<StreamRecord>>> = BTreeMap::new();
    for (i, record) in records.into_iter().enumerate() {
        members.entry(find(&leader, i)).or_default().push(record);
    }
    let streams = members.into_values().filter_map(|views| merge(views, points, policy)).collect();
    (streams, unjoined)
}

fn find(leader: &[u32], i: usize) -> u32 {
    let mut i = i;
    while let Some(&next) = leader.get(i).filter(|&&next| next as usize != i) {
        i = next as usize;
    }
    u32::try_from(i).unwrap_or(u32::MAX)
}

/// Two records become one stream: the earlier one leads.
fn unite(leader: &mut [u32], one: usize, other: usize) {
    let (a, b) = (find(leader, one), find(leader, other));
    if let Some(place) = leader.get_mut(a.max(b) as usize) {
        *place = a.min(b);
    }
}

fn join_group(
    records: &[Box<StreamRecord>],
    group: &[u32],
    leader: &mut [u32],
    unjoined: &mut Vec<Unjoined>,
) {
    let flow_of = |i: usize| records.get(i).map(|r| r.flow);
    let is_crowd = group.len() > MOST_OF_ONE_SSRC;
    let mut by_flow: Vec<usize> = group.iter().map(|&i| i as usize).collect();
    by_flow.sort_by_key(|&i| (flow_of(i), i));
    let mut links: Vec<Link> = Vec::new();
    if is_crowd {
        for views in by_flow.chunk_by(|&a, &b| flow_of(a) == flow_of(b)) {
            pairs(views.get(..MOST_OF_ONE_SSRC).unwrap_or(views), records, &mut links);
        }
    } else {
        by_flow.sort_unstable();
        pairs(&by_flow, records, &mut links);
    }
    for l in links.iter().filter(|l| l.bond == Bond::SameFlow) {
        unite(leader, l.one, l.other);
    }
    links.retain(|l| l.bond != Bond::SameFlow && !are_neighbours(records, group, l));
    let mut ambiguous = Vec::new();
    for bond in [Bond::Relay, Bond::Translation, Bond::Unique] {
        let fresh: Vec<Link> = links
            .iter()
            .filter(|l| l.bond == bond && find(leader, l.one) != find(leader, l.other))
            .copied()
            .collect();
        for l in &fresh {
            if is_plain(records, leader, &fresh, l) {
                unite(leader, l.one, l.other);
            } else if find(leader, l.one) != find(leader, l.other) {
                ambiguous.extend([l.one, l.other]);
            }
        }
    }
    ambiguous.sort_unstable();
    ambiguous.dedup();
    ambiguous.retain(|&i| ambiguous_still(leader, i, group));
    let ssrc = group.first().and_then(|&i| records.get(i as usize)).map(|r| r.ssrc);
    if let Some(ssrc) = ssrc {
        if ambiguous.len() > 1 {
            let reason = "the same packets go to several receivers: which view continues which is not told";
            unjoined.push(Unjoined { ssrc, views: seen(records, &ambiguous), reason });
        }
        if is_crowd {
            let some: Vec<usize> = group.iter().take(8).map(|&i| i as usize).collect();
            let reason = "too many streams share the SSRC: only views of one 5-tuple were joined";
            unjoined.push(Unjoined { ssrc, views: seen(records, &some), reason });
        }
    }
}

/// Joins what RTP's identity left apart, where the payload says that it is one stream.
fn join_by_payload(records: &[Box<StreamRecord>], leader: &mut [u32], unjoined: &mut Vec<Unjoined>) {
    let mut views = Vec::new();
    for (record, r) in records.iter().enumerate() {
        let marks = r.hops.iter().map(|h| h.marks.as_slice()).max_by_key(|marks| marks.len());
        if let Some(marks) = marks.filter(|marks| !marks.is_empty()) {
            let stream = find(leader, record) as usize;
            let StreamRecord { point, flow, first, last, .. } = **r;
            views.push(payload::View { record, stream, point, flow, first, last, marks });
        }
    }
    let links = payload::links(&views);
    for (one, other) in links.joined {
        unite(leader, one, other);
    }
    for (apart, reason) in links.apart {
        let ssrc = apart.first().and_then(|&i| records.get(i)).map(|r| r.ssrc);
        unjoined.extend(ssrc.map(|ssrc| Unjoined { ssrc, views: seen(records, &apart), reason }));
    }
}

/// Where records were seen.
fn seen(records: &[Box<StreamRecord>], members: &[usize]) -> Vec<(PointId, FlowKey, Ssrc)> {
    members.iter().filter_map(|&i| records.get(i).map(|r| (r.point, r.flow, r.ssrc))).collect()
}

/// Whether one of two 5-tuples at different points is also seen where the other is. Then it was not translated on the
/// way: two hosts chose the same numbers, or a link at that one point says more.
fn are_neighbours(records: &[Box<StreamRecord>], group: &[u32], l: &Link) -> bool {
    let (Some(a), Some(b)) = (records.get(l.one), records.get(l.other)) else { return true };
    let is_seen = |flow: FlowKey, point: PointId| {
        let members = group.iter().filter_map(|&i| records.get(i as usize));
        members.into_iter().any(|r| r.flow == flow && r.point == point)
    };
    a.point != b.point && (is_seen(a.flow, b.point) || is_seen(b.flow, a.point))
}

/// Whether a record that had an ambiguous link is not joined with all of its group by now.
fn ambiguous_still(leader: &[u32], i: usize, group: &[u32]) -> bool {
    group.iter().any(|&g| find(leader, g as usize) != find(leader, i))
}

fn pairs(members: &[usize], records: &[Box<StreamRecord>], links: &mut Vec<Link>) {
    for (n, &a) in members.iter().enumerate() {
        links.extend(members.iter().skip(n + 1).filter_map(|&b| link(records, a, b)));
    }
}

/// Whether a link is the only one of its kind from either end to the other's point: no choice, so no guess.
fn is_plain(records: &[Box<StreamRecord>], leader: &[u32], links: &[Link], l: &Link) -> bool {
    let is_alone = |from: usize, to: usize| {
        let goal = records.get(to).map(|r| r.point);
        let rivals = links.iter().filter(|k| k.bond == l.bond).filter_map(|k| match (k.one, k.other) {
            (a, b) if a == from => Some(b),
            (a, b) if b == from => Some(a),
            _ => None,
        });
        let to_leader = find(leader, to);
        rivals.filter(|&r| records.get(r).map(|r| r.point) == goal).all(|r| find(leader, r) == to_leader)
    };
    is_alone(l.one, l.other) && is_alone(l.other, l.one)
}

/// One record of all views, its hops in the order of travel.
fn merge(mut views: Vec<Box<StreamRecord>>, points: &[String], policy: &Policy) -> Option<Box<StreamRecord>> {
    if views.len() == 1 {
        return views.pop();
    }
    let first = views.iter().map(|v| v.first).min()?;
    let last = views.iter().map(|v| v.last).max()?;
    let facts = views.iter().filter_map(|v| v.facts.as_deref()).copied().reduce(together).map(Arc::new);
    views.sort_by_key(|v| Reverse(v.hops.first().map_or(0, |h| h.unique)));
    let mut hops: Vec<_> = views.iter_mut().flat_map(|v| std::mem::take(&mut v.hops)).collect();
    order::by_travel(&mut hops, points, policy);
    let start = hops.first()?;
    // Behind a relay that writes RTP anew, SSRC and payload types are others.
    let lead = views.iter().position(|v| v.ssrc == start.ssrc).unwrap_or(0);
    let mut stream = views.swap_remove(lead);
    (stream.point, stream.flow) = (start.point, start.flow);
    (stream.first, stream.last, stream.facts) = (first, last, facts);
    stream.hops = hops.into();
    Some(stream)
}

/// What two points learnt of a flow.
fn together(a: FlowFacts, b: FlowFacts) -> FlowFacts {
    FlowFacts {
        stun: a.stun || b.stun,
        dtls: a.dtls || b.dtls,
        zrtp: a.zrtp || b.zrtp,
        rtcp: a.rtcp || b.rtcp,
        turn: a.turn || b.turn,
        modality: a.modality.or(b.modality),
        relayed: a.relayed.or(b.relayed),
        mapped: a.mapped.or(b.mapped),
        peer: a.peer.or(b.peer),
    }
}
