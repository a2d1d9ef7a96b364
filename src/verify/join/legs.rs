//! Both legs of a relay at one point that has an address on either side.
//!
//! The same packets under other addresses may be one sender's file, played in two calls. What tells a relay is the way
//! back: it passes the same two legs, and in the other order.

use std::collections::BTreeSet;

use super::Unjoined;
use crate::terms::{FlowKey, PointId, Ssrc};

/// Two records of one point that carry the same, the earlier one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Legs {
    pub(super) records: (u32, u32),
    pub(super) flows: (FlowKey, FlowKey),
    pub(super) point: PointId,
    pub(super) ssrc: Ssrc,
}

/// Why legs stay apart of which the way back says nothing.
const NO_WAY_BACK: &str = "the same packets at one point with other addresses: a relay or two senders, which the way back does not tell";

/// Pairs of records that are one stream each.
pub(super) fn told_by_the_way_back(legs: &[Legs], unjoined: &mut Vec<Unjoined>) -> Vec<(u32, u32)> {
    let known: BTreeSet<(PointId, FlowKey, FlowKey)> =
        legs.iter().map(|l| (l.point, l.flows.0, l.flows.1)).collect();
    let mut joined = Vec::new();
    for l in legs {
        if known.contains(&(l.point, l.flows.1.reversed(), l.flows.0.reversed())) {
            joined.push(l.records);
        } else {
            let views = [l.flows.0, l.flows.1].map(|flow| (l.point, flow, l.ssrc)).to_vec();
            unjoined.push(Unjoined { ssrc: l.ssrc, views, reason: NO_WAY_BACK });
        }
    }
    joined
}
