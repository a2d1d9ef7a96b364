//! What is known now: written by the judge, read by everybody else.
//!
//! The judge publishes one picture of everything after each interval, and keeps a shared table of the findings since the
//! start. Readers never make the judge or an observer wait.

mod evidence;
mod figures;
mod finding;
mod stream;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use dashmap::DashMap;

pub use evidence::EvidenceStatus;
pub use figures::{
    BOUNDS, Class, Distribution, Figures, HopFigures, HopKey, MarkingVerdict, PointFigures, SegmentFigures,
    SegmentKey,
};
pub use finding::{FindingId, FindingStatus};
pub use stream::{StreamId, StreamStatus};

use crate::terms::Timestamp;
use crate::verify::Outcome;

/// What everybody may ask.
#[derive(Debug, Default)]
pub struct Status {
    picture: RwLock<Arc<Picture>>,
    /// Findings since the start, as many as are kept. Boxed, as the table grows with those that came and went.
    pub findings: DashMap<FindingId, Box<FindingStatus>>,
    /// Findings that were dropped because there was no room.
    pub findings_dropped: AtomicU64,
    /// How keeping evidence goes.
    pub evidence: EvidenceStatus,
    /// Whether everything is open and the first interval was judged.
    pub is_ready: AtomicBool,
    /// Whether the process has ended that opens interfaces.
    pub is_opener_gone: AtomicBool,
    reload: RwLock<Reload>,
}

/// Everything after one interval.
#[derive(Debug, Default)]
pub struct Picture {
    /// Packets up to here are in it.
    pub at: Option<Timestamp>,
    /// The running streams, and those that ended a short time ago, as a replay of their packets would judge them.
    pub outcome: Outcome,
    /// What to find and sort them by: the stream of number `n` is at place `n`.
    pub streams: Vec<StreamStatus>,
    /// What Prometheus is told.
    pub figures: Figures,
}

/// How the last reading of the configuration went.
#[derive(Debug, Clone, PartialEq)]
pub struct Reload {
    /// Whether it was taken over.
    pub is_successful: bool,
    /// When it was last taken over, in seconds since 1970.
    pub success_seconds: f64,
    /// What was wrong, if it was not.
    pub problem: Option<String>,
}

impl Default for Reload {
    fn default() -> Self {
        Self { is_successful: true, success_seconds: 0.0, problem: None }
    }
}

impl Status {
    /// The latest picture.
    #[must_use]
    pub fn picture(&self) -> Arc<Picture> {
        Arc::clone(&self.picture.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new picture in the place of the last one.
    pub fn publish(&self, picture: Picture) {
        let picture = Arc::new(picture);
        // What was there goes when nobody waits for the lock.
        let _before = std::mem::replace(
            &mut *self.picture.write().unwrap_or_else(PoisonError::into_inner),
            Arc::clone(&picture),
        );
        // Once ready it stays so: an interface that goes down later is a figure of its own.
        if picture.figures.points.iter().all(|point| point.has_been_up) {
            self.is_ready.store(true, Ordering::Release);
        }
    }

    /// How the last reading of the configuration went.
    #[must_use]
    pub fn reload(&self) -> Reload {
        self.reload.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how reading the configuration went.
    pub fn set_reload(&self, reload: Reload) {
        *self.reload.write().unwrap_or_else(PoisonError::into_inner) = reload;
    }
}
