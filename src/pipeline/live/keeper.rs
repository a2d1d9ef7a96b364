//! Opens taps, and opens them again when they were lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{LivePoint, Open, Tap};

/// Between two attempts to open a source.
const PATIENCE: Duration = Duration::from_secs(1);

/// Keeps all points open, as far as that can be done.
pub(super) struct Keeper {
    open: Open,
    points: Vec<Kept>,
    lost: (Sender<String>, Receiver<String>),
    stop: Arc<AtomicBool>,
}

struct Kept {
    point: LivePoint,
    /// To the point's observers: one tap each.
    inlets: Vec<Sender<Tap>>,
    is_open: bool,
    /// What was said last, so that it is not said every second.
    problem: Option<String>,
}

impl Keeper {
    pub(super) fn new(open: Open, stop: Arc<AtomicBool>) -> Self {
        Self { open, points: Vec::new(), lost: unbounded(), stop }
    }

    /// Where observers say that the tap of their point was lost.
    pub(super) fn lost(&self) -> Sender<String> {
        self.lost.0.clone()
    }

    pub(super) fn add(&mut self, point: LivePoint, inlets: Vec<Sender<Tap>>) {
        self.points.push(Kept { point, inlets, is_open: false, problem: None });
    }

    pub(super) fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            for kept in &mut self.points {
                kept.try_open(&mut self.open);
            }
            let Ok(name) = self.lost.1.recv_timeout(PATIENCE) else { continue };
            if let Some(kept) = self.points.iter_mut().find(|kept| kept.point.name == name) {
                kept.is_open = false;
                // An interface that goes away takes a moment to do so.
                std::thread::sleep(PATIENCE / 10);
            }
        }
    }
}

impl Kept {
    fn try_open(&mut self, open: &mut Open) {
        // A file that is over is over.
        if self.is_open || self.inlets.iter().any(|inlet| !inlet.is_empty()) {
            return;
        }
        match open(&self.point) {
            Ok(taps) => {
                tracing::info!(point = self.point.name, source = self.point.source, "listening");
                for (inlet, tap) in self.inlets.iter().zip(taps) {
                    let _ = inlet.try_send(tap);
                }
                self.is_open = true;
                self.problem = None;
            }
            Err(problem) => {
                if self.problem.as_ref() != Some(&problem) {
                    tracing::error!(
                        point = self.point.name,
                        source = self.point.source,
                        "cannot listen, trying again every second: {problem}"
                    );
                }
                self.problem = Some(problem);
            }
        }
    }
}
