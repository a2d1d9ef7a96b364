//! What the meter hands on: one record per RTP stream and point.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use smallvec::SmallVec;

use super::payload::PayloadMark;
use super::samples::Sample;
use super::tunnel::TunnelCount;
use crate::decode::Path;
use crate::terms::{ClockRate, Dscp, FlowKey, PointId, RtpTime, Ssrc, Timestamp, Transport};

/// Packets by DSCP (or by another small number), in the order in which the values were first seen.
pub type Histogram = SmallVec<[(u8, u64); 1]>;

static EMPTY: Histogram = Histogram::new_const();

/// One RTP stream (one SSRC in one direction) as seen from one observation point.
#[derive(Debug, Clone)]
pub struct StreamRecord {
    /// Where it was seen.
    pub point: PointId,
    /// The 5-tuple of the innermost IP packet.
    pub flow: FlowKey,
    /// Synchronisation source.
    pub ssrc: Ssrc,
    /// Arrival of the first packet, at whichever hop.
    pub first: Timestamp,
    /// Arrival of the last packet, at whichever hop.
    pub last: Timestamp,
    /// Payload types, most packets first (of the first hop).
    pub payload_types: SmallVec<[PayloadType; 2]>,
    /// Median time between packets, in seconds, where there were enough to tell.
    pub packet_interval_seconds: Option<f32>,
    /// Mean payload size: octets of the IP packet.
    pub mean_octets: f32,
    /// The places at which it was seen, in the order of travel.
    pub hops: Vec<HopRecord>,
    /// What STUN, TURN and DTLS on the flow said.
    pub facts: Option<Arc<FlowFacts>>,
}

impl StreamRecord {
    /// A record that is yet to be filled in.
    pub(super) fn blank() -> Self {
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            point: PointId(0),
            flow: FlowKey { source: nobody, destination: nobody, transport: Transport::Udp },
            ssrc: Ssrc(0),
            first: Timestamp(0),
            last: Timestamp(0),
            payload_types: SmallVec::new(),
            packet_interval_seconds: None,
            mean_octets: 0.0,
            hops: Vec::new(),
            facts: None,
        }
    }
}

/// One payload type of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadType {
    /// 0 to 127.
    pub number: u8,
    /// How many packets had it.
    pub packets: u64,
    /// Ticks of the timestamp in a second, where known.
    pub clock_rate: Option<ClockRate>,
    /// How the clock rate is known.
    pub clock_source: ClockSource,
}

/// How a clock rate is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockSource {
    /// RFC 3551 assigns the payload type.
    Static,
    /// The operator's configuration says so.
    Configured,
    /// From timestamps against arrival times.
    Inferred,
    /// Not known: there are no jitter figures.
    Unknown,
}

/// What was counted at one hop. All counts are exact, by the rules in the README's section "Counting".
#[derive(Debug, Clone)]
pub struct HopRecord {
    /// Where it was seen.
    pub point: PointId,
    /// The 5-tuple here: another one behind a translation or a relay.
    pub flow: FlowKey,
    /// Synchronisation source here: another one behind a relay that sets its own.
    pub ssrc: Ssrc,
    /// Interface, tags and tunnels; `None` when the table of paths was full.
    pub path: Option<Arc<Path>>,
    /// The ways over which the hop was reached: one, unless the stream changed its path. Most packets first.
    pub ways: SmallVec<[Way; 1]>,
    /// Arrival of the first packet here.
    pub first: Timestamp,
    /// Arrival of the last packet here.
    pub last: Timestamp,
    /// RTP packets seen: `unique + duplicates + stray`.
    pub packets: u64,
    /// Distinct extended sequence numbers.
    pub unique: u64,
    /// Highest minus lowest plus one, summed over the parts between restarts.
    pub expected: u64,
    /// A sequence number seen before at this hop.
    pub duplicates: u64,
    /// A jump that no second packet confirmed.
    pub stray: u64,
    /// Below the highest so far and not seen before.
    pub reordered: u64,
    /// Restarts of sequence or timestamp.
    pub resets: u32,
    /// Outages: large jumps in which sequence, timestamp and time advanced alike.
    pub outages: u32,
    /// RFC 3550 interarrival jitter; `None` where the clock rate is unknown or nothing updated it.
    pub jitter: Option<Jitter>,
    /// Runs of lost packets, by length: 1, 2, 3-4, 5-9, 10-19, 20 and more.
    pub loss_bursts: [u64; 6],
    /// Packets by codepoint, strays with them: it adds up to `packets`.
    pub dscp: Histogram,
    /// Changes of codepoint in arrival order: at most [`MAX_CHANGES`] are kept.
    pub dscp_changes: Vec<DscpChange>,
    /// How many changes there were.
    pub dscp_change_count: u64,
    /// Packets by ECN.
    pub ecn: Histogram,
    /// Markings besides the codepoint; none where there is nothing but IP on the link.
    pub other: Option<Box<OtherMarkings>>,
    /// The parts between restarts: which numbers were seen. The first [`MAX_PARTS`] where there are more.
    pub parts: Vec<Part>,
    /// Packets that every hop chooses alike.
    pub samples: Vec<Sample>,
    /// Packets chosen by their payload, in the order of their hashes.
    pub marks: Vec<PayloadMark>,
    /// Octets of the IP packets counted.
    pub octets: u64,
}

/// Markings of a hop besides the codepoint of its packets.
#[derive(Debug, Clone, Default)]
pub struct OtherMarkings {
    /// Packets by priority code point of the innermost VLAN tag; empty where untagged.
    pub pcp: Histogram,
    /// Packets by 802.11 user priority.
    pub user_priority: Histogram,
    /// Packets by MPLS traffic class (bottom of stack).
    pub mpls_tc: Histogram,
    /// Packets by codepoint of the outermost tunnel's IP header.
    pub outer_dscp: Histogram,
    /// Later fragments of the stream's packets, by codepoint: counted apart.
    pub fragments: Histogram,
}

/// What was seen between two restarts.
#[derive(Debug, Clone)]
pub struct Part {
    /// Lowest extended sequence number. The numbers of a part begin in the second cycle, wherever it was first
    /// heard: those of two hops differ by whole cycles.
    pub lowest: u32,
    /// Highest extended sequence number.
    pub highest: u32,
    /// The first packet that arrived.
    pub begin: Anchor,
    /// The packet with the highest number.
    pub end: Anchor,
    /// Runs of numbers between lowest and highest that were not seen, in order.
    pub missing: Vec<MissingRun>,
    /// Numbers in runs that were too many to be kept.
    pub missing_unlisted: u64,
}

/// One packet of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Extended sequence number.
    pub sequence: u32,
    /// RTP timestamp.
    pub timestamp: RtpTime,
    /// Capture time.
    pub arrival: Timestamp,
}

/// Sequence numbers in a row that were not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingRun {
    /// The first of them, extended.
    pub first: u32,
    /// How many.
    pub length: u32,
    /// The last packet before them, in milliseconds since the first packet of the part, rounded down.
    pub since_ms: u32,
    /// The first packet after them, rounded up.
    pub until_ms: u32,
}

impl Part {
    /// When a run of it stayed out: from the packet before to the packet after.
    #[must_use]
    pub fn silence(&self, run: &MissingRun) -> (Timestamp, Timestamp) {
        let at = |ms: u32| Timestamp(self.begin.arrival.0.saturating_add(i64::from(ms) * 1_000_000));
        (at(run.since_ms), at(run.until_ms))
    }
}

/// Parts that a hop keeps.
pub const MAX_PARTS: usize = 64;

/// Runs of missing numbers that the parts of a hop keep, all together.
pub const MAX_RUNS: usize = 16_384;

/// How many changes of marking a hop keeps; the rest is counted only.
pub const MAX_CHANGES: usize = 16;

impl HopRecord {
    /// `expected - unique`.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.unique)
    }

    /// Packets by priority code point of the innermost VLAN tag; empty where untagged.
    #[must_use]
    pub fn pcp(&self) -> &Histogram {
        self.other.as_ref().map_or(&EMPTY, |o| &o.pcp)
    }

    /// Packets by 802.11 user priority.
    #[must_use]
    pub fn user_priority(&self) -> &Histogram {
        self.other.as_ref().map_or(&EMPTY, |o| &o.user_priority)
    }

    /// Packets by MPLS traffic class (bottom of stack).
    #[must_use]
    pub fn mpls_tc(&self) -> &Histogram {
        self.other.as_ref().map_or(&EMPTY, |o| &o.mpls_tc)
    }

    /// Packets by codepoint of the outermost tunnel's IP header.
    #[must_use]
    pub fn outer_dscp(&self) -> &Histogram {
        self.other.as_ref().map_or(&EMPTY, |o| &o.outer_dscp)
    }

    /// Later fragments of the stream's packets, by codepoint: counted apart.
    #[must_use]
    pub fn fragments(&self) -> &Histogram {
        self.other.as_ref().map_or(&EMPTY, |o| &o.fragments)
    }

    /// TTL of the way with the most packets.
    #[must_use]
    pub fn ttl(&self) -> u8 {
        self.ways.first().map_or(0, |w| w.ttl)
    }
}

/// One way over which a hop was reached.
#[derive(Debug, Clone)]
pub struct Way {
    /// Time to live.
    pub ttl: u8,
    /// Packets that came this way.
    pub packets: u64,
    /// Where it differs from the hop's.
    pub path: Option<Arc<Path>>,
    /// The first packet that came this way.
    pub first: Timestamp,
    /// The last one.
    pub last: Timestamp,
}

/// Interarrival jitter of one hop, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter {
    /// The estimator after the last update.
    pub last: f64,
    /// Mean of the estimator over all updates.
    pub mean: f64,
    /// Its highest value.
    pub max: f64,
    /// How often it was updated.
    pub updates: u64,
}

/// A packet whose codepoint differed from that of the packet before it at the same hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DscpChange {
    /// Arrival of the first packet with the new codepoint.
    pub at: Timestamp,
    /// Codepoint before.
    pub from: Dscp,
    /// Codepoint after.
    pub to: Dscp,
    /// Extended sequence number of that packet.
    pub sequence: u32,
    /// The part of the stream: restarts before it.
    pub part: u16,
}

/// What STUN, TURN and DTLS said on a flow or its reverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct FlowFacts {
    /// STUN messages were seen.
    pub stun: bool,
    /// DTLS records were seen.
    pub dtls: bool,
    /// ZRTP packets were seen.
    pub zrtp: bool,
    /// RTCP was seen.
    pub rtcp: bool,
    /// TURN: an Allocate, a channel or an indication was seen, so the far end is a relay.
    pub turn: bool,
    /// MS-Service-Quality of the Allocate request: 1 audio, 2 video, 3 supplemental video, 4 data.
    pub modality: Option<u16>,
    /// Relayed transport address that the relay gave.
    pub relayed: Option<SocketAddr>,
    /// Mapped address: how the client looks from outside.
    pub mapped: Option<SocketAddr>,
    /// Peer of the channel last bound.
    pub peer: Option<SocketAddr>,
}

/// STUN between one client and one server (or peer), of one kind of request, at one point.
#[derive(Debug, Clone)]
pub struct StunRecord {
    /// Where it was seen.
    pub point: PointId,
    /// Who asked.
    pub client: SocketAddr,
    /// Who was asked.
    pub server: SocketAddr,
    /// UDP or TCP.
    pub transport: Transport,
    /// `binding`, `allocate`, `refresh`, `create-permission`, `channel-bind`, ...
    pub kind: &'static str,
    /// Requests, without retransmissions.
    pub requests: u64,
    /// Transactions that were answered, with success or an error.
    pub responses: u64,
    /// Answered with an error.
    pub errors: u64,
    /// Error codes seen, with how often.
    pub error_codes: SmallVec<[(u16, u64); 2]>,
    /// Transactions without an answer, after their time was over.
    pub unanswered: u64,
    /// Requests whose transaction was already open.
    pub retransmitted: u64,
    /// Responses whose request was not heard.
    pub unmatched: u64,
    /// Requests that look like consent checks (RFC 7675): after a nomination, 4 to 6 s apart.
    pub consent_checks: u64,
    /// Time from the (last) request to its response.
    pub round_trip: Option<RoundTrip>,
    /// Requests by codepoint, retransmissions with them.
    pub dscp_requests: Histogram,
    /// Responses by codepoint.
    pub dscp_responses: Histogram,
    /// First message.
    pub first: Timestamp,
    /// Last message.
    pub last: Timestamp,
    /// What Allocate and `ChannelBind` said.
    pub facts: FlowFacts,
}

/// Round-trip times, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundTrip {
    /// Smallest.
    pub min: f64,
    /// Mean.
    pub mean: f64,
    /// 99th percentile (nearest rank; over the newest 512 samples where there are more).
    pub p99: f64,
    /// Largest.
    pub max: f64,
    /// How many transactions were timed.
    pub samples: u64,
}

/// What the meter itself dropped, refused or could not place: shown in the report, never hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MeterCounters {
    /// Packets with the form of RTP that never became a stream.
    pub unconfirmed_rtp_packets: u64,
    /// Candidates pushed out because the table was full.
    pub candidates_evicted: u64,
    /// Streams that ended early because the table was full.
    pub streams_evicted: u64,
    /// STUN transactions pushed out because the table was full.
    pub transactions_evicted: u64,
    /// Fragments whose first fragment was not heard.
    pub orphan_fragments: u64,
    /// Hops of a stream beyond the bound: their packets are counted here only.
    pub packets_beyond_hop_limit: u64,
    /// Streams that ended when there was no room for another record: they are counted here only.
    pub records_refused: u64,
    /// Frames whose tags and tunnels did not fit the table of paths.
    pub paths_overflowed: u64,
    /// Packets of mirror sessions beyond the bound of points: they are counted at the point of their files.
    pub packets_beyond_point_limit: u64,
    /// Frames of mirror tunnels beyond the bound: their sequence numbers were not followed.
    pub tunnel_frames_unfollowed: u64,
}

/// One capture that was read: what it held, where it broke, what could not be decoded.
#[derive(Debug, Clone)]
pub struct CaptureRecord {
    /// File name as given, or `-`.
    pub file: String,
    /// The observation point it belongs to.
    pub point: PointId,
    /// Further points that may have packets in it: its interfaces, or mirror sessions.
    pub other_points: Vec<PointId>,
    /// `pcap`, `pcap-ns`, `pcapng`, `snoop`, ... and the compression, as in `pcapng+gzip`.
    pub format: String,
    /// Frames read.
    pub packets: u64,
    /// Their octets as captured.
    pub bytes: u64,
    /// First capture time.
    pub first: Option<Timestamp>,
    /// Last capture time (the latest, not that of the last frame).
    pub last: Option<Timestamp>,
    /// Where the file is cut off or damaged, in words: octet, frame and what was found.
    pub damage: Option<String>,
    /// Frames that were not decoded to a UDP or TCP packet, by reason.
    pub undecoded: Vec<(&'static str, u64)>,
    /// Frames that the capturing machine says it dropped, where it says so.
    pub dropped: Option<u64>,
    /// Names of the interfaces, where the file has them.
    pub interfaces: Vec<Option<String>>,
    /// Sessions of mirrors that number their frames, as far as this file holds them.
    pub tunnels: Vec<MirrorTunnel>,
}

impl CaptureRecord {
    /// Frames of mirrors that number them which never came; none where no mirror does.
    #[must_use]
    pub fn tunnel_lost(&self) -> Option<u64> {
        let lost = self.tunnels.iter().map(|tunnel| tunnel.count.lost).sum();
        (!self.tunnels.is_empty()).then_some(lost)
    }
}

/// One session of a mirror that numbers its frames (ERSPAN II and III), within one capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MirrorTunnel {
    /// The switch: source of the outer IP header.
    pub source: IpAddr,
    /// The collector: destination of the outer IP header.
    pub destination: IpAddr,
    /// ERSPAN session, 0 to 1023.
    pub session: u16,
    /// Frames heard and frames missing.
    pub count: TunnelCount,
}

/// A time in which frames were lost on their way to the program, and not on the way that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapGap {
    /// The observation point that missed them.
    pub point: PointId,
    /// The last moment before them that is known to be whole.
    pub from: Timestamp,
    /// The first moment after them.
    pub to: Timestamp,
    /// How many frames, where that is known.
    pub frames: Option<u64>,
    /// What tells of it.
    pub evidence: TapEvidence,
}

/// What tells that frames were lost on their way to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TapEvidence {
    /// The capturing machine counted frames that it dropped.
    DropCount,
    /// Sequence numbers of the mirror's own tunnel (ERSPAN II and III, RFC 2890) are missing.
    TunnelSequence,
    /// Streams that have nothing to do with each other were silent and lost packets at the same moment. That may
    /// have been the network too.
    SharedGap,
    /// None of the point's files covers the time between two of them.
    BetweenFiles,
    /// The interface that is listened to was down or gone.
    SourceDown,
}

impl TapEvidence {
    /// As the report writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DropCount => "drop-count",
            Self::TunnelSequence => "tunnel-sequence",
            Self::SharedGap => "shared-gap",
            Self::BetweenFiles => "between-files",
            Self::SourceDown => "source-down",
        }
    }
}

impl MeterCounters {
    /// Adds another meter's.
    pub const fn add(&mut self, other: &Self) {
        self.unconfirmed_rtp_packets += other.unconfirmed_rtp_packets;
        self.candidates_evicted += other.candidates_evicted;
        self.streams_evicted += other.streams_evicted;
        self.transactions_evicted += other.transactions_evicted;
        self.orphan_fragments += other.orphan_fragments;
        self.packets_beyond_hop_limit += other.packets_beyond_hop_limit;
        self.records_refused += other.records_refused;
        self.paths_overflowed += other.paths_overflowed;
        self.packets_beyond_point_limit += other.packets_beyond_point_limit;
        self.tunnel_frames_unfollowed += other.tunnel_frames_unfollowed;
    }
}
