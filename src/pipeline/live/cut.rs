//! What an observer hands over after an interval.

use crate::meter::Packed;
use crate::pipeline::gather::Done;
use crate::status::PointFigures;
use crate::terms::Timestamp;

/// Running streams as they are by a moment, and everything else that an observer knows.
#[derive(Debug)]
pub(super) struct Cut {
    /// Packets up to here are in it, as far as the observer had them.
    pub(super) at: Timestamp,
    pub(super) done: Done,
    pub(super) packed: Vec<Packed>,
    /// Streams that have ended since the cut before.
    pub(super) ended: Vec<Packed>,
    /// Whether the observer has ended.
    pub(super) is_last: bool,
    /// By point of the observer.
    pub(super) figures: Vec<PointFigures>,
}

impl Cut {
    /// Takes over what is in no other cut: streams that had ended by the one before, which nobody has seen. Each cut
    /// numbers paths of its own.
    pub(super) fn take_ended(&mut self, before: Self) {
        if before.ended.iter().all(Packed::is_empty) {
            return;
        }
        let own = self.done.paths.len();
        self.done.paths.extend(before.done.paths);
        self.ended.extend(before.ended.into_iter().map(|mut packed| {
            packed.move_paths(own);
            packed
        }));
    }
}
