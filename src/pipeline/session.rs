//! Mirror sessions, as the outer headers of mirrored frames name them.

use std::fmt;
use std::net::IpAddr;

use crate::decode::Layer;
use crate::policy::{MirrorNumber, MirrorSession};

/// One session of one switch. Copies of both ways are one session: a point has both directions of its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) kind: Kind,
    /// Who sends it: source of the outer IP header. None for a VLAN tag, which does not say.
    pub(super) source: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Erspan(u16),
    Vxlan(u32),
    Geneve(u32),
    OuterVlan(u16),
    /// A mirror whose tunnel has no number.
    Named(&'static str),
}

impl From<MirrorNumber> for Kind {
    fn from(number: MirrorNumber) -> Self {
        match number {
            MirrorNumber::Erspan(session) => Self::Erspan(session),
            MirrorNumber::Vxlan(network) => Self::Vxlan(network),
            MirrorNumber::Geneve(network) => Self::Geneve(network),
            MirrorNumber::OuterVlan(vid) => Self::OuterVlan(vid),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Erspan(session) => write!(f, "erspan {session}"),
            Self::Vxlan(network) => write!(f, "vxlan {network}"),
            Self::Geneve(network) => write!(f, "geneve {network}"),
            Self::OuterVlan(vid) => write!(f, "vlan {vid}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// A tunnel that is a mirror's only where the operator says so.
const GRE: &str = "gre";

/// Tunnels that may be a mirror's, outermost first, each with the way on which the copy was taken where it says so.
pub(super) fn tunnels(layers: &[Layer]) -> impl Iterator<Item = (Session, Option<bool>)> + '_ {
    let mut outer = None;
    layers.iter().filter_map(move |layer| {
        let (kind, egress) = match *layer {
            Layer::Ip { source, .. } => {
                outer = Some(source);
                return None;
            }
            Layer::Erspan { version: 1, .. } => (Kind::Named("erspan"), None),
            Layer::Erspan { session, egress, .. } => (Kind::Erspan(session), egress),
            Layer::Vxlan { vni } => (Kind::Vxlan(vni), None),
            Layer::Geneve { vni } => (Kind::Geneve(vni), None),
            Layer::Tzsp => (Kind::Named("tzsp"), None),
            Layer::Gre { .. } => (Kind::Named(GRE), None),
            Layer::Other { name: name @ "mellanox-mirror" } => (Kind::Named(name), None),
            _ => return None,
        };
        Some((Session { kind, source: outer }, egress))
    })
}

/// The session of a remote mirror (RSPAN): its tag is the outermost header.
pub(super) fn outer_vlan(layers: &[Layer]) -> Option<Session> {
    match layers.first() {
        // 0 is no network, only a priority.
        Some(&Layer::Vlan { vid: vid @ 1.., .. }) => {
            Some(Session { kind: Kind::OuterVlan(vid), source: None })
        }
        _ => None,
    }
}

/// The session by which a frame came: what is only ever a mirror's (ERSPAN, TZSP) before networks, which may be what
/// is mirrored; a tag where there is no tunnel.
pub(super) fn session(layers: &[Layer]) -> Option<Session> {
    let is_network = |session: &Session| matches!(session.kind, Kind::Vxlan(_) | Kind::Geneve(_));
    let all = || tunnels(layers).map(|(session, _)| session).filter(|s| s.kind != Kind::Named(GRE));
    all().find(|s| !is_network(s)).or_else(|| all().next()).or_else(|| outer_vlan(layers))
}

/// Whether the operator means these frames.
pub(super) fn is_meant(wanted: &MirrorSession, session: Session, egress: Option<bool>) -> bool {
    let is_number = match wanted.number.map(Kind::from) {
        Some(kind) => kind == session.kind,
        None => !matches!(session.kind, Kind::OuterVlan(_)),
    };
    is_number && (wanted.from.is_none() || wanted.from == session.source) && wanted.copies.has(egress)
}
