//! What the server counts of itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Since the start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Scrapes that were answered with figures.
    pub(super) scrapes: AtomicU64,
    /// Connections that are open. Now.
    pub(super) connections: AtomicU64,
    /// Connections that had to make room for new ones.
    pub(super) displaced: AtomicU64,
    /// Connections on which no TLS came about.
    pub(super) tls_failed: AtomicU64,
    /// The most label sets that one scrape had no room for.
    pub(super) limited: AtomicU64,
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

impl Counters {
    /// Counts a request by what answered it, and the status of the answer. Both are few.
    pub(super) fn answered(&self, handler: &'static str, status: u16) {
        *self.requests().entry((handler, status)).or_default() += 1;
    }

    /// Requests by handler and status.
    pub(super) fn requests(&self) -> std::sync::MutexGuard<'_, BTreeMap<(&'static str, u16), u64>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
