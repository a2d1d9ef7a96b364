//! Counts each packet at its hop, and holds those of which hop is open.
//!
//! What a packet costs here is bounded whatever it is: packets that are held are looked up once, and only compared
//! from then on.

use smallvec::SmallVec;

use super::hop::{Digest, begin, count};
use super::samples::Sampling;
use super::ways::{Belonging, Contest, Evidence, Held};
use super::{Limits, Meter};
use crate::decode::PathTable;

/// Whether two packets came the same way: markings of tags and tunnels do not make a way.
fn is_same_way(a: &Digest, b: &Digest, paths: &PathTable) -> bool {
    a.ttl == b.ttl && paths.place(a.path) == paths.place(b.path)
}

impl Meter {
    /// Counts a packet of a stream at the hop where it belongs.
    pub(super) fn count(&mut self, first: u32, d: &Digest, paths: &PathTable) {
        let hop = self.hop_of(first, d, paths);
        if hop.is_none() {
            // What may be a new hop begins with all that it may choose from.
            self.choose_from_all();
        }
        let Some((hot, cold)) = self.table.hop(first) else { return };
        if let Some(hop) = hop
            && cold.contest().is_none()
        {
            self.count_at(hop, d);
            return;
        }
        cold.take_over(hot);
        cold.contest_mut().held.push_back(Held { digest: *d, hop });
        hot.set_slow(cold);
        self.decide_contest(first, false, paths);
    }

    fn count_at(&mut self, hop: u32, d: &Digest) {
        if let Some((hot, cold)) = self.table.hop(hop) {
            count(hot, cold, d, &self.clocks);
        }
    }

    /// The hop that knows this packet's way.
    fn hop_of(&mut self, first: u32, d: &Digest, paths: &PathTable) -> Option<u32> {
        let mut next = Some(first);
        while let Some(i) = next {
            let (hot, cold) = self.table.hop(i)?;
            if hot.path == d.path && hot.ttl == d.ttl {
                return Some(i);
            }
            next = cold.next();
        }
        let place = paths.place(d.path);
        let is_same = |path, ttl| ttl == d.ttl && paths.place(path) == place;
        let mut next = Some(first);
        while let Some(i) = next {
            let (hot, cold) = self.table.hop(i)?;
            if cold.knows_way(hot, is_same) {
                return Some(i);
            }
            next = cold.next();
        }
        None
    }

    /// Decides whether the new ways of a stream are hops of their own, as far as that can be told by now.
    pub(super) fn decide_contest(&mut self, first: u32, is_end: bool, paths: &PathTable) {
        let Some(mut contest) = self.table.hop(first).and_then(|(_, cold)| cold.take_contest()) else {
            return;
        };
        while let Some(oldest) = contest.held.front().copied() {
            if let Some(hop) = oldest.hop {
                contest.held.pop_front();
                self.count_at(hop, &oldest.digest);
                continue;
            }
            match self.belonging(first, &contest, is_end, paths) {
                Belonging::Open => {
                    if let Some((_, cold)) = self.table.hop(first) {
                        cold.put_contest(contest);
                    }
                    break;
                }
                belonging => self.settle(first, &mut contest, belonging, paths),
            }
        }
        if let Some((hot, cold)) = self.table.hop(first) {
            hot.set_slow(cold);
        }
    }

    fn belonging(&mut self, first: u32, contest: &Contest, is_end: bool, paths: &PathTable) -> Belonging {
        let (Some(newcomer), Some(last)) = (contest.held.front(), contest.held.back()) else {
            return Belonging::Open;
        };
        let is_newcomer = |h: &&Held| h.hop.is_none() && is_same_way(&h.digest, &newcomer.digest, paths);
        let newcomers: SmallVec<[Digest; 16]> =
            contest.held.iter().filter(is_newcomer).map(|h| h.digest).collect();
        let mut copies = SmallVec::new();
        let mut next = Some(first);
        while let Some(i) = next {
            let Some((hot, cold)) = self.table.hop(i) else { break };
            cold.take_over(hot);
            let seen_here = |d: &&Digest| {
                let was_held = |h: &Held| {
                    h.hop == Some(i) && h.digest.sequence == d.sequence && h.digest.timestamp == d.timestamp
                };
                cold.window.has(d.sequence) || contest.held.iter().any(was_held)
            };
            copies.push(newcomers.iter().filter(seen_here).count());
            next = cold.next();
        }
        let held_ns = last.digest.arrival.nanos_since(newcomer.digest.arrival);
        Evidence { packets: newcomers.len(), copies, held: contest.held.len(), held_ns, is_end }.weigh()
    }

    /// Counts the newcomer where it belongs. Packets behind it that came the same way belong there too.
    fn settle(&mut self, first: u32, contest: &mut Contest, belonging: Belonging, paths: &PathTable) {
        let Some(Held { digest: newcomer, .. }) = contest.held.pop_front() else { return };
        let hop = match belonging {
            Belonging::WayTo(hop) => {
                let hop = self.table.chain(first).nth(hop).unwrap_or(first);
                self.count_at(hop, &newcomer);
                hop
            }
            _ if self.table.chain(first).count() >= self.limits.max_hops => {
                self.counters.packets_beyond_hop_limit += 1;
                return;
            }
            _ => {
                let Limits { has_other_points, samples_per_second, newest_samples, .. } = self.limits;
                let streams = self.table.streams();
                let sampling = Sampling::of_hops(streams, has_other_points, samples_per_second)
                    .with_newest(newest_samples);
                let Some((hot, cold)) = self.table.hop(first) else { return };
                hot.sample_from_now(sampling);
                let (hot, cold) = begin(hot.key, cold.kind, &newcomer, &self.clocks, sampling);
                self.table.add_hop(first, hot, cold)
            }
        };
        for held in &mut contest.held {
            if held.hop.is_none() && is_same_way(&held.digest, &newcomer, paths) {
                held.hop = Some(hop);
            }
        }
    }
}
