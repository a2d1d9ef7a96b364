//! What is known of each tap: when it recorded, when it missed frames.

use crate::meter::{CaptureRecord, HopRecord, Part, TapEvidence, TapGap};
use crate::policy::BURST_LENGTHS;
use crate::terms::{PointId, Timestamp};

/// All observation points as listeners.
#[derive(Debug, Default)]
pub(super) struct Taps {
    points: Vec<Tap>,
}

#[derive(Debug, Default)]
struct Tap {
    /// First and last frame of its captures.
    span: Option<(Timestamp, Timestamp)>,
    /// By evidence, in the order of [`EVIDENCE`].
    gaps: [Spans; EVIDENCE.len()],
}

/// The stronger first: the last one may also have been the network.
const EVIDENCE: [TapEvidence; 5] = [
    TapEvidence::SourceDown,
    TapEvidence::DropCount,
    TapEvidence::BetweenFiles,
    TapEvidence::TunnelSequence,
    TapEvidence::SharedGap,
];

/// Files that follow each other closer than this are one capture.
const CLOSE_NS: i64 = 1_000_000_000;

/// By how much a packet may have come before the one that was sent before it, or after the one behind it.
const SLACK_NS: i64 = 20_000_000;

/// Packets that a hop did not see, and of which its tap may have missed some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Doubtful {
    /// How many may be the tap's loss.
    pub(super) packets: u64,
    /// In how many runs, by length as in [`HopRecord::loss_bursts`].
    pub(super) runs: [u64; 6],
    /// What makes the first of them doubtful.
    pub(super) evidence: Option<TapEvidence>,
}

impl Taps {
    /// From what captures say of themselves, and all gaps.
    pub(super) fn new(points: usize, captures: &[CaptureRecord], gaps: &[TapGap]) -> Self {
        let mut taps = Self { points: (0..points).map(|_| Tap::default()).collect() };
        for capture in captures {
            let Some((first, last)) = capture.first.zip(capture.last) else { continue };
            for number in capture.other_points.iter().chain([&capture.point]) {
                let Some(tap) = taps.points.get_mut(usize::from(number.0)) else { continue };
                let (start, end) = tap.span.unwrap_or((first, last));
                tap.span = Some((start.min(first), end.max(last)));
            }
        }
        taps.add(gaps);
        taps
    }

    fn add(&mut self, gaps: &[TapGap]) {
        for (place, tap) in self.points.iter_mut().enumerate() {
            for (spans, evidence) in tap.gaps.iter_mut().zip(EVIDENCE) {
                let here = |gap: &&TapGap| usize::from(gap.point.0) == place && gap.evidence == evidence;
                spans.extend(gaps.iter().filter(here).map(|gap| (gap.from.0, gap.to.0)));
            }
        }
    }

    fn tap(&self, point: PointId) -> Option<&Tap> {
        self.points.get(usize::from(point.0))
    }

    /// First and last frame of a point's captures.
    pub(super) fn span(&self, point: PointId) -> Option<(Timestamp, Timestamp)> {
        self.tap(point)?.span
    }

    /// Whether a point missed any frames that are known of.
    pub(super) fn has_gaps(&self, point: PointId) -> bool {
        self.tap(point).is_some_and(|tap| tap.gaps.iter().any(|spans| !spans.ends.is_empty()))
    }

    /// What says that a point may have missed a frame between two moments of its clock; the strongest evidence.
    pub(super) fn doubt(&self, point: PointId, from: i64, to: i64) -> Option<TapEvidence> {
        let tap = self.tap(point)?;
        let (from, to) = (from.saturating_sub(SLACK_NS), to.saturating_add(SLACK_NS));
        tap.gaps.iter().zip(EVIDENCE).find(|(spans, _)| spans.meet(from, to)).map(|(_, evidence)| evidence)
    }

    /// Which of the packets that a hop did not see its tap may have missed.
    pub(super) fn doubtful(&self, hop: &HopRecord) -> Doubtful {
        let mut doubtful = Doubtful::default();
        if hop.lost() == 0 || !self.has_gaps(hop.point) {
            return doubtful;
        }
        let mut listed = 0;
        for (part, run) in hop.parts.iter().flat_map(|part| part.missing.iter().map(move |run| (part, run))) {
            listed += u64::from(run.length);
            let (from, to) = part.silence(run);
            if let Some(evidence) = self.doubt(hop.point, from.0, to.0) {
                doubtful.packets += u64::from(run.length);
                doubtful.runs[class_of(run.length)] += 1;
                doubtful.evidence.get_or_insert(evidence);
            }
        }
        // What was too much to be listed may lie anywhere.
        let unlisted = hop.lost().saturating_sub(listed);
        if unlisted > 0
            && let Some(evidence) = self.doubt(hop.point, hop.first.0, hop.last.0)
        {
            doubtful.packets += unlisted;
            doubtful.runs = hop.loss_bursts;
            doubtful.evidence.get_or_insert(evidence);
        }
        doubtful
    }
}

/// The times between the files of each point that none of them covers.
pub(super) fn between_files(points: usize, captures: &[CaptureRecord]) -> Vec<TapGap> {
    let mut files: Vec<Vec<(Timestamp, Timestamp)>> = vec![Vec::new(); points];
    for capture in captures {
        for number in capture.other_points.iter().chain([&capture.point]) {
            let file = capture.first.zip(capture.last);
            if let Some((files, file)) = files.get_mut(usize::from(number.0)).zip(file) {
                files.push(file);
            }
        }
    }
    let mut gaps = Vec::new();
    for (point, mut files) in (0..).map(PointId).zip(files) {
        files.sort_unstable();
        let mut covered: Option<Timestamp> = None;
        for (first, last) in files {
            if let Some(from) = covered.filter(|end| first.0.saturating_sub(end.0) > CLOSE_NS) {
                let evidence = TapEvidence::BetweenFiles;
                gaps.push(TapGap { point, from, to: first, frames: None, evidence });
            }
            covered = covered.max(Some(last));
        }
    }
    gaps
}

/// Leaves out what streams share where the point itself says why: it is no second gap.
pub(super) fn leave_out_explained(gaps: &mut Vec<TapGap>) {
    let (shared, mut known): (Vec<TapGap>, Vec<TapGap>) =
        std::mem::take(gaps).into_iter().partition(|gap| gap.evidence == TapEvidence::SharedGap);
    let explains = |gap: &TapGap, shared: &TapGap| {
        let from = gap.from.0.saturating_sub(SLACK_NS);
        gap.point == shared.point && from <= shared.from.0 && shared.to.0 <= gap.to.0.saturating_add(SLACK_NS)
    };
    let unexplained = |one: &TapGap| !known.iter().any(|gap| explains(gap, one));
    let unexplained: Vec<TapGap> = shared.into_iter().filter(unexplained).collect();
    known.extend(unexplained);
    *gaps = known;
}

/// Which of the groups of runs a length belongs to.
fn class_of(length: u32) -> usize {
    let length = u64::from(length);
    BURST_LENGTHS.iter().rposition(|&least| length >= least).unwrap_or(0)
}

/// When the first packet of some numbers that a part does not have would have come, and when the last one.
pub(super) fn silence_at(parts: &[(&Part, i64)], number: i64) -> (i64, i64) {
    const FAR: i64 = 1 << 31;
    let mut nearest = (FAR, (i64::MIN, i64::MAX));
    for &(part, base) in parts {
        let (lowest, highest) = (base + i64::from(part.lowest), base + i64::from(part.highest));
        let (distance, silence) = if number < lowest {
            (lowest - number, (i64::MIN, part.begin.arrival.0))
        } else if number > highest {
            (number - highest, (part.end.arrival.0, i64::MAX))
        } else {
            let at = part.missing.partition_point(|run| base + i64::from(run.first) <= number);
            let run = at.checked_sub(1).and_then(|at| part.missing.get(at));
            let (from, to) = run.map_or((part.begin.arrival, part.end.arrival), |run| part.silence(run));
            (0, (from.0, to.0))
        };
        if distance < nearest.0 {
            nearest = (distance, silence);
        }
    }
    nearest.1
}

/// Why there is no verdict, in words.
pub(super) const fn reason(evidence: TapEvidence) -> &'static str {
    match evidence {
        TapEvidence::DropCount => "the capturing machine dropped frames",
        TapEvidence::TunnelSequence => "the mirror's tunnel lost frames",
        TapEvidence::BetweenFiles => "no file of the point covers this time",
        TapEvidence::SourceDown => "the point's interface was down or gone",
        TapEvidence::SharedGap => "many streams were silent at once: the mirror or the network",
    }
}

/// Spans of time that may overlap, to ask whether any of them meets another.
#[derive(Debug, Default)]
struct Spans {
    spans: Vec<(i64, i64)>,
    /// The latest end of all spans up to this one.
    ends: Vec<i64>,
}

impl Spans {
    fn extend(&mut self, more: impl IntoIterator<Item = (i64, i64)>) {
        self.spans.extend(more);
        self.spans.sort_unstable();
        let latest = |end: &mut i64, span: &(i64, i64)| {
            *end = span.1.max(*end);
            Some(*end)
        };
        self.ends = self.spans.iter().scan(i64::MIN, latest).collect();
    }

    fn meet(&self, from: i64, to: i64) -> bool {
        let begun = self.spans.partition_point(|span| span.0 <= to);
        begun.checked_sub(1).and_then(|at| self.ends.get(at)).is_some_and(|&end| end >= from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Anchor, MissingRun};
    use crate::terms::RtpTime;
    use crate::verify::tests_support::hop;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    fn gap(from: i64, to: i64, evidence: TapEvidence) -> TapGap {
        TapGap { point: PointId(0), from: Timestamp(from), to: Timestamp(to), frames: None, evidence }
    }

    fn lossy(runs: &[(u32, u32, u32)]) -> HopRecord {
        let mut hop = hop(64, &[(46, 1000)]);
        let anchor = |sequence| Anchor { sequence, timestamp: RtpTime(0), arrival: hop.first };
        let missing: Vec<MissingRun> = runs
            .iter()
            .map(|&(first, length, since_ms)| MissingRun {
                first,
                length,
                since_ms,
                until_ms: since_ms + 20 * (length + 1),
            })
            .collect();
        hop.expected += missing.iter().map(|run| u64::from(run.length)).sum::<u64>();
        let (begin, end) = (anchor(0), anchor(2000));
        hop.parts = vec![Part { lowest: 0, highest: 2000, begin, end, missing, missing_unlisted: 0 }];
        hop
    }

    #[test]
    fn only_runs_that_may_lie_in_a_gap_are_doubtful() {
        let hop = lossy(&[(100, 1, 2000), (200, 3, 4000), (300, 20, 6000)]);
        let start = hop.first.0;
        let of = |gaps: &[TapGap]| Taps::new(1, &[], gaps).doubtful(&hop);
        assert_eq!(of(&[]), Doubtful::default());
        let between = gap(start + 4200 * MS, start + 5900 * MS, TapEvidence::DropCount);
        assert_eq!(of(&[between]), Doubtful::default());
        let shared = gap(start + 4010 * MS, start + 4020 * MS, TapEvidence::SharedGap);
        let expected =
            Doubtful { packets: 3, runs: [0, 0, 1, 0, 0, 0], evidence: Some(TapEvidence::SharedGap) };
        assert_eq!(of(&[between, shared]), expected);
        let all = gap(0, i64::MAX, TapEvidence::DropCount);
        let expected =
            Doubtful { packets: 24, runs: [1, 0, 1, 0, 0, 1], evidence: Some(TapEvidence::DropCount) };
        assert_eq!(of(&[all, shared]), expected);
        let elsewhere = TapGap { point: PointId(1), ..all };
        assert_eq!(of(&[elsewhere]), Doubtful::default());
    }

    #[test]
    fn what_is_not_listed_may_lie_in_any_gap() {
        let mut hop = lossy(&[(100, 1, 2000)]);
        hop.expected += 50;
        hop.loss_bursts = [51, 0, 0, 0, 0, 0];
        let early = gap(hop.first.0 + 500 * MS, hop.first.0 + 600 * MS, TapEvidence::DropCount);
        let doubtful = Taps::new(1, &[], &[early]).doubtful(&hop);
        assert_eq!((doubtful.packets, doubtful.runs), (50, hop.loss_bursts));
    }

    proptest! {
        #[test]
        fn spans_meet_as_one_by_one(
            spans in prop::collection::vec((0_i64..100, 0_i64..30), 0..12),
            from in 0_i64..120,
            length in 0_i64..20,
        ) {
            let spans: Vec<(i64, i64)> = spans.into_iter().map(|(start, length)| (start, start + length)).collect();
            let to = from + length;
            let expected = spans.iter().any(|span| span.0 <= to && from <= span.1);
            let mut all = Spans::default();
            all.extend(spans);
            prop_assert_eq!(all.meet(from, to), expected);
        }
    }

    #[test]
    fn a_silence_that_the_point_itself_explains_is_no_second_gap() {
        let gap = |point, from: i64, to: i64, evidence| TapGap {
            point: PointId(point),
            from: Timestamp(from * 1_000_000),
            to: Timestamp(to * 1_000_000),
            frames: None,
            evidence,
        };
        let known = gap(0, 1000, 3000, TapEvidence::SourceDown);
        let elsewhere = gap(1, 1100, 2900, TapEvidence::SharedGap);
        let longer = gap(0, 1100, 4000, TapEvidence::SharedGap);
        let mut gaps = vec![gap(0, 990, 3010, TapEvidence::SharedGap), known, elsewhere, longer];
        leave_out_explained(&mut gaps);
        assert_eq!(gaps, [known, elsewhere, longer]);
    }
}
