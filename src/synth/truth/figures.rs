//! The figures of one stream at one hop, counted from a list.
//!
//! As plain as can be: sets, sorting, and one loop over the list for what depends on the order of arrival. The
//! rules are those of the report ("Rules behind the figures").

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::synth::datagram::RtpTally;
use crate::terms::Timestamp;

/// One packet as a tap heard it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeardPacket {
    /// Time as the capture says it.
    pub at: i64,
    /// Time by a perfect clock.
    pub true_at: i64,
    pub rtp: RtpTally,
    pub ttl: u8,
    pub dscp: u8,
    pub ecn: u8,
    /// Priority code point, where there are tags.
    pub pcp: Option<u8>,
    /// Octets of the IP packet.
    pub octets: usize,
}

/// What is true of one stream at one hop.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub ttl: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Way>,
    pub first: Option<String>,
    pub last: Option<String>,
    pub packets: u64,
    pub unique: u64,
    pub expected: u64,
    pub lost: u64,
    pub duplicates: u64,
    pub stray: u64,
    pub reordered: u64,
    pub resets: u64,
    pub jitter_seconds: Option<Jitter>,
    pub loss_bursts: BTreeMap<&'static str, u64>,
    /// Duplicates and strays are in it, so that it adds up to `packets`; so in `ecn` and `pcp`.
    pub dscp: BTreeMap<u8, u64>,
    pub dscp_changes: u64,
    pub ecn: BTreeMap<u8, u64>,
    pub pcp: BTreeMap<u8, u64>,
    pub payload_type_packets: BTreeMap<u8, u64>,
    pub octets: u64,
}

/// Packets with one time to live, where there are several at one hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Way {
    pub ttl: u8,
    pub packets: u64,
}

/// RFC 3550, A.8, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Jitter {
    pub last: f64,
    pub mean: f64,
    pub max: f64,
    pub updates: u64,
}

/// Counts everything at one hop.
pub(super) fn figures(heard: &[HeardPacket]) -> Figures {
    let counted: Vec<&HeardPacket> = heard.iter().filter(|packet| !packet.rtp.stray).collect();
    let mut parts: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
    for packet in &counted {
        parts.entry(packet.rtp.part).or_default().insert(packet.rtp.sequence);
    }
    let unique: u64 = parts.values().map(|numbers| numbers.len() as u64).sum();
    let span = |numbers: &BTreeSet<u64>| match (numbers.first(), numbers.last()) {
        (Some(lowest), Some(highest)) => highest - lowest + 1,
        _ => 0,
    };
    let expected: u64 = parts.values().map(span).sum();
    let all: Vec<&HeardPacket> = heard.iter().collect();
    let ways = ways(&all);
    Figures {
        ttl: ways.first().map_or(0, |way| way.ttl),
        ways: if ways.len() > 1 { ways } else { Vec::new() },
        first: counted.iter().map(|packet| packet.at).min().map(|at| Timestamp(at).to_string()),
        last: counted.iter().map(|packet| packet.at).max().map(|at| Timestamp(at).to_string()),
        packets: heard.len() as u64,
        unique,
        expected,
        lost: expected - unique,
        duplicates: counted.len() as u64 - unique,
        stray: (heard.len() - counted.len()) as u64,
        reordered: reordered(&counted),
        resets: (parts.len() as u64).saturating_sub(1),
        jitter_seconds: jitter(&counted),
        loss_bursts: bursts(&parts),
        dscp: histogram(all.iter().map(|packet| packet.dscp)),
        dscp_changes: counted.windows(2).filter(|pair| pair[0].dscp != pair[1].dscp).count() as u64,
        ecn: histogram(all.iter().map(|packet| packet.ecn)),
        pcp: histogram(all.iter().filter_map(|packet| packet.pcp)),
        payload_type_packets: histogram(counted.iter().map(|packet| packet.rtp.payload_type)),
        octets: counted.iter().map(|packet| packet.octets as u64).sum(),
    }
}

/// Payload types, the most packets first.
pub(super) fn payload_types(heard: &[HeardPacket]) -> Vec<u8> {
    let counted = heard.iter().filter(|packet| !packet.rtp.stray);
    let mut types: Vec<(u8, u64)> =
        histogram(counted.map(|packet| packet.rtp.payload_type)).into_iter().collect();
    types.sort_by_key(|&(number, packets)| (std::cmp::Reverse(packets), number));
    types.into_iter().map(|(number, _)| number).collect()
}

/// Fewer packets than this are no evidence.
const ENOUGH: u64 = 10;

/// The verdict on every hop of a stream that comes from the managed side.
pub(super) fn markings(shares: &[&BTreeMap<u8, u64>], right: &[u8]) -> Vec<&'static str> {
    let count = |share: &BTreeMap<u8, u64>, is_right: bool| {
        share
            .iter()
            .filter(|(dscp, _)| right.contains(dscp) == is_right)
            .map(|(_, packets)| packets)
            .sum::<u64>()
    };
    let worst = |share: &BTreeMap<u8, u64>| {
        let wrong = share.iter().filter(|(dscp, _)| !right.contains(dscp));
        wrong.max_by_key(|&(&dscp, &packets)| (packets, std::cmp::Reverse(dscp))).map(|(&dscp, _)| dscp)
    };
    let mut verdicts: Vec<&'static str> = Vec::new();
    for (i, share) in shares.iter().enumerate() {
        let before = i.checked_sub(1).map(|before| (shares[before], verdicts[before]));
        verdicts.push(match (count(share, true), count(share, false), before) {
            (right, wrong, _) if right + wrong < ENOUGH => "unclassified",
            (_, wrong, _) if wrong < ENOUGH => "conformant",
            (right, _, _) if right >= ENOUGH => "mixed",
            (_, _, Some((_, "conformant" | "mixed"))) => "remarked",
            (_, _, Some((before, verdict))) if verdict != "unclassified" => {
                if worst(before) == worst(share) {
                    "inherited"
                } else {
                    "remarked"
                }
            }
            _ if worst(share) == Some(0) => "unmarked",
            _ => "unexpected",
        });
    }
    verdicts
}

fn histogram(values: impl Iterator<Item = u8>) -> BTreeMap<u8, u64> {
    let mut histogram = BTreeMap::new();
    for value in values {
        *histogram.entry(value).or_default() += 1;
    }
    histogram
}

fn ways(counted: &[&HeardPacket]) -> Vec<Way> {
    let by_ttl = histogram(counted.iter().map(|packet| packet.ttl));
    let mut ways: Vec<Way> = by_ttl.into_iter().map(|(ttl, packets)| Way { ttl, packets }).collect();
    ways.sort_by_key(|way| (std::cmp::Reverse(way.packets), std::cmp::Reverse(way.ttl)));
    ways
}

fn reordered(counted: &[&HeardPacket]) -> u64 {
    let mut count = 0;
    let mut seen: BTreeSet<(u32, u64)> = BTreeSet::new();
    let mut highest: BTreeMap<u32, u64> = BTreeMap::new();
    for RtpTally { part, sequence, .. } in counted.iter().map(|packet| packet.rtp) {
        let top = highest.entry(part).or_insert(sequence);
        count += u64::from(seen.insert((part, sequence)) && sequence < *top);
        *top = sequence.max(*top);
    }
    count
}

/// Runs of missing numbers between the lowest and the highest of each part.
fn bursts(parts: &BTreeMap<u32, BTreeSet<u64>>) -> BTreeMap<&'static str, u64> {
    let mut bursts = BTreeMap::from([("1", 0), ("2", 0), ("3-4", 0), ("5-9", 0), ("10-19", 0), ("20+", 0)]);
    for numbers in parts.values() {
        for (before, after) in numbers.iter().zip(numbers.iter().skip(1)) {
            let name = match after - before - 1 {
                0 => continue,
                1 => "1",
                2 => "2",
                3..=4 => "3-4",
                5..=9 => "5-9",
                10..=19 => "10-19",
                _ => "20+",
            };
            *bursts.entry(name).or_default() += 1;
        }
    }
    bursts
}

/// RFC 3550, A.8, updated by each packet that is the highest so far and whose timestamp differs from that of
/// the packet before which did so. A new part and a new clock rate begin from a new reference.
#[allow(clippy::cast_precision_loss, reason = "differences of one stream are far below 2^53 ns")]
fn jitter(counted: &[&HeardPacket]) -> Option<Jitter> {
    let mut reference: Option<&HeardPacket> = None;
    let (mut estimate, mut total, mut max, mut updates) = (0.0, 0.0, 0.0_f64, 0_u64);
    let mut highest: Option<(u32, u64)> = None;
    for packet in counted {
        let number = (packet.rtp.part, packet.rtp.sequence);
        if highest.is_some_and(|highest| number <= highest) {
            continue;
        }
        highest = Some(number);
        let same_clock = |before: &&HeardPacket| {
            before.rtp.part == packet.rtp.part && before.rtp.clock_rate == packet.rtp.clock_rate
        };
        if let Some(before) = reference.filter(same_clock) {
            if before.rtp.timestamp == packet.rtp.timestamp {
                continue;
            }
            let arrived = (packet.at - before.at) as f64 / 1e9;
            let sent =
                (packet.rtp.timestamp - before.rtp.timestamp) as f64 / f64::from(packet.rtp.clock_rate);
            estimate += ((arrived - sent).abs() - estimate) / 16.0;
            total += estimate;
            max = max.max(estimate);
            updates += 1;
        }
        reference = Some(packet);
    }
    (updates > 0).then(|| Jitter { last: estimate, mean: total / updates as f64, max, updates })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (milliseconds, part, sequence number, timestamp at 8,000 Hz, DSCP)
    fn heard(list: &[(i64, u32, u64, i64, u8)]) -> Vec<HeardPacket> {
        let packet = |&(at, part, sequence, timestamp, dscp)| HeardPacket {
            at: at * 1_000_000,
            true_at: at * 1_000_000,
            rtp: RtpTally {
                stream: 0,
                part,
                sequence,
                sent_as: sequence,
                timestamp,
                clock_rate: 8_000,
                payload_type: 0,
                stray: sequence == 9_999,
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
    fn a_list_counted_by_hand() {
        // 1 2 4 3 3 (stray) 7, then a restart to 50 51.
        let list = heard(&[
            (0, 0, 1, 0, 46),
            (20, 0, 2, 160, 46),
            (60, 0, 4, 480, 46),
            (61, 0, 3, 320, 0),
            (62, 0, 3, 320, 0),
            (70, 0, 9_999, 480, 46),
            (120, 0, 7, 960, 46),
            (140, 1, 50, 5, 46),
            (160, 1, 51, 165, 46),
        ]);
        let figures = figures(&list);
        assert_eq!(figures.packets, 9);
        assert_eq!(figures.unique, 7);
        assert_eq!(figures.expected, 7 + 2);
        assert_eq!(figures.lost, 2);
        assert_eq!(figures.duplicates, 1);
        assert_eq!(figures.stray, 1);
        assert_eq!(figures.reordered, 1);
        assert_eq!(figures.resets, 1);
        assert_eq!(figures.loss_bursts["2"], 1);
        assert_eq!(figures.loss_bursts.values().sum::<u64>(), 1);
        assert_eq!(figures.dscp, BTreeMap::from([(46, 7), (0, 2)]));
        assert_eq!(figures.dscp_changes, 2);
        assert_eq!(figures.octets, 1_600);
        // On time by their timestamps: 2, 4, 7 and 51 update, and find nothing.
        assert_eq!(figures.jitter_seconds, Some(Jitter { last: 0.0, mean: 0.0, max: 0.0, updates: 4 }));
    }

    #[test]
    fn jitter_is_a_sixteenth_of_what_is_new() {
        let list = heard(&[(0, 0, 1, 0, 0), (36, 0, 2, 160, 0), (40, 0, 3, 320, 0), (40, 0, 4, 320, 0)]);
        let jitter = figures(&list).jitter_seconds.unwrap();
        // 16 ms late, then 16 ms early again; the last shares a timestamp.
        assert!((jitter.max - (0.001 + 0.015 / 16.0)).abs() < 1e-12);
        assert!((jitter.mean - (0.001 + 0.001 + 0.015 / 16.0) / 2.0).abs() < 1e-12);
        assert_eq!(jitter.updates, 2);
        assert!((jitter.last - jitter.max).abs() < 1e-12);
    }

    #[test]
    fn only_the_first_wrong_hop_is_to_blame() {
        let share = |list: &[(u8, u64)]| list.iter().copied().collect::<BTreeMap<u8, u64>>();
        let (right, wrong, half) = (share(&[(46, 90)]), share(&[(0, 90)]), share(&[(46, 50), (0, 40)]));
        for (hops, verdicts) in [
            (vec![&right, &wrong, &wrong], vec!["conformant", "remarked", "inherited"]),
            (vec![&wrong, &wrong], vec!["unmarked", "inherited"]),
            (vec![&wrong, &share(&[(8, 90)])], vec!["unmarked", "remarked"]),
            (vec![&half, &right], vec!["mixed", "conformant"]),
            (vec![&share(&[(8, 30)])], vec!["unexpected"]),
            (vec![&share(&[(46, 81), (0, 9)])], vec!["conformant"]),
            (vec![&share(&[(0, 9)])], vec!["unclassified"]),
        ] {
            assert_eq!(markings(&hops, &[46]), verdicts);
        }
    }

    #[test]
    fn one_hop_over_two_ways_names_both() {
        let mut list = heard(&[(0, 0, 1, 0, 46), (20, 0, 2, 160, 46), (40, 0, 3, 320, 46)]);
        list[1].ttl = 59;
        let figures = figures(&list);
        assert_eq!(figures.ttl, 60);
        assert_eq!(figures.ways, [Way { ttl: 60, packets: 2 }, Way { ttl: 59, packets: 1 }]);
        assert_eq!(figures.lost, 0);
    }
}
