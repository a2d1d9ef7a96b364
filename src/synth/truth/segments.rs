//! What is true of the segments between neighbouring hops of one stream.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figures::HeardPacket;
use crate::terms::Timestamp;

/// What is true of one segment. Packets are distinct sequence numbers here, and of copies the first counts.
#[derive(Debug, Serialize)]
pub(super) struct SegmentTruth {
    from: usize,
    to: usize,
    packets_in: u64,
    packets_out: u64,
    lost: u64,
    unseen_after: u64,
    unseen_before: u64,
    remarked: BTreeMap<String, Remarked>,
    delay_seconds: Option<Delay>,
}

#[derive(Debug, Serialize)]
struct Remarked {
    packets: u64,
    /// Arrivals at the later hop.
    first: String,
    last: String,
}

/// Over all packets heard at both hops; a report has it from samples.
#[derive(Debug, Serialize)]
struct Delay {
    min: f64,
    mean: f64,
    max: f64,
    samples: u64,
}

type Firsts = BTreeMap<(u32, u64), HeardPacket>;

/// All segments of a stream from what its hops heard, in the order of travel.
pub(super) fn segments(hops: &[&Vec<HeardPacket>]) -> Vec<SegmentTruth> {
    let firsts: Vec<Firsts> = hops.iter().map(|heard| first_copies(heard)).collect();
    let between = |from: usize| {
        let (before, after) = (&firsts[from], &firsts[from + 1]);
        let later: BTreeSet<_> = firsts[from + 2..].iter().flat_map(BTreeMap::keys).collect();
        let missing: Vec<_> = before.keys().filter(|number| !after.contains_key(number)).collect();
        let unseen_after = missing.iter().filter(|number| later.contains(*number)).count() as u64;
        let both: Vec<(&HeardPacket, &HeardPacket)> =
            before.iter().filter_map(|(number, first)| Some((first, after.get(number)?))).collect();
        SegmentTruth {
            from,
            to: from + 1,
            packets_in: before.len() as u64,
            packets_out: after.len() as u64,
            lost: missing.len() as u64 - unseen_after,
            unseen_after,
            unseen_before: after.keys().filter(|number| !before.contains_key(number)).count() as u64,
            remarked: remarked(&both),
            delay_seconds: delay(&both),
        }
    };
    (0..hops.len().saturating_sub(1)).map(between).collect()
}

fn first_copies(heard: &[HeardPacket]) -> Firsts {
    let mut firsts = Firsts::new();
    for packet in heard.iter().filter(|packet| !packet.rtp.stray) {
        firsts.entry((packet.rtp.part, packet.rtp.sequence)).or_insert(*packet);
    }
    firsts
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
    let seconds: Vec<f64> = both.iter().map(|(before, after)| (after.at - before.at) as f64 / 1e9).collect();
    let min = seconds.iter().copied().reduce(f64::min)?;
    let max = seconds.iter().copied().reduce(f64::max)?;
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    Some(Delay { min, mean, max, samples: seconds.len() as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::datagram::RtpTally;

    fn heard(list: &[(i64, u64, u8)]) -> Vec<HeardPacket> {
        let packet = |&(at, sequence, dscp)| HeardPacket {
            at: at * 1_000_000,
            rtp: RtpTally {
                stream: 0,
                part: 0,
                sequence,
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
        list.iter().map(packet).collect()
    }

    #[test]
    fn what_a_later_hop_saw_was_missed_by_the_mirror() {
        let first = heard(&[(0, 1, 46), (20, 2, 46), (40, 3, 46), (60, 4, 46)]);
        let second = heard(&[(1, 1, 0), (61, 4, 0), (81, 5, 0)]);
        let third = heard(&[(2, 1, 0), (22, 2, 0), (62, 4, 0), (82, 5, 0)]);
        let truth = segments(&[&first, &second, &third]);
        assert_eq!((truth[0].packets_in, truth[0].packets_out), (4, 3));
        assert_eq!((truth[0].lost, truth[0].unseen_after, truth[0].unseen_before), (1, 1, 1));
        assert_eq!(truth[0].remarked["46>0"].packets, 2);
        assert_eq!((truth[1].lost, truth[1].unseen_before), (0, 1));
        let delay = truth[0].delay_seconds.as_ref().unwrap();
        assert!((delay.mean - 0.001).abs() < 1e-9);
        assert_eq!(delay.samples, 2);
    }
}
