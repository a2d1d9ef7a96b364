//! What STUN, TURN, DTLS and RTCP say of a flow and its reverse.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::FlowFacts;
use crate::terms::FlowKey;

/// Facts by biflow, the oldest biflow forgotten first.
pub(super) struct FactBook {
    /// A ring once it is full. A map would grow to four times as many places where one comes for each that goes.
    facts: Vec<(FlowKey, FlowFacts)>,
    index: HashTable<u32>,
    hasher: FixedState,
    /// The oldest, where there is no more room.
    oldest: usize,
    bound: usize,
}

impl FactBook {
    pub(super) fn new(bound: usize, hasher: &FixedState) -> Self {
        let bound = bound.clamp(1, u32::MAX as usize);
        Self { facts: Vec::new(), index: HashTable::new(), hasher: hasher.clone(), oldest: 0, bound }
    }

    /// Adds to the facts of the biflow that this flow belongs to; gives what is known of it then.
    pub(super) fn note(&mut self, flow: FlowKey, learn: impl FnOnce(&mut FlowFacts)) -> FlowFacts {
        let biflow = flow.biflow();
        let known = self.place(&biflow).and_then(|place| self.facts.get_mut(place));
        if let Some((_, facts)) = known {
            learn(facts);
            return *facts;
        }
        let mut facts = FlowFacts::default();
        learn(&mut facts);
        self.add(biflow, facts);
        facts
    }

    fn place(&self, biflow: &FlowKey) -> Option<usize> {
        let is_it = |place: &u32| self.facts.get(*place as usize).is_some_and(|(known, _)| known == biflow);
        self.index.find(self.hasher.hash_one(biflow), is_it).map(|place| *place as usize)
    }

    fn add(&mut self, biflow: FlowKey, facts: FlowFacts) {
        let place = if self.facts.len() < self.bound { self.facts.len() } else { self.oldest };
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        if let Some(slot) = self.facts.get_mut(place) {
            let before = std::mem::replace(slot, (biflow, facts));
            if let Ok(entry) = self.index.find_entry(self.hasher.hash_one(before.0), |known| *known == number)
            {
                entry.remove();
            }
            self.oldest = (self.oldest + 1) % self.bound;
        } else {
            self.facts.push((biflow, facts));
        }
        let (all, hasher) = (&self.facts, &self.hasher);
        let hash = |place: &u32| all.get(*place as usize).map_or(0, |(flow, _)| hasher.hash_one(flow));
        self.index.insert_unique(self.hasher.hash_one(biflow), number, hash);
    }

    /// What is known of the biflow.
    pub(super) fn of_flow(&self, flow: FlowKey) -> Option<&FlowFacts> {
        // Where only RTP is heard, each stream would ask in vain, three times.
        if self.facts.is_empty() {
            return None;
        }
        self.facts.get(self.place(&flow.biflow())?).map(|(_, facts)| facts)
    }

    /// The same, to be kept with a record.
    pub(super) fn shared(&self, flow: FlowKey) -> Option<Arc<FlowFacts>> {
        self.of_flow(flow).map(|facts| Arc::new(*facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Transport;

    fn flow(n: u16) -> FlowKey {
        let end = |port| std::net::SocketAddr::from(([10, 0, 0, 1], port));
        FlowKey { source: end(n), destination: end(60_000), transport: Transport::Udp }
    }

    #[test]
    fn the_oldest_facts_are_forgotten_and_take_no_more_room() {
        let mut book = FactBook::new(100, &FixedState::with_seed(1));
        for n in 0..50_000 {
            assert!(!book.note(flow(n), |facts| facts.stun = true).dtls);
            let known = book.note(flow(n), |facts| facts.dtls = true);
            assert!(known.stun && known.dtls);
            assert_eq!(book.of_flow(flow(n)), Some(&known));
            assert!(book.of_flow(flow(n.saturating_sub(99))).is_some());
            assert_eq!(n < 100, book.of_flow(flow(0)).is_some());
        }
        assert_eq!((book.facts.len(), book.index.len()), (100, 100));
        assert!(book.index.capacity() < 1000, "{}", book.index.capacity());
    }

    #[test]
    fn both_directions_share_their_facts() {
        let mut book = FactBook::new(100, &FixedState::with_seed(1));
        book.note(flow(1), |facts| facts.rtcp = true);
        let back = FlowKey { source: flow(1).destination, destination: flow(1).source, ..flow(1) };
        assert!(book.of_flow(back).is_some_and(|facts| facts.rtcp));
    }
}
