//! Picks the worst streams of an outcome, the worst first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::verify::{Note, Outcome, Severity, WorstMarking};

/// How bad a stream is, compared field after field.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Badness {
    /// The most severe finding on it.
    severity: Option<Severity>,
    verdict: WorstMarking,
    loss_ratio: f32,
    jitter_seconds: f32,
    packets: u32,
    number: u32,
}

impl Badness {
    /// Whether nothing is wrong with it.
    fn is_fine(&self) -> bool {
        self.severity < Some(Severity::Warning)
            && matches!(self.verdict, WorstMarking::Conformant | WorstMarking::Unclassified)
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

/// The numbers of the `count` worst streams: by the most severe finding, the marking, loss, jitter, packets.
///
/// Holds `count` streams at a time, however many there are.
pub(super) fn worst(outcome: &Outcome, count: usize) -> Vec<u32> {
    let mut heap: BinaryHeap<Reverse<Badness>> = BinaryHeap::new();
    for badness in rated(outcome, |_| true) {
        if heap.len() < count {
            heap.push(Reverse(badness));
        } else if let Some(mut least) = heap.peek_mut().filter(|least| badness > least.0) {
            *least = Reverse(badness);
        }
    }
    heap.into_sorted_vec().into_iter().map(|Reverse(badness)| badness.number).collect()
}

/// The worst stream of each of the `count` worst calls, among the streams that are wanted.
///
/// Calls with nothing wrong are left out, but for the first of all. Holds `count` streams at a time.
pub(super) fn worst_of_calls(outcome: &Outcome, count: usize, is_wanted: impl Fn(&Note) -> bool) -> Vec<u32> {
    let mut calls: Vec<(Badness, u32)> = Vec::with_capacity(count + 1);
    for badness in rated(outcome, is_wanted) {
        let Some(call) = outcome.streams.call(badness.number) else { continue };
        match calls.iter_mut().find(|(_, known)| *known == call) {
            Some((worst, _)) if *worst >= badness => continue,
            Some((worst, _)) => *worst = badness,
            None => calls.push((badness, call)),
        }
        calls.sort_by_key(|call| Reverse(*call));
        calls.truncate(count);
    }
    let mut nothing_before = true;
    calls.retain(|(badness, _)| std::mem::take(&mut nothing_before) || !badness.is_fine());
    calls.into_iter().map(|(badness, _)| badness.number).collect()
}

/// How bad each stream is that is wanted.
fn rated(outcome: &Outcome, is_wanted: impl Fn(&Note) -> bool) -> impl Iterator<Item = Badness> {
    let mut severities: Vec<Option<Severity>> = vec![None; outcome.streams.len()];
    for finding in &outcome.findings {
        let slot = finding.stream.and_then(|number| severities.get_mut(usize::try_from(number).ok()?));
        if let Some(slot) = slot {
            *slot = (*slot).max(Some(finding.severity));
        }
    }
    let wanted = outcome.streams.notes().filter(move |(_, note)| is_wanted(note));
    wanted.map(move |(number, note)| {
        let severity = severities.get(number as usize).copied().flatten();
        let Note { worst, loss_ratio, jitter_seconds, packets, .. } = note;
        Badness { severity, verdict: worst, loss_ratio, jitter_seconds, packets, number }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;
    use crate::verify::{JudgedStream, Marking, Streams};

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
            streams: Streams::from(vec![
                marked(Marking::Conformant, 46, 0.0),
                marked(Marking::Conformant, 46, 0.3),
                marked(Marking::Unmarked, 0, 0.0),
                marked(Marking::Remarked, 0, 0.0),
                marked(Marking::Remarked, 8, 0.0),
                marked(Marking::Remarked, 8, 0.1),
            ]),
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
