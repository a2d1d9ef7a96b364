//! A meter while it runs: streams as they are now, and room for months.

use smallvec::SmallVec;

use super::key::{Key, Kind};
use super::records::{Counted, Paths};
use super::{Meter, MeterCounters, PathTable, StreamRecord, StunRecord, records};
use crate::decode::PathId;
use crate::terms::Timestamp;

/// How far a walk through the table has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walk(usize);

impl Meter {
    /// Other points hear the same streams from now on, so that hops are compared. Streams that run already are
    /// sampled from now on.
    pub fn compare(&mut self) {
        self.limits.has_other_points = true;
        let sampling = self.sampling();
        for place in (0..self.table.places()).filter_map(|place| u32::try_from(place).ok()) {
            if let Some(hot) = self.table.hot(place) {
                hot.sample_from_now(sampling);
            }
        }
    }

    /// Time goes on, though no packet may have come.
    pub fn advance(&mut self, now: Timestamp, paths: &PathTable) {
        self.settle_batch(paths);
        self.expiry.advance(now.0);
        self.transactions.advance(now);
        if self.book.has_grown() {
            // In months more addresses are heard than there is room for.
            let others = self.candidates.keys().chain(self.fragments.keys());
            let others = others.filter(|(kind, _)| *kind == Kind::Interned).map(|(_, key)| key);
            let used = self.table.interned_keys().chain(others);
            self.book.keep_only(used.flat_map(Key::numbers));
        }
    }

    /// Every path that something here still knows by its number; what may have become a stream and was silent for longer
    /// than the time-out is given up for it. To be used by [`PathTable::keep_only`], and followed by
    /// [`Self::forget_paths`].
    pub fn paths_in_use(&mut self, paths: &PathTable) -> impl Iterator<Item = PathId> + '_ {
        self.settle_batch(paths);
        let (expiry, timeout) = (&self.expiry, self.limits.stream_timeout_ns);
        self.candidates.give_up_silent(|last_arrival| expiry.is_over(last_arrival, timeout));
        self.note_given_up();
        self.table.paths().chain(self.candidates.paths()).chain(self.transactions.places())
    }

    /// Numbers of paths may stand for others from now on.
    pub fn forget_paths(&mut self) {
        self.paths = Paths::default();
    }

    /// Ends every stream that was silent for longer than the time-out; [`Self::take_ended`] gives them.
    pub fn end_silent(&mut self, paths: &PathTable) {
        for place in 0..self.table.places() {
            self.end_if_over(place, paths);
        }
    }

    /// Records of the streams that were heard since a moment, of at most so many places of the table; none is ended by
    /// it. Packets of which it is not decided yet to which hop they belong are not in it. Gives where to go on.
    pub fn walk(
        &mut self,
        from: Walk,
        places: usize,
        since: Timestamp,
        paths: &PathTable,
        mut sink: impl FnMut(StreamRecord),
    ) -> Option<Walk> {
        self.settle_batch(paths);
        let end = from.0.saturating_add(places).min(self.table.places());
        let is_compared = self.is_compared();
        for place in from.0..end {
            let Ok(first) = u32::try_from(place) else { return None };
            let is_recent = self.table.arrival_at(first).is_some() && self.table.is_first_hop(first);
            if !is_recent || self.table.last_arrival(first) < since.0 {
                continue;
            }
            let mut copies = self.table.copy_stream(first);
            let mut hops: SmallVec<[Counted<'_>; 8]> =
                copies.iter_mut().map(|(hot, cold)| (hot, cold)).collect();
            let (shared, known) = (&mut self.paths, (&self.clocks, &self.book));
            let mut record = StreamRecord::blank();
            if records::fill(&mut record, self.point, &mut hops, known, shared, paths, is_compared) {
                let facts = self.facts.shared(record.flow);
                sink(StreamRecord { facts, ..record });
            }
        }
        (end < self.table.places()).then_some(Walk(end))
    }

    /// STUN of the pairs that were heard since a moment; pairs that have been quiet for long are forgotten.
    pub fn stun_since(&mut self, since: Timestamp) -> Vec<StunRecord> {
        self.transactions.since(since)
    }

    /// STUN requests so far, and those that were not answered in time.
    #[must_use]
    pub const fn stun_totals(&self) -> (u64, u64) {
        self.transactions.totals()
    }

    /// Streams that began so far.
    #[must_use]
    pub const fn streams_started(&self) -> u64 {
        self.started
    }

    /// What was dropped, refused or could not be placed so far.
    #[must_use]
    pub fn counters(&self, paths: &PathTable) -> MeterCounters {
        MeterCounters {
            candidates_evicted: self.candidates.evicted,
            orphan_fragments: self.fragments.orphans,
            paths_overflowed: paths.overflowed(),
            transactions_evicted: self.transactions.evicted(),
            ..self.counters
        }
    }
}
