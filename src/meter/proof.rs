//! What proves a stream: evidence over several packets.
//!
//! Never one packet, never a port. An SSRC that stays and sequence numbers that count are not enough either: games,
//! file sharing and encrypted tunnels have such fields. Timestamps decide. Media timestamps count samples, so they
//! advance by whole frames, at the pace of a clock that media have.

use smallvec::SmallVec;

use super::clock::{nearly_seconds, seconds};
use super::hop::Digest;

/// Proof without any help: this many packets, all in order, on time, and with timestamps that count samples ...
pub(super) const PROOF: usize = 5;
/// ... or, with STUN, DTLS or RTCP on the flow, this many.
pub(super) const PROOF_WITH_CONTEXT: usize = 4;
/// Proof where a step does not fit, or where timestamps may be a clock that is read when a packet is sent.
const PROOF_WITH_FLAWS: usize = 12;
/// Proof out of a burst, by timestamps alone.
const PROOF_IN_BURST: usize = 32;
/// A step in sequence that counts as "goes on": some loss in between is no counter-evidence.
const NEAR: i16 = 16;
/// Copies of a packet come at most this many packets after it.
const COPIES_WITHIN: usize = 64;
/// Clocks of media, in hertz: of audio (RFC 3551, RFC 3190, RFC 5691), and of every video format.
const MEDIA_HZ: [f64; 13] = [
    8_000.0, 11_025.0, 12_000.0, 16_000.0, 22_050.0, 24_000.0, 32_000.0, 44_100.0, 48_000.0, 64_000.0,
    88_200.0, 90_000.0, 96_000.0,
];

/// What the packets of a candidate come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Proven,
    Open,
    /// The oldest packet speaks against it.
    ForgetOldest,
}

/// Something seen on the same flow that makes RTP likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) is_likely_media: bool,
}

/// How packet follows packet in a candidate.
#[derive(Debug, Clone, Copy, Default)]
struct Steps {
    all: usize,
    /// Near in sequence.
    near: usize,
    /// Near in sequence, and with a timestamp that fits.
    regular: usize,
    forward: usize,
    /// To a later packet with an earlier timestamp.
    back_in_time: usize,
    /// What all differences of timestamps are multiples of; 0 where they do not differ.
    quantum: u32,
    /// How often a difference of timestamps, where there was one, was not that of the step before.
    changes: usize,
}

impl Steps {
    fn of(distinct: &[Digest]) -> Self {
        let mut steps = Self { all: distinct.len() - 1, ..Self::default() };
        let mut usual = 0;
        for (a, b) in distinct.iter().zip(distinct.iter().skip(1)) {
            let step = b.sequence.wrapping_sub(a.sequence).cast_signed();
            if !is_near(step) {
                continue;
            }
            steps.near += 1;
            steps.forward += usize::from(step > 0);
            if is_on_time(a, b) {
                let ticks = b.timestamp.since(a.timestamp);
                steps.regular += 1;
                steps.back_in_time += usize::from(step > 0 && ticks < 0);
                steps.quantum = common_divisor(steps.quantum, ticks.unsigned_abs());
                if ticks != 0 {
                    steps.changes += usize::from(ticks != usual);
                    usual = ticks;
                }
            }
        }
        steps
    }

    /// Media timestamps count samples, so they advance by whole frames: of 2.5 ms (20 ticks of the slowest clock and
    /// its multiples), of a power of two (AAC, MPEG audio), of 10 ms at 44.1 kHz, of pictures; or by whole
    /// milliseconds. A clock that is read when a packet is sent does not.
    fn count_samples(self) -> bool {
        let is_frame = [20, 30, 128, 441, 1001].iter().any(|frame| self.quantum.is_multiple_of(*frame));
        (self.quantum >= 20 && is_frame) || matches!(self.quantum, 8 | 16 | 24 | 32 | 48)
    }

    /// Packets that are needed for a proof, if nothing else speaks against it.
    fn enough(self, context: Context) -> usize {
        if self.regular < self.all {
            PROOF_WITH_FLAWS
        } else if context.is_likely_media {
            PROOF_WITH_CONTEXT
        } else if self.count_samples() && self.back_in_time == 0 {
            PROOF
        } else {
            PROOF_WITH_FLAWS
        }
    }
}

const fn common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

const fn is_near(step: i16) -> bool {
    step != 0 && step >= -NEAR && step <= NEAR
}

/// Weighs the packets of a candidate, in order of arrival.
///
/// `doubt` is how often packets of this key have failed to be a stream: what has failed has to prove more. `most` is how
/// many packets may be kept.
pub(super) fn weigh(held: &[Digest], context: Context, doubt: u8, most: usize) -> Weight {
    let without_copies: SmallVec<[Digest; 16]>;
    let distinct = if are_in_a_row(held) {
        held
    } else {
        without_copies = each_once(held);
        // A sequence number has one timestamp, and the first packet has another near it.
        let Some((last, before)) = without_copies.split_last() else { return Weight::Open };
        let contradicts = |d: &Digest| d.sequence == last.sequence && d.timestamp != last.timestamp;
        let is_alone = match without_copies[..] {
            [ref first, ref second, ..] => {
                !is_near(second.sequence.wrapping_sub(first.sequence).cast_signed())
            }
            _ => false,
        };
        if is_alone || before.iter().any(contradicts) {
            return Weight::ForgetOldest;
        }
        &*without_copies
    };
    let steps = Steps::of(distinct);
    if distinct.len() >= steps.enough(context) + usize::from(doubt) && is_media(distinct, steps, context) {
        return Weight::Proven;
    }
    if held.len() >= most { Weight::ForgetOldest } else { Weight::Open }
}

/// Whether each packet has the number after that of the one before it, as most streams begin. They are far too few for
/// numbers to come again.
fn are_in_a_row(held: &[Digest]) -> bool {
    let follows = |(a, b): (&Digest, &Digest)| b.sequence.wrapping_sub(a.sequence) == 1;
    !held.is_empty() && held.iter().zip(held.iter().skip(1)).all(follows)
}

/// Without copies of packets (mirror duplicates, hops), which are no evidence of their own.
fn each_once(held: &[Digest]) -> SmallVec<[Digest; 16]> {
    let mut distinct: SmallVec<[Digest; 16]> = SmallVec::new();
    for d in held {
        let is_copy = |e: &Digest| e.sequence == d.sequence && e.timestamp == d.timestamp;
        if !distinct.iter().rev().take(COPIES_WITHIN).any(is_copy) {
            distinct.push(*d);
        }
    }
    distinct
}

/// Whether timestamps advance no faster than a 90 kHz clock would, and not back by more than frames' order.
fn is_on_time(a: &Digest, b: &Digest) -> bool {
    let step = i64::from(b.sequence.wrapping_sub(a.sequence).cast_signed());
    let ticks = i64::from(b.timestamp.since(a.timestamp)) * step.signum();
    let elapsed = nearly_seconds(b.arrival.nanos_since(a.arrival).saturating_abs());
    #[allow(clippy::cast_possible_truncation, reason = "a bound, rounded")]
    let most = ((elapsed + 0.5) * 100_000.0) as i64 + 10_000 * step.abs();
    // Frames that are predicted from later ones are sent after them. A late packet is an early one all the same.
    let least = if step > 0 { -20_000 } else { 0 };
    (least..=most).contains(&ticks)
}

/// Whether as many packets as these are media, by their order and by the clock of their timestamps.
fn is_media(distinct: &[Digest], steps: Steps, context: Context) -> bool {
    let are_most = |n: usize| n * 10 >= steps.all * 9;
    // Where one packet overtakes another, and so all the way, half of the steps are forward.
    if steps.forward * 2 < steps.all {
        return false;
    }
    if context.is_likely_media && distinct.len() >= PROOF_WITH_FLAWS {
        // Retransmissions and probes that share an SSRC have timestamps in no order.
        return are_most(steps.near);
    }
    are_most(steps.regular) && has_media_clock(distinct, steps, context)
}

/// Whether the timestamps advance at the pace of a media clock.
fn has_media_clock(distinct: &[Digest], steps: Steps, context: Context) -> bool {
    let (Some(first), Some(last)) = (distinct.first(), distinct.last()) else { return false };
    let elapsed = seconds(last.arrival.nanos_since(first.arrival));
    if steps.quantum == 0 {
        // One video frame in several packets, or a telephone event: more must follow, or others must vouch.
        return context.is_likely_media && elapsed < 1.0;
    }
    let pace = recent_pace(distinct);
    if context.is_likely_media {
        return pace.is_none_or(|pace| (500.0..=300_000.0).contains(&pace));
    }
    let is_enough_for_all = distinct.len() >= PROOF_WITH_FLAWS;
    if is_enough_for_all && has_exact_media_clock(distinct) {
        return true;
    }
    match pace {
        _ if !steps.count_samples() => false,
        // Jitter makes the pace of the first packets a rough figure; a capture may be of a replay in haste.
        Some(pace) => (3_000.0..=140_000.0).contains(&pace),
        // A burst says nothing of pace. Frames of many lengths do, and in a capture without times all is one burst.
        None if elapsed == 0.0 => is_enough_for_all,
        None => distinct.len() >= PROOF_IN_BURST && steps.changes >= PROOF_WITH_FLAWS,
    }
}

/// A clock that is read when a packet is sent may be anything: it has to be one that media have, exactly.
fn has_exact_media_clock(distinct: &[Digest]) -> bool {
    exact_pace(distinct).is_some_and(|(pace, uncertainty)| {
        uncertainty < 0.05 && MEDIA_HZ.iter().any(|hz| (pace / hz - 1.0).abs() <= 0.005 + 3.0 * uncertainty)
    })
}

/// Less time than this is a burst.
const MEASURABLE_SECONDS: f64 = 0.03;

/// Ticks in a second over the newest packets, as many as make the figure measurable. A stream may begin with a burst,
/// so the oldest are asked last.
fn recent_pace(distinct: &[Digest]) -> Option<f64> {
    let last = distinct.last()?;
    distinct.iter().rev().skip(PROOF_WITH_CONTEXT - 1).find_map(|d| {
        let elapsed = seconds(last.arrival.nanos_since(d.arrival));
        (elapsed >= MEASURABLE_SECONDS).then(|| f64::from(last.timestamp.since(d.timestamp)) / elapsed)
    })
}

/// Ticks in a second by the line that fits all packets best, and the standard error of that figure, as a part of it.
fn exact_pace(distinct: &[Digest]) -> Option<(f64, f64)> {
    let first = distinct.first()?;
    let points = || {
        distinct.iter().map(|d| {
            let elapsed = nearly_seconds(d.arrival.nanos_since(first.arrival));
            (elapsed, f64::from(d.timestamp.since(first.timestamp)))
        })
    };
    let (n, sum_x, sum_y) = points().fold((0.0, 0.0, 0.0), |(n, a, b), (x, y)| (n + 1.0, a + x, b + y));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (xx, xy, yy) = points().fold((0.0, 0.0, 0.0), |(xx, xy, yy), (x, y)| {
        let (x, y) = (x - mean_x, y - mean_y);
        (xx + x * x, xy + x * y, yy + y * y)
    });
    let pace = xy / xx;
    let residual = (yy - pace * xy).max(0.0) / (n - 2.0);
    let uncertainty = (residual / xx).sqrt() / pace;
    (pace > 0.0 && uncertainty.is_finite()).then_some((pace, uncertainty))
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds of small numbers")]
mod tests {
    use super::*;
    use crate::decode::PathId;
    use crate::meter::payload::Print;
    use crate::terms::{RtpTime, Timestamp, TrafficClass};

    const ALONE: Context = Context { is_likely_media: false };
    const WITH_STUN: Context = Context { is_likely_media: true };

    fn weigh(held: &[Digest], context: Context) -> Weight {
        super::weigh(held, context, 0, 512)
    }

    fn packet(ms: f64, sequence: u16, timestamp: u32) -> Digest {
        Digest {
            arrival: Timestamp((ms * 1e6) as i64),
            timestamp: RtpTime(timestamp),
            sequence,
            octets: 200,
            path: PathId(0),
            ttl: 64,
            traffic_class: TrafficClass(0),
            payload_type: 111,
            print: Print::NONE,
        }
    }

    fn packets(n: u16, of: impl Fn(u16) -> (f64, u16, u32)) -> Vec<Digest> {
        (0..n).map(of).map(|(ms, sequence, timestamp)| packet(ms, sequence, timestamp)).collect()
    }

    fn stream(n: u16) -> Vec<Digest> {
        packets(n, |i| (f64::from(i) * 20.0, 65_534_u16.wrapping_add(i), u32::from(i) * 960))
    }

    /// After how many packets a stream is proven.
    fn proven_after(held: &[Digest], context: Context) -> Option<usize> {
        (1..=held.len()).find(|&n| weigh(&held[..n], context) == Weight::Proven)
    }

    #[test]
    fn five_packets_in_order_prove_a_stream_and_four_do_with_stun() {
        assert_eq!(proven_after(&stream(20), ALONE), Some(5));
        assert_eq!(proven_after(&stream(20), WITH_STUN), Some(4));
    }

    #[test]
    fn copies_are_no_evidence() {
        let held: Vec<_> = stream(2).into_iter().flat_map(|d| [d, d, d]).collect();
        assert_eq!(weigh(&held, WITH_STUN), Weight::Open);
        let copied: Vec<_> = [stream(40), stream(40)].concat();
        assert_eq!(weigh(&copied, ALONE), Weight::Proven);
    }

    #[test]
    fn what_has_failed_has_to_prove_more() {
        assert_eq!(super::weigh(&stream(7), ALONE, 3, 512), Weight::Open);
        assert_eq!(super::weigh(&stream(8), ALONE, 3, 512), Weight::Proven);
    }

    #[test]
    fn random_sequence_numbers_prove_nothing() {
        let held = packets(12, |i| (f64::from(i) * 20.0, i.wrapping_mul(40_503), u32::from(i) * 960));
        assert_eq!(weigh(&held, WITH_STUN), Weight::ForgetOldest);
    }

    #[test]
    fn a_sequence_number_with_two_timestamps_is_no_stream() {
        let mut held = stream(20);
        held[19].sequence = held[3].sequence;
        assert_eq!(weigh(&held, ALONE), Weight::ForgetOldest);
    }

    #[test]
    fn clocks_that_media_do_not_have_prove_nothing() {
        for (name, ticks_per_second) in [
            ("seconds", 1.0),
            ("milliseconds", 1e3),
            ("NTP units", 65_536.0),
            ("microseconds", 1e6),
            ("still", 0.0),
        ] {
            for interval_ms in [1.0, 16.3, 50.0] {
                let held = packets(200, |i| {
                    let ms = f64::from(i) * interval_ms;
                    (ms, i, (ms / 1e3 * ticks_per_second) as u32)
                });
                assert_eq!(proven_after(&held, ALONE), None, "{name} every {interval_ms} ms");
            }
        }
        let octets = packets(200, |i| (f64::from(i), i, u32::from(i) * 1200));
        assert_eq!(proven_after(&octets, ALONE), None, "octets");
        let two_counters = packets(200, |i| (f64::from(i) * 20.0, i, i.into()));
        assert_eq!(proven_after(&two_counters, ALONE), None, "two counters");
        let back = packets(200, |i| (f64::from(i) * 20.0, i, u32::from(i).wrapping_mul(160).wrapping_neg()));
        assert_eq!(proven_after(&back, ALONE), None, "back in time");
    }

    #[test]
    fn a_media_clock_that_is_read_when_a_packet_is_sent_proves_a_stream() {
        for hz in [8000.0, 16_000.0, 48_000.0, 90_000.0] {
            let held = packets(40, |i| {
                let ms = f64::from(i) * 20.0 + f64::from(i % 3);
                (ms, i, (ms / 1e3 * hz) as u32)
            });
            assert!(proven_after(&held, ALONE).is_some_and(|n| n <= 12), "{hz}");
        }
    }

    #[test]
    fn a_stream_that_begins_with_a_burst_is_proven_when_its_pace_shows() {
        let held = packets(60, |i| (f64::from(i.saturating_sub(25)) * 20.0, i, u32::from(i) * 960));
        assert!(proven_after(&held, ALONE).is_some_and(|n| n <= 31));
    }

    #[test]
    fn video_is_proven_by_its_second_picture() {
        // 100 packets a picture, 30 pictures a second.
        let held = packets(300, |i| {
            let picture = i / 100;
            (f64::from(picture) * 33.3 + f64::from(i % 100) * 0.1, i, u32::from(picture) * 3000)
        });
        assert_eq!(proven_after(&held, ALONE), Some(101));
        assert_eq!(proven_after(&held, WITH_STUN), Some(4));
    }

    #[test]
    fn pictures_in_another_order_than_they_are_sent_are_video() {
        let order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, 15, 13, 14];
        let held = packets(16, |i| (f64::from(i) * 33.3, i, 9000 + 3000 * order[usize::from(i)]));
        assert_eq!(proven_after(&held, ALONE), Some(12));
    }

    #[test]
    fn packets_that_overtake_each_other_in_pairs_are_a_stream() {
        let held = packets(20, |i| (f64::from(i) * 20.0, i ^ 1, u32::from(i ^ 1) * 160));
        assert_eq!(proven_after(&held, ALONE), Some(5));
    }

    #[test]
    fn numbers_among_a_few_in_no_order_are_no_stream() {
        let held = packets(100, |i| (f64::from(i) * 20.0, i.wrapping_mul(7919) % 61, u32::from(i) * 160));
        assert_eq!(proven_after(&held, ALONE), None);
    }

    #[test]
    fn two_telephone_events_are_a_stream() {
        // Ten packets of one timestamp, then of another.
        let held = packets(20, |i| (f64::from(i) * 50.0, i, 4000 * u32::from(i / 10)));
        assert_eq!(proven_after(&held, ALONE), Some(11));
    }

    #[test]
    fn timestamps_that_jump_once_are_a_flaw_and_no_more() {
        let mut held = stream(20);
        held[0].timestamp = RtpTime(0x8000_0000);
        assert_eq!(proven_after(&held, ALONE), Some(12));
    }
}
