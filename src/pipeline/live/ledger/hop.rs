//! What was taken over of one stream at one hop.

use smallvec::SmallVec;

use crate::meter::HopRecord;
use crate::status::{HopFigures, StreamId};
use crate::terms::{FlowKey, Ssrc, Timestamp};

/// One hop of one stream, for as long as the stream runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ViewKey {
    point: u16,
    /// Of hops that are alike in all else.
    which: u8,
    ssrc: Ssrc,
    flow: FlowKey,
    first: Timestamp,
}

impl ViewKey {
    /// The key of a hop, other than those of the stream's hops before it.
    pub(super) fn of<T>(point: u16, hop: &HopRecord, before: &[(Self, T)]) -> Self {
        let mut key = Self { point, which: 0, ssrc: hop.ssrc, flow: hop.flow, first: hop.first };
        while key.which < u8::MAX && before.iter().any(|(other, _)| *other == key) {
            key.which += 1;
        }
        key
    }
}

/// What was taken over of it.
#[derive(Debug)]
pub(super) struct HopEntry {
    /// The interval in which it was first seen.
    pub(super) since: u64,
    pub(super) stream: Option<StreamId>,
    pub(super) last: Timestamp,
    packets: u64,
    expected: u64,
    lost: Settled,
    duplicates: u64,
    reordered: u64,
    resets: u64,
    octets: u64,
    jitter_updates: u64,
    jitter_sum: f64,
    dscp: SmallVec<[(u8, u64); 2]>,
}

/// A count of which the newest part may be taken back.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Settled {
    before: u64,
    taken: u64,
}

impl Settled {
    /// What is certain to be new: what was counted an interval ago, and still is.
    pub(super) fn add(&mut self, now: u64) -> u64 {
        let settled = now.min(self.before);
        self.before = now;
        let new = settled.saturating_sub(self.taken);
        self.taken += new;
        new
    }
}

/// What is new of a count that only grows.
fn new(taken: &mut u64, now: u64) -> u64 {
    let new = now.saturating_sub(*taken);
    *taken += new;
    new
}

impl HopEntry {
    pub(super) fn new(since: u64) -> Self {
        Self {
            since,
            stream: None,
            last: Timestamp(i64::MIN),
            packets: 0,
            expected: 0,
            lost: Settled::default(),
            duplicates: 0,
            reordered: 0,
            resets: 0,
            octets: 0,
            jitter_updates: 0,
            jitter_sum: 0.0,
            dscp: SmallVec::new(),
        }
    }

    /// Adds what is new of a hop; gives the new octets.
    #[allow(clippy::cast_precision_loss, reason = "a mean")]
    pub(super) fn add(&mut self, hop: &HopRecord, _round: u64, figures: &mut HopFigures) -> u64 {
        self.last = self.last.max(hop.last);
        figures.packets += new(&mut self.packets, hop.packets);
        figures.expected += new(&mut self.expected, hop.expected);
        figures.lost += self.lost.add(hop.lost());
        figures.duplicates += new(&mut self.duplicates, hop.duplicates);
        figures.reordered += new(&mut self.reordered, hop.reordered);
        figures.resets += new(&mut self.resets, u64::from(hop.resets));
        if let Some(jitter) = hop.jitter {
            let sum = jitter.mean * jitter.updates as f64;
            let updates = jitter.updates.saturating_sub(self.jitter_updates);
            if updates > 0 {
                // Rounding may leave less than nothing.
                figures.jitter.observe(((sum - self.jitter_sum) / updates as f64).max(0.0));
                (self.jitter_updates, self.jitter_sum) = (jitter.updates, sum);
            }
        }
        new(&mut self.octets, hop.octets)
    }

    /// Hands over what is new by codepoint.
    pub(super) fn add_marking(&mut self, hop: &HopRecord, mut take: impl FnMut(u8, u64)) {
        for &(dscp, packets) in &hop.dscp {
            let known = self.dscp.iter().position(|(known, _)| *known == dscp);
            let taken = known.unwrap_or_else(|| {
                self.dscp.push((dscp, 0));
                self.dscp.len() - 1
            });
            if let Some((_, taken)) = self.dscp.get_mut(taken) {
                let packets = new(taken, packets);
                if packets > 0 {
                    take(dscp, packets);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_late_packet_undoes_is_never_counted() {
        let mut lost = Settled::default();
        let seen = [3, 1, 1, 4, 4, 2, 5, 5];
        let counted: Vec<u64> = seen.iter().map(|&now| lost.add(now)).collect();
        assert_eq!(counted, [0, 1, 0, 0, 3, 0, 0, 1]);
    }
}
