//! Opens taps, and opens them again when they were lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select, unbounded};

use super::{LivePoint, Open, Tap};

/// Between two attempts to open a source.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks at whether to stop.
const TICK: Duration = Duration::from_millis(100);

/// What the keeper is to do.
pub(super) enum Task {
    /// To open a point, and to keep it open: a tap for each of these.
    Keep(LivePoint, Vec<Sender<Tap>>),
    /// To care no more for the point of this name.
    Leave(String),
}

/// Keeps all points open, as far as that can be done.
pub(super) struct Keeper {
    open: Open,
    points: Vec<Kept>,
    tasks: (Sender<Task>, Receiver<Task>),
    lost: (Sender<String>, Receiver<String>),
    stop: Arc<AtomicBool>,
}

struct Kept {
    point: LivePoint,
    /// To the point's observers: one tap each.
    inlets: Vec<Sender<Tap>>,
    is_open: bool,
    /// Ticks until the next attempt.
    wait: u32,
    /// What was said last, so that it is not said every second.
    problem: Option<String>,
}

impl Keeper {
    pub(super) fn new(open: Open, stop: Arc<AtomicBool>) -> Self {
        Self { open, points: Vec::new(), tasks: unbounded(), lost: unbounded(), stop }
    }

    /// Where tasks go, and where observers say that the tap of their point was lost.
    pub(super) fn inlets(&self) -> (Sender<Task>, Sender<String>) {
        (self.tasks.0.clone(), self.lost.0.clone())
    }

    pub(super) fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let (tasks, lost) = (&self.tasks.1, &self.lost.1);
            select! {
                recv(tasks) -> task => match task {
                    Ok(Task::Keep(point, inlets)) => {
                        self.points.push(Kept { point, inlets, is_open: false, wait: 0, problem: None });
                    }
                    Ok(Task::Leave(name)) => self.points.retain(|kept| kept.point.name != name),
                    Err(_) => return,
                },
                recv(lost) -> name => {
                    let kept = self.points.iter_mut().find(|kept| Ok(&kept.point.name) == name.as_ref());
                    if let Some(kept) = kept {
                        // An interface that goes away takes a moment to do so.
                        (kept.is_open, kept.wait) = (false, 2);
                    }
                },
                default(TICK) => {}
            }
            for kept in &mut self.points {
                kept.look(&mut self.open);
            }
        }
    }
}

impl Kept {
    fn look(&mut self, open: &mut Open) {
        if self.is_open || self.inlets.iter().any(|inlet| !inlet.is_empty()) {
            return;
        }
        self.wait = self.wait.saturating_sub(1);
        if self.wait > 0 {
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
                self.wait = u32::try_from(PATIENCE.as_millis() / TICK.as_millis()).unwrap_or(1);
            }
        }
    }
}
