//! Which records, and which of their hops, make up each stream.

use std::cmp::Reverse;
use std::sync::Arc;

use smallvec::SmallVec;

use super::View;
use super::order::by_travel;
use crate::meter::{FlowFacts, Head, HopRecord, Records, StreamRecord};
use crate::policy::Policy;

/// One hop of a record, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    record: u32,
    /// Its place in the record's list.
    hop: u16,
}

/// All hops of a record, in its own order.
const ALL: u16 = u16::MAX;

/// A hop on its way to its place in the order of travel.
pub(super) struct Placed {
    item: Item,
    pub(super) counted: HopRecord,
}

/// The streams while they are found.
#[derive(Debug, Default)]
pub(super) struct Joining {
    /// The earliest record of each stream, and which items are its.
    streams: Vec<(u32, u32, u16)>,
    items: Vec<Item>,
}

impl Joining {
    /// A stream of one record.
    pub(super) fn alone(&mut self, record: u32) {
        self.push(record, std::iter::once(Item { record, hop: ALL }));
    }

    /// A stream of these records, the earliest first.
    pub(super) fn add(
        &mut self,
        mut views: Vec<View>,
        points: &[String],
        policy: &Policy,
        mut seen: impl FnMut(&StreamRecord),
    ) {
        let earliest = match &*views {
            [] => return,
            [only] => return self.alone(only.number),
            [first, ..] => first.number,
        };
        let order = most_first(views.iter().map(|v| v.record.hops.first().map_or(0, |h| h.unique)));
        let mut hops: Vec<Placed> = Vec::with_capacity(views.len());
        for &i in &order {
            let View { number: record, record: StreamRecord { hops: own, .. } } = &mut views[i];
            let item = |hop| Item { record: *record, hop };
            hops.extend(
                (0..ALL).zip(std::mem::take(own)).map(|(hop, counted)| Placed { item: item(hop), counted }),
            );
        }
        by_travel(&mut hops, points, policy);
        self.push(earliest, hops.iter().map(|h| h.item));
        let records = views.into_iter().map(|v| v.record).collect();
        if let Some(stream) = whole(records, order[0], hops.into_iter().map(|h| h.counted).collect()) {
            seen(&stream);
        }
    }

    fn push(&mut self, earliest: u32, items: impl Iterator<Item = Item>) {
        let start = self.items.len();
        self.items.extend(items.take(usize::from(u16::MAX)));
        let count = u16::try_from(self.items.len() - start).unwrap_or(u16::MAX);
        self.streams.push((earliest, u32::try_from(start).unwrap_or(u32::MAX), count));
    }

    /// The streams in the order of their earliest records.
    pub(super) fn finish(mut self) -> Joined {
        self.streams.sort_unstable();
        let mut joined = Joined::default();
        joined.items.reserve_exact(self.items.len());
        joined.ends.reserve_exact(self.streams.len());
        for (_, start, count) in self.streams {
            let items = self.items.iter().skip(start as usize).take(usize::from(count));
            joined.items.extend(items);
            joined.ends.push(u32::try_from(joined.items.len()).unwrap_or(u32::MAX));
        }
        joined
    }
}

/// The places of a list, those of the highest values first: the record that saw the most leads.
fn most_first(values: impl Iterator<Item = u64>) -> SmallVec<[usize; 8]> {
    let values: SmallVec<[u64; 8]> = values.collect();
    let mut order: SmallVec<[usize; 8]> = (0..values.len()).collect();
    order.sort_by_key(|&i| Reverse(values[i]));
    order
}

/// Streams of one record or more, by number.
#[derive(Debug, Default)]
pub(in crate::verify) struct Joined {
    items: Vec<Item>,
    /// Where the items of each stream end.
    ends: Vec<u32>,
}

impl Joined {
    /// How many streams there are.
    pub(in crate::verify) const fn len(&self) -> usize {
        self.ends.len()
    }

    fn items(&self, stream: u32) -> &[Item] {
        let stream = stream as usize;
        let Some(&end) = self.ends.get(stream) else { return &[] };
        let start = stream.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.items.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Asks for the memory of a stream's records.
    pub(in crate::verify) fn fetch(&self, number: u32, records: &Records) {
        for item in self.items(number) {
            records.fetch(item.record);
        }
    }

    /// A stream with all its hops, in the order of travel.
    pub(in crate::verify) fn stream(&self, number: u32, records: &Records) -> Option<StreamRecord> {
        let items = self.items(number);
        if let [Item { record, hop: ALL }] = *items {
            return records.record(record);
        }
        let numbers = sorted_records(items);
        let mut views: Vec<StreamRecord> = numbers.iter().filter_map(|&i| records.record(i)).collect();
        let lead = *most_first(views.iter().map(|v| v.hops.first().map_or(0, |h| h.unique))).first()?;
        let mut hops: SmallVec<[Option<HopRecord>; 8]> = SmallVec::new();
        let mut starts: SmallVec<[usize; 8]> = SmallVec::new();
        for view in &mut views {
            starts.push(hops.len());
            hops.extend(std::mem::take(&mut view.hops).into_iter().map(Some));
        }
        let in_order = items.iter().filter_map(|item| {
            let view = numbers.binary_search(&item.record).ok()?;
            hops.get_mut(starts.get(view)? + usize::from(item.hop))?.take()
        });
        whole(views, lead, in_order.collect())
    }

    /// The records that a stream was seen in, without their hops: in the order of travel, and which of them leads.
    pub(in crate::verify) fn heads(&self, number: u32, records: &Records) -> Heads {
        let items = self.items(number);
        let mut numbers: SmallVec<[u32; 4]> = SmallVec::new();
        for item in items {
            if !numbers.contains(&item.record) {
                numbers.push(item.record);
            }
        }
        let by_travel: SmallVec<[Head; 2]> = numbers.iter().filter_map(|&i| records.head(i)).collect();
        // Of those that saw as much, the earliest.
        let lead = (0..by_travel.len())
            .min_by_key(|&i| (Reverse(by_travel[i].unique), numbers.get(i).copied()))
            .unwrap_or(0);
        Heads { by_travel, lead }
    }
}

/// What stands at the head of a stream's records.
pub(in crate::verify) struct Heads {
    /// In the order in which the stream passes them first.
    pub(in crate::verify) by_travel: SmallVec<[Head; 2]>,
    lead: usize,
}

impl Heads {
    /// The record that saw the most.
    pub(in crate::verify) fn lead(&self) -> Option<&Head> {
        self.by_travel.get(self.lead)
    }
}

fn sorted_records(items: &[Item]) -> SmallVec<[u32; 8]> {
    let mut numbers: SmallVec<[u32; 8]> = items.iter().map(|item| item.record).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// One record of all: `records` are the views without their hops, the earliest first.
fn whole(
    mut records: Vec<StreamRecord>,
    lead: usize,
    hops: SmallVec<[HopRecord; 1]>,
) -> Option<StreamRecord> {
    let first = records.iter().map(|v| v.first).min()?;
    let last = records.iter().map(|v| v.last).max()?;
    let facts = facts(records.iter().map(|v| v.facts.as_ref()));
    let start = hops.first()?;
    let (point, flow) = (start.point, start.flow);
    let lead = (lead < records.len()).then(|| records.swap_remove(lead))?;
    Some(StreamRecord { point, flow, first, last, hops, facts, ..lead })
}

/// What all points together learnt of a flow.
pub(in crate::verify) fn facts<'a>(
    all: impl Iterator<Item = Option<&'a Arc<FlowFacts>>>,
) -> Option<Arc<FlowFacts>> {
    all.flatten().cloned().reduce(|a, b| Arc::new(together(&a, &b)))
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
