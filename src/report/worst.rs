//! Picks the worst streams of an outcome, the worst first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::terms::Dscp;
use crate::verify::{JudgedStream, Marking, Outcome, Severity};

/// How bad a stream is, compared field after field.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Badness {
    /// The most severe finding on it.
    severity: Option<Severity>,
    verdict: Verdict,
    loss_ratio: f64,
    jitter_seconds: f64,
    packets: u64,
    number: u32,
}

impl Badness {
    /// Whether nothing is wrong with it.
    fn is_fine(&self) -> bool {
        self.severity < Some(Severity::Warning)
            && matches!(self.verdict, Verdict::Conformant | Verdict::Unclassified)
    }
}

impl Eq for Badness {}

impl Ord for Badness {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.severity.cmp(&other.severity))
            .then(self.verdict.cmp(&other.verdict))
            .then(self.loss_ratio.total_cmp(&other.loss_ratio))
            .then(self.jitter_seconds.total_cmp(&other.jitter_seconds))
            .then(self.packets.cmp(&other.packets))
            .then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Badness {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A stream's marking over all its hops, the least bad first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Conformant,
    Unclassified,
    Inherited,
    Unexpected,
    Unmarked,
    Mixed,
    Remarked,
    Bleached,
}

impl Verdict {
    /// The worst of the verdicts at the stream's hops.
    pub(super) fn of(stream: &JudgedStream) -> Self {
        let at_hops = stream.markings.iter().enumerate().map(|(hop, marking)| match marking {
            Marking::Conformant => Self::Conformant,
            Marking::Unclassified => Self::Unclassified,
            Marking::Inherited => Self::Inherited,
            Marking::Unexpected => Self::Unexpected,
            Marking::Unmarked => Self::Unmarked,
            Marking::Mixed => Self::Mixed,
            Marking::Remarked if main_dscp(stream, hop) == Some(Dscp::DF.value()) => Self::Bleached,
            Marking::Remarked => Self::Remarked,
        });
        at_hops.max().unwrap_or(Self::Unclassified)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Conformant => "conformant",
            Self::Unclassified => "unclassified",
            Self::Inherited => "inherited",
            Self::Unexpected => "unexpected",
            Self::Unmarked => "unmarked",
            Self::Mixed => "mixed",
            Self::Remarked => "remarked",
            Self::Bleached => "bleached",
        }
    }
}

/// The most frequent codepoint at a hop.
pub(super) fn main_dscp(stream: &JudgedStream, hop: usize) -> Option<u8> {
    let counts = &stream.record.hops.get(hop)?.dscp;
    counts.iter().max_by_key(|(value, packets)| (*packets, Reverse(*value))).map(|(value, _)| *value)
}

/// Lost of expected, 0 to 1: as judged, else for certain, else as counted at the last hop.
pub(super) fn loss_ratio(stream: &JudgedStream) -> Option<f64> {
    stream.quality.loss_ratio.or(stream.quality.certain_loss_ratio).or_else(|| {
        let hop = stream.record.hops.last()?;
        #[allow(clippy::cast_precision_loss, reason = "packets of one stream are far below 2^53")]
        (hop.expected > 0).then(|| hop.lost() as f64 / hop.expected as f64)
    })
}

/// Mean jitter: as judged, else as measured at the last hop.
pub(super) fn jitter_seconds(stream: &JudgedStream) -> Option<f64> {
    stream.quality.jitter_seconds.or_else(|| Some(stream.record.hops.last()?.jitter?.mean))
}

/// Packets at the hop that saw most of them.
pub(super) fn packets(stream: &JudgedStream) -> u64 {
    stream.record.hops.iter().map(|h| h.packets).max().unwrap_or(0)
}

/// The numbers of the `count` worst streams: by the most severe finding, the marking, loss, jitter, packets.
///
/// Holds `count` streams at a time, however many there are.
pub(super) fn worst(outcome: &Outcome, count: usize) -> Vec<u32> {
    let mut heap: BinaryHeap<Reverse<Badness>> = BinaryHeap::new();
    for (badness, _) in rated(outcome) {
        heap.push(Reverse(badness));
        if heap.len() > count {
            heap.pop();
        }
    }
    heap.into_sorted_vec().into_iter().map(|Reverse(badness)| badness.number).collect()
}

/// The worst stream of each of the `count` worst calls, among the streams that are wanted.
///
/// Calls with nothing wrong are left out, but for the first of all. Holds `count` streams at a time.
pub(super) fn worst_of_calls(
    outcome: &Outcome,
    count: usize,
    is_wanted: impl Fn(&JudgedStream) -> bool,
) -> Vec<u32> {
    let mut calls: Vec<(Badness, u32)> = Vec::with_capacity(count + 1);
    for (badness, stream) in rated(outcome).filter(|(_, stream)| is_wanted(stream)) {
        match calls.iter_mut().find(|(_, call)| *call == stream.call) {
            Some((worst, _)) if *worst >= badness => continue,
            Some((worst, _)) => *worst = badness,
            None => calls.push((badness, stream.call)),
        }
        calls.sort_by_key(|call| Reverse(*call));
        calls.truncate(count);
    }
    let mut nothing_before = true;
    calls.retain(|(badness, _)| std::mem::take(&mut nothing_before) || !badness.is_fine());
    calls.into_iter().map(|(badness, _)| badness.number).collect()
}

/// All streams, with how bad they are.
fn rated(outcome: &Outcome) -> impl Iterator<Item = (Badness, &JudgedStream)> {
    let mut severities: Vec<Option<Severity>> = vec![None; outcome.streams.len()];
    for finding in &outcome.findings {
        let slot = finding.stream.and_then(|number| severities.get_mut(usize::try_from(number).ok()?));
        if let Some(slot) = slot {
            *slot = (*slot).max(Some(finding.severity));
        }
    }
    (0..).zip(&outcome.streams).zip(severities).map(|((number, stream), severity)| {
        let badness = Badness {
            severity,
            verdict: Verdict::of(stream),
            loss_ratio: loss_ratio(stream).unwrap_or(0.0),
            jitter_seconds: jitter_seconds(stream).unwrap_or(0.0),
            packets: packets(stream),
            number,
        };
        (badness, stream)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn marked(marking: Marking, codepoint: u8, loss_ratio: f64) -> JudgedStream {
        let mut stream = example::stream(0);
        stream.markings = [marking].into_iter().collect();
        stream.record.hops[0].dscp = [(codepoint, 100)].into_iter().collect();
        stream.quality.loss_ratio = Some(loss_ratio);
        stream
    }

    #[test]
    fn marking_comes_before_loss() {
        let outcome = Outcome {
            streams: vec![
                marked(Marking::Conformant, 46, 0.0),
                marked(Marking::Conformant, 46, 0.3),
                marked(Marking::Unmarked, 0, 0.0),
                marked(Marking::Remarked, 0, 0.0),
                marked(Marking::Remarked, 8, 0.0),
                marked(Marking::Remarked, 8, 0.1),
            ],
            ..Outcome::default()
        };
        assert_eq!(worst(&outcome, 10), [3, 5, 4, 2, 1, 0]);
        assert_eq!(worst(&outcome, 2), [3, 5]);
        assert_eq!(worst(&outcome, 0), [0; 0]);
    }

    #[test]
    fn an_error_comes_before_everything() {
        let mut outcome = example::outcome();
        outcome.findings.retain(|f| f.severity < Severity::Error);
        let last = *worst(&outcome, usize::MAX).last().unwrap();
        outcome.findings.push(crate::verify::Finding { stream: Some(last), ..example::finding() });
        assert_eq!(worst(&outcome, 1), [last]);
    }

    #[test]
    fn equals_stand_in_the_order_of_their_numbers() {
        let streams = (0..5).map(|_| marked(Marking::Conformant, 46, 0.0)).collect();
        assert_eq!(worst(&Outcome { streams, ..Outcome::default() }, 3), [0, 1, 2]);
    }

    #[test]
    fn each_call_is_there_once_and_of_those_without_fault_only_the_first() {
        use Marking::{Conformant, Remarked, Unmarked};
        let of = |streams: &[(u32, Marking)]| {
            let streams = streams.iter().map(|&(call, marking)| {
                let mut stream = marked(marking, 0, 0.0);
                stream.call = call;
                stream
            });
            worst_of_calls(&Outcome { streams: streams.collect(), ..Outcome::default() }, 3, |_| true)
        };
        assert_eq!(of(&[(0, Conformant), (1, Conformant)]), [0]);
        assert_eq!(of(&[(0, Unmarked), (0, Remarked), (1, Unmarked), (2, Conformant)]), [1, 2]);
        assert_eq!(of(&[(0, Unmarked), (1, Unmarked), (2, Unmarked), (3, Remarked)]), [3, 0, 1]);
        assert_eq!(of(&[]), [0; 0]);
        assert_eq!(worst_of_calls(&example::outcome(), 0, |_| true), [0; 0]);
    }
}
