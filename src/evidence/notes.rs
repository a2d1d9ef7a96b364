//! What is to be said of single packets: first, last, re-marked, missing.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::decode::{Layer, Observation, Path, PathTable, RtpHeader};
use crate::meter::{HopRecord, Way};
use crate::terms::{Dscp, FlowKey, PointId, RtpTime, Ssrc, Timestamp};

/// Comments on the packets of streams, by what was counted of them before.
#[derive(Debug, Default)]
pub struct Notes {
    hops: Vec<Hop>,
    by_view: HashMap<(PointId, FlowKey, Ssrc), SmallVec<[usize; 4]>>,
}

#[derive(Debug)]
struct Hop {
    name: String,
    /// Outside the IP header, without markings; none where that is not known.
    place: Option<(u16, Layers)>,
    ways: SmallVec<[(u8, Option<Layers>); 2]>,
    first: Timestamp,
    last: Timestamp,
    /// How many packets there are.
    packets: u64,
    passed: u64,
    dscp: Option<Dscp>,
    /// Timestamps by sequence number: what comes again with the same is a duplicate.
    numbers: HashMap<u16, RtpTime>,
    /// By time, the latest first.
    losses: Vec<Loss>,
}

/// A run of numbers that never came.
#[derive(Debug, Clone, Copy)]
struct Loss {
    /// When the first packet behind it came, to the millisecond, rounded up.
    until: Timestamp,
    first: u16,
    length: u32,
}

const MS: i64 = 1_000_000;

/// Layers without their markings, outermost first.
type Layers = Box<[Layer]>;

impl Notes {
    /// Also says something of the packets of this hop, which it calls `name`.
    pub fn add_hop(&mut self, name: String, record: &HopRecord) {
        let place = record.path.as_deref().map(|path| (path.interface, bare(path)));
        let way = |way: &Way| (way.ttl, way.path.as_deref().map(bare));
        let runs = record.parts.iter().flat_map(|part| part.missing.iter().map(move |run| (part, run)));
        let mut losses: Vec<Loss> = runs
            .map(|(part, run)| Loss {
                until: part.silence(run).1,
                // Extended numbers are the wire's in their lower half.
                first: u16::try_from(run.first & 0xFFFF).unwrap_or(0),
                length: run.length,
            })
            .collect();
        losses.sort_by_key(|loss| std::cmp::Reverse(loss.until));
        let hop = Hop {
            name,
            place,
            ways: record.ways.iter().map(way).collect(),
            first: record.first,
            last: record.last,
            packets: record.packets,
            passed: 0,
            dscp: None,
            numbers: HashMap::new(),
            losses,
        };
        self.by_view.entry((record.point, record.flow, record.ssrc)).or_default().push(self.hops.len());
        self.hops.push(hop);
    }

    /// What there is to say of the next packet; mostly nothing.
    pub fn on(
        &mut self,
        point: PointId,
        o: &Observation<'_>,
        header: &RtpHeader<'_>,
        paths: &PathTable,
    ) -> SmallVec<[String; 2]> {
        let mut said = SmallVec::new();
        let Some(of_view) = self.by_view.get(&(point, o.flow(), header.ssrc)) else { return said };
        let here = paths.path(o.path).map(|path| (path.interface, bare(path)));
        let fit = |number: &usize| {
            let hop = self.hops.get(*number)?;
            Some((hop.fit(o, here.as_ref()), std::cmp::Reverse(*number)))
        };
        let best = of_view.iter().filter_map(fit).max();
        if let Some((_, number)) = best
            && let Some(hop) = self.hops.get_mut(number.0)
        {
            hop.note(o, header, &mut said);
        }
        said
    }
}

/// The layers of a path without their markings.
fn bare(path: &Path) -> Layers {
    path.layers.iter().map(|layer| layer.without_marking()).collect()
}

impl Hop {
    /// How well a packet fits: by time, by place, and by the way on which it came.
    fn fit(&self, o: &Observation<'_>, here: Option<&(u16, Layers)>) -> [bool; 3] {
        let is_way = |(ttl, layers): &(u8, Option<Layers>)| {
            let layers = layers.as_ref().or(self.place.as_ref().map(|(_, layers)| layers));
            *ttl == o.ttl && layers == here.map(|(_, layers)| layers)
        };
        [
            (self.first..=self.last).contains(&o.timestamp),
            self.place.as_ref().map(|place| place.0) == here.map(|here| here.0)
                && self.ways.iter().any(is_way),
            self.place.as_ref() == here,
        ]
    }

    fn note(&mut self, o: &Observation<'_>, header: &RtpHeader<'_>, said: &mut SmallVec<[String; 2]>) {
        let dscp = o.traffic_class.dscp();
        let (missing, runs) = self.missing_before(o.timestamp, header.sequence);
        let name = &self.name;
        self.passed += 1;
        if self.passed == 1 {
            said.push(format!("{name}: first packet, {dscp}"));
        }
        match self.dscp.replace(dscp) {
            Some(before) if before != dscp => said.push(format!("{name}: codepoint {before} → {dscp}")),
            _ => {}
        }
        if missing > 0 {
            let which = match runs {
                (first, last) if first == last => format!("sequence number {first}"),
                (first, last) => format!("sequence numbers {first} to {last}"),
            };
            said.push(format!("{name}: {missing} missing before this packet, {which}"));
        }
        let before = self.numbers.insert(header.sequence, header.timestamp);
        if before == Some(header.timestamp) {
            said.push(format!("{name}: duplicate of sequence number {}", header.sequence));
        }
        if self.passed == self.packets && self.packets > 1 {
            said.push(format!("{name}: last packet, {} of {}", self.passed, self.packets));
        }
    }

    /// How many numbers were lost just before this packet, with the first and the last of them.
    fn missing_before(&mut self, at: Timestamp, sequence: u16) -> (u64, (u16, u16)) {
        let mut missing = 0_u64;
        let mut run = (0, 0);
        while let Some(loss) = self.losses.last().copied() {
            let is_late = at > loss.until;
            let is_then = at.0 > loss.until.0.saturating_sub(MS);
            // Packets sent in one burst are less than a millisecond apart.
            let is_behind = sequence.wrapping_sub(loss.first).cast_signed() > 0;
            if !(is_late || is_then && is_behind) {
                break;
            }
            let span = u16::try_from(loss.length.saturating_sub(1) & 0xFFFF).unwrap_or(0);
            let last = loss.first.wrapping_add(span);
            run = if missing == 0 {
                (loss.first, last)
            } else {
                (earlier(run.0, loss.first), later(run.1, last))
            };
            missing += u64::from(loss.length);
            self.losses.pop();
        }
        (missing, run)
    }
}

/// The one of two sequence numbers from which the other is ahead.
const fn earlier(a: u16, b: u16) -> u16 {
    if b.wrapping_sub(a).cast_signed() < 0 { b } else { a }
}

const fn later(a: u16, b: u16) -> u16 {
    if b.wrapping_sub(a).cast_signed() < 0 { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_sequence_numbers_goes_over_the_wrap() {
        assert_eq!((earlier(65_535, 2), later(65_535, 2)), (65_535, 2));
        assert_eq!((earlier(2, 65_535), later(2, 65_535)), (65_535, 2));
        assert_eq!((earlier(7, 9), later(7, 9)), (7, 9));
    }

    fn hop(losses: &[(i64, u16, u32)]) -> Hop {
        let mut losses: Vec<Loss> = losses
            .iter()
            .map(|&(until, first, length)| Loss { until: Timestamp(until * MS), first, length })
            .collect();
        losses.sort_by_key(|loss| std::cmp::Reverse(loss.until));
        Hop {
            name: "hop".into(),
            place: None,
            ways: SmallVec::new(),
            first: Timestamp(0),
            last: Timestamp(i64::MAX),
            packets: 9,
            passed: 0,
            dscp: None,
            numbers: HashMap::new(),
            losses,
        }
    }

    #[test]
    fn a_loss_is_told_at_the_first_packet_behind_it() {
        let mut hop = hop(&[(100, 65_534, 3), (200, 9, 1)]);
        assert_eq!(hop.missing_before(Timestamp(60 * MS), 65_533).0, 0);
        // In the same millisecond, but before the gap.
        assert_eq!(hop.missing_before(Timestamp(99 * MS + 5), 65_533).0, 0);
        assert_eq!(hop.missing_before(Timestamp(99 * MS + 6), 1), (3, (65_534, 0)));
        assert_eq!(hop.missing_before(Timestamp(150 * MS), 8).0, 0);
        assert_eq!(hop.missing_before(Timestamp(200 * MS), 10), (1, (9, 9)));
        assert_eq!(hop.missing_before(Timestamp(300 * MS), 20).0, 0);
    }

    #[test]
    fn runs_around_a_packet_that_came_late_are_told_together() {
        let mut hop = hop(&[(100, 5, 1), (100, 7, 2)]);
        assert_eq!(hop.missing_before(Timestamp(100 * MS), 9), (3, (5, 8)));
        let mut lost_sight = self::hop(&[(100, 5, 1)]);
        assert_eq!(lost_sight.missing_before(Timestamp(101 * MS), 3), (1, (5, 5)), "never passed over");
    }
}
