//! Later fragments find the stream of their first one.

use std::collections::HashMap;
use std::collections::VecDeque;

use super::key::{Key, Kind};
use crate::decode::{Addresses, Observation};
use crate::terms::Timestamp;

type Datagram = (Addresses, u32);

/// Datagrams of which the first fragment was heard, the oldest forgotten first.
pub(super) struct Fragments {
    streams: HashMap<Datagram, (Kind, Key, Timestamp), foldhash::fast::FixedState>,
    queue: VecDeque<Datagram>,
    /// Later fragments whose first was not heard.
    pub(super) orphans: u64,
}

const MOST: usize = 8192;
/// RFC 791 and RFC 8200: a datagram is given up after 60 s at the latest.
const LONGEST_NS: i64 = 60_000_000_000;

impl Fragments {
    pub(super) fn new(hasher: &foldhash::fast::FixedState) -> Self {
        Self { streams: HashMap::with_hasher(hasher.clone()), queue: VecDeque::new(), orphans: 0 }
    }

    /// Keeps the stream of a first fragment.
    pub(super) fn note_first(&mut self, o: &Observation<'_>, identification: u32, kind: Kind, key: Key) {
        let datagram = (o.addresses, identification);
        if self.streams.insert(datagram, (kind, key, o.timestamp)).is_none() {
            self.queue.push_back(datagram);
            if self.queue.len() > MOST
                && let Some(oldest) = self.queue.pop_front()
            {
                self.streams.remove(&oldest);
            }
        }
    }

    /// Keys of the streams that are kept.
    pub(super) fn keys(&self) -> impl Iterator<Item = (Kind, Key)> + '_ {
        self.streams.values().map(|&(kind, key, _)| (kind, key))
    }

    /// The stream of a later fragment.
    pub(super) fn stream_of(&self, o: &Observation<'_>, identification: u32) -> Option<(Kind, Key)> {
        let &(kind, key, first) = self.streams.get(&(o.addresses, identification))?;
        (o.timestamp.nanos_since(first).saturating_abs() < LONGEST_NS).then_some((kind, key))
    }
}
