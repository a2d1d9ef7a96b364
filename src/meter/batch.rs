//! Packets that wait for the memory of their streams.
//!
//! It is asked for in two steps, long before it is needed: where a packet's stream stands in the index as soon as the
//! packet comes, the stream itself once a batch is full and the one before it is counted. Only when the next batch is full
//! are its packets counted.

use super::hop::Digest;
use super::index::Tag;
use super::key::{Key, Kind};
use crate::decode::PathId;
use crate::terms::{RtpTime, Timestamp, TrafficClass};

/// An RTP packet that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) key: Key,
    pub(super) digest: Digest,
    pub(super) tag: Tag,
    /// Where its stream is likely to be; [`NOWHERE`] where none is known.
    pub(super) guess: u32,
}

const _: () = assert!(size_of::<Pending>() <= 64);

/// No place of a table.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Enough for their waits to overlap, and few enough to stay in the first-level cache until they are counted.
const MOST: usize = 16;

/// Packets in the order in which they came: those that were looked up, then those that were not yet.
pub(super) struct Batch {
    /// Two halves, which change places.
    pendings: [Pending; 2 * MOST],
    /// Where the half begins that fills.
    fresh: usize,
    /// Packets in it.
    len: usize,
    /// Packets in the other half, which were looked up.
    looked_up: usize,
    /// How often a stream had been taken out of the table when they were.
    pub(super) removals: u64,
}

impl Batch {
    pub(super) const fn new() -> Self {
        Self { pendings: [Pending::NONE; 2 * MOST], fresh: 0, len: 0, looked_up: 0, removals: 0 }
    }

    /// Where packets go that are not there yet: [`Self::add`] says how many went there.
    #[inline]
    pub(super) fn room(&mut self) -> &mut [Pending] {
        self.pendings.get_mut(self.fresh + self.len..self.fresh + MOST).unwrap_or_default()
    }

    /// So many packets went into the room; true where there is none for another.
    #[inline]
    pub(super) const fn add(&mut self, packets: usize) -> bool {
        self.len += packets;
        self.len >= MOST
    }

    /// Those that were not looked up yet.
    #[inline]
    pub(super) fn fresh(&mut self) -> &mut [Pending] {
        self.pendings.get_mut(self.fresh..self.fresh + self.len).unwrap_or_default()
    }

    /// Those that were looked up, and wait to be counted.
    #[inline]
    pub(super) fn waiting(&self) -> &[Pending] {
        let start = MOST - self.fresh;
        self.pendings.get(start..start + self.looked_up).unwrap_or_default()
    }

    /// Whether nothing waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0 && self.looked_up == 0
    }

    /// When the first and the last of several came that wait to be counted.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        match self.waiting() {
            [first, .., last] => Some((first.digest.arrival.0, last.digest.arrival.0)),
            _ => None,
        }
    }

    /// Those that waited were counted: the fresh ones, which were looked up, wait from now on.
    pub(super) const fn turn(&mut self, removals: u64) {
        self.looked_up = self.len;
        self.len = 0;
        self.fresh = MOST - self.fresh;
        self.removals = removals;
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
        tag: Tag::of(0, Kind::Plain),
        guess: NOWHERE,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(batch: &mut Batch, digest: Digest) -> bool {
        batch.room()[0] = Pending { digest, ..Pending::NONE };
        batch.add(1)
    }

    #[test]
    fn a_batch_is_full_with_the_last_and_keeps_the_order() {
        let mut batch = Batch::new();
        let at = |n: i64| Digest { arrival: Timestamp(n), ..Pending::NONE.digest };
        let order = |all: &[Pending]| all.iter().map(|p| p.digest.arrival.0).collect::<Vec<_>>();
        for turn in 0..4 {
            let numbers: Vec<i64> = (turn * 16..turn * 16 + 16).collect();
            let full: Vec<bool> = numbers.iter().map(|&n| push(&mut batch, at(n))).collect();
            assert_eq!(full.iter().position(|&full| full), Some(15));
            assert_eq!(order(batch.fresh()), numbers);
            let before: Vec<i64> = if turn == 0 { Vec::new() } else { (turn * 16 - 16..turn * 16).collect() };
            assert_eq!(order(batch.waiting()), before);
            batch.turn(7);
            assert_eq!((batch.fresh().len(), batch.removals), (0, 7));
            assert_eq!(batch.span(), Some((turn * 16, turn * 16 + 15)));
        }
        batch.turn(8);
        assert!(batch.is_empty());
    }

    #[test]
    fn one_packet_has_no_span() {
        let mut batch = Batch::new();
        push(&mut batch, Pending::NONE.digest);
        batch.turn(0);
        assert_eq!((batch.waiting().len(), batch.span()), (1, None));
    }
}
