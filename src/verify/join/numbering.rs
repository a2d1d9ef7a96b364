//! How the sequence numbers of one hop stand to those of the next.

use super::identity::{JoinedBy, Match};
use super::marks::pairs;
use crate::meter::HopRecord;

/// Whether packets that are missing can be told by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Numbering {
    /// By RTP's own identity: the numbers are the same.
    #[default]
    Same,
    /// By payload: the numbers are the same but for a constant, so gaps are kept.
    Shifted,
    /// By payload: gaps are not kept.
    Anew,
    /// By payload: there is too little in common to tell.
    Unknown,
}

impl Numbering {
    pub(super) fn of(before: &HopRecord, after: &HopRecord, found: &[Match], joined_by: JoinedBy) -> Self {
        if joined_by == JoinedBy::Rtp {
            return Self::Same;
        }
        let is_whole = (0..before.parts.len()).all(|i| found.iter().any(|m| m.one == i))
            && (0..after.parts.len()).all(|i| found.iter().any(|m| m.other == i));
        if is_whole {
            return Self::Shifted;
        }
        let is_covered = |one: u16, other: u16| {
            found.iter().any(|m| (m.one, m.other) == (usize::from(one), usize::from(other)))
        };
        let is_anew = pairs(&before.marks, &after.marks).iter().any(|(a, b)| !is_covered(a.part, b.part));
        if is_anew { Self::Anew } else { Self::Unknown }
    }

    /// Whether what is missing can be counted.
    pub(super) const fn is_counted(self) -> bool {
        matches!(self, Self::Same | Self::Shifted)
    }

    pub(super) const fn joined_by(self) -> JoinedBy {
        if matches!(self, Self::Same) { JoinedBy::Rtp } else { JoinedBy::Payload }
    }

    /// Why nothing is counted.
    pub(super) const fn doubt(self) -> Option<&'static str> {
        match self {
            Self::Same | Self::Shifted => None,
            Self::Anew => Some("the relay numbers packets anew"),
            Self::Unknown => Some("too few equal payloads to compare numbers"),
        }
    }
}
