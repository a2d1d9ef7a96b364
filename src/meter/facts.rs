//! What STUN, TURN, DTLS and RTCP say of a flow and its reverse.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::FlowFacts;
use crate::terms::FlowKey;

/// Facts by biflow, the oldest biflow forgotten first.
pub(super) struct FactBook {
    facts: HashMap<FlowKey, FlowFacts, foldhash::fast::FixedState>,
    queue: VecDeque<FlowKey>,
    bound: usize,
}

impl FactBook {
    pub(super) fn new(bound: usize, hasher: &foldhash::fast::FixedState) -> Self {
        Self { facts: HashMap::with_hasher(hasher.clone()), queue: VecDeque::new(), bound: bound.max(1) }
    }

    /// Facts of the biflow that this flow belongs to, to be added to.
    pub(super) fn of_flow_mut(&mut self, flow: FlowKey) -> &mut FlowFacts {
        let biflow = flow.biflow();
        if !self.facts.contains_key(&biflow) {
            if self.facts.len() >= self.bound
                && let Some(oldest) = self.queue.pop_front()
            {
                self.facts.remove(&oldest);
            }
            self.queue.push_back(biflow);
        }
        self.facts.entry(biflow).or_default()
    }

    /// What is known of the biflow.
    pub(super) fn of_flow(&self, flow: FlowKey) -> Option<&FlowFacts> {
        self.facts.get(&flow.biflow())
    }

    /// The same, to be kept with a record.
    pub(super) fn shared(&self, flow: FlowKey) -> Option<Arc<FlowFacts>> {
        self.of_flow(flow).map(|facts| Arc::new(*facts))
    }
}
