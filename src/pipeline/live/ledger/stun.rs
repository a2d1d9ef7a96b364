//! What was taken over of STUN between two hosts.

use std::net::SocketAddr;

use super::passing::Passing;
use crate::meter::StunRecord;
use crate::status::Figures;
use crate::terms::Timestamp;

type Key = (u16, SocketAddr, SocketAddr, &'static str);

/// Round trips that were observed.
#[derive(Debug, Default)]
pub(super) struct StunLedger {
    taken: Passing<Key, Taken>,
}

/// What was taken over of a pair of hosts.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    /// Transactions, and the sum of their round trips.
    samples: u64,
    sum: f64,
    last: Timestamp,
}

impl StunLedger {
    /// Adds what is new: the mean over the transactions since the last interval.
    #[allow(clippy::cast_precision_loss, reason = "a mean")]
    pub(super) fn add(&mut self, stun: &[StunRecord], figures: &mut Figures) {
        for record in stun {
            let point = record.point.0;
            let Some(round_trip) = record.round_trip else { continue };
            let key = (point, record.client, record.server, record.kind);
            self.taken.change(key, Taken::default, |taken| {
                // A pair that was forgotten and came back counts from nothing.
                if taken.samples > round_trip.samples {
                    *taken = Taken::default();
                }
                let sum = round_trip.mean * round_trip.samples as f64;
                let new = round_trip.samples - taken.samples;
                if new > 0
                    && let Some(figures) = figures.points.get_mut(usize::from(point))
                {
                    figures.stun_round_trip.observe(((sum - taken.sum) / new as f64).max(0.0));
                }
                *taken = Taken { samples: round_trip.samples, sum, last: record.last };
            });
        }
    }

    /// Forgets pairs that were quiet since this moment.
    pub(super) fn forget(&mut self, before: Timestamp) {
        self.taken.keep(|_, taken| taken.last >= before);
    }
}
