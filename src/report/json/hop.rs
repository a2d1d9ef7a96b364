//! One hop of a stream as JSON.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::Serialize;

use super::{Counts, Text};
use crate::decode::Path;
use crate::meter::{HopRecord, Way};
use crate::report::view::View;
use crate::terms::{PointId, Ssrc, Timestamp};
use crate::verify::{JudgedStream, Marking};

/// One item of `hops`.
#[derive(Serialize)]
pub(super) struct Hop<'a> {
    point: Cow<'a, str>,
    #[serde(flatten)]
    place: Place<'a>,
    /// Where it is another than the stream's, which is that of the first hop.
    #[serde(skip_serializing_if = "Option::is_none")]
    ssrc: Option<Text<Ssrc>>,
    ttl: Option<u8>,
    source: SocketAddr,
    destination: SocketAddr,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ways: Vec<WayFigures<'a>>,
    first: Text<Timestamp>,
    last: Text<Timestamp>,
    packets: u64,
    unique: u64,
    expected: u64,
    lost: u64,
    duplicates: u64,
    stray: u64,
    reordered: u64,
    resets: u32,
    outages: u32,
    jitter_seconds: Option<JitterFigures>,
    loss_bursts: LossBursts,
    dscp: Counts<'a, u8>,
    dscp_changes: Vec<Change>,
    dscp_change_count: u64,
    ecn: Counts<'a, u8>,
    pcp: Counts<'a, u8>,
    #[serde(skip_serializing_if = "Counts::is_empty")]
    user_priority: Counts<'a, u8>,
    #[serde(skip_serializing_if = "Counts::is_empty")]
    mpls_tc: Counts<'a, u8>,
    #[serde(skip_serializing_if = "Counts::is_empty")]
    outer_dscp: Counts<'a, u8>,
    #[serde(skip_serializing_if = "Counts::is_empty")]
    fragments: Counts<'a, u8>,
    octets: u64,
    bitrate_bps: Option<f64>,
    marking: Option<&'static str>,
}

/// Interface, tags and tunnels; all absent where the table of paths was full.
#[derive(Serialize, Default)]
struct Place<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<Vec<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encapsulation: Option<Vec<String>>,
}

#[derive(Serialize)]
struct WayFigures<'a> {
    ttl: u8,
    packets: u64,
    #[serde(flatten)]
    place: Place<'a>,
}

#[derive(Serialize)]
struct JitterFigures {
    last: f64,
    mean: f64,
    max: f64,
    updates: u64,
}

#[derive(Serialize)]
struct LossBursts {
    #[serde(rename = "1")]
    one: u64,
    #[serde(rename = "2")]
    two: u64,
    #[serde(rename = "3-4")]
    to_four: u64,
    #[serde(rename = "5-9")]
    to_nine: u64,
    #[serde(rename = "10-19")]
    to_nineteen: u64,
    #[serde(rename = "20+")]
    more: u64,
}

#[derive(Serialize)]
struct Change {
    at: Text<Timestamp>,
    from: u8,
    to: u8,
}

impl<'a> Hop<'a> {
    /// The hops of a stream, in the order of travel.
    pub(super) fn all_of(stream: &'a JudgedStream, view: &'a View<'a>) -> Vec<Self> {
        let markings = stream.markings.iter().copied().map(Some).chain(std::iter::repeat(None));
        let hops = stream.record.hops.iter().zip(markings);
        let ssrc = stream.record.hops.first().map(|hop| hop.ssrc);
        hops.map(|(hop, marking)| Self::of(hop, marking, ssrc, view)).collect()
    }

    fn of(hop: &'a HopRecord, marking: Option<Marking>, ssrc: Option<Ssrc>, view: &'a View<'a>) -> Self {
        let [one, two, to_four, to_nine, to_nineteen, more] = hop.loss_bursts;
        let ways = if hop.ways.len() > 1 { hop.ways.as_slice() } else { &[] };
        Self {
            point: view.point(hop.point),
            place: Place::of(hop.path.as_deref(), hop.point, view),
            ssrc: (Some(hop.ssrc) != ssrc).then_some(Text(hop.ssrc)),
            ttl: hop.ways.first().map(|way| way.ttl),
            source: view.address(hop.flow.source),
            destination: view.address(hop.flow.destination),
            ways: ways.iter().map(|way| WayFigures::of(way, hop.path.as_deref(), hop.point, view)).collect(),
            first: Text(hop.first),
            last: Text(hop.last),
            packets: hop.packets,
            unique: hop.unique,
            expected: hop.expected,
            lost: hop.lost(),
            duplicates: hop.duplicates,
            stray: hop.stray,
            reordered: hop.reordered,
            resets: hop.resets,
            outages: hop.outages,
            jitter_seconds: hop.jitter.map(|j| JitterFigures {
                last: j.last,
                mean: j.mean,
                max: j.max,
                updates: j.updates,
            }),
            loss_bursts: LossBursts { one, two, to_four, to_nine, to_nineteen, more },
            dscp: Counts(&hop.dscp),
            dscp_changes: hop
                .dscp_changes
                .iter()
                .map(|c| Change { at: Text(c.at), from: c.from.value(), to: c.to.value() })
                .collect(),
            dscp_change_count: hop.dscp_change_count,
            ecn: Counts(&hop.ecn),
            pcp: Counts(hop.pcp()),
            user_priority: Counts(hop.user_priority()),
            mpls_tc: Counts(hop.mpls_tc()),
            outer_dscp: Counts(hop.outer_dscp()),
            fragments: Counts(hop.fragments()),
            octets: hop.octets,
            bitrate_bps: bitrate(hop),
            marking: marking.map(Marking::as_str),
        }
    }
}

impl<'a> Place<'a> {
    fn of(path: Option<&'a Path>, point: PointId, view: &'a View<'a>) -> Self {
        let Some(path) = path else { return Self::default() };
        Self {
            interface: view.interface(point, path.interface),
            vlan: Some(View::vlans(path)),
            encapsulation: Some(view.encapsulation(path)),
        }
    }

    /// Only what differs from the hop's own place.
    fn beside(path: Option<&'a Path>, hops: Option<&'a Path>, point: PointId, view: &'a View<'a>) -> Self {
        let (own, hops) = (Self::of(path, point, view), Self::of(hops, point, view));
        Self {
            interface: own.interface.filter(|i| hops.interface.as_ref() != Some(i)),
            vlan: own.vlan.filter(|v| hops.vlan.as_ref() != Some(v)),
            encapsulation: own.encapsulation.filter(|e| hops.encapsulation.as_ref() != Some(e)),
        }
    }
}

impl<'a> WayFigures<'a> {
    fn of(way: &'a Way, hops: Option<&'a Path>, point: PointId, view: &'a View<'a>) -> Self {
        Self {
            ttl: way.ttl,
            packets: way.packets,
            place: Place::beside(way.path.as_deref(), hops, point, view),
        }
    }
}

/// Bits of IP packets in a second, from first to last packet.
#[allow(clippy::cast_precision_loss, reason = "octets of one stream are far below 2^53")]
fn bitrate(hop: &HopRecord) -> Option<f64> {
    let seconds = hop.last.seconds_since(hop.first);
    (seconds > 0.0).then(|| (hop.octets as f64 * 8.0 / seconds).round())
}
