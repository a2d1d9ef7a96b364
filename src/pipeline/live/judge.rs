//! The live judge: after each interval, everything that observers know is judged anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::LiveOptions;
use super::cut::Cut;
use super::ledger::Ledger;
use crate::meter::Records;
use crate::pipeline::gather::gather;
use crate::policy::Policy;
use crate::status::{Picture, Status};
use crate::terms::Timestamp;
use crate::verify::judge_and_show;

/// How long the others are waited for once one observer has handed over an interval.
const OTHERS: Duration = Duration::from_millis(150);

/// Judges what observers hand over, and publishes it.
pub(super) struct Judge {
    observers: usize,
    policy: Arc<Policy>,
    policies: Receiver<Arc<Policy>>,
    status: Arc<Status>,
    ledger: Ledger,
    latest: BTreeMap<usize, Cut>,
    /// Who has handed over since the last look.
    fresh: Vec<usize>,
}

impl Judge {
    pub(super) fn new(
        observers: usize,
        options: &LiveOptions,
        policy: Arc<Policy>,
        policies: Receiver<Arc<Policy>>,
        status: Arc<Status>,
    ) -> Self {
        let ledger = Ledger::new(options, &policy);
        Self { observers, policy, policies, status, ledger, latest: BTreeMap::new(), fresh: Vec::new() }
    }

    /// Judges until every observer has ended.
    pub(super) fn run(mut self, inbox: &Receiver<Cut>) {
        let mut waits_until: Option<Instant> = None;
        loop {
            let next = match waits_until {
                Some(until) => inbox.recv_deadline(until),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(cut) => {
                    let observer = cut.done.observer;
                    self.latest.insert(observer, cut);
                    if !self.fresh.contains(&observer) {
                        self.fresh.push(observer);
                    }
                    waits_until.get_or_insert_with(|| Instant::now() + OTHERS);
                    if self.fresh.len() < self.observers {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    // What had to stand for another interval before it was counted stands.
                    self.look();
                    self.look();
                    return;
                }
            }
            waits_until = None;
            self.fresh.clear();
            self.look();
        }
    }

    /// Judges everything and publishes what came of it.
    fn look(&mut self) {
        if let Some(policy) = self.policies.try_iter().last() {
            self.policy = policy;
        }
        let begun = Instant::now();
        let mut records = Records::default();
        let mut done = Vec::with_capacity(self.latest.len());
        for cut in self.latest.values() {
            for packed in &cut.packed {
                records.add(cut.done.observer, packed);
            }
            done.push(cut.done.clone());
        }
        let material = gather(done, records);
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
