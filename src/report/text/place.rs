//! Names the place of a finding: alike for all that happened there.

use std::fmt;

use crate::decode::{Layer, Path};
use crate::meter::HopRecord;
use crate::report::view::View;
use crate::terms::PointId;
use crate::verify::{Finding, Place};

/// Where a finding is, apart from the TTLs and tunnels that differ from stream to stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spot {
    Everywhere,
    Point(PointId),
    /// Between two hops, each at its own point.
    Between {
        before: (PointId, Where),
        after: (PointId, Where),
        /// By how much the TTL falls from one to the other.
        ttl_falls: i16,
    },
    /// Between hops that the outcome does not have.
    Numbers(u16, u16),
}

/// Interface, tags and kinds of tunnel; none where the table of paths was full.
pub(super) type Where = Option<(u16, Vec<Tag>)>;

/// A layer that tells places apart, without what differs from stream to stream (channels, tunnel endpoints).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tag {
    Vlan(u16),
    Vxlan(u32),
    Geneve(u32),
    Erspan(u8, u16),
    Mpls(u32),
    Named(&'static str),
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vlan(vid) => write!(f, "VLAN {vid}"),
            Self::Vxlan(vni) => write!(f, "VXLAN {vni}"),
            Self::Geneve(vni) => write!(f, "GENEVE {vni}"),
            Self::Erspan(version, session) => write!(f, "ERSPAN{version} {session}"),
            Self::Mpls(label) => write!(f, "MPLS {label}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl Tag {
    /// Whether a tag before it needs no word, as that is what such a tunnel runs in.
    fn implies(self, before: Self) -> bool {
        let is_over_ip = matches!(
            self,
            Self::Erspan(..) | Self::Vxlan(_) | Self::Geneve(_) | Self::Named("GRE" | "TZSP" | "GTP-U")
        );
        match before {
            Self::Named("IP tunnel") => is_over_ip,
            Self::Named("GRE") => matches!(self, Self::Erspan(..)),
            _ => false,
        }
    }
}

impl From<Layer> for Tag {
    fn from(layer: Layer) -> Self {
        match layer {
            Layer::Vlan { vid, .. } => Self::Vlan(vid),
            Layer::Vxlan { vni } => Self::Vxlan(vni),
            Layer::Geneve { vni } => Self::Geneve(vni),
            Layer::Erspan { version, session, .. } => Self::Erspan(version, session),
            Layer::Mpls { label, .. } => Self::Mpls(label),
            Layer::Wlan { .. } => Self::Named("802.11"),
            Layer::Pppoe { .. } => Self::Named("PPPoE"),
            Layer::Ip { .. } => Self::Named("IP tunnel"),
            Layer::Gre { .. } => Self::Named("GRE"),
            Layer::Tzsp => Self::Named("TZSP"),
            Layer::Gtpu { .. } => Self::Named("GTP-U"),
            Layer::ChannelData { .. } | Layer::TurnIndication | Layer::MultiplexedTurn { .. } => {
                Self::Named("TURN")
            }
            Layer::TcpFraming => Self::Named("TCP"),
            Layer::Other { name } => Self::Named(name),
        }
    }
}

impl Spot {
    /// The place of a finding, and the TTLs before and after where it is between hops.
    pub(super) fn of(finding: &Finding, view: &View<'_>) -> (Self, Option<(u8, u8)>) {
        let (a, b) = match finding.place {
            Place::Everywhere => return (Self::Everywhere, None),
            Place::Point(point) => return (Self::Point(point), None),
            Place::Between(a, b) => (a, b),
        };
        let stream = finding.stream.and_then(|number| view.outcome.streams.record(number));
        let hop = |number| stream.as_ref().and_then(|record| record.hops.get(usize::from(number)));
        let (Some(before), Some(after)) = (hop(a), hop(b)) else {
            return (Self::Numbers(a, b), None);
        };
        let (old, new) = (before.ttl(), after.ttl());
        let spot = Self::Between {
            before: (before.point, of_hop(before)),
            after: (after.point, of_hop(after)),
            ttl_falls: i16::from(old) - i16::from(new),
        };
        (spot, Some((old, new)))
    }

    /// In words. `ttls` is where all findings of the place have the same.
    pub(super) fn words(&self, ttls: Option<(u8, u8)>, view: &View<'_>) -> String {
        match self {
            Self::Everywhere => "everywhere".into(),
            Self::Point(point) => format!("point {}", view.point(*point)),
            Self::Numbers(a, b) => format!("hops {} and {}", u32::from(*a) + 1, u32::from(*b) + 1),
            Self::Between { before, after, ttl_falls } => {
                let end = |(point, place): &(PointId, Where), ttl: Option<u8>| {
                    let mut words = words(place, *point, view);
                    words.extend(ttl.map(|ttl| format!("TTL {ttl}")));
                    words.join(", ")
                };
                let falls = match (ttls, ttl_falls) {
                    (None, 1..) => format!(" (TTL falls by {ttl_falls})"),
                    _ => String::new(),
                };
                let (from, to) = (end(before, ttls.map(|t| t.0)), end(after, ttls.map(|t| t.1)));
                if before.0 != after.0 {
                    let named = |point: PointId, end: String| match end.as_str() {
                        "" => format!("point {}", view.point(point)),
                        end => format!("point {} ({end})", view.point(point)),
                    };
                    return format!("{} → {}{falls}", named(before.0, from), named(after.0, to));
                }
                let point = view.point(before.0);
                if from.is_empty() && to.is_empty() {
                    return format!("point {point}{falls}");
                }
                let named = |end: String| if end.is_empty() { "untagged".to_owned() } else { end };
                format!("point {point}: {} → {}{falls}", named(from), named(to))
            }
        }
    }
}

/// Interface and tags of a hop in words; empty where there are none.
pub(super) fn of_hop_in_words(hop: &HopRecord, view: &View<'_>) -> String {
    words(&of_hop(hop), hop.point, view).join(", ")
}

fn of_hop(hop: &HopRecord) -> Where {
    let path: &Path = hop.path.as_deref()?;
    let mut tags: Vec<Tag> = Vec::with_capacity(path.layers.len());
    for tag in path.layers.iter().map(|layer| Tag::from(*layer)) {
        while tags.last().is_some_and(|before| *before == tag || tag.implies(*before)) {
            tags.pop();
        }
        tags.push(tag);
    }
    Some((path.interface, tags))
}

fn words(place: &Where, point: PointId, view: &View<'_>) -> Vec<String> {
    let Some((interface, tags)) = place else { return Vec::new() };
    let interface = view.interface(point, *interface).map(|name| match name.parse::<u16>() {
        Ok(number) => format!("interface {number}"),
        Err(_) => name.into_owned(),
    });
    interface.into_iter().chain(tags.iter().map(Tag::to_string)).collect()
}
