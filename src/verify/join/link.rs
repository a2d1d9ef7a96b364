//! Which records are views of one stream.

use super::identity::by_rtp;
use super::marks::carry_other_payload;
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
    /// The same at one point: both legs of a relay with an address on either side, if the way back says so too.
    TwoLegs,
    /// The same numbers and timestamps, yet other payloads: two senders that count alike, or a relay that encrypts anew.
    /// Joins nothing.
    OtherPayload,
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
    // A translation changes nothing of RTP, and without an address in common only what is carried could tell.
    if bond != Bond::Relay && found.iter().all(|m| carry_other_payload(here, there, m)) {
        return (!is_one_point).then_some(Bond::OtherPayload);
    }
    if is_one_point {
        let (least, most) = distances_ns(here, there, &found)?;
        if least.saturating_abs().max(most.saturating_abs()) > LONGEST_AT_ONE_POINT_NS {
            return None;
        }
        if bond == Bond::Unique {
            let is_after = least > 0 || most < 0;
            return is_after.then_some(Bond::TwoLegs);
        }
        let passes_a_router = bond == Bond::Relay || here.ttl() != there.ttl();
        if !passes_a_router {
            return None;
        }
    }
    Some(bond)
}

/// Whether the first of two records was heard before the other, where the same packets tell.
pub(super) fn is_before(here: &[HopRecord], there: &[HopRecord]) -> Option<bool> {
    let (here, there) = (here.first()?, there.first()?);
    let (least, _) = distances_ns(here, there, &by_rtp(here, there))?;
    Some(least > 0)
}

/// How much later than at the first hop the same packets were heard at the other, at least and at most.
fn distances_ns(here: &HopRecord, there: &HopRecord, found: &[super::identity::Match]) -> Option<(i64, i64)> {
    let theirs: std::collections::HashMap<(u16, u32), i64> =
        there.samples.iter().map(|s| ((s.part, s.sequence), s.arrival.0)).collect();
    let apart = here.samples.iter().filter_map(|s| {
        let m = found.iter().find(|m| m.one == usize::from(s.part))?;
        let other = u16::try_from(m.other).ok()?;
        let arrival = theirs.get(&(other, s.sequence.wrapping_add(m.shift)))?;
        Some(arrival.saturating_sub(s.arrival.0))
    });
    let apart: Vec<i64> = apart.collect();
    Some((*apart.iter().min()?, *apart.iter().max()?))
}
