//! Which streams are one by what they carry.
//!
//! Weaker than RTP's own identity: the same music goes out in many calls, and a conference server sends one payload to
//! many receivers. So the same packets must have been heard at the same time, most of what either stream has must be in
//! the other, and nothing else may be meant.

mod candidates;
mod chain;
mod evidence;
mod times;
mod way;

use std::collections::BTreeMap;

use super::marks::pairs;
use crate::meter::PayloadMark;
use crate::terms::{FlowKey, PointId, Timestamp};
use chain::{Edge, Shape, components, shape};
use evidence::{Meeting, meeting};
use times::Times;
use way::Way;

/// What is known of one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// Which record it is.
    pub(super) record: usize,
    /// The stream it belongs to by RTP's identity.
    pub(super) stream: usize,
    /// Where it was heard.
    pub(super) point: PointId,
    /// Its 5-tuple there.
    pub(super) flow: FlowKey,
    /// Its first packet there.
    pub(super) first: Timestamp,
    /// Its last packet there.
    pub(super) last: Timestamp,
    /// In the order of their hashes.
    pub(super) marks: &'a [PayloadMark],
}

/// Views of the streams that have marks, by stream; those with the most marks first.
type Streams<'a> = BTreeMap<usize, Vec<View<'a>>>;

/// Which records are one stream, and which may be and are not joined.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    /// Pairs of records.
    pub(super) joined: Vec<(usize, usize)>,
    /// Records that carry the same, and why they stay apart.
    pub(super) apart: Vec<(Vec<usize>, &'static str)>,
}

/// Why the same payload is not enough.
const SEVERAL: &str = "the same payload goes several ways: which stream continues which is not told";
const TOO_MANY: &str = "too many streams carry the same payload: none were joined by it";
/// Streams that are named where they stay apart.
const NAMED: usize = 16;

/// Finds the streams that are one by payload.
pub(super) fn links(views: &[View<'_>]) -> Links {
    let mut streams = Streams::new();
    for view in views.iter().filter(|v| !v.marks.is_empty()) {
        streams.entry(view.stream).or_default().push(*view);
    }
    for views in streams.values_mut() {
        views.sort_by_key(|v| std::cmp::Reverse(v.marks.len()));
    }
    let found = candidates::candidates(&streams);
    let meetings: Vec<Meeting> =
        found.pairs.iter().filter_map(|&(one, other)| meeting(&streams, one, other)).collect();
    let times = Times::of(&streams, &meetings);
    let edges: Vec<Edge> = meetings.iter().filter(|m| times.are_near(m)).map(Edge::of).collect();
    let record = |stream: &usize| streams.get(stream).and_then(|views| views.first()).map(|v| v.record);
    let named = |apart: &[usize]| apart.iter().filter_map(record).take(NAMED).collect::<Vec<usize>>();
    let mut links = Links::default();
    for component in components(&edges) {
        match shape(&component) {
            Shape::Chain => {
                let joined = component.edges.iter().filter(|e| e.way != Way::Elsewhere);
                links.joined.extend(joined.filter_map(|e| record(&e.one).zip(record(&e.other))));
            }
            Shape::Tangle => links.apart.push((named(&component.streams), SEVERAL)),
            Shape::Nothing => {}
        }
    }
    if !found.crowd.is_empty() {
        links.apart.push((named(&found.crowd), TOO_MANY));
    }
    links
}

#[cfg(test)]
mod tests;
