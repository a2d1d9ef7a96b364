//! Which records, and which of their hops, make up each stream.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::order::by_travel;
use super::{Group, View};
use crate::meter::{FlowFacts, Head, HopRecord, Outline, Records, StreamRecord};
use crate::policy::Policy;
use crate::terms::Timestamp;

/// One hop of a record, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    record: u32,
    /// Its place in the record's list: a stream has at most 255 hops at a point.
    hop: u8,
}

/// All hops of a record, in its own order.
const ALL: u8 = u8::MAX;

/// An item as it is kept: there is one for each hop of each stream.
type Kept = [u8; 5];

impl Item {
    const fn kept(self) -> Kept {
        let [a, b, c, d] = self.record.to_le_bytes();
        [a, b, c, d, self.hop]
    }

    const fn of([a, b, c, d, hop]: Kept) -> Self {
        Self { record: u32::from_le_bytes([a, b, c, d]), hop }
    }
}

/// A hop on its way to its place in the order of travel.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    item: Item,
    pub(super) counted: &'a HopRecord,
}

/// The streams while they are found: each record is one, unless it is found to be a part of one.
#[derive(Debug)]
pub(super) struct Joining {
    /// Which records are no streams of their own.
    is_part: Vec<bool>,
    /// The earliest record of each stream of several, and which items are its.
    several: Vec<(u32, u32, u16)>,
    items: Vec<Kept>,
}

impl Joining {
    /// For so many records.
    pub(super) fn new(records: usize) -> Self {
        Self { is_part: vec![false; records], several: Vec::new(), items: Vec::new() }
    }

    /// A stream of these records of a group, the earliest first.
    pub(super) fn add(
        &mut self,
        group: &Group,
        members: &[usize],
        points: &[String],
        policy: &Policy,
        mut seen: impl FnMut(&[&HopRecord]),
    ) {
        let mut views: SmallVec<[&View; 8]> = members.iter().filter_map(|&i| group.views.get(i)).collect();
        let earliest = match &*views {
            [] | [_] => return,
            [first, ..] => first.number,
        };
        for view in &views {
            if let Some(is_part) = self.is_part.get_mut(view.number as usize) {
                *is_part = true;
            }
        }
        views.sort_by_key(|v| Reverse(v.head.unique));
        let placed = |view: &View, hop, counted| Placed { item: Item { record: view.number, hop }, counted };
        let mut hops: SmallVec<[Placed<'_>; 8]> = views
            .iter()
            .flat_map(|view| (0..ALL).zip(group.hops(view)).map(|(hop, counted)| placed(view, hop, counted)))
            .collect();
        by_travel(&mut hops, points, policy);
        self.push(earliest, hops.iter().map(|h| h.item));
        let hops: SmallVec<[&HopRecord; 8]> = hops.iter().map(|h| h.counted).collect();
        seen(&hops);
    }

    /// Which stream each record belongs to, by the stream's earliest record.
    pub(super) fn streams_of(&self, records: &Records) -> Vec<u32> {
        let mut streams: Vec<u32> = records.numbers().collect();
        for &(earliest, start, count) in &self.several {
            let items = self.items.iter().skip(start as usize).take(usize::from(count));
            for item in items.copied().map(Item::of) {
                if let Some(stream) = streams.get_mut(item.record as usize) {
                    *stream = earliest;
                }
            }
        }
        streams
    }

    /// Takes out the streams that are one by these pairs of records; gives the records of each, in order.
    pub(super) fn unite(&mut self, links: &[(u32, u32)], records: &Records) -> Vec<Vec<u32>> {
        if links.is_empty() {
            return Vec::new();
        }
        let streams = self.streams_of(records);
        let stream_of = |record: u32| streams.get(record as usize).copied().unwrap_or(record);
        let mut leader: BTreeMap<u32, u32> = BTreeMap::new();
        let find = |leader: &BTreeMap<u32, u32>, mut stream: u32| {
            while let Some(&next) = leader.get(&stream).filter(|&&next| next != stream) {
                stream = next;
            }
            stream
        };
        for &(one, other) in links {
            let (a, b) = (stream_of(one), stream_of(other));
            let (a, b) = (find(&leader, a), find(&leader, b));
            leader.insert(a.min(b), a.min(b));
            leader.insert(a.max(b), a.min(b));
        }
        let mut united: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (record, stream) in (0..).zip(&streams).filter(|(_, stream)| leader.contains_key(stream)) {
            united.entry(find(&leader, *stream)).or_default().push(record);
        }
        self.several.retain(|(earliest, ..)| !leader.contains_key(earliest));
        united.into_values().collect()
    }

    fn push(&mut self, earliest: u32, items: impl Iterator<Item = Item>) {
        let start = self.items.len();
        self.items.extend(items.take(usize::from(u16::MAX)).map(Item::kept));
        let count = u16::try_from(self.items.len() - start).unwrap_or(u16::MAX);
        self.several.push((earliest, u32::try_from(start).unwrap_or(u32::MAX), count));
    }

    /// The streams in the order of their earliest records.
    pub(super) fn finish(mut self) -> Joined {
        self.several.sort_unstable();
        let mut joined = Joined {
            streams: Vec::with_capacity(self.is_part.len()),
            several: Vec::with_capacity(self.several.len()),
            items: Vec::with_capacity(self.items.len()),
        };
        let mut several = self.several.iter().peekable();
        for (record, is_part) in (0_u32..).zip(self.is_part) {
            if !is_part {
                joined.streams.push(record);
            } else if let Some(&(_, start, count)) = several.next_if(|next| next.0 == record) {
                joined.streams.push(OF_SEVERAL | u32::try_from(joined.several.len()).unwrap_or(u32::MAX));
                // Items in the order of streams: so they are read, over and over.
                joined.several.push((u32::try_from(joined.items.len()).unwrap_or(u32::MAX), count));
                let items = self.items.iter().skip(start as usize).take(usize::from(count));
                joined.items.extend(items);
            }
        }
        joined.streams.shrink_to_fit();
        joined
    }
}

/// There are fewer records than this: each takes many octets.
const OF_SEVERAL: u32 = 1 << 31;

/// Streams of one record or more, by number.
#[derive(Debug, Default)]
pub(in crate::verify) struct Joined {
    /// The record of each stream of one; of the others their place among those of several.
    streams: Vec<u32>,
    /// Where the items of each stream of several begin, and how many they are.
    several: Vec<(u32, u16)>,
    items: Vec<Kept>,
}

impl Joined {
    /// How many streams there are.
    pub(in crate::verify) const fn len(&self) -> usize {
        self.streams.len()
    }

    /// The record of a stream that was seen in no other.
    fn alone(&self, stream: u32) -> Option<u32> {
        self.streams.get(stream as usize).copied().filter(|record| record & OF_SEVERAL == 0)
    }

    fn items(&self, stream: u32) -> impl Iterator<Item = Item> + '_ {
        let of_several = self.streams.get(stream as usize).filter(|place| *place & OF_SEVERAL != 0);
        let (start, count) = of_several
            .and_then(|place| self.several.get((place & !OF_SEVERAL) as usize))
            .copied()
            .unwrap_or_default();
        let start = start as usize;
        let kept = self.items.get(start..start + usize::from(count)).unwrap_or_default();
        let alone = self.alone(stream).map(|record| Item { record, hop: ALL });
        alone.into_iter().chain(kept.iter().copied().map(Item::of))
    }

    /// Asks for the memory of a stream's records.
    pub(in crate::verify) fn fetch(&self, number: u32, records: &Records) {
        if let Some(record) = self.alone(number) {
            return records.fetch(record);
        }
        for item in self.items(number) {
            records.fetch(item.record);
        }
    }

    /// What there is to say of a stream, where that is no more than the outline of its one record.
    pub(in crate::verify) fn outline(&self, number: u32, records: &Records) -> Option<Outline> {
        records.outline(self.alone(number)?)
    }

    /// A stream with all its hops, in the order of travel.
    pub(in crate::verify) fn stream(&self, number: u32, records: &Records) -> Option<StreamRecord> {
        let mut hops: Vec<HopRecord> = Vec::new();
        if let Some(record) = self.alone(number) {
            let head = records.unpack(record, |hop| hops.push(hop))?;
            return Some(head.with_hops(hops));
        }
        let items: SmallVec<[Item; 8]> = self.items(number).collect();
        let numbers = records_of(items.iter().copied());
        let mut heads: SmallVec<[Head; 4]> = SmallVec::new();
        // What stands where, as it was unpacked.
        let mut there: SmallVec<[Item; 8]> = SmallVec::new();
        for &record in &numbers {
            let mut own = 0..ALL;
            let head = records.unpack(record, |hop| {
                there.push(Item { record, hop: own.next().unwrap_or(ALL) });
                hops.push(hop);
            });
            heads.push(head?);
        }
        for (place, item) in items.iter().enumerate() {
            let from = place + there.iter().skip(place).position(|t| t == item)?;
            if from != place {
                there.swap(place, from);
                hops.swap(place, from);
            }
        }
        hops.truncate(items.len());
        let heads = Heads { by_travel: heads, numbers };
        let (first, last) = heads.span()?;
        let facts = heads.facts();
        let start = hops.first()?;
        let (point, flow) = (start.point, start.flow);
        let lead = heads.into_lead()?;
        Some(StreamRecord { point, flow, first, last, facts, ..lead.with_hops(hops) })
    }

    /// The records that a stream was seen in, without their hops.
    pub(in crate::verify) fn heads(&self, number: u32, records: &Records) -> Heads {
        let numbers = records_of(self.items(number));
        Heads { by_travel: numbers.iter().filter_map(|&i| records.head(i)).collect(), numbers }
    }
}

/// Each record once, in the order in which the stream passes them first.
fn records_of(items: impl Iterator<Item = Item>) -> SmallVec<[u32; 4]> {
    let mut numbers: SmallVec<[u32; 4]> = SmallVec::new();
    for item in items {
        if !numbers.contains(&item.record) {
            numbers.push(item.record);
        }
    }
    numbers
}

/// What stands at the head of a stream's records.
pub(in crate::verify) struct Heads {
    /// In the order in which the stream passes them first.
    pub(in crate::verify) by_travel: SmallVec<[Head; 4]>,
    numbers: SmallVec<[u32; 4]>,
}

impl Heads {
    /// Which record saw the most; of those that saw as much, the earliest.
    fn lead_place(&self) -> Option<usize> {
        // Behind a relay that writes RTP anew, SSRC and payload types are others.
        let own = self.by_travel.first()?.ssrc;
        let heads =
            self.by_travel.iter().zip(&self.numbers).enumerate().filter(|(_, (head, _))| head.ssrc == own);
        heads.min_by_key(|(_, (head, number))| (Reverse(head.unique), **number)).map(|(i, _)| i)
    }

    /// The record that saw the most.
    pub(in crate::verify) fn lead(&self) -> Option<&Head> {
        self.by_travel.get(self.lead_place()?)
    }

    fn into_lead(mut self) -> Option<Head> {
        let lead = self.lead_place()?;
        Some(self.by_travel.swap_remove(lead))
    }

    /// First and last packet.
    pub(in crate::verify) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.by_travel.iter().map(|head| head.first).min()?;
        Some((first, self.by_travel.iter().map(|head| head.last).max()?))
    }

    /// What all points together learnt of the flow: where two differ, the earlier record.
    pub(in crate::verify) fn facts(&self) -> Option<Arc<FlowFacts>> {
        let mut known: SmallVec<[(u32, &Arc<FlowFacts>); 4]> = self
            .numbers
            .iter()
            .zip(&self.by_travel)
            .filter_map(|(&number, head)| Some((number, head.facts.as_ref()?)))
            .collect();
        known.sort_unstable_by_key(|&(number, _)| number);
        let facts = known.into_iter().map(|(_, facts)| Arc::clone(facts));
        facts.reduce(|a, b| Arc::new(together(&a, &b)))
    }
}

/// What two points learnt of a flow.
fn together(a: &FlowFacts, b: &FlowFacts) -> FlowFacts {
    FlowFacts {
        stun: a.stun || b.stun,
        dtls: a.dtls || b.dtls,
        zrtp: a.zrtp || b.zrtp,
        rtcp: a.rtcp || b.rtcp,
        turn: a.turn || b.turn,
        modality: a.modality.or(b.modality),
        relayed: a.relayed.or(b.relayed),
        mapped: a.mapped.or(b.mapped),
        peer: a.peer.or(b.peer),
    }
}
