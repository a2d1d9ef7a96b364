//! Streams with equal payloads: one stream through relays, or a tangle.

use std::collections::BTreeMap;

use super::evidence::Meeting;
use super::way::Way;

/// Two streams that carry the same at the same time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    /// What comes first, if that is told.
    pub(super) one: usize,
    pub(super) other: usize,
    pub(super) way: Way,
}

impl Edge {
    pub(super) const fn of(m: &Meeting) -> Self {
        match m.way {
            Way::Relay { is_forward: false } => {
                Self { one: m.other, other: m.one, way: Way::Relay { is_forward: true } }
            }
            way => Self { one: m.one, other: m.other, way },
        }
    }
}

/// Streams that hang together, with all that ties them.
#[derive(Debug, Default)]
pub(super) struct Component {
    pub(super) streams: Vec<usize>,
    pub(super) edges: Vec<Edge>,
}

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One stream: each of its parts has one that it comes from and one that it goes to, at most.
    Chain,
    /// There is more than one way to put it together.
    Tangle,
    /// Nothing in it goes on as anything else.
    Nothing,
}

/// Streams of the longest chain: no packet passes more relays.
const LONGEST: usize = 16;

/// Splits edges into what hangs together.
pub(super) fn components(edges: &[Edge]) -> Vec<Component> {
    let mut leader: BTreeMap<usize, usize> = BTreeMap::new();
    for edge in edges {
        let (a, b) = (find(&mut leader, edge.one), find(&mut leader, edge.other));
        leader.insert(a.max(b), a.min(b));
    }
    let mut found: BTreeMap<usize, Component> = BTreeMap::new();
    for stream in leader.keys().copied().collect::<Vec<_>>() {
        found.entry(find(&mut leader, stream)).or_default().streams.push(stream);
    }
    for edge in edges {
        found.entry(find(&mut leader, edge.one)).or_default().edges.push(*edge);
    }
    found.into_values().collect()
}

/// The least stream of those that this one is known to hang together with. Shortens the way for the next time.
fn find(leader: &mut BTreeMap<usize, usize>, stream: usize) -> usize {
    let mut at = stream;
    loop {
        let next = *leader.entry(at).or_insert(at);
        let further = leader.get(&next).copied().unwrap_or(next);
        if next == at {
            return at;
        }
        leader.insert(at, further);
        at = next;
    }
}

/// What a component is. What no address tells is believed where there are two streams and nothing else.
pub(super) fn shape(component: &Component) -> Shape {
    let is_told = |way: Way| matches!(way, Way::Relay { .. } | Way::Inline);
    let told: Vec<Edge> = component.edges.iter().filter(|e| is_told(e.way)).copied().collect();
    if let [Edge { way: Way::Unknown, .. }] = component.edges[..] {
        return Shape::Chain;
    }
    if component.edges.iter().all(|e| e.way == Way::Elsewhere) {
        return Shape::Nothing;
    }
    if component.streams.len() > LONGEST {
        return Shape::Tangle;
    }
    let count = |of: usize, is_end: fn(&Edge, usize) -> bool| told.iter().filter(|e| is_end(e, of)).count();
    let is_link = |&stream: &usize| {
        let leaves = count(stream, |e, of| e.way != Way::Inline && e.one == of);
        let comes = count(stream, |e, of| e.way != Way::Inline && e.other == of);
        let inline = count(stream, |e, of| e.way == Way::Inline && (e.one == of || e.other == of));
        leaves <= 1 && comes <= 1 && inline <= 1
    };
    let hangs_together =
        components(&told).first().is_some_and(|c| c.streams.len() == component.streams.len());
    let has_no_ring = told.len() < component.streams.len();
    let is_chain = hangs_together && has_no_ring && component.streams.iter().all(is_link);
    if is_chain { Shape::Chain } else { Shape::Tangle }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: Way = Way::Relay { is_forward: true };

    #[test]
    fn what_can_be_put_together_in_one_way_is_a_chain() {
        for (name, edges, expected) in [
            ("a relay", vec![(1, 2, RELAY)], Shape::Chain),
            ("two relays", vec![(1, 2, RELAY), (2, 3, RELAY), (1, 3, Way::Unknown)], Shape::Chain),
            ("a relay, then something inline", vec![(1, 2, RELAY), (2, 3, Way::Inline)], Shape::Chain),
            ("two sides of a relay", vec![(1, 2, Way::Unknown)], Shape::Chain),
            ("two sides of two", vec![(1, 2, Way::Unknown), (2, 3, Way::Unknown)], Shape::Tangle),
            ("two receivers", vec![(1, 2, RELAY), (1, 3, RELAY), (2, 3, Way::Elsewhere)], Shape::Tangle),
            ("two senders", vec![(1, 3, RELAY), (2, 3, RELAY)], Shape::Tangle),
            ("a relay, and who knows", vec![(1, 2, RELAY), (2, 3, Way::Unknown)], Shape::Tangle),
            ("a relay, and another receiver", vec![(1, 2, RELAY), (2, 3, Way::Elsewhere)], Shape::Tangle),
            ("a ring", vec![(1, 2, RELAY), (2, 3, RELAY), (3, 1, RELAY)], Shape::Tangle),
            ("the same music", vec![(1, 2, Way::Elsewhere), (2, 3, Way::Elsewhere)], Shape::Nothing),
        ] {
            let edges: Vec<Edge> =
                edges.into_iter().map(|(one, other, way)| Edge { one, other, way }).collect();
            let components = components(&edges);
            assert_eq!(components.len(), 1, "{name}");
            assert_eq!(shape(&components[0]), expected, "{name}");
        }
    }

    #[test]
    fn what_has_nothing_in_common_is_looked_at_apart() {
        let edge = |one, other| Edge { one, other, way: RELAY };
        let found = components(&[edge(5, 9), edge(1, 2), edge(9, 7), edge(2, 3)]);
        let streams: Vec<_> = found.iter().map(|c| (c.streams.clone(), c.edges.len())).collect();
        assert_eq!(streams, [(vec![1, 2, 3], 2), (vec![5, 7, 9], 2)]);
    }
}
