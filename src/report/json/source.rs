//! What was read, and what the meter dropped, as JSON.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::{Counts, Text};
use crate::meter::{CaptureRecord, MeterCounters, MirrorTunnel, TapGap};
use crate::report::view::View;
use crate::terms::Timestamp;

/// One item of `captures`.
#[derive(Serialize)]
pub(super) struct Capture<'a> {
    file: Cow<'a, str>,
    point: Cow<'a, str>,
    other_points: Vec<Cow<'a, str>>,
    format: &'a str,
    packets: u64,
    bytes: u64,
    first: Option<Text<Timestamp>>,
    last: Option<Text<Timestamp>>,
    truncated: Option<Cow<'a, str>>,
    undecoded: Counts<'a, &'static str>,
    dropped: Option<u64>,
    interfaces: Vec<Option<Cow<'a, str>>>,
    /// Frames of mirrors that number them which never came; none where no mirror does.
    tunnel_lost: Option<u64>,
    tunnels: Vec<Tunnel>,
}

/// One item of `tunnels`: a mirror session that numbers its frames.
#[derive(Serialize)]
struct Tunnel {
    erspan_session: u16,
    source: IpAddr,
    destination: IpAddr,
    frames: u64,
    lost: u64,
}

impl<'a> Capture<'a> {
    pub(super) fn of(record: &'a CaptureRecord, view: &'a View<'a>) -> Self {
        Self {
            file: view.file(&record.file),
            point: view.point(record.point),
            other_points: record.other_points.iter().map(|point| view.point(*point)).collect(),
            format: &record.format,
            packets: record.packets,
            bytes: record.bytes,
            first: record.first.map(Text),
            last: record.last.map(Text),
            truncated: record.damage.as_deref().map(|damage| view.text_about(&record.file, damage)),
            undecoded: Counts(&record.undecoded),
            dropped: record.dropped,
            interfaces: record.interfaces.iter().map(|name| name.as_deref().map(|n| view.text(n))).collect(),
            tunnel_lost: record.tunnel_lost(),
            tunnels: record.tunnels.iter().map(|tunnel| Tunnel::of(tunnel, view)).collect(),
        }
    }
}

/// One item of `gaps`: a time in which a point missed frames.
#[derive(Serialize)]
pub(super) struct Gap<'a> {
    point: Cow<'a, str>,
    from: Text<Timestamp>,
    to: Text<Timestamp>,
    frames: Option<u64>,
    evidence: &'static str,
}

impl<'a> Gap<'a> {
    pub(super) fn of(gap: &TapGap, view: &'a View<'a>) -> Self {
        Self {
            point: view.point(gap.point),
            from: Text(gap.from),
            to: Text(gap.to),
            frames: gap.frames,
            evidence: gap.evidence.as_str(),
        }
    }
}

impl Tunnel {
    fn of(tunnel: &MirrorTunnel, view: &View<'_>) -> Self {
        let MirrorTunnel { source, destination, session, count } = *tunnel;
        let (source, destination) = (view.ip(source), view.ip(destination));
        Self { erspan_session: session, source, destination, frames: count.frames, lost: count.lost }
    }
}

/// `counters`: what the meter dropped, refused or could not place.
pub(super) struct Counters<'a>(pub(super) &'a MeterCounters);

impl Serialize for Counters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Taken apart by name, so that a counter that is added cannot be forgotten here.
        let MeterCounters {
            unconfirmed_rtp_packets,
            candidates_evicted,
            streams_evicted,
            transactions_evicted,
            orphan_fragments,
            packets_beyond_hop_limit,
            records_refused,
            paths_overflowed,
            packets_beyond_point_limit,
            tunnel_frames_unfollowed,
        } = self.0;
        let mut counters = serializer.serialize_struct("counters", 10)?;
        counters.serialize_field("unconfirmed_rtp_packets", unconfirmed_rtp_packets)?;
        counters.serialize_field("candidates_evicted", candidates_evicted)?;
        counters.serialize_field("streams_evicted", streams_evicted)?;
        counters.serialize_field("transactions_evicted", transactions_evicted)?;
        counters.serialize_field("orphan_fragments", orphan_fragments)?;
        counters.serialize_field("packets_beyond_hop_limit", packets_beyond_hop_limit)?;
        counters.serialize_field("records_refused", records_refused)?;
        counters.serialize_field("paths_overflowed", paths_overflowed)?;
        counters.serialize_field("packets_beyond_point_limit", packets_beyond_point_limit)?;
        counters.serialize_field("tunnel_frames_unfollowed", tunnel_frames_unfollowed)?;
        counters.end()
    }
}
