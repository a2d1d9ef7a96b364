//! One segment of a stream as JSON, and what could not be joined.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;

use super::Text;
use crate::report::view::View;
use crate::terms::{Ssrc, Timestamp};
use crate::verify::{ClockRelation, Delay, JudgedStream, Segment, Unjoined, Variation};

/// One item of `segments`.
#[derive(Serialize)]
pub(super) struct SegmentFigures {
    from: usize,
    to: usize,
    packets_in: u64,
    packets_out: u64,
    /// A packet passes the one hop or the other.
    alternative: bool,
    lost: Option<u64>,
    lost_certain: Option<u64>,
    lost_suspect: Option<u64>,
    unseen_after: Option<u64>,
    unseen_before: Option<u64>,
    reordered_added: u64,
    remarked: BTreeMap<String, Change>,
    pcp_changed: BTreeMap<String, u64>,
    delay_seconds: Option<DelayFigures>,
    delay_variation_seconds: Option<VariationFigures>,
    clock: ClockFigures,
    joined_by: &'static str,
    suspect: Vec<&'static str>,
}

#[derive(Serialize)]
struct Change {
    packets: u64,
    first: Text<Timestamp>,
    last: Text<Timestamp>,
}

#[derive(Serialize)]
struct DelayFigures {
    min: f64,
    mean: f64,
    p99: f64,
    max: f64,
    samples: u64,
}

#[derive(Serialize)]
struct VariationFigures {
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Serialize)]
struct ClockFigures {
    shared: bool,
    offset_seconds: Option<f64>,
    uncertainty_seconds: Option<f64>,
    drift_ppm: Option<f64>,
}

impl SegmentFigures {
    /// The segments of a stream, in the order of travel.
    pub(super) fn all_of(stream: &JudgedStream) -> Vec<Self> {
        stream.segments.iter().enumerate().map(|(i, segment)| Self::of(i, segment)).collect()
    }

    fn of(from: usize, segment: &Segment) -> Self {
        let change = |c: &crate::verify::Remarked| {
            let figures = Change { packets: c.packets, first: Text(c.first), last: Text(c.last) };
            (format!("{}>{}", c.from.value(), c.to.value()), figures)
        };
        let ClockRelation { shared, offset_seconds, uncertainty_seconds, drift_ppm, .. } = segment.clock;
        Self {
            from,
            to: from + 1,
            packets_in: segment.packets_in,
            packets_out: segment.packets_out,
            alternative: segment.is_alternative,
            lost: segment.lost,
            lost_certain: segment.lost_certain,
            lost_suspect: segment.lost_suspect,
            unseen_after: segment.is_counted.then_some(segment.unseen_after),
            unseen_before: segment.is_counted.then_some(segment.unseen_before),
            reordered_added: segment.reordered_added,
            remarked: segment.remarked.iter().map(change).collect(),
            pcp_changed: segment.pcp_changed.iter().map(|(a, b, n)| (format!("{a}>{b}"), *n)).collect(),
            delay_seconds: segment.delay.map(|Delay { min, mean, p99, max, samples }| DelayFigures {
                min,
                mean,
                p99,
                max,
                samples,
            }),
            delay_variation_seconds: segment
                .delay_variation
                .map(|Variation { p50, p99, max }| VariationFigures { p50, p99, max }),
            clock: ClockFigures { shared, offset_seconds, uncertainty_seconds, drift_ppm },
            joined_by: segment.joined_by.as_str(),
            suspect: segment.suspect.clone(),
        }
    }
}

/// One item of `joins`.
#[derive(Serialize)]
pub(super) struct Apart<'a> {
    ssrc: Text<Ssrc>,
    reason: &'static str,
    views: Vec<Seen<'a>>,
}

#[derive(Serialize)]
struct Seen<'a> {
    /// Where it is another than that of the first view.
    #[serde(skip_serializing_if = "Option::is_none")]
    ssrc: Option<Text<Ssrc>>,
    point: Cow<'a, str>,
    source: SocketAddr,
    destination: SocketAddr,
}

impl<'a> Apart<'a> {
    pub(super) fn of(unjoined: &'a Unjoined, view: &'a View<'a>) -> Self {
        let seen = |(point, flow, ssrc): &(crate::terms::PointId, crate::terms::FlowKey, Ssrc)| Seen {
            ssrc: (*ssrc != unjoined.ssrc).then_some(Text(*ssrc)),
            point: view.point(*point),
            source: view.address(flow.source),
            destination: view.address(flow.destination),
        };
        Self {
            ssrc: Text(unjoined.ssrc),
            reason: unjoined.reason,
            views: unjoined.views.iter().map(seen).collect(),
        }
    }
}
