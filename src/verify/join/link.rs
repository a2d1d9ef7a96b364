//! Which records are views of one stream.

use super::identity::by_rtp;
use crate::meter::{Head, HopRecord};

/// By what two records are one stream, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bond {
    /// The same 5-tuple at another point.
    SameFlow,
    /// The one's receiver is the other's sender: a relay.
    Relay,
    /// One end is the same, the other was translated.
    Translation,
    /// No address in common, but the same packets, and no other record that could be meant.
    Unique,
}

/// Packets that must be equal before records with different 5-tuples are held for one stream.
const PROOF: usize = 2;
/// At one point, and so by one clock, copies of a packet are not further apart than this.
const LONGEST_AT_ONE_POINT_NS: i64 = 1_000_000_000;

/// A record's head and hops.
type Record<'a> = (&'a Head, &'a [HopRecord]);

/// How two records of one SSRC hang together; `None` where they do not.
pub(super) fn bond((a, here): Record<'_>, (b, there): Record<'_>) -> Option<Bond> {
    let has_common_type =
        a.payload_types.iter().any(|p| b.payload_types.iter().any(|q| p.number == q.number));
    let is_one_point = a.point == b.point;
    if !has_common_type || (is_one_point && a.flow == b.flow) {
        return None;
    }
    let (here, there) = (here.first()?, there.first()?);
    let found = by_rtp(here, there);
    let equal: usize = found.iter().map(|m| m.equal).sum();
    if found.is_empty() {
        return None;
    }
    if a.flow == b.flow {
        return Some(Bond::SameFlow);
    }
    if equal < PROOF {
        return None;
    }
    let (f, g) = (a.flow, b.flow);
    let (same_source, same_destination) =
        (f.source.ip() == g.source.ip(), f.destination.ip() == g.destination.ip());
    let is_relay = f.destination.ip() == g.source.ip() || g.destination.ip() == f.source.ip();
    let bond = if is_relay && !(same_source || same_destination) {
        Bond::Relay
    } else if same_source != same_destination {
        Bond::Translation
    } else {
        Bond::Unique
    };
    if is_one_point {
        let apart = distance_ns(here, there, &found)?;
        let passes_a_router = bond == Bond::Relay || here.ttl() != there.ttl();
        if bond == Bond::Unique || !passes_a_router || apart > LONGEST_AT_ONE_POINT_NS {
            return None;
        }
    }
    Some(bond)
}

/// How far apart the same packets were heard, at most.
fn distance_ns(here: &HopRecord, there: &HopRecord, found: &[super::identity::Match]) -> Option<i64> {
    let theirs: std::collections::HashMap<(u16, u32), i64> =
        there.samples.iter().map(|s| ((s.part, s.sequence), s.arrival.0)).collect();
    let apart = here.samples.iter().filter_map(|s| {
        let m = found.iter().find(|m| m.one == usize::from(s.part))?;
        let other = u16::try_from(m.other).ok()?;
        let arrival = theirs.get(&(other, s.sequence.wrapping_add(m.shift)))?;
        Some(arrival.saturating_sub(s.arrival.0).saturating_abs())
    });
    apart.max()
}
