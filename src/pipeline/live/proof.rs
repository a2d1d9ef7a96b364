//! Keeps packets as evidence when a finding opens.
//!
//! Each observer keeps the last headers in a ring of its own. When a finding opens that is bad enough, one thread asks
//! all of them for the packets of its stream, and writes these to disk. Nobody waits for that thread.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::evidence::{Clip, Evidence, EvidenceCounters, EvidenceRequest, EvidenceSettings, PointFrames};
use crate::status::Status;
use crate::verify::Severity;

/// How much is kept, and for what.
#[derive(Debug, Clone)]
pub struct EvidenceOptions {
    /// Octets of memory of each observer.
    pub memory_octets: usize,
    /// Octets that are kept of each packet.
    pub octets_per_packet: usize,
    /// For how long, in seconds.
    pub seconds: u64,
    /// Findings that are at least so bad are worth a file.
    pub severity: Severity,
    /// Where files go, and how many.
    pub settings: EvidenceSettings,
}

/// Findings that wait for their file.
const MOST_WAITING: usize = 64;
/// How long observers are waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What an observer is asked.
#[derive(Clone)]
pub(super) struct Question {
    request: Arc<EvidenceRequest>,
    answers: Sender<Answer>,
}

/// What it has.
struct Answer {
    point: String,
    interfaces: Vec<Option<String>>,
    clip: Clip,
}

impl Question {
    /// The packets that are wanted, out of those that were kept.
    pub(super) fn answer(
        &self,
        point: &str,
        interfaces: Vec<Option<String>>,
        ring: &crate::evidence::HeaderRing,
    ) {
        let clip = ring.clip(self.request.is_wanted());
        let _ = self.answers.try_send(Answer { point: point.to_owned(), interfaces, clip });
    }
}

/// Where questions to all observers that run are put.
pub(super) type Asked = Arc<std::sync::Mutex<Vec<Sender<Question>>>>;

/// Where the judge says what was found.
#[derive(Clone)]
pub(super) struct Reporter {
    requests: Sender<EvidenceRequest>,
    severity: Severity,
    status: Arc<Status>,
}

impl Reporter {
    /// Whether a finding is worth a file.
    pub(super) fn wants(&self, severity: Severity) -> bool {
        severity >= self.severity
    }

    /// A finding was opened. Where too many wait already this one gets no file, which is counted.
    pub(super) fn tell(&self, request: EvidenceRequest) {
        if let Err(TrySendError::Full(_)) = self.requests.try_send(request) {
            self.status.evidence.skip();
        }
    }
}

/// The thread that writes.
pub(super) struct Writer {
    requests: Receiver<EvidenceRequest>,
    asked: Asked,
    store: Evidence,
    status: Arc<Status>,
}

/// A writer, and where it is told what to write.
pub(super) fn writer(options: &EvidenceOptions, asked: &Asked, status: &Arc<Status>) -> (Writer, Reporter) {
    let (tell, requests) = bounded(MOST_WAITING);
    let store = Evidence::new(options.settings.clone());
    let writer = Writer { requests, asked: Arc::clone(asked), store, status: Arc::clone(status) };
    (writer, Reporter { requests: tell, severity: options.severity, status: Arc::clone(status) })
}

impl Writer {
    /// Writes until nobody has anything to tell any more.
    pub(super) fn run(mut self) {
        match self.store.tidy() {
            Ok(0) => {}
            Ok(n) => tracing::info!("evidence: {n} incomplete files of an earlier run were removed"),
            Err(problem) => tracing::error!("evidence: {problem}"),
        }
        while let Ok(request) = self.requests.recv() {
            self.write(request);
            let counters = self.store.counters();
            let EvidenceCounters { written, octets, failed, removed } = counters;
            self.status.evidence.set(written, octets, failed, removed);
        }
    }

    fn write(&mut self, request: EvidenceRequest) {
        let request = Arc::new(request);
        let asked = self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let (answers, inbox) = bounded(asked.len().max(1));
        let question = Question { request: Arc::clone(&request), answers };
        let waiting = asked.iter().filter(|observer| observer.try_send(question.clone()).is_ok()).count();
        drop(question);
        let answers: Vec<Answer> = (0..waiting).map_while(|_| inbox.recv_timeout(PATIENCE).ok()).collect();
        let points: Vec<PointFrames<'_>> = answers
            .iter()
            .map(|answer| PointFrames {
                point: &answer.point,
                interfaces: &answer.interfaces,
                frames: answer.clip.frames().collect(),
            })
            .collect();
        match self.store.write(&request, &points) {
            Ok(written) => tracing::info!(
                path = %written.path.display(),
                packets = written.packets,
                "evidence was kept"
            ),
            Err(problem) => tracing::warn!("evidence: {problem}"),
        }
    }
}
