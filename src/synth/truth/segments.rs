//! What is true of the segments between neighbouring hops of one stream.
//!
//! Two views stand side by side. What the network did is known from how the traffic was made: `lost`, delays. What
//! can be known from captures is what the mirrors recorded: `missing`, `unseen_after`, `unseen_before`, `remarked`.
//! Where a mirror missed what no later mirror recorded, the two views differ and the segment is `undecidable`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figures::HeardPacket;
use crate::synth::plan::Clock;
use crate::terms::Timestamp;

/// What is true of one segment. Packets are distinct sequence numbers here, as their sender gave them, and of copies
/// the first counts.
#[derive(Debug, Serialize)]
pub(super) struct SegmentTruth {
    pub from: usize,
    pub to: usize,
    /// Recorded at `from`.
    pub packets_in: u64,
    /// Recorded at `to`.
    packets_out: u64,
    /// Passed `from` and never came to `to`, recorded or not.
    lost: u64,
    /// Recorded at `from`, neither at `to` nor at any later hop: what a report can know of `lost`.
    missing: u64,
    /// Of `missing`, what the network did lose here.
    pub missing_here: u64,
    /// Some of `missing` was not lost here: it passed `to`, whose mirror missed it, and no later one recorded it.
    undecidable: bool,
    unseen_after: u64,
    unseen_before: u64,
    pub remarked: BTreeMap<String, Remarked>,
    delay_seconds: Option<Delay>,
    clock: ClockTruth,
}

#[derive(Debug, Serialize)]
pub(super) struct Remarked {
    pub packets: u64,
    /// Arrivals at the later hop.
    first: String,
    last: String,
}

/// By a perfect clock, over all packets recorded at both hops; a report has it from samples.
#[derive(Debug, Serialize)]
struct Delay {
    min: f64,
    mean: f64,
    /// Standard deviation.
    deviation: f64,
    p99: f64,
    max: f64,
    samples: u64,
}

/// Whether both captures have one clock, and else by how much that of `to` is fast against that of `from`.
#[derive(Debug, Serialize)]
struct ClockTruth {
    shared: bool,
    /// At the scenario's start.
    offset_seconds: f64,
    /// In millionths.
    drift: f64,
}

/// Part and sequence number.
type Number = (u32, u64);

/// What is known of one stream at one hop.
#[derive(Debug)]
pub(super) struct HopNotes {
    /// First copies of what the mirror recorded.
    recorded: BTreeMap<Number, HeardPacket>,
    /// What passed, recorded or not.
    passed: BTreeSet<Number>,
    clock: Clock,
}

impl HopNotes {
    /// From what was recorded, and what passed unrecorded.
    pub(super) fn new(heard: &[HeardPacket], missed: Option<&BTreeSet<Number>>, clock: Clock) -> Self {
        let mut recorded = BTreeMap::new();
        for packet in heard.iter().filter(|packet| !packet.rtp.stray) {
            recorded.entry((packet.rtp.part, packet.rtp.sent_as)).or_insert(*packet);
        }
        let passed = recorded.keys().chain(missed.into_iter().flatten()).copied().collect();
        Self { recorded, passed, clock }
    }

    /// How many numbers passed unrecorded.
    pub(super) fn mirror_lost(&self) -> u64 {
        (self.passed.len() - self.recorded.len()) as u64
    }
}

/// All segments of a stream from what its hops recorded, in the order of travel.
pub(super) fn segments(hops: &[HopNotes]) -> Vec<SegmentTruth> {
    (0..hops.len().saturating_sub(1))
        .map(|from| segment(from, &hops[from], &hops[from + 1], &hops[from + 2..]))
        .collect()
}

fn segment(from: usize, before: &HopNotes, after: &HopNotes, later: &[HopNotes]) -> SegmentTruth {
    let is_later = |number: &Number| later.iter().any(|hop| hop.recorded.contains_key(number));
    let unseen: Vec<_> = before.recorded.keys().filter(|n| !after.recorded.contains_key(n)).collect();
    let missing: Vec<_> = unseen.iter().filter(|number| !is_later(number)).collect();
    let missing_here = missing.iter().filter(|number| !after.passed.contains(**number)).count();
    let both: Vec<(&HeardPacket, &HeardPacket)> = before
        .recorded
        .iter()
        .filter_map(|(number, first)| Some((first, after.recorded.get(number)?)))
        .collect();
    SegmentTruth {
        from,
        to: from + 1,
        packets_in: before.recorded.len() as u64,
        packets_out: after.recorded.len() as u64,
        lost: before.passed.difference(&after.passed).count() as u64,
        missing: missing.len() as u64,
        missing_here: missing_here as u64,
        undecidable: missing_here < missing.len(),
        unseen_after: (unseen.len() - missing.len()) as u64,
        unseen_before: after.recorded.keys().filter(|n| !before.recorded.contains_key(n)).count() as u64,
        remarked: remarked(&both),
        delay_seconds: delay(&both),
        clock: clock(before.clock, after.clock),
    }
}

fn remarked(both: &[(&HeardPacket, &HeardPacket)]) -> BTreeMap<String, Remarked> {
    let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (before, after) in both.iter().filter(|(before, after)| before.dscp != after.dscp) {
        times.entry(format!("{}>{}", before.dscp, after.dscp)).or_default().push(after.at);
    }
    let entry = |(change, mut times): (String, Vec<i64>)| {
        times.sort_unstable();
        let first = Timestamp(*times.first()?).to_string();
        let last = Timestamp(*times.last()?).to_string();
        Some((change, Remarked { packets: times.len() as u64, first, last }))
    };
    times.into_iter().filter_map(entry).collect()
}

#[allow(clippy::cast_precision_loss, reason = "delays are far below 2^53 ns")]
fn delay(both: &[(&HeardPacket, &HeardPacket)]) -> Option<Delay> {
    let mut seconds: Vec<f64> =
        both.iter().map(|(before, after)| (after.true_at - before.true_at) as f64 / 1e9).collect();
    seconds.sort_by(f64::total_cmp);
    let count = seconds.len() as f64;
    let mean = seconds.iter().sum::<f64>() / count;
    let variance = seconds.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    // Nearest rank.
    let rank = (seconds.len() * 99).div_ceil(100).saturating_sub(1);
    Some(Delay {
        min: *seconds.first()?,
        mean,
        deviation: variance.sqrt(),
        p99: *seconds.get(rank)?,
        max: *seconds.last()?,
        samples: seconds.len() as u64,
    })
}

#[allow(clippy::cast_precision_loss, reason = "offsets are far below 2^53 ns")]
fn clock(before: Clock, after: Clock) -> ClockTruth {
    ClockTruth {
        shared: before == after,
        offset_seconds: (after.offset - before.offset) as f64 / 1e9,
        drift: (after.drift - before.drift) as f64 / 1e6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::datagram::RtpTally;

    /// (milliseconds, sequence number, DSCP), and what the mirror missed.
    fn notes(list: &[(i64, u64, u8)], missed: &[u64]) -> HopNotes {
        let packet = |&(at, sequence, dscp)| HeardPacket {
            at: at * 1_000_000 + 7_000_000_000,
            true_at: at * 1_000_000,
            rtp: RtpTally {
                stream: 0,
                part: 0,
                sequence,
                sent_as: sequence,
                timestamp: 0,
                clock_rate: 8_000,
                payload_type: 0,
                stray: false,
            },
            ttl: 60,
            dscp,
            ecn: 0,
            pcp: None,
            octets: 200,
        };
        let missed = missed.iter().map(|&sequence| (0, sequence)).collect();
        HopNotes::new(&list.iter().map(packet).collect::<Vec<_>>(), Some(&missed), Clock::default())
    }

    #[test]
    fn what_a_later_hop_saw_was_missed_by_the_mirror() {
        let first = notes(&[(0, 1, 46), (20, 2, 46), (40, 3, 46), (60, 4, 46)], &[5]);
        let second = notes(&[(1, 1, 0), (61, 4, 0), (81, 5, 0)], &[2]);
        let third = notes(&[(2, 1, 0), (22, 2, 0), (62, 4, 0), (82, 5, 0)], &[]);
        assert_eq!((first.mirror_lost(), second.mirror_lost(), third.mirror_lost()), (1, 1, 0));
        let truth = segments(&[first, second, third]);
        assert_eq!((truth[0].packets_in, truth[0].packets_out), (4, 3));
        assert_eq!((truth[0].lost, truth[0].unseen_after, truth[0].unseen_before), (1, 1, 1));
        assert_eq!((truth[0].missing, truth[0].undecidable), (1, false));
        assert_eq!(truth[0].remarked["46>0"].packets, 2);
        assert_eq!((truth[1].lost, truth[1].unseen_before), (0, 1));
        let delay = truth[0].delay_seconds.as_ref().unwrap();
        assert!((delay.mean - 0.001).abs() < 1e-9 && delay.deviation < 1e-9);
        assert_eq!(delay.samples, 2);
    }

    #[test]
    fn what_no_later_hop_recorded_cannot_be_decided() {
        // The second mirror misses 2, which is lost behind it; the third, the last, misses 3.
        let first = notes(&[(0, 1, 46), (20, 2, 46), (40, 3, 46)], &[]);
        let second = notes(&[(1, 1, 46), (41, 3, 46)], &[2]);
        let third = notes(&[(2, 1, 46)], &[3]);
        let truth = segments(&[first, second, third]);
        let told: Vec<_> = truth.iter().map(|s| (s.lost, s.missing, s.missing_here, s.undecidable)).collect();
        assert_eq!(told, [(0, 1, 0, true), (1, 1, 0, true)]);
    }
}
