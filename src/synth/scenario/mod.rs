//! The scenario file: what is sent, and what happens on the way.
//!
//! A path of observation points lies between a near end and a far end. Streams run *forward* (near to far) or in
//! *reverse*; between two points lies a segment, which may lose, delay, double or re-mark what crosses it.
//! Every key has a default: one point and one stream with two addresses are a whole scenario.

mod path;
mod stream;
mod values;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::SynthError;

pub use path::{
    Burst, Directions, DropCounts, Encapsulation, Framing, Interval, Point, Relay, Remark, Rewrite, Segment,
};
pub use stream::{CodecChange, DscpChange, Order, Silence, Stream, Stun};
pub use values::{Codepoint, Endpoint, Match, Moment};

/// A whole scenario.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What everything random is drawn from.
    #[serde(default)]
    pub seed: u64,
    /// Time of the scenario's second 0.
    #[serde(default)]
    pub start: Moment,
    /// File format of the captures, unless the command line names one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub format: Format,
    /// All points as interfaces of one pcapng file, `capture.pcapng`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub one_file: bool,
    /// All points in one file, `capture`, as the collector of their mirrors hears them: each point has a tunnel of its
    /// own, or an outermost VLAN tag of its own. ERSPAN II and III number what a point's mirror misses too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub one_collector: bool,
    /// Observation points from the near end to the far end. A name may stand twice: one mirror, two places.
    #[serde(default, rename = "point")]
    pub points: Vec<Point>,
    /// TURN relays.
    #[serde(default, rename = "relay", skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<Relay>,
    /// RTP streams.
    #[serde(default, rename = "stream", skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<Stream>,
    /// STUN connectivity and consent checks.
    #[serde(default, rename = "stun", skip_serializing_if = "Vec::is_empty")]
    pub stun: Vec<Stun>,
    /// Traffic that is no media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
}

/// File format of captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// pcap with nanoseconds.
    #[default]
    Pcap,
    /// pcapng with nanoseconds.
    Pcapng,
}

/// Traffic that is no media but may look like it: random UDP, TCP, DNS, QUIC, ESP in UDP, `WireGuard`, games,
/// ICMP errors that quote RTP, ARP.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// How many packets; absent, as many as `share` asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Share of all packets, 0 to below 1.
    #[serde(default, skip_serializing_if = "is_default")]
    pub share: f64,
    /// Over how many seconds; absent, as long as the media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is not TOML, or has a key or value that does not exist: with its line.
    pub fn read(path: &Path) -> Result<Self, SynthError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SynthError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|error| SynthError::Parse { path: path.to_owned(), problem: error.to_string() })
    }
}

/// Whether a key can be left out of a written scenario.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
