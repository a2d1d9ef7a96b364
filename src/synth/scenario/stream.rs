//! What a scenario sends: RTP streams and STUN checks.

use serde::{Deserialize, Serialize};

use super::is_default;
use super::path::{Burst, Directions, Segment};
use super::values::{Codepoint, Endpoint};
use crate::synth::media::{Class, Codec};

/// One RTP stream, or one in each direction, or many alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// By which segments name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who sends.
    pub source: Endpoint,
    /// Who receives.
    pub destination: Endpoint,
    /// Along the path: forward (where absent), reverse, or both (then a second stream runs back).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Directions>,
    /// Service class: default ports, codec and codepoint.
    #[serde(default, skip_serializing_if = "is_default")]
    pub class: Class,
    /// Codec; absent, the class has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
    /// Payload type; absent, the codec has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_type: Option<u8>,
    /// Ticks of the timestamp in a second; absent, the codec has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_rate: Option<u32>,
    /// Octets of payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<u16>,
    /// Seconds between packets; absent, 0.02 (0.01 for `l16`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet_interval: Option<f64>,
    /// Frames a second of a codec that has frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<u32>,
    /// Least and most packets of a frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_packets: Option<(u8, u8)>,
    /// Codepoint at the source; absent, the class has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dscp: Option<Codepoint>,
    /// ECN at the source: 0 not capable, 1 ECT(1), 2 ECT(0).
    #[serde(default, skip_serializing_if = "is_default")]
    pub ecn: u8,
    /// Time to live at the source; absent, 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u8>,
    /// Seconds after the scenario's start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: f64,
    /// How many packets are sent; absent, 500, or as many as `seconds` take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// For how long packets are sent, where `packets` does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// First sequence number; absent, drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u16>,
    /// First timestamp; absent, drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u32>,
    /// SSRC (of the first of several); absent, drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<u32>,
    /// Pauses in which nothing is sent; the timestamp goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silence: Vec<Silence>,
    /// Runs that are lost before the first point: sequence number and timestamp go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outage: Vec<Burst>,
    /// Packets before which the sender starts anew: sequence number and timestamp jump.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart: Vec<u64>,
    /// Packets after which one with a wild sequence number comes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stray: Vec<u64>,
    /// Telephone events: packets of payload type 101 that share a timestamp.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event: Vec<Burst>,
    /// Changes of codec, of the same clock rate or another one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codec_change: Vec<CodecChange>,
    /// Changes of codepoint at the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dscp_change: Vec<DscpChange>,
    /// Name of the relay that it runs over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// Whether packets have a header extension (RFC 8285).
    #[serde(default, skip_serializing_if = "is_default")]
    pub header_extension: bool,
    /// Whether the sender also sends encrypted RTCP on the same ports, every five seconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rtcp: bool,
    /// Whether a DTLS handshake goes before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dtls: bool,
    /// How many such streams there are, absent 1: source addresses count up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Set on a block of very many streams: the order of their packets in every packet interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Set on a block of very many streams: they start evenly over so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
    /// What happens before the first point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_mile: Option<Segment>,
}

impl Stream {
    /// A stream between two ends, everything else by default.
    #[must_use]
    pub const fn new(source: Endpoint, destination: Endpoint) -> Self {
        Self {
            name: None,
            source,
            destination,
            direction: None,
            class: Class::Audio,
            codec: None,
            payload_type: None,
            clock_rate: None,
            payload: None,
            packet_interval: None,
            frame_rate: None,
            frame_packets: None,
            dscp: None,
            ecn: 0,
            ttl: None,
            start: 0.0,
            packets: None,
            seconds: None,
            sequence: None,
            timestamp: None,
            ssrc: None,
            silence: Vec::new(),
            outage: Vec::new(),
            restart: Vec::new(),
            stray: Vec::new(),
            event: Vec::new(),
            codec_change: Vec::new(),
            dscp_change: Vec::new(),
            relay: None,
            header_extension: false,
            rtcp: false,
            dtls: false,
            count: None,
            order: None,
            spread: None,
            first_mile: None,
        }
    }

    /// Whether it is a block: very many plain streams, whose packets are made at the tap.
    pub(in crate::synth) const fn is_block(&self) -> bool {
        self.order.is_some() || self.spread.is_some()
    }
}

/// A pause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// Number of the first packet after it, from 0.
    pub at: u64,
    /// How long it is.
    pub seconds: f64,
    /// Whether the first packet after it has the marker bit; absent, it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<bool>,
    /// Whether it opens with a packet of comfort noise (payload type 13), which is then packet `at`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub comfort_noise: bool,
}

/// A change of codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodecChange {
    /// First packet of the new codec.
    pub at: u64,
    /// The new codec.
    pub codec: Codec,
}

/// A change of codepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DscpChange {
    /// First packet with the new codepoint.
    pub at: u64,
    /// The new codepoint.
    pub dscp: Codepoint,
}

/// The order of the packets of many streams within one packet interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Always the same.
    InTurn,
    /// Reshuffled in every interval: no cache helps.
    Random,
}

/// STUN binding requests between two ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stun {
    /// Who asks.
    pub client: Endpoint,
    /// Who is asked.
    pub server: Endpoint,
    /// Where the client is: forward (or absent) at the near end, reverse at the far end; both: either asks the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Directions>,
    /// Seconds after the scenario's start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: f64,
    /// Connectivity checks at the start, 50 ms apart.
    #[serde(default = "two_checks")]
    pub checks: u32,
    /// For how many seconds consent checks (RFC 7675) follow, about 5 s apart.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consent_seconds: f64,
    /// Seconds from request to response, as the client sees it.
    #[serde(default = "forty_milliseconds")]
    pub round_trip: f64,
    /// How many of the last requests stay without an answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unanswered: u32,
    /// How many of the first requests are sent again after 500 ms, the first sending having been in vain.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retransmitted: u32,
    /// Codepoint of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dscp: Option<Codepoint>,
}

const fn two_checks() -> u32 {
    2
}

const fn forty_milliseconds() -> f64 {
    0.04
}
