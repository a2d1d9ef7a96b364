//! Live: observers that never end, a judge that looks every second.
//!
//! After each interval of packet time an observer hands over its running streams as they are by then, and the judge
//! judges them as a replay would: the same engine, the same verdicts. An observer never waits for the judge; where the
//! judge is not ready for the next interval, it gets a later one.

mod cut;
mod gaps;
mod hearing;
mod judge;
mod keeper;
mod ledger;
mod observer;
mod opened;
mod tap;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::policy::Policy;
use crate::status::Status;

use super::{MAX_POINTS, PointsBy, named, random_seed};
use cut::Cut;
use judge::Judge;
use keeper::Keeper;
use observer::Observer;
pub use tap::{Lost, RingTap, Tap, TapError};

/// One source of packets and how it is listened to.
#[derive(Debug, Clone)]
pub struct LivePoint {
    /// Name of the observation point.
    pub name: String,
    /// What is listened to: an interface, or the name of a file.
    pub source: String,
    /// Taps that share the packets of the source.
    pub taps: usize,
    /// Whether time is that of the packets alone: a file, or standard input.
    pub is_file: bool,
    /// After this long without a packet its mirror is dead.
    pub silent_after: Option<Duration>,
}

/// Opens the taps of a point; again when they were lost. The text says what is wrong and how to mend it.
pub type Open = Box<dyn FnMut(&LivePoint) -> Result<Vec<Tap>, String> + Send>;

/// How a live run goes.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Packet time between two looks at all streams.
    pub interval: Duration,
    /// How long a stream that is over stays in the picture.
    pub keep_ended: Duration,
    /// Findings that are kept at most.
    pub keep_findings: usize,
}

/// A live run: its threads end when it is stopped.
pub struct Live {
    stop: Arc<AtomicBool>,
    control: Sender<Arc<Policy>>,
    observers: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
    /// Closed when every observer has ended.
    ended: Receiver<()>,
}

impl Live {
    /// Opens every point and starts listening. A point that cannot be opened now is tried again every second, and is
    /// down until then.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn start(
        points: &[LivePoint],
        options: &LiveOptions,
        policy: &Arc<Policy>,
        status: &Arc<Status>,
        open: Open,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (control, policies) = unbounded();
        let seed = random_seed();
        let observers: usize = points.iter().map(|point| point.taps.max(1)).sum();
        let room = (MAX_POINTS / observers.max(1)).max(1);
        let (cuts, inbox) = bounded::<Cut>(observers.max(1));
        let (alive, ended) = bounded::<()>(0);
        let mut keeper = Keeper::new(open, Arc::clone(&stop));
        let mut threads = Vec::new();
        let mut number = 0;
        for point in points {
            let mut inlets = Vec::new();
            for part in 0..point.taps.max(1) {
                let (taps, inlet) = bounded(1);
                inlets.push(taps);
                let observer = Observer {
                    number,
                    is_first: part == 0,
                    point: point.clone(),
                    room,
                    has_others: observers > 1,
                    options: options.clone(),
                    policy: Arc::clone(policy),
                    seed,
                    taps: inlet,
                    lost: keeper.lost(),
                    cuts: cuts.clone(),
                    stop: Arc::clone(&stop),
                };
                number += 1;
                let alive = alive.clone();
                threads.push(named("observer").spawn(move || {
                    observer.run();
                    drop(alive);
                })?);
            }
            keeper.add(point.clone(), inlets);
        }
        drop((cuts, alive));
        let judge = Judge::new(observers, options, Arc::clone(policy), policies, Arc::clone(status));
        let others = vec![
            named("judge").spawn(move || judge.run(&inbox))?,
            named("keeper").spawn(move || keeper.run())?,
        ];
        Ok(Self { stop, control, observers: threads, others, ended })
    }

    /// Judges by another policy from the next interval on.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        let _ = self.control.send(policy);
    }

    /// Whether every source has come to its end.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected)
    }

    /// Whether a thread has died.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
            && self.others.iter().any(JoinHandle::is_finished)
            && !self.has_ended()
    }

    /// Hands over the last records and ends every thread; those that wait for a pipe are left behind after a moment.
    pub fn stop(self, patience: Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let until = std::time::Instant::now() + patience;
        let is_over = |thread: &JoinHandle<()>| thread.is_finished();
        let all = self.observers.iter().chain(&self.others);
        let all: Vec<_> = all.collect();
        while !all.iter().all(|thread| is_over(thread)) && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
