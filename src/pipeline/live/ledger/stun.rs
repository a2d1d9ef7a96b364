//! What was taken over of STUN between two hosts.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::meter::StunRecord;
use crate::status::Figures;

type Key = (u16, SocketAddr, SocketAddr, &'static str);

/// Round trips that were observed.
#[derive(Debug, Default)]
pub(super) struct StunLedger {
    /// Transactions and the sum of their round trips.
    taken: HashMap<Key, (u64, f64)>,
}

impl StunLedger {
    /// Adds what is new: the mean over the transactions since the last interval.
    #[allow(clippy::cast_precision_loss, reason = "a mean")]
    pub(super) fn add(&mut self, stun: &[StunRecord], figures: &mut Figures) {
        let mut heard: HashMap<Key, (u64, f64)> = HashMap::with_capacity(stun.len());
        for record in stun {
            let point = record.point.0;
            let key = (point, record.client, record.server, record.kind);
            let Some(round_trip) = record.round_trip else { continue };
            let sum = round_trip.mean * round_trip.samples as f64;
            let (samples, before) = self.taken.get(&key).copied().unwrap_or((0, 0.0));
            // A pair that was forgotten and came back counts from nothing.
            let (samples, before) = if samples > round_trip.samples { (0, 0.0) } else { (samples, before) };
            let new = round_trip.samples - samples;
            if new > 0
                && let Some(figures) = figures.points.get_mut(usize::from(point))
            {
                figures.stun_round_trip.observe(((sum - before) / new as f64).max(0.0));
            }
            heard.insert(key, (round_trip.samples, sum));
        }
        // Pairs that are quiet are still known to the meter for a while, and count on from where they were.
        self.taken.retain(|key, _| !heard.contains_key(key));
        if self.taken.len() > MOST_QUIET {
            self.taken.clear();
        }
        self.taken.extend(heard);
    }
}

/// Pairs that are remembered though they are quiet: more than a meter knows.
const MOST_QUIET: usize = 1 << 17;
