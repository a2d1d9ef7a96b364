//! What must be true of every record, whatever was heard.

use hopmark::meter::{
    Histogram, HopRecord, MAX_CHANGES, MAX_PARTS, MAX_RUNS, MeterCounters, StreamRecord, StunRecord,
    TunnelRecord,
};
use hopmark::verify::{Outcome, Segment};

fn sum(histogram: &Histogram) -> u64 {
    histogram.iter().map(|&(_, packets)| packets).sum()
}

/// Panics where a stream's record contradicts itself.
pub fn of_stream(stream: &StreamRecord) {
    assert!(!stream.hops.is_empty(), "a stream without hops");
    assert!(stream.first <= stream.last, "{stream:?}");
    assert!(stream.mean_octets.is_finite() && stream.mean_octets >= 0.0, "{stream:?}");
    assert!(stream.packet_interval_seconds.is_none_or(|s| s.is_finite() && s >= 0.0), "{stream:?}");
    for hop in &stream.hops {
        of_hop(hop);
        assert!(stream.first <= hop.first && hop.last <= stream.last, "{stream:?}");
    }
    let by_payload_type: u64 = stream.payload_types.iter().map(|p| p.packets).sum();
    let first = &stream.hops[0];
    assert_eq!(by_payload_type, first.unique + first.duplicates, "{stream:?}");
}

fn of_hop(hop: &HopRecord) {
    assert_eq!(hop.packets, hop.unique + hop.duplicates + hop.stray, "{hop:?}");
    assert!(hop.expected >= hop.unique, "{hop:?}");
    assert!(hop.reordered <= hop.unique, "{hop:?}");
    assert_eq!(hop.lost() + hop.unique, hop.expected, "{hop:?}");
    assert_eq!(sum(&hop.dscp), hop.packets, "{hop:?}");
    assert_eq!(sum(&hop.ecn), hop.packets, "{hop:?}");
    assert_eq!(hop.ways.iter().map(|way| way.packets).sum::<u64>(), hop.packets, "{hop:?}");
    for by_layer in [hop.pcp(), hop.user_priority(), hop.mpls_tc(), hop.outer_dscp()] {
        assert!(sum(by_layer) <= hop.packets, "{hop:?}");
    }
    assert!(hop.first <= hop.last, "{hop:?}");
    assert!(hop.dscp_changes.len() <= MAX_CHANGES, "{hop:?}");
    assert!(hop.dscp_changes.len() as u64 <= hop.dscp_change_count, "{hop:?}");
    if let Some(jitter) = hop.jitter {
        for figure in [jitter.last, jitter.mean, jitter.max] {
            assert!(figure.is_finite() && figure >= 0.0, "{hop:?}");
        }
        assert!(jitter.last <= jitter.max && jitter.mean <= jitter.max * 1.000_01, "{hop:?}");
        assert!(jitter.updates <= hop.unique, "{hop:?}");
    }
    of_bursts(hop);
    of_parts(hop);
}

/// Parts add up to what was expected, and the runs missing in them to what was lost, where all are listed. There are
/// none where nothing is compared.
fn of_parts(hop: &HopRecord) {
    assert!(hop.parts.len() <= MAX_PARTS && (hop.samples.is_empty() || !hop.parts.is_empty()), "{hop:?}");
    assert!(hop.parts.iter().map(|part| part.missing.len()).sum::<usize>() <= MAX_RUNS, "{hop:?}");
    let (mut expected, mut lost) = (0, 0);
    for part in &hop.parts {
        assert!(part.begin.sequence >= part.lowest && part.end.sequence == part.highest, "{hop:?}");
        expected += u64::from(part.highest - part.lowest) + 1;
        lost += part.missing_unlisted;
        let mut after = part.lowest;
        for run in &part.missing {
            assert!(run.first > after && run.length > 0 && run.first + run.length <= part.highest, "{hop:?}");
            after = run.first + run.length;
            lost += u64::from(run.length);
        }
    }
    if (1..MAX_PARTS).contains(&hop.parts.len()) {
        assert_eq!((expected, lost), (hop.expected, hop.lost()), "{hop:?}");
    }
    for sample in &hop.samples {
        let part = hop.parts.get(usize::from(sample.part));
        assert!(
            part.is_some_and(|p| (p.lowest..=p.highest).contains(&sample.sequence)),
            "{sample:?} of {hop:?}"
        );
    }
}

/// The runs of loss add up to the loss, as far as their classes say how long they were.
fn of_bursts(hop: &HopRecord) {
    let least = [1, 2, 3, 5, 10, 20];
    let most = [Some(1), Some(2), Some(4), Some(9), Some(19), None];
    let at_least: u64 = hop.loss_bursts.iter().zip(least).map(|(runs, length)| runs * length).sum();
    assert!(at_least <= hop.lost(), "{hop:?}");
    let at_most: Option<u64> = hop
        .loss_bursts
        .iter()
        .zip(most)
        .map(|(&runs, length)| if runs == 0 { Some(0) } else { Some(runs * length?) })
        .sum();
    assert!(at_most.is_none_or(|at_most| hop.lost() <= at_most), "{hop:?}");
}

/// Panics where a mirror session's record contradicts itself.
pub fn of_tunnel(tunnel: &TunnelRecord) {
    let lost: u64 = tunnel.files.iter().map(|(_, count)| count.lost).sum();
    let known: u64 = tunnel.gaps.iter().filter_map(|gap| gap.frames).sum();
    let are_known = tunnel.gaps.iter().all(|gap| gap.frames.is_some());
    assert!(if are_known { known == lost } else { known <= lost }, "{tunnel:?}");
    assert!(tunnel.gaps.iter().all(|gap| gap.from <= gap.to) && tunnel.gaps.is_sorted(), "{tunnel:?}");
}

/// Panics where a pair's record contradicts itself.
pub fn of_stun(stun: &StunRecord) {
    assert!(stun.responses + stun.unanswered <= stun.requests, "{stun:?}");
    assert!(stun.errors <= stun.responses && stun.consent_checks <= stun.requests, "{stun:?}");
    assert_eq!(sum(&stun.dscp_requests), stun.requests + stun.retransmitted, "{stun:?}");
    assert_eq!(sum(&stun.dscp_responses), stun.responses, "{stun:?}");
    assert!(stun.first <= stun.last, "{stun:?}");
    assert!(stun.error_codes.iter().map(|code| code.1).sum::<u64>() <= stun.errors, "{stun:?}");
    if let Some(trip) = stun.round_trip {
        assert!(trip.samples <= stun.responses, "{stun:?}");
        assert!(0.0 <= trip.min && trip.min <= trip.p99 && trip.p99 <= trip.max, "{stun:?}");
        assert!(trip.min <= trip.mean * 1.000_01 && trip.mean <= trip.max * 1.000_01, "{stun:?}");
        assert!(trip.max.is_finite(), "{stun:?}");
    }
}

/// Every RTP packet is counted once: at one hop, or among those that found none.
pub fn of_sum(streams: &[StreamRecord], counters: &MeterCounters, rtp_packets: u64) {
    let at_hops: u64 = streams.iter().flat_map(|s| &s.hops).map(|hop| hop.packets).sum();
    let elsewhere = counters.unconfirmed_rtp_packets + counters.packets_beyond_hop_limit;
    assert_eq!(at_hops + elsewhere, rtp_packets, "{counters:?}");
}

fn of_segment(segment: &Segment) {
    assert!(segment.lost.unwrap_or(0) + segment.unseen_after <= segment.packets_in, "{segment:?}");
    assert!(segment.unseen_before <= segment.packets_out, "{segment:?}");
    let remarked: u64 = segment.remarked.iter().map(|r| r.packets).sum();
    assert!(remarked <= segment.packets_in.min(segment.packets_out), "{segment:?}");
    assert!(segment.remarked.iter().all(|r| r.from != r.to && r.packets > 0), "{segment:?}");
    if let Some(delay) = segment.delay {
        assert!(delay.min <= delay.p99 && delay.p99 <= delay.max, "{segment:?}");
        let slack = 1e-6 + delay.min.abs().max(delay.max.abs()) * 1e-6;
        assert!((delay.min - slack..=delay.max + slack).contains(&delay.mean), "{segment:?}");
    }
    if let Some(variation) = segment.delay_variation {
        assert!(0.0 <= variation.p50 && variation.p50 <= variation.p99, "{segment:?}");
        assert!(variation.p99 <= variation.max && variation.max.is_finite(), "{segment:?}");
    }
    let clock = &segment.clock;
    for figure in [clock.offset_seconds, clock.uncertainty_seconds, clock.drift_ppm] {
        assert!(figure.is_none_or(f64::is_finite), "{segment:?}");
    }
    assert!(clock.uncertainty_seconds.is_none_or(|s| s >= 0.0), "{segment:?}");
}

/// Panics where a verdict contradicts its record, or points to what is not there.
pub fn of_outcome(outcome: &Outcome) {
    for (number, stream) in (0_u32..).zip(outcome.streams.iter()) {
        assert_eq!(stream.markings.len(), stream.record.hops.len());
        assert_eq!(stream.segments.len() + 1, stream.record.hops.len());
        stream.segments.iter().for_each(of_segment);
        if let Some(other) = stream.reverse_of {
            assert_eq!(outcome.streams.get(other).unwrap().reverse_of, Some(number));
        }
        let quality = &stream.quality;
        assert!(quality.loss_ratio.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)), "{quality:?}");
        assert!(quality.mos_estimate.is_none_or(|mos| (1.0..=4.5).contains(&mos)), "{quality:?}");
        for figure in [quality.jitter_seconds, quality.round_trip_seconds] {
            assert!(figure.is_none_or(|f| f.is_finite() && f >= 0.0), "{quality:?}");
        }
    }
    for finding in &outcome.findings {
        assert!(finding.stream.is_none_or(|s| (s as usize) < outcome.streams.len()), "{finding:?}");
        assert!(finding.first <= finding.last, "{finding:?}");
        assert!(!finding.message.is_empty() && !finding.advice.is_empty(), "{finding:?}");
    }
}
