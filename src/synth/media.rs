//! What media looks like by default: service classes, and codecs.

use serde::{Deserialize, Serialize};

/// A service class as the Teams profile has it: a range of client ports, a service port and a codepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Client ports 50000 to 50019, EF.
    #[default]
    Audio,
    /// Client ports 50020 to 50039, AF41.
    Video,
    /// Client ports 50040 to 50059, AF21.
    Sharing,
}

impl Class {
    /// As the report writes it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Sharing => "sharing",
        }
    }

    /// First port of the client's range, which has 20.
    pub(super) const fn client_port(self) -> u16 {
        match self {
            Self::Audio => 50_000,
            Self::Video => 50_020,
            Self::Sharing => 50_040,
        }
    }

    /// The service's port.
    pub(super) const fn service_port(self) -> u16 {
        match self {
            Self::Audio => 3479,
            Self::Video => 3480,
            Self::Sharing => 3481,
        }
    }

    /// The codepoint that it should carry.
    pub(super) const fn dscp(self) -> u8 {
        match self {
            Self::Audio => 46,
            Self::Video => 34,
            Self::Sharing => 18,
        }
    }

    /// All codepoints that the profile takes for right, the preferred one first.
    pub(super) fn accepted(self) -> Vec<u8> {
        match self {
            Self::Audio => vec![46],
            Self::Video => vec![34, 36],
            Self::Sharing => vec![18, 34],
        }
    }

    /// MS-Service-Quality's stream type (MS-TURN): 1 audio, 2 video, 4 data.
    pub(super) const fn modality(self) -> u16 {
        match self {
            Self::Audio => 1,
            Self::Video => 2,
            Self::Sharing => 4,
        }
    }

    /// What it is coded with unless the scenario says otherwise.
    pub(super) const fn codec(self) -> Codec {
        match self {
            Self::Audio => Codec::Silk,
            Self::Video => Codec::H264,
            Self::Sharing => Codec::XData,
        }
    }
}

/// How media is coded: payload type, clock, packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 mu-law: payload type 0 at 8,000 Hz.
    Pcmu,
    /// G.711 A-law: payload type 8 at 8,000 Hz.
    Pcma,
    /// G.722: payload type 9, whose RTP clock is 8,000 Hz (RFC 3551, section 4.5.2).
    G722,
    /// Opus: payload type 111 at 48,000 Hz.
    Opus,
    /// SILK: payload type 104 at 16,000 Hz.
    Silk,
    /// Linear 16 bit audio: payload type 11 at 44,100 Hz.
    L16,
    /// H.264: payload type 107 at 90,000 Hz, frames of several packets.
    H264,
    /// Screen sharing, x-data: payload type 127 at 90,000 Hz, frames of several packets.
    #[serde(rename = "x-data")]
    XData,
}

/// The figures of a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coding {
    /// Payload type.
    pub payload_type: u8,
    /// Ticks of the timestamp in a second.
    pub clock_rate: u32,
    /// Octets of payload in a packet.
    pub payload: u16,
    /// Frames a second, where a frame takes several packets.
    pub frame_rate: Option<u32>,
}

impl Codec {
    /// As the report writes it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::Silk => "SILK",
            Self::L16 => "L16",
            Self::H264 => "H264",
            Self::XData => "x-data",
        }
    }

    /// Its figures.
    pub(super) const fn coding(self) -> Coding {
        let (payload_type, clock_rate, payload, frame_rate) = match self {
            Self::Pcmu => (0, 8_000, 160, None),
            Self::Pcma => (8, 8_000, 160, None),
            Self::G722 => (9, 8_000, 160, None),
            Self::Opus => (111, 48_000, 80, None),
            Self::Silk => (104, 16_000, 60, None),
            Self::L16 => (11, 44_100, 882, None),
            Self::H264 => (107, 90_000, 900, Some(30)),
            Self::XData => (127, 90_000, 700, Some(10)),
        };
        Coding { payload_type, clock_rate, payload, frame_rate }
    }
}

/// Comfort noise (RFC 3389).
pub(super) const COMFORT_NOISE: u8 = 13;
/// Telephone events (RFC 4733), by the convention of the service's clients.
pub(super) const TELEPHONE_EVENT: u8 = 101;

/// A length of time in seconds as nanoseconds.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a scenario is far shorter than 292 years; `as` saturates"
)]
pub(super) fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}
