//! The path of a scenario: points, segments, tunnels, relays.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::is_default;
use super::values::{Codepoint, Endpoint, Match};

/// One place at which packets are heard, and the segment between it and the place before it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Name of the observation point, and of its capture file.
    pub name: String,
    /// VLAN identifiers of the frames heard here, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlan: Vec<u16>,
    /// Priority code point of the tags; absent, the upper three bits of the DSCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcp: Option<u8>,
    /// Tunnels around the packets heard here, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encapsulation: Vec<Encapsulation>,
    /// Routers between the place before and this one; absent, 1 (0 at the first).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_drop: Option<u8>,
    /// Seconds that a packet takes from the place before to this one.
    #[serde(default = "one_millisecond")]
    pub delay: f64,
    /// The mirror hears every packet again after one more router, 50 microseconds later.
    #[serde(default, skip_serializing_if = "is_default")]
    pub also_after_router: bool,
    /// VLAN identifiers of what is heard after that router; absent, the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_router_vlan: Option<Vec<u16>>,
    /// Share of packets that this mirror misses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mirror_loss: f64,
    /// Share of packets that this mirror delivers twice.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mirror_duplicates: f64,
    /// Times in which this mirror delivers nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirror_gaps: Vec<Interval>,
    /// The direction of travel that this mirror delivers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mirror_direction: Directions,
    /// How a pcapng capture says what its machine dropped: the frames of `mirror_gaps`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drop_counts: DropCounts,
    /// Octets of a frame that are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snap: Option<u32>,
    /// Seconds by which this point's clock is fast.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clock_offset: f64,
    /// By how much its clock runs fast from the scenario's start on, in millionths.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clock_drift: f64,
    /// From here on the near end has this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<IpAddr>,
    /// A relay just before this point writes the RTP that passes it anew, in both directions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Rewrite>,
    /// Every second packet comes here over a way with one more router.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ecmp: bool,
    /// From this packet of a stream on, it comes here over two more routers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reroute_at: Option<u64>,
    /// What the segment between the place before and this one does.
    #[serde(default, rename = "segment", skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
}

/// What a relay writes anew in RTP packets; everything else it leaves as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub struct Rewrite {
    /// Another SSRC.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ssrc: bool,
    /// What is added to sequence numbers, so that gaps are kept.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sequence_offset: u16,
    /// Sequence numbers without gaps: what comes is counted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub renumber: bool,
    /// What is added to timestamps.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timestamp_offset: u32,
    /// Another payload type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_type: Option<u8>,
    /// Header extensions are left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drop_extension: bool,
    /// The payload is encrypted anew.
    #[serde(default, skip_serializing_if = "is_default")]
    pub encrypt: bool,
}

/// What happens to packets on their way over one segment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// In which direction.
    #[serde(default, skip_serializing_if = "is_default")]
    pub direction: Directions,
    /// Names of the streams that it happens to; none for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<String>,
    /// Codepoints that are changed; the first that fits counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remark: Vec<Remark>,
    /// Share of packets lost, one by one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub loss: f64,
    /// Packets lost, by their number in the stream, from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lose: Vec<u64>,
    /// Runs of packets lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bursts: Vec<Burst>,
    /// Times in which nothing comes through, by when it should have arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub down: Vec<Interval>,
    /// Share of packets that arrive twice.
    #[serde(default, skip_serializing_if = "is_default")]
    pub duplicates: f64,
    /// Share of packets that are overtaken.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reorder: f64,
    /// By how many packets they are overtaken, 1 to 10; absent, 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reorder_by: Option<u8>,
    /// Standard deviation of the delay added, in seconds; packets queue and do not overtake.
    #[serde(default, skip_serializing_if = "is_default")]
    pub jitter: f64,
    /// Share of ECN-capable packets that are marked CE.
    #[serde(default, skip_serializing_if = "is_default")]
    pub congestion: f64,
}

/// A time, in true seconds of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// When it begins.
    pub at: f64,
    /// How long it lasts.
    pub lasting: f64,
}

/// How a capture says what the capturing machine dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DropCounts {
    /// Not at all, as if the mirror's port dropped it.
    #[default]
    None,
    /// Beside the next frame.
    Packets,
    /// In statistics of the interface, once a second and at the end.
    Statistics,
}

/// Ways along the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Directions {
    /// Both ways.
    #[default]
    Both,
    /// From the near end to the far end.
    Forward,
    /// From the far end to the near end.
    Reverse,
}

impl Directions {
    /// Whether packets of this way are meant.
    pub(in crate::synth) fn covers(self, reverse: bool) -> bool {
        match self {
            Self::Both => true,
            Self::Forward => !reverse,
            Self::Reverse => reverse,
        }
    }
}

/// A change of codepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    /// Codepoint before, or `"any"`.
    pub from: Match,
    /// Codepoint after.
    pub to: Codepoint,
}

/// A run of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// Number of the first packet in the stream, from 0.
    pub at: u64,
    /// How many.
    pub packets: u64,
}

/// A tunnel around what a mirror or an operator carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encapsulation {
    /// ERSPAN type I: an Ethernet frame in GRE, without a header of its own.
    Erspan1,
    /// ERSPAN type II.
    Erspan2,
    /// ERSPAN type III.
    Erspan3,
    /// VXLAN (RFC 7348).
    Vxlan,
    /// GENEVE (RFC 8926).
    Geneve,
    /// `TaZmen` Sniffer Protocol.
    Tzsp,
    /// An IP packet in GRE (RFC 2784).
    Gre,
    /// GTP-U (3GPP TS 29.281).
    GtpU,
    /// An IP packet in an IP packet (RFC 2003, RFC 2473).
    IpInIp,
    /// MPLS, one label (RFC 3032).
    Mpls,
    /// A `PPPoE` session (RFC 2516).
    Pppoe,
}

impl Encapsulation {
    /// Whether its content begins with an Ethernet header, as what a mirror sends does.
    pub(in crate::synth) const fn carries_ethernet(self) -> bool {
        matches!(
            self,
            Self::Erspan1 | Self::Erspan2 | Self::Erspan3 | Self::Vxlan | Self::Geneve | Self::Tzsp
        )
    }
}

/// A TURN relay between the near end, which is its client, and the far end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// By which streams name it.
    pub name: String,
    /// Where it listens; port 3478 unless given.
    pub address: Endpoint,
    /// The address it lends; absent, its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relayed: Option<IpAddr>,
    /// How media is wrapped between client and relay.
    #[serde(default, skip_serializing_if = "is_default")]
    pub framing: Framing,
    /// The first point beyond the relay; absent, all points are on the client's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bare_from: Option<String>,
    /// Whether the client is heard to allocate and to bind; absent, it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocate: Option<bool>,
}

/// How media is wrapped on the way to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// `ChannelData` (RFC 8656, section 12.4).
    #[default]
    Channel,
    /// Send and Data indications (RFC 8656, section 11).
    Indication,
    /// Multiplexed TURN (MS-TURN, section 2.2.3).
    MsTurn,
    /// Not at all: a media relay that is told by signalling where to send, and is no TURN server.
    Plain,
}

const fn one_millisecond() -> f64 {
    0.001
}
