//! What a hop has besides what all have; one bit each.

use crate::meter::{Histogram, HopRecord, OtherMarkings, Part};
use crate::terms::Timestamp;

// Those that are common stand first, so that mostly the flags are one octet.
pub(super) const JITTER: u64 = 1;
/// One priority code point on all packets, and no other marking besides the codepoint.
pub(super) const PCP: u64 = 1 << 1;
/// Not one part from start to end, in which nothing is missing.
pub(super) const PARTS: u64 = 1 << 2;
pub(super) const LOSS: u64 = 1 << 3;
pub(super) const BURSTS: u64 = 1 << 4;
pub(super) const REORDERED: u64 = 1 << 5;
/// It began later, or ended earlier, than the record.
pub(super) const TIMES: u64 = 1 << 6;
pub(super) const UNIQUE: u64 = 1 << 7;
pub(super) const DUPLICATES: u64 = 1 << 8;
pub(super) const STRAY: u64 = 1 << 9;
pub(super) const RESETS: u64 = 1 << 10;
pub(super) const OUTAGES: u64 = 1 << 11;
pub(super) const CHANGES: u64 = 1 << 12;
/// Other markings besides the codepoint, and not [`PCP`].
pub(super) const OTHER: u64 = 1 << 13;
pub(super) const SEVERAL_DSCP: u64 = 1 << 14;
pub(super) const SEVERAL_ECN: u64 = 1 << 15;
/// Not one way from start to end.
pub(super) const WAYS: u64 = 1 << 16;

/// What a hop has of a record that lasted so long.
pub(super) fn of(hop: &HopRecord, lasting: (Timestamp, Timestamp)) -> u64 {
    let HopRecord { packets, first, last, .. } = *hop;
    let is_only = |histogram: &Histogram| matches!(**histogram, [(_, all)] if all == packets);
    let has_pcp = hop.other.as_ref().is_some_and(|other| is_only(&other.pcp) && has_nothing_else(other));
    let is_one_way = matches!(&*hop.ways, [way] if way.packets == packets && way.path.is_none()
        && (way.first, way.last) == (first, last));
    let all = [
        (hop.unique != packets.wrapping_sub(hop.duplicates).wrapping_sub(hop.stray), UNIQUE),
        (hop.expected != hop.unique, LOSS),
        (hop.duplicates > 0, DUPLICATES),
        (hop.stray > 0, STRAY),
        (hop.reordered > 0, REORDERED),
        (hop.resets > 0, RESETS),
        (hop.outages > 0, OUTAGES),
        (hop.jitter.is_some(), JITTER),
        (hop.loss_bursts != [0; 6], BURSTS),
        (hop.dscp_change_count > 0 || !hop.dscp_changes.is_empty(), CHANGES),
        (has_pcp, PCP),
        (hop.other.is_some() && !has_pcp, OTHER),
        (!is_only(&hop.dscp), SEVERAL_DSCP),
        (!is_only(&hop.ecn), SEVERAL_ECN),
        ((first, last) != lasting, TIMES),
        (!is_one_way, WAYS),
        (!matches!(&*hop.parts, [part] if is_whole(part, first, last)), PARTS),
    ];
    all.into_iter().filter(|f| f.0).fold(0, |flags, f| flags | f.1)
}

/// Whether there are no markings but priority code points.
fn has_nothing_else(other: &OtherMarkings) -> bool {
    let OtherMarkings { pcp: _, user_priority, mpls_tc, outer_dscp, fragments } = other;
    [user_priority, mpls_tc, outer_dscp, fragments].iter().all(|histogram| histogram.is_empty())
}

/// Whether a part is all of a hop, and lacks nothing.
fn is_whole(part: &Part, first: Timestamp, last: Timestamp) -> bool {
    (part.begin.sequence, part.begin.arrival) == (part.lowest, first)
        && (part.end.sequence, part.end.arrival) == (part.highest, last)
        && part.missing.is_empty()
        && part.missing_unlisted == 0
}
