//! One RTP stream as JSON.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::{Serialize, Serializer};

use super::Text;
use super::hop::Hop;
use super::segment::SegmentFigures;
use crate::meter::{ClockSource, FlowFacts};
use crate::report::view::{CallId, EvidenceWords, View};
use crate::terms::{Direction, Ssrc, Timestamp, Transport};
use crate::verify::{JudgedStream, Quality};

/// The stream of a number: taken out when it is written.
pub(super) struct Numbered<'a>(pub(super) u32, pub(super) &'a View<'a>);

impl Serialize for Numbered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(number, view) = *self;
        let stream = view.outcome.streams.get(number);
        stream.as_deref().map(|stream| Stream::of(number, stream, view)).serialize(serializer)
    }
}

/// One item of `streams`.
#[derive(Serialize)]
struct Stream<'a> {
    id: Cow<'a, str>,
    ssrc: Text<Ssrc>,
    source: SocketAddr,
    destination: SocketAddr,
    transport: Text<Transport>,
    direction: Text<Direction>,
    reverse_of: Option<Cow<'a, str>>,
    call: Text<CallId>,
    class: Option<&'a str>,
    class_evidence: Text<EvidenceWords>,
    /// Most packets first.
    payload_types: Vec<u8>,
    codec: Option<&'a str>,
    clock_rate_hz: Option<u32>,
    clock_rate_source: Option<&'static str>,
    first: Text<Timestamp>,
    last: Text<Timestamp>,
    expected_dscp: Vec<u8>,
    packet_interval_seconds: Option<f32>,
    mean_octets: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    hops: Vec<Hop<'a>>,
    /// Empty until points are joined.
    segments: Vec<SegmentFigures>,
    quality: QualityFigures<'a>,
}

#[derive(Serialize)]
struct QualityFigures<'a> {
    loss_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certain_loss_ratio: Option<f64>,
    jitter_seconds: Option<f64>,
    round_trip_seconds: Option<f64>,
    mos_estimate: Option<f64>,
    verdict: &'static str,
    reasons: &'a [&'static str],
}

/// What else was heard on the flow, and what TURN said about it.
#[derive(Serialize)]
struct Facts {
    /// `stun`, `dtls`, `zrtp`, `rtcp`, `turn`.
    heard: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modality: Option<Text<Modality>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relayed: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapped: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<SocketAddr>,
}

/// MS-Service-Quality's stream type in words (MS-TURN, section 2.2.2.19), or its number.
pub(super) struct Modality(pub(super) u16);

impl std::fmt::Display for Modality {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            1 => f.write_str("audio"),
            2 => f.write_str("video"),
            3 => f.write_str("supplemental-video"),
            4 => f.write_str("data"),
            other => write!(f, "{other}"),
        }
    }
}

impl<'a> Stream<'a> {
    fn of(number: u32, stream: &'a JudgedStream, view: &'a View<'a>) -> Self {
        let record = &stream.record;
        let main = record.payload_types.first();
        Self {
            id: view.stream(number),
            ssrc: Text(record.ssrc),
            source: view.address(record.flow.source),
            destination: view.address(record.flow.destination),
            transport: Text(record.flow.transport),
            direction: Text(stream.direction),
            reverse_of: stream.reverse_of.map(|other| view.stream(other)),
            call: Text(CallId(stream.call)),
            class: view.class(stream.class),
            class_evidence: Text(EvidenceWords(stream.evidence)),
            payload_types: record.payload_types.iter().map(|p| p.number).collect(),
            codec: stream.codec.as_deref(),
            clock_rate_hz: main.and_then(|p| p.clock_rate).map(crate::terms::ClockRate::hz),
            clock_rate_source: main.and_then(|p| clock_source(p.clock_source)),
            first: Text(record.first),
            last: Text(record.last),
            expected_dscp: stream.expected.iter().map(|d| d.value()).collect(),
            packet_interval_seconds: record.packet_interval_seconds,
            mean_octets: record.mean_octets,
            facts: record.facts.as_deref().map(|facts| Facts::of(facts, view)),
            hops: Hop::all_of(stream, view),
            segments: SegmentFigures::all_of(stream),
            quality: QualityFigures::of(&stream.quality),
        }
    }
}

impl<'a> QualityFigures<'a> {
    fn of(quality: &'a Quality) -> Self {
        Self {
            loss_ratio: quality.loss_ratio,
            certain_loss_ratio: quality.certain_loss_ratio,
            jitter_seconds: quality.jitter_seconds,
            round_trip_seconds: quality.round_trip_seconds,
            mos_estimate: quality.mos_estimate,
            verdict: quality.verdict.as_str(),
            reasons: &quality.reasons,
        }
    }
}

impl Facts {
    fn of(facts: &FlowFacts, view: &View<'_>) -> Self {
        let FlowFacts { stun, dtls, zrtp, rtcp, turn, modality, relayed, mapped, peer } = *facts;
        let all = [(stun, "stun"), (dtls, "dtls"), (zrtp, "zrtp"), (rtcp, "rtcp"), (turn, "turn")];
        let address = |a: Option<SocketAddr>| a.map(|a| view.address(a));
        Self {
            heard: all.into_iter().filter_map(|(heard, name)| heard.then_some(name)).collect(),
            modality: modality.map(|number| Text(Modality(number))),
            relayed: address(relayed),
            mapped: address(mapped),
            peer: address(peer),
        }
    }
}

const fn clock_source(source: ClockSource) -> Option<&'static str> {
    match source {
        ClockSource::Static => Some("static"),
        ClockSource::Configured => Some("configured"),
        ClockSource::Inferred => Some("inferred"),
        ClockSource::Unknown => None,
    }
}
