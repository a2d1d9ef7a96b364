//! The live judge: after each interval everything is judged anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};

use super::LiveOptions;
use super::cut::Cut;
use super::ledger::Ledger;
use super::proof::Reporter;
use crate::meter::Records;
use crate::pipeline::gather::gather;
use crate::policy::Policy;
use crate::status::{Picture, Status};
use crate::terms::Timestamp;
use crate::verify::judge_and_show;

/// How long the others are waited for once one observer has handed over an interval.
const OTHERS: Duration = Duration::from_millis(150);
/// How long is slept while nobody has handed over anything.
const NOBODY: Duration = Duration::from_secs(2);

/// What the judge is told.
pub(super) enum Order {
    /// By which policy to judge from now on.
    Judge(Arc<Policy>),
    /// Which observers there are from now on. Those that are gone have handed over their last, and their numbers are
    /// free.
    Expect { observers: BTreeSet<usize>, gone: Vec<usize> },
}

/// Judges what observers hand over, and publishes it.
pub(super) struct Judge {
    policy: Arc<Policy>,
    status: Arc<Status>,
    ledger: Ledger,
    /// Observers that run.
    running: BTreeSet<usize>,
    latest: BTreeMap<usize, Cut>,
    /// Who has handed over since the last look.
    fresh: BTreeSet<usize>,
    is_idle: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

impl Judge {
    pub(super) fn new(
        options: &LiveOptions,
        policy: Arc<Policy>,
        (status, reporter): (Arc<Status>, Option<Reporter>),
        is_idle: Arc<AtomicBool>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            ledger: Ledger::new(options, &policy, reporter),
            policy,
            status,
            running: BTreeSet::new(),
            latest: BTreeMap::new(),
            fresh: BTreeSet::new(),
            is_idle,
            stop,
        }
    }

    /// Judges until it is told to stop and every observer has ended.
    #[allow(clippy::disallowed_methods, reason = "how long others are waited for is of this machine's time")]
    pub(super) fn run(mut self, inbox: &Receiver<Cut>, orders: &Receiver<Order>) {
        let mut waits_until: Option<Instant> = None;
        loop {
            // Observers that run say when they have ended; only without one it must be looked whether to stop.
            let idle = if self.running.is_empty() { OTHERS } else { NOBODY };
            let rest = waits_until.map_or(idle, |until| until.saturating_duration_since(Instant::now()));
            select! {
                recv(inbox) -> cut => {
                    let Ok(cut) = cut else { return };
                    // An observer is announced before it starts.
                    while let Ok(order) = orders.try_recv() {
                        self.obey(order, inbox);
                    }
                    self.take(cut);
                    waits_until.get_or_insert_with(|| Instant::now() + OTHERS);
                }
                recv(orders) -> order => {
                    let Ok(order) = order else { return };
                    self.obey(order, inbox);
                }
                default(rest) => {}
            }
            let is_due = waits_until.is_some_and(|until| Instant::now() >= until);
            if !self.fresh.is_empty() && (is_due || self.running.is_subset(&self.fresh)) {
                waits_until = None;
                self.fresh.clear();
                self.look();
                if self.running.is_empty() {
                    // What had to stand for another interval before it was counted stands.
                    self.look();
                    self.is_idle.store(true, Ordering::Release);
                }
            }
            if self.running.is_empty() && self.stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn take(&mut self, mut cut: Cut) {
        let observer = cut.done.observer;
        if !self.fresh.insert(observer)
            && let Some(unseen) = self.latest.remove(&observer)
        {
            cut.take_ended(unseen);
        }
        if cut.is_last {
            self.running.remove(&observer);
        }
        self.latest.insert(observer, cut);
    }

    fn obey(&mut self, order: Order, inbox: &Receiver<Cut>) {
        match order {
            Order::Judge(policy) => self.policy = policy,
            Order::Expect { observers, gone } => self.expect(&observers, &gone, inbox),
        }
    }

    /// Observers that are gone have ended: their last figures are taken over once, and then stay.
    fn expect(&mut self, observers: &BTreeSet<usize>, gone: &[usize], inbox: &Receiver<Cut>) {
        if !gone.is_empty() {
            while let Ok(cut) = inbox.try_recv() {
                self.take(cut);
            }
            self.fresh.clear();
            self.look();
            for cut in gone.iter().filter_map(|observer| self.latest.remove(observer)) {
                self.ledger.keep(cut.figures.iter(), &cut.done.counters);
            }
        }
        // One that ended on its own before this was said is not waited for.
        let has_ended = |observer: &usize| self.latest.get(observer).is_some_and(|cut| cut.is_last);
        self.running = observers.iter().copied().filter(|observer| !has_ended(observer)).collect();
        self.is_idle.store(false, Ordering::Release);
    }

    /// Judges everything and publishes what came of it.
    #[allow(clippy::disallowed_methods, reason = "what judging costs is of this machine's time")]
    fn look(&mut self) {
        let begun = Instant::now();
        let mut records = Records::default();
        let mut done = Vec::with_capacity(self.latest.len());
        for cut in self.latest.values() {
            for packed in cut.packed.iter().chain(&cut.ended) {
                records.add(cut.done.observer, packed);
            }
            done.push(cut.done.clone());
        }
        let material = gather(done, records, self.ledger.point_names());
        let at = self.latest.values().map(|cut| cut.at).max().unwrap_or(Timestamp(0));
        let figures = self.latest.values().flat_map(|cut| &cut.figures);
        self.ledger.begin(at, &material, figures, &self.policy);
        let ledger = &mut self.ledger;
        let outcome =
            judge_and_show(material, &self.policy, |number, stream| ledger.add_stream(number, stream));
        let (streams, figures) = self.ledger.finish(&outcome, &self.status, begun.elapsed());
        self.status.publish(Picture { at: Some(at), outcome, streams, figures });
    }
}
