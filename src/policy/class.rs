//! Service classes (RFC 4594) and the codepoints that are right for each.

use crate::terms::Dscp;

/// More classes than any network tells apart (64 codepoints), and few enough for a `u8`.
pub const MAX_CLASSES: usize = 64;

/// A kind of traffic with the marking that it should carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceClass {
    /// As the report prints it: `audio`, `video`, `sharing`, ...
    pub name: String,
    /// The preferred codepoint, then those that are right as well.
    pub accepted: Vec<Accepted>,
    /// The media for which payload types and cadence speak: at most one class has each.
    pub media: Option<Media>,
    /// Values of MS-Service-Quality that name this class (MS-TURN): 1 audio, 2 video,
    /// 3 supplemental video, 4 data.
    pub turn_modality: Vec<u16>,
}

/// A codepoint that is right for a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The codepoint.
    pub dscp: Dscp,
    /// Why it is right though it is not the preferred one.
    pub note: Option<String>,
}

/// What an RTP packet itself can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Media {
    /// Sound, telephone events and comfort noise.
    Audio,
    /// Pictures, with their repair packets.
    Video,
}

impl Media {
    /// As the operator's file writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}
