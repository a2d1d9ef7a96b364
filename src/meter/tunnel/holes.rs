//! Numbers of a mirror session that did not come, while they still may.

use std::collections::VecDeque;

use super::TunnelCount;
use crate::terms::Timestamp;

/// Runs of missing numbers that late frames may still fill.
const MOST_OPEN: usize = 64;
/// Gaps that are kept of a session; of twice as many the nearest neighbours are put together.
const MOST_GAPS: usize = 256;

/// A time in which frames of a mirror session are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TunnelGap {
    /// When the last frame before them came.
    pub from: Timestamp,
    /// When the first frame after them came.
    pub to: Timestamp,
    /// How many; none where the switch may have counted anew.
    pub frames: Option<u64>,
}

/// Numbers in a row.
#[derive(Debug, Clone, Copy)]
struct Hole {
    hardware: u16,
    first: u32,
    length: u32,
    span: (Timestamp, Timestamp),
    file: u16,
}

/// All missing numbers of a session.
#[derive(Debug, Clone, Default)]
pub(super) struct Holes {
    open: VecDeque<Hole>,
    gaps: Vec<TunnelGap>,
    /// Missing in runs that are no longer open, by file.
    closed: Tally,
}

/// Frames by file.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Vec<(u16, TunnelCount)>);

impl Tally {
    fn of(&mut self, file: u16) -> &mut TunnelCount {
        // The file at hand is nearly always the last one.
        let place = self.0.iter().rposition(|(f, _)| *f == file).unwrap_or_else(|| {
            self.0.push((file, TunnelCount::default()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    pub(super) fn heard(&mut self, file: u16) {
        self.of(file).frames += 1;
    }

    pub(super) fn lost(&mut self, file: u16, frames: u64) {
        self.of(file).lost += frames;
    }

    pub(super) fn into_files(mut self) -> Vec<(u16, TunnelCount)> {
        self.0.sort_unstable_by_key(|(file, _)| *file);
        self.0
    }
}

impl Holes {
    /// Numbers were passed over.
    pub(super) fn open(
        &mut self,
        (hardware, first, length): (u16, u32, u32),
        span: (Timestamp, Timestamp),
        file: u16,
    ) {
        self.open.push_back(Hole { hardware, first, length, span, file });
        self.close_one_too_many();
    }

    fn close_one_too_many(&mut self) {
        if self.open.len() > MOST_OPEN
            && let Some(oldest) = self.open.pop_front()
        {
            self.close(oldest);
        }
    }

    /// A number came late: whether it was missing.
    pub(super) fn fill(&mut self, hardware: u16, sequence: u32) -> bool {
        let offset = |hole: &Hole| sequence.wrapping_sub(hole.first);
        let Some(place) = self.open.iter().position(|h| h.hardware == hardware && offset(h) < h.length)
        else {
            return false;
        };
        let Some(hole) = self.open.remove(place) else { return false };
        let before = offset(&hole);
        let behind = Hole { first: sequence.wrapping_add(1), length: hole.length - before - 1, ..hole };
        // In their places: the oldest is closed first.
        for part in [behind, Hole { length: before, ..hole }] {
            if part.length > 0 {
                self.open.insert(place, part);
            }
        }
        self.close_one_too_many();
        true
    }

    fn close(&mut self, hole: Hole) {
        self.closed.lost(hole.file, u64::from(hole.length));
        let (from, to) = hole.span;
        match self.gaps.last_mut() {
            // Parts of what was one hole.
            Some(TunnelGap { frames: Some(frames), from: start, to: end })
                if (*start, *end) == (from, to) =>
            {
                *frames += u64::from(hole.length);
            }
            _ => self.add(TunnelGap { from, to, frames: Some(u64::from(hole.length)) }),
        }
    }

    /// Adds a gap that is known otherwise.
    pub(super) fn add(&mut self, gap: TunnelGap) {
        self.gaps.push(gap);
        if self.gaps.len() >= 2 * MOST_GAPS {
            self.put_together();
        }
    }

    /// Puts those together that have the least time between them.
    fn put_together(&mut self) {
        self.gaps.sort_unstable();
        let mut apart: Vec<(i64, usize)> = Vec::with_capacity(self.gaps.len());
        for (pair, i) in self.gaps.windows(2).zip(1..) {
            if let [one, next] = pair {
                apart.push((next.from.0.saturating_sub(one.to.0), i));
            }
        }
        apart.sort_unstable();
        apart.truncate(self.gaps.len().saturating_sub(MOST_GAPS));
        let mut joined = vec![false; self.gaps.len()];
        for (_, i) in apart {
            if let Some(is_joined) = joined.get_mut(i) {
                *is_joined = true;
            }
        }
        let gaps = std::mem::take(&mut self.gaps);
        for (gap, is_joined) in gaps.into_iter().zip(joined) {
            match self.gaps.last_mut() {
                Some(last) if is_joined => {
                    last.to = last.to.max(gap.to);
                    last.frames = last.frames.zip(gap.frames).map(|(a, b)| a + b);
                }
                _ => self.gaps.push(gap),
            }
        }
    }

    /// All gaps in order of time; what is missing is added to the tally.
    pub(super) fn finish(mut self, tally: &mut Tally) -> Vec<TunnelGap> {
        while let Some(hole) = self.open.pop_front() {
            self.close(hole);
        }
        for (file, count) in self.closed.0 {
            tally.lost(file, count.lost);
        }
        self.gaps.sort_unstable();
        self.gaps
    }
}
