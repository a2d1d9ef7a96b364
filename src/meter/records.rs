//! A stream's hops made into its record, in the order of travel.

use std::cmp::Reverse;
use std::sync::Arc;

use smallvec::SmallVec;

use super::clock::Clocks;
use super::hop::{Cold, Hot, Tally};
use super::key::{AddressBook, flow_of};
use super::{Histogram, HopRecord, OtherMarkings, PayloadType, StreamRecord, Way, add};
use crate::decode::{Layer, Path, PathId, PathTable};
use crate::terms::{FlowKey, PointId, Ssrc, Timestamp};

/// Paths as records share them.
#[derive(Default)]
pub(super) struct Paths {
    shared: Vec<Option<Arc<Path>>>,
}

impl Paths {
    fn share(&mut self, id: PathId, paths: &PathTable) -> Option<Arc<Path>> {
        let slot = usize::from(id.0);
        if let Some(Some(path)) = self.shared.get(slot) {
            return Some(Arc::clone(path));
        }
        let path = Arc::new(paths.path(id)?.clone());
        if self.shared.len() <= slot {
            self.shared.resize(slot + 1, None);
        }
        if let Some(place) = self.shared.get_mut(slot) {
            *place = Some(Arc::clone(&path));
        }
        Some(path)
    }
}

/// A stream's hop where it is counted, or a copy of it.
pub(super) type Counted<'a> = (&'a mut Hot, &'a mut Cold);

/// Fills in the record of a stream with these hops, which are closed by it; false for a stream without hops, which is
/// none. The record's memory may serve one stream after the other.
pub(super) fn fill(
    record: &mut StreamRecord,
    point: PointId,
    hops: &mut [Counted<'_>],
    (clocks, book): (&Clocks, &AddressBook),
    shared: &mut Paths,
    paths: &PathTable,
    is_compared: bool,
) -> bool {
    let is_compared = is_compared || hops.len() > 1;
    for (hot, cold) in &mut *hops {
        cold.close(hot, is_compared);
    }
    // Routers lower the TTL. Where they are equal, the hop that was heard first comes first: sorting is stable.
    hops.sort_by_key(|(_, cold)| Reverse(main_way(cold).map_or(0, |t| t.ttl)));
    let Some((hot, cold)) = hops.first() else { return false };
    record.payload_types.clear();
    record.payload_types.extend(cold.payload_types.iter().map(|p| PayloadType {
        number: p.payload_type,
        packets: p.packets,
        clock_rate: clocks.rate(p.clock),
        clock_source: p.source,
    }));
    record.payload_types.sort_by_key(|p| Reverse(p.packets));
    let (flow, ssrc) = (flow_of(cold.kind, hot.key, book), hot.key.ssrc());
    (record.point, record.flow, record.ssrc) = (point, flow, ssrc);
    record.packet_interval_seconds = packet_interval(hot, cold);
    record.mean_octets = ratio(cold.octets, cold.unique + cold.duplicates());
    record.first = Timestamp(hops.iter().map(|(_, cold)| cold.first_arrival).min().unwrap_or_default());
    record.last = Timestamp(hops.iter().map(|(hot, _)| hot.last_arrival).max().unwrap_or_default());
    let mut here = Here { point, flow, ssrc, shared, paths, is_compared };
    record.hops.clear();
    for (hot, cold) in hops {
        record.hops.push(here.hop(hot, cold));
    }
    record.facts = None;
    true
}

/// Mean time from one sequence number to the next.
fn packet_interval(hot: &Hot, cold: &Cold) -> Option<f32> {
    let steps = cold.window.expected().checked_sub(1).filter(|&n| n > 0)?;
    let elapsed = u64::try_from(hot.last_arrival.saturating_sub(cold.first_arrival)).ok()?;
    Some(ratio(elapsed, steps) / 1e9)
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean, to seven digits")]
fn ratio(sum: u64, n: u64) -> f32 {
    (sum as f64 / n.max(1) as f64) as f32
}

fn main_way(cold: &Cold) -> Option<Tally> {
    // By TTL alone: markings and detail of tags do not make a way.
    let packets_of = |ttl: u8| cold.tallies.iter().filter(|t| t.ttl == ttl).map(|t| t.packets).sum::<u64>();
    cold.tallies.iter().copied().max_by_key(|t| (packets_of(t.ttl), Reverse(t.ttl)))
}

/// What all hops of a stream at one point share.
struct Here<'a> {
    point: PointId,
    flow: FlowKey,
    ssrc: Ssrc,
    shared: &'a mut Paths,
    paths: &'a PathTable,
    /// Whether there may be another hop to compare with.
    is_compared: bool,
}

impl Here<'_> {
    fn hop(&mut self, hot: &Hot, cold: &mut Cold) -> HopRecord {
        let (shared, paths) = (&mut *self.shared, self.paths);
        let jitter = cold.jitter(hot);
        let (samples, marks) = cold.take_kept(self.is_compared);
        let has_lost = cold.window.expected() > cold.unique;
        let mut ways: SmallVec<[Tally; 2]> = SmallVec::new();
        let (mut dscp, mut ecn) = (Histogram::new(), Histogram::new());
        let rare = cold.take_rare();
        let mut other = OtherMarkings { fragments: rare.fragments, ..OtherMarkings::default() };
        for t in &cold.tallies {
            let place = paths.place(t.path);
            match ways.iter_mut().find(|w| w.ttl == t.ttl && w.path == place) {
                Some(way) => {
                    way.packets += t.packets;
                    way.span = (way.span.0.min(t.span.0), way.span.1.max(t.span.1));
                }
                None => ways.push(Tally { path: place, ..*t }),
            }
            add(&mut dscp, t.traffic_class.dscp().value(), t.packets);
            add(&mut ecn, t.traffic_class.ecn().value(), t.packets);
            let Some(path) = paths.path(t.path) else { continue };
            let marks = [
                (path.pcp(), &mut other.pcp),
                (path.user_priority(), &mut other.user_priority),
                (innermost_tc(path), &mut other.mpls_tc),
                (outermost_dscp(path), &mut other.outer_dscp),
            ];
            for (value, histogram) in marks {
                if let Some(value) = value {
                    add(histogram, value, t.packets);
                }
            }
        }
        ways.sort_by_key(|way| Reverse(way.packets));
        let main = ways.first().map_or(PathId::OVERFLOW, |way| way.path);
        let is_bare = [&other.pcp, &other.user_priority, &other.mpls_tc, &other.outer_dscp, &other.fragments]
            .into_iter()
            .all(Histogram::is_empty);
        HopRecord {
            point: self.point,
            flow: self.flow,
            ssrc: self.ssrc,
            path: shared.share(main, paths),
            ways: ways
                .iter()
                .map(|way| Way {
                    ttl: way.ttl,
                    packets: way.packets,
                    first: Timestamp(way.span.0),
                    last: Timestamp(way.span.1),
                    path: if way.path == main { None } else { shared.share(way.path, paths) },
                })
                .collect(),
            first: Timestamp(cold.first_arrival),
            last: Timestamp(hot.last_arrival),
            packets: cold.unique + rare.duplicates + rare.stray,
            unique: cold.unique,
            expected: cold.window.expected(),
            duplicates: rare.duplicates,
            stray: rare.stray,
            reordered: rare.reordered,
            resets: rare.resets,
            outages: rare.outages,
            jitter,
            loss_bursts: cold.window.bursts().map(u64::from),
            dscp,
            dscp_changes: rare.changes,
            dscp_change_count: rare.change_count,
            ecn,
            other: (!is_bare).then(|| Box::new(other)),
            // What was lost may have to be held against the times in which the tap missed frames.
            parts: if self.is_compared || has_lost { rare.parts } else { Vec::new() },
            samples,
            marks,
            octets: cold.octets,
        }
    }
}

/// Traffic class of the bottom label.
fn innermost_tc(path: &Path) -> Option<u8> {
    path.layers.iter().rev().find_map(|l| if let Layer::Mpls { tc, .. } = l { Some(*tc) } else { None })
}

fn outermost_dscp(path: &Path) -> Option<u8> {
    path.layers.iter().find_map(|l| if let Layer::Ip { dscp, .. } = l { Some(dscp.value()) } else { None })
}
