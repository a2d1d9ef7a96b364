//! Which session of a mirror an observation point is.

use std::fmt;
use std::net::IpAddr;

/// One session of a mirror, or all that one switch sends, as the operator names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorSession {
    /// Name of the files that hold it; none: whichever do.
    pub capture: Option<String>,
    /// What numbers it; none: everything that the switch mirrors.
    pub number: Option<MirrorNumber>,
    /// The switch: source of the tunnel's outer IP header. None: whichever sends it.
    pub from: Option<IpAddr>,
    /// Which copies of the session.
    pub copies: Copies,
}

/// What numbers a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorNumber {
    /// ERSPAN session, 0 to 1023.
    Erspan(u16),
    /// VXLAN network, 24 bits.
    Vxlan(u32),
    /// GENEVE network, 24 bits.
    Geneve(u32),
    /// The outermost VLAN tag of a remote mirror (RSPAN).
    OuterVlan(u16),
}

impl MirrorNumber {
    /// The key by which the operator's file gives it, and the number.
    #[must_use]
    pub fn key_and_value(self) -> (&'static str, u32) {
        match self {
            Self::Erspan(session) => ("erspan_session", u32::from(session)),
            Self::Vxlan(network) => ("vxlan", network),
            Self::Geneve(network) => ("geneve", network),
            Self::OuterVlan(vid) => ("outer_vlan", u32::from(vid)),
        }
    }
}

/// Copies of an ERSPAN session: version III says for each frame whether it was copied on its way into the mirrored
/// port or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Copies {
    /// All of them.
    #[default]
    Both,
    /// Frames that entered the switch.
    Ingress,
    /// Frames that left it.
    Egress,
}

impl Copies {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Both, Self::Ingress, Self::Egress];

    /// As the operator's file writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }

    /// Whether a copy is meant of which the mirror says that it was taken on the way out; none: it does not say.
    #[must_use]
    pub fn has(self, egress: Option<bool>) -> bool {
        match self {
            Self::Both => true,
            Self::Ingress => egress == Some(false),
            Self::Egress => egress == Some(true),
        }
    }
}

impl MirrorSession {
    /// Whether it may be in files of this name.
    #[must_use]
    pub fn is_in(&self, capture: &str) -> bool {
        self.capture.as_deref().is_none_or(|name| name == capture)
    }

    /// Whether a frame may belong to both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        fn meet<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            a.zip(b).is_none_or(|(a, b)| a == b)
        }
        // A tag is looked at only where no tunnel of the configuration is inside.
        let is_vlan = |session: &Self| matches!(session.number, Some(MirrorNumber::OuterVlan(_)));
        is_vlan(self) == is_vlan(other)
            && meet(self.capture.as_ref(), other.capture.as_ref())
            && meet(self.number.as_ref(), other.number.as_ref())
            && meet(self.from.as_ref(), other.from.as_ref())
            && (self.copies == other.copies || self.copies == Copies::Both || other.copies == Copies::Both)
    }
}

impl fmt::Display for MirrorSession {
    /// `erspan_session 12 from 10.0.0.1, ingress, in core`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number.map(MirrorNumber::key_and_value) {
            Some((key, value)) => write!(f, "{key} {value}")?,
            None => f.write_str("every mirror")?,
        }
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        if self.copies != Copies::Both {
            write!(f, ", {}", self.copies.as_str())?;
        }
        match &self.capture {
            Some(capture) => write!(f, ", in {capture}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: Option<MirrorNumber>, from: Option<u8>, copies: Copies) -> MirrorSession {
        MirrorSession { capture: None, number, from: from.map(|n| [10, 0, 0, n].into()), copies }
    }

    #[test]
    fn sessions_overlap_where_one_frame_may_be_of_both() {
        use MirrorNumber::{Erspan, OuterVlan, Vxlan};
        let both = Copies::Both;
        let twelve = session(Some(Erspan(12)), None, both);
        for (name, other, expected) in [
            ("the same", twelve.clone(), true),
            ("another number", session(Some(Erspan(13)), None, both), false),
            ("another kind", session(Some(Vxlan(12)), None, both), false),
            ("the same of one switch", session(Some(Erspan(12)), Some(1), both), true),
            ("all of one switch", session(None, Some(1), both), true),
            ("one way", session(Some(Erspan(12)), None, Copies::Egress), true),
            ("a tag", session(Some(OuterVlan(12)), None, both), false),
            ("another file", MirrorSession { capture: Some("core".into()), ..twelve.clone() }, true),
        ] {
            assert_eq!(twelve.overlaps(&other), expected, "{name}");
            assert_eq!(other.overlaps(&twelve), expected, "{name}, turned");
        }
        let way = |copies| session(Some(Erspan(12)), Some(1), copies);
        assert!(!way(Copies::Ingress).overlaps(&way(Copies::Egress)));
        assert!(!way(both).overlaps(&session(Some(Erspan(12)), Some(2), both)));
        let within = |name: &str| MirrorSession { capture: Some(name.into()), ..twelve.clone() };
        assert!(!within("a").overlaps(&within("b")));
    }
}
