//! A live observer: reads a tap, and never waits for anybody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender};

use super::cut::Cut;
use super::hearing::Hearing;
use super::proof::Question;
use super::tap::{Progress, Taker, Tap, TapError};
use super::{LiveOptions, LivePoint};
use crate::evidence::HeaderRing;
use crate::meter::TapEvidence;
use crate::pipeline::interfaces::Interfaces;
use crate::policy::Policy;
use crate::terms::{Frame, TimedDigest, Timestamp};

/// Everything that one live observer needs.
pub(super) struct Observer {
    pub(super) number: usize,
    /// Whether it is the first of those that share a source.
    pub(super) is_first: bool,
    pub(super) point: LivePoint,
    /// Set when there are others.
    pub(super) has_others: Arc<AtomicBool>,
    pub(super) options: LiveOptions,
    pub(super) policy: Arc<Policy>,
    pub(super) seed: u64,
    pub(super) taps: Receiver<Tap>,
    pub(super) questions: Receiver<Question>,
    pub(super) lost: Sender<String>,
    pub(super) cuts: Sender<Cut>,
    pub(super) stop: Arc<AtomicBool>,
}

/// How long frames are waited for before the clock is looked at.
const PATIENCE: Duration = Duration::from_millis(100);
/// The same while a copy is being made, which goes on in between.
const COPYING: Duration = Duration::from_millis(10);
/// Frames that were captured before now may come so much later: the kernel hands over whole blocks.
const LATE_NS: i64 = 200_000_000;

impl Observer {
    /// Listens until it is told to stop, or the file is over.
    pub(super) fn run(self) {
        let mut has_others = self.has_others.load(Ordering::Relaxed);
        let ns = |d: Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
        let mut hearing = Hearing::new(
            (self.number, has_others),
            self.point.clone(),
            (ns(self.options.interval), ns(self.options.keep_ended)),
            &self.policy,
            self.seed,
        );
        hearing.headers = self.options.evidence.as_ref().map(|evidence| {
            HeaderRing::new(evidence.memory_octets, evidence.octets_per_packet, evidence.seconds)
        });
        let (mut interfaces, mut numbers) = (Interfaces::default(), Vec::new());
        if !self.point.is_file {
            numbers.push(interfaces.add(&self.point.source));
        }
        let mut tap: Option<Tap> = None;
        let mut dropped = Dropped::default();
        let mut lost_at: Option<Timestamp> = None;
        let mut waiting: Option<Cut> = None;
        while !self.stop.load(Ordering::Relaxed) {
            if !has_others && self.has_others.load(Ordering::Relaxed) {
                has_others = true;
                hearing.compare();
            }
            if let Ok(fresh) = self.taps.try_recv() {
                if let Some(old) = &mut tap {
                    hearing.counted.set(old.counters());
                }
                hearing.open(wall_clock());
                if let Some(lost) = lost_at.take() {
                    hearing.gaps.add(lost, wall_clock(), None, TapEvidence::SourceDown);
                }
                tap = Some(fresh);
            }
            if let Ok(question) = self.questions.try_recv()
                && let Some(ring) = &hearing.headers
            {
                question.answer(&self.point.name, interfaces.names(), ring);
            }
            let progress = match &mut tap {
                Some(open) => self.listen(open, &mut hearing, &mut interfaces, &mut numbers),
                None => self.wait(),
            };
            match progress {
                Ok(Progress::End) => break,
                Ok(Progress::Busy) => {
                    if let Some(lost) = lost_at.take() {
                        tracing::info!(point = self.point.name, source = self.point.source, "up again");
                        hearing.gaps.add(lost, wall_clock(), None, TapEvidence::SourceDown);
                    }
                }
                Ok(Progress::Idle) => self.idle(&mut hearing),
                Err(problem) => {
                    tracing::warn!(point = self.point.name, source = self.point.source, "{problem}");
                    lost_at.get_or_insert(late(wall_clock()));
                    if matches!(problem, TapError::Gone(_)) {
                        if let Some(tap) = &mut tap {
                            hearing.counted.set(tap.counters());
                        }
                        tap = None;
                        let _ = self.lost.try_send(self.point.name.clone());
                    }
                }
            }
            if let Some(tap) = &mut tap {
                self.count(tap, &mut hearing, &mut dropped);
            }
            if let Some(lost) = lost_at {
                // As long as it is away, too, nothing that others heard is lost.
                hearing.gaps.add(lost, late(wall_clock()), None, TapEvidence::SourceDown);
            }
            self.hand_over(&mut hearing, &interfaces, tap.is_some() && lost_at.is_none(), &mut waiting);
        }
        if let Some(tap) = &mut tap {
            self.drain(tap, &mut hearing, &mut interfaces, &mut numbers);
            hearing.counted.set(tap.counters());
        }
        let mut cut = hearing.last_cut(&interfaces);
        cut.done.stun = hearing.stun(cut.at);
        for capture in &mut cut.done.captures {
            capture.format = tap.as_ref().map(Tap::format).unwrap_or_default();
            capture.damage = tap.as_ref().and_then(Tap::damage);
        }
        mark_down(&mut cut);
        let _ = self.cuts.send_timeout(cut, PATIENCE * 10);
    }

    /// Takes in what has come.
    fn listen(
        &self,
        tap: &mut Tap,
        hearing: &mut Hearing,
        interfaces: &mut Interfaces,
        numbers: &mut Vec<u16>,
    ) -> Result<Progress, TapError> {
        let patience = if hearing.is_copying() { COPYING } else { PATIENCE };
        tap.read(patience, (interfaces, numbers), &mut Listening { observer: self, hearing })
    }

    /// Takes in what had come to an interface before now, and is not handed over yet.
    fn drain(
        &self,
        tap: &mut Tap,
        hearing: &mut Hearing,
        interfaces: &mut Interfaces,
        numbers: &mut Vec<u16>,
    ) {
        let now = wall_clock();
        while !self.point.is_file && (tap.has_two_ways() || !hearing.has_heard(now)) {
            let Ok(progress) = self.listen(tap, hearing, interfaces, numbers) else { return };
            let most = if progress == Progress::Busy { 2 * LATE_NS } else { LATE_NS };
            if wall_clock().nanos_since(now) >= most {
                return;
            }
        }
    }

    /// Waits for a tap.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as listening is")]
    fn wait(&self) -> Result<Progress, TapError> {
        std::thread::sleep(PATIENCE / 4);
        Ok(Progress::Idle)
    }

    /// The clock goes on where no frame comes.
    fn idle(&self, hearing: &mut Hearing) {
        if self.point.is_file {
            return;
        }
        let now = late(wall_clock());
        if hearing.is_due(now) {
            self.pass(hearing, now, None);
        }
    }

    /// An interval is over. A file waits until the judge has room, so that what is judged depends on packets alone.
    #[inline(never)]
    fn pass(&self, hearing: &mut Hearing, now: Timestamp, is_file: Option<&Interfaces>) {
        let Some(at) = hearing.pass(now) else { return };
        if let Some(interfaces) = is_file {
            let mut cut = hearing.cut_now(at, interfaces);
            cut.done.stun = hearing.stun(at);
            self.send_waiting(cut);
        } else if !self.cuts.is_full() {
            hearing.begin_cut(at);
        }
    }

    fn send_waiting(&self, mut cut: Cut) {
        while !self.stop.load(Ordering::Relaxed) {
            match self.cuts.send_timeout(cut, PATIENCE) {
                Err(crossbeam_channel::SendTimeoutError::Timeout(back)) => cut = back,
                _ => return,
            }
        }
    }

    /// Goes on with the copy of an interval, and hands it over when it is whole. One for which there is no room waits:
    /// streams that have ended are in no other.
    fn hand_over(
        &self,
        hearing: &mut Hearing,
        interfaces: &Interfaces,
        is_up: bool,
        waiting: &mut Option<Cut>,
    ) {
        if waiting.is_none() {
            let Some(mut cut) = hearing.go_on(interfaces) else { return };
            cut.done.stun = hearing.stun(cut.at);
            if !is_up {
                mark_down(&mut cut);
            }
            *waiting = Some(cut);
        }
        if let Some(cut) = waiting.take()
            && let Err(crossbeam_channel::TrySendError::Full(back)) = self.cuts.try_send(cut)
        {
            *waiting = Some(back);
        }
    }

    /// Looks at the counters of the tap: what was dropped since the last look was dropped in between.
    fn count(&self, tap: &mut Tap, hearing: &mut Hearing, dropped: &mut Dropped) {
        let now = wall_clock();
        if dropped.looked.is_some_and(|last| now.nanos_since(last) < 50_000_000) {
            return;
        }
        let mut counters = tap.counters();
        if !self.is_first {
            // What the interface itself dropped is counted once.
            counters.dropped.retain(|(reason, _)| *reason == "ring");
        }
        hearing.counted.set(counters);
        let total = hearing.counted.dropped();
        let before = std::mem::replace(&mut dropped.total, total);
        let looked = dropped.looked.replace(now).unwrap_or(now);
        if total > before && !self.point.is_file {
            hearing.gaps.add(late(looked), now, Some(total - before), TapEvidence::DropCount);
        }
    }
}

/// An observer and what it hears.
struct Listening<'a> {
    observer: &'a Observer,
    hearing: &'a mut Hearing,
}

impl Taker for Listening<'_> {
    #[inline]
    fn take(&mut self, frames: &[Frame<'_>], interfaces: &Interfaces) {
        let mut left = frames;
        loop {
            let due = left.iter().position(|frame| self.hearing.is_due(frame.timestamp));
            let (heard, later) = left.split_at(due.unwrap_or(left.len()));
            self.hearing.take(heard);
            let Some((first, behind)) = later.split_first() else { return };
            let is_file = self.observer.point.is_file;
            self.observer.pass(self.hearing, first.timestamp, is_file.then_some(interfaces));
            self.hearing.take(std::slice::from_ref(first));
            left = behind;
        }
    }

    #[inline]
    fn take_digest(&mut self, digest: &TimedDigest<'_>) {
        if self.hearing.is_due(digest.timestamp) {
            self.observer.pass(self.hearing, digest.timestamp, None);
        }
        self.hearing.take_digest(digest);
    }
}

/// Now, by the clock that the kernel stamps frames with.
#[allow(clippy::disallowed_methods, reason = "an interface on which nothing comes has no other clock")]
fn wall_clock() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// Frames of up to this moment have come.
const fn late(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(LATE_NS))
}

/// What was dropped by the last look.
#[derive(Default)]
struct Dropped {
    total: u64,
    looked: Option<Timestamp>,
}

/// The source is not open.
fn mark_down(cut: &mut Cut) {
    for figures in &mut cut.figures {
        figures.is_up = false;
    }
}
