//! Packets that are looked up together.
//!
//! Waiting for one stream's memory overlaps with waiting for that of the others.

use super::hop::Digest;
use super::key::{Key, Kind};
use crate::decode::PathId;
use crate::terms::{RtpTime, Timestamp, TrafficClass};

/// An RTP packet that waits for its stream's memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) key: Key,
    pub(super) digest: Digest,
    /// Where its stream is likely to be; [`NOWHERE`] where none is known.
    pub(super) guess: u32,
    pub(super) kind: Kind,
}

/// No place of a table.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Enough for their waits to overlap, and few enough to stay in the first-level cache until they are counted.
const MOST: usize = 16;

/// Packets in the order in which they came.
pub(super) struct Batch {
    pendings: [Pending; MOST],
    len: usize,
}

impl Batch {
    pub(super) const fn new() -> Self {
        Self { pendings: [Pending::NONE; MOST], len: 0 }
    }

    /// Adds a packet; true where there is no room for another. Per packet.
    #[inline]
    pub(super) fn push(&mut self, kind: Kind, key: Key, digest: Digest) -> bool {
        // Full it is emptied before the next, so that the rest changes nothing but what the compiler knows.
        if let Some(place) = self.pendings.get_mut(self.len % MOST) {
            *place = Pending { key, digest, guess: NOWHERE, kind };
        }
        self.len += 1;
        self.len >= MOST
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn get(&self, i: usize) -> Option<&Pending> {
        self.pendings.get(i)
    }

    /// Those that wait.
    #[inline]
    pub(super) fn waiting(&mut self) -> &mut [Pending] {
        self.pendings.get_mut(..self.len).unwrap_or_default()
    }

    /// When the first and the last of several came.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        match self.pendings.get(..self.len)? {
            [first, .., last] => Some((first.digest.arrival.0, last.digest.arrival.0)),
            _ => None,
        }
    }

    pub(super) const fn clear(&mut self) {
        self.len = 0;
    }
}

impl Pending {
    const NONE: Self = Self {
        key: Key::VACANT,
        digest: Digest {
            arrival: Timestamp(0),
            timestamp: RtpTime(0),
            sequence: 0,
            octets: 0,
            path: PathId::OVERFLOW,
            ttl: 0,
            traffic_class: TrafficClass(0),
            payload_type: 0,
            print: super::payload::Print::NONE,
        },
        guess: NOWHERE,
        kind: Kind::Plain,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_full_with_the_last_and_keeps_the_order() {
        let mut batch = Batch::new();
        let at = |n: i64| Digest { arrival: Timestamp(n), ..Pending::NONE.digest };
        let fill =
            |batch: &mut Batch| (1..=16).map(|n| batch.push(Kind::Plain, Key::VACANT, at(n))).collect();
        for _ in 0..2 {
            let full: Vec<bool> = fill(&mut batch);
            assert_eq!(full.iter().position(|&full| full), Some(15));
            assert_eq!(batch.span(), Some((1, 16)));
            let order: Vec<i64> = batch.waiting().iter().map(|p| p.digest.arrival.0).collect();
            assert_eq!(order, (1..=16).collect::<Vec<i64>>());
            batch.clear();
            assert_eq!((batch.len(), batch.span()), (0, None));
        }
    }

    #[test]
    fn one_packet_has_no_span() {
        let mut batch = Batch::new();
        batch.push(Kind::Plain, Key::VACANT, Pending::NONE.digest);
        assert_eq!((batch.waiting().len(), batch.span()), (1, None));
    }
}
