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
mod proof;
mod tap;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};

use crate::policy::Policy;
use crate::status::Status;

use super::{PointsBy, named, random_seed};
use cut::Cut;
use judge::{Judge, Order};
use keeper::{Keeper, Task};
use observer::Observer;
pub use proof::EvidenceOptions;
use proof::Question;
pub use tap::{Lost, RingTap, Tap, TapError};

/// One source of packets and how it is listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Packets that are kept for findings; none: none are.
    pub evidence: Option<EvidenceOptions>,
}

/// A live run: its threads end when it is stopped.
pub struct Live {
    options: LiveOptions,
    seed: u64,
    cuts: Sender<Cut>,
    orders: Sender<Order>,
    tasks: Sender<Task>,
    lost: Sender<String>,
    asked: proof::Asked,
    /// Whether there are several observers, or ever were.
    has_others: Arc<AtomicBool>,
    /// Whether every observer has ended, and what they had was judged.
    is_idle: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    state: Mutex<State>,
}

struct State {
    policy: Arc<Policy>,
    listeners: Vec<Listener>,
    others: Vec<JoinHandle<()>>,
}

/// The observers of one point.
struct Listener {
    point: LivePoint,
    numbers: Vec<usize>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
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
    ) -> io::Result<Self> {
        let observers: usize = points.iter().map(|point| point.taps.max(1)).sum();
        let (cuts, inbox) = bounded::<Cut>(observers.max(1));
        let (orders, instructions) = unbounded();
        let is_idle = Arc::new(AtomicBool::new(false));
        let stop = Arc::new(AtomicBool::new(false));
        let keeper = Keeper::new(open, Arc::clone(&stop));
        let (tasks, lost) = keeper.inlets();
        let asked = proof::Asked::default();
        let mut others = vec![named("keeper").spawn(move || keeper.run())?];
        let mut reporter = None;
        if let Some(evidence) = &options.evidence {
            let (writer, tell) = proof::writer(evidence, &asked, status);
            others.push(named("evidence").spawn(move || writer.run())?);
            reporter = Some(tell);
        }
        let judge = Judge::new(
            options,
            Arc::clone(policy),
            (Arc::clone(status), reporter),
            Arc::clone(&is_idle),
            Arc::clone(&stop),
        );
        others.push(named("judge").spawn(move || judge.run(&inbox, &instructions))?);
        let state = State { policy: Arc::clone(policy), listeners: Vec::new(), others };
        let live = Self {
            options: options.clone(),
            seed: random_seed(),
            cuts,
            orders,
            tasks,
            lost,
            asked,
            has_others: Arc::new(AtomicBool::new(observers > 1)),
            is_idle,
            stop,
            state: Mutex::new(state),
        };
        let mut state = live.state();
        live.listen(&points.iter().collect::<Vec<_>>(), Vec::new(), &mut state)?;
        drop(state);
        Ok(live)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the observers of these points; the judge knows of all of them before the first one starts. The numbers
    /// of those that are gone are free.
    fn listen(&self, points: &[&LivePoint], gone: Vec<usize>, state: &mut State) -> io::Result<()> {
        let known = state.listeners.iter().flat_map(|listener| listener.numbers.iter().copied());
        let mut observers: BTreeSet<usize> = known.collect();
        let mut allotted = Vec::with_capacity(points.len());
        for point in points {
            let free = (0..).filter(|number| !observers.contains(number));
            let numbers: Vec<usize> = free.take(point.taps.max(1)).collect();
            observers.extend(&numbers);
            allotted.push(numbers);
        }
        if observers.len() > 1 {
            self.has_others.store(true, Ordering::Relaxed);
        }
        let _ = self.orders.send(Order::Expect { observers, gone });
        for (point, numbers) in points.iter().zip(allotted) {
            let listener = self.observe(point, numbers, state)?;
            state.listeners.push(listener);
        }
        Ok(())
    }

    /// Starts the observers of a point.
    fn observe(&self, point: &LivePoint, numbers: Vec<usize>, state: &State) -> io::Result<Listener> {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut threads, mut inlets) = (Vec::new(), Vec::new());
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for (part, &number) in numbers.iter().enumerate() {
            let (inlet, taps) = bounded(1);
            inlets.push(inlet);
            let (ask, questions) = bounded::<Question>(1);
            if self.options.evidence.is_some() {
                asked.push(ask);
            }
            let observer = Observer {
                number,
                is_first: part == 0,
                point: point.clone(),
                has_others: Arc::clone(&self.has_others),
                options: self.options.clone(),
                policy: Arc::clone(&state.policy),
                seed: self.seed,
                taps,
                questions,
                lost: self.lost.clone(),
                cuts: self.cuts.clone(),
                stop: Arc::clone(&stop),
            };
            threads.push(named("observer").spawn(move || observer.run())?);
        }
        let _ = self.tasks.send(Task::Keep(point.clone(), inlets));
        Ok(Listener { point: point.clone(), numbers, stop, threads })
    }

    /// Goes on by another policy, and with other points. Points that are as they were hear every packet; those that
    /// are changed, by `is_changed` or in themselves, are closed and opened anew.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn change(
        &self,
        points: &[LivePoint],
        policy: Arc<Policy>,
        is_changed: impl Fn(&LivePoint) -> bool,
    ) -> io::Result<()> {
        let mut state = self.state();
        state.policy = Arc::clone(&policy);
        let _ = self.orders.send(Order::Judge(policy));
        let (stay, go): (Vec<_>, Vec<_>) = std::mem::take(&mut state.listeners)
            .into_iter()
            .partition(|one| points.contains(&one.point) && !is_changed(&one.point));
        state.listeners = stay;
        for listener in &go {
            let _ = self.tasks.send(Task::Leave(listener.point.name.clone()));
            listener.stop.store(true, Ordering::Relaxed);
        }
        let gone = go.iter().flat_map(|listener| listener.numbers.iter().copied()).collect();
        for thread in go.into_iter().flat_map(|listener| listener.threads) {
            let _ = thread.join();
        }
        let is_new = |point: &&LivePoint| !state.listeners.iter().any(|listener| listener.point == **point);
        let new: Vec<&LivePoint> = points.iter().filter(is_new).collect();
        self.listen(&new, gone, &mut state)
    }

    /// Whether every source has come to its end, and everything was judged.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.is_idle.load(Ordering::Acquire)
    }

    /// Whether a thread has died that should run. Who changes points just now is not waited for.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        let state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::WouldBlock) => return false,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        let has_died = |listener: &Listener| {
            !listener.point.is_file && listener.threads.iter().any(JoinHandle::is_finished)
        };
        !self.stop.load(Ordering::Relaxed)
            && (state.others.iter().any(JoinHandle::is_finished) || state.listeners.iter().any(has_died))
    }

    /// Hands over the last records and ends every thread; those that wait for a pipe are left behind after a moment.
    #[allow(clippy::disallowed_methods, reason = "how long is waited is of this machine's time")]
    pub fn stop(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let state = self.state();
        for listener in &state.listeners {
            listener.stop.store(true, Ordering::Relaxed);
        }
        self.stop.store(true, Ordering::Relaxed);
        let observers = || state.listeners.iter().flat_map(|listener| &listener.threads);
        let is_running = || observers().chain(&state.others).any(|thread| !thread.is_finished());
        while is_running() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
