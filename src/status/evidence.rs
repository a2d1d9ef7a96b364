//! How keeping evidence goes.

use std::sync::atomic::{AtomicU64, Ordering};

/// Files of evidence since the start.
#[derive(Debug, Default)]
pub struct EvidenceStatus {
    written: AtomicU64,
    octets: AtomicU64,
    failed: AtomicU64,
    removed: AtomicU64,
    skipped: AtomicU64,
}

impl EvidenceStatus {
    /// Notes what was written, their octets, what failed and what was removed, all since the start.
    pub fn set(&self, written: u64, octets: u64, failed: u64, removed: u64) {
        for (place, n) in [
            (&self.written, written),
            (&self.octets, octets),
            (&self.failed, failed),
            (&self.removed, removed),
        ] {
            place.store(n, Ordering::Relaxed);
        }
    }

    /// Notes that a finding got no file because too many waited.
    pub fn skip(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    /// Files by what became of them: written, failed, removed to make room, not begun because too many waited.
    pub fn files(&self) -> [(&'static str, u64); 4] {
        let of = |place: &AtomicU64| place.load(Ordering::Relaxed);
        [
            ("written", of(&self.written)),
            ("failed", of(&self.failed)),
            ("removed", of(&self.removed)),
            ("skipped", of(&self.skipped)),
        ]
    }

    /// Octets of the files that were written.
    pub fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }
}
