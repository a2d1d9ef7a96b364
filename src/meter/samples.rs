//! Trajectory samples (RFC 5475): each hop chooses the same packets.
//!
//! A packet is chosen by a hash of SSRC and sequence number, so each hop chooses the same ones without a word
//! between them. A hop that has too many halves its share: what is left is still what others chose too.

use super::hop::Digest;
use crate::terms::{RtpTime, Ssrc, Timestamp, TrafficClass};

/// One packet that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it was captured.
    pub arrival: Timestamp,
    /// Its extended sequence number within the part.
    pub sequence: u32,
    /// Its RTP timestamp.
    pub timestamp: RtpTime,
    /// The part of the stream: restarts before it.
    pub part: u16,
    /// Its marking here.
    pub traffic_class: TrafficClass,
}

/// At level n one packet in 2^n is chosen.
pub(super) type Level = u8;

/// The level of a hop that keeps no packets, with a gate that nothing passes.
pub(super) const NEVER: Level = 31;
/// Most samples of a hop, however long the stream.
const MOST: u64 = 4096;
/// At this level one packet in a million is chosen; from here on the first samples are kept, and no more of them.
const LAST_LEVEL: Level = 20;

/// How a new hop samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampling {
    pub(super) level: Level,
    pub(super) most: Most,
}

/// How many samples a hop keeps.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Most {
    /// Of a short stream.
    pub(super) base: u16,
    /// And for each second: as many as this, at least half of it.
    pub(super) per_second: u16,
    /// The newest that stay, at least, while older ones go; 0 keeps those of the whole stream.
    pub(super) newest: u16,
}

impl Sampling {
    /// What is kept of a short stream, if streams are few.
    pub(super) const BASE_OF_FEW: u16 = 64;
    const BASE_OF_MANY: u16 = 4;

    /// Of one of many streams at the only point: there is nothing to compare it with, until another hop turns up.
    pub(super) const fn none(per_second: u16) -> Self {
        Self { level: NEVER, most: Most { base: Self::BASE_OF_MANY, per_second, newest: 0 } }
    }

    /// Few streams may be sampled finely, many must be cheap: the memory for it stays the same. What passes other
    /// points is sampled to tell delays well; at one point alone a look now and then is enough.
    pub(super) const fn of_hops(streams: usize, has_other_points: bool, per_second: u16) -> Self {
        let (level, base) = match (Self::is_crowd(streams), has_other_points) {
            (true, _) => (level_of_many(per_second), Self::BASE_OF_MANY),
            (false, true) => (0, 1024),
            (false, false) => (0, Self::BASE_OF_FEW),
        };
        Self { level, most: Most { base, per_second, newest: 0 } }
    }

    /// Keeps the newest samples only, where so many are named.
    pub(super) fn with_newest(mut self, newest: usize) -> Self {
        self.most.newest = u16::try_from(newest).unwrap_or(u16::MAX);
        self
    }

    /// Whether streams are many.
    pub(super) const fn is_crowd(streams: usize) -> bool {
        streams >= 1024
    }
}

/// The level at which a stream of 50 packets a second has half of these samples a second at least: 1.5 by default.
pub(super) const fn level_of_many(per_second: u16) -> Level {
    match per_second {
        0 | 1 => 6,
        2..=3 => 5,
        4..=6 => 4,
        7..=12 => 3,
        13..=25 => 2,
        26..=50 => 1,
        _ => 0,
    }
}

/// Whether a packet is chosen at a level. The same at every point: no secret, no state. Per packet.
#[inline]
pub(super) const fn is_chosen(ssrc: Ssrc, sequence: u16, level: Level) -> bool {
    let mixed = (ssrc.0 ^ (sequence as u32).wrapping_mul(0x9E37_79B1)).wrapping_mul(0x85EB_CA77);
    (mixed >> 12) & ((1 << level) - 1) == 0
}

/// The samples of one hop.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples {
    kept: Vec<Sample>,
    /// Arrival of the first of them, which lies far away in memory from the next.
    first: Option<Timestamp>,
    most: Most,
}

impl Samples {
    pub(super) const fn new(most: Most) -> Self {
        Self { kept: Vec::new(), first: None, most }
    }

    /// Keeps a packet that was chosen; gives the level from now on.
    pub(super) fn keep(&mut self, sample: Sample, ssrc: Ssrc, level: Level) -> Level {
        let is_full = self.is_full(sample.arrival);
        if is_full && level >= LAST_LEVEL {
            // Sequence numbers come again after 65,536, those that are always chosen too.
            return level;
        }
        self.kept.push(sample);
        self.first.get_or_insert(sample.arrival);
        let newest = usize::from(self.most.newest);
        if newest > 0 && self.kept.len() >= 2 * newest {
            self.kept.drain(..newest);
            self.first = self.kept.first().map(|s| s.arrival);
            return level;
        }
        if !is_full {
            return level;
        }
        self.kept.retain(|s| is_chosen(ssrc, super::sequence::on_the_wire(s.sequence), level + 1));
        self.first = self.kept.first().map(|s| s.arrival);
        level + 1
    }

    /// Whether there are as many as a stream that came so far may have.
    fn is_full(&self, now: Timestamp) -> bool {
        let kept = self.kept.len() as u64;
        let base = u64::from(self.most.base);
        // The division only where it matters.
        kept >= base.min(MOST) && {
            let first = self.first.unwrap_or(now);
            let seconds = u64::try_from(now.nanos_since(first) / 1_000_000_000).unwrap_or(0);
            let per_second = u64::from(self.most.per_second).saturating_mul(seconds);
            kept >= base.saturating_add(per_second).min(MOST)
        }
    }

    pub(super) fn into_kept(self) -> Vec<Sample> {
        self.kept
    }
}

/// The sample of a packet.
pub(super) const fn sample(d: &Digest, sequence: u32, part: u16) -> Sample {
    Sample { arrival: d.arrival, sequence, timestamp: d.timestamp, part, traffic_class: d.traffic_class }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_half_of_the_one_before_and_within_it() {
        for level in 0..8 {
            let chosen = |level| (0..=u16::MAX).filter(move |&s| is_chosen(Ssrc(0xCAFE), s, level));
            let (these, next) = (chosen(level).count(), chosen(level + 1).count());
            assert!(next.abs_diff(these / 2) < these / 8 + 8, "level {level}: {these}, {next}");
            assert!(chosen(level + 1).all(|s| is_chosen(Ssrc(0xCAFE), s, level)));
        }
    }

    #[test]
    fn a_stream_of_fifty_packets_a_second_keeps_half_of_what_is_wanted_at_least() {
        for (base, mut level, per_second, least, most) in [
            (1024, 0, 2, 600, 2300),
            (4, level_of_many(2), 2, 600, 1210),
            (4, level_of_many(1), 1, 300, 610),
            (1024, 0, 5, 1500, 4096),
            (4, level_of_many(5), 5, 1500, 3010),
        ] {
            let mut samples = Samples::new(Most { base, per_second, newest: 0 });
            for i in 0..50 * 600_u32 {
                let sequence = 65_536 + i;
                if is_chosen(Ssrc(7), super::super::sequence::on_the_wire(sequence), level) {
                    let sample = Sample {
                        arrival: Timestamp(i64::from(i) * 20_000_000),
                        sequence,
                        timestamp: RtpTime(i),
                        part: 0,
                        traffic_class: TrafficClass(0),
                    };
                    level = samples.keep(sample, Ssrc(7), level);
                }
            }
            let kept = samples.into_kept();
            assert!((least..=most).contains(&kept.len()), "{per_second} a second: {} kept", kept.len());
        }
    }

    #[test]
    fn where_the_newest_are_wanted_older_ones_go() {
        let mut samples = Samples::new(Most { base: 1024, per_second: 2, newest: 50 });
        for i in 0..1000_u32 {
            let sample = Sample {
                arrival: Timestamp(i64::from(i) * 20_000_000),
                sequence: 65_536 + i,
                timestamp: RtpTime(i),
                part: 0,
                traffic_class: TrafficClass(0),
            };
            assert_eq!(samples.keep(sample, Ssrc(7), 0), 0);
            assert!(samples.kept.len() < 100);
        }
        let kept = samples.into_kept();
        assert!(kept.len() >= 50);
        assert!(kept.windows(2).all(|two| two[0].sequence + 1 == two[1].sequence));
        assert_eq!(kept.last().map(|s| s.sequence), Some(65_536 + 999));
    }

    #[test]
    fn samples_are_bounded_whatever_numbers_come() {
        assert!(is_chosen(Ssrc(0), 0, LAST_LEVEL), "nothing mixed is nothing");
        for ssrc in [Ssrc(0), Ssrc(9)] {
            let (mut samples, mut level) =
                (Samples::new(Most { base: 1024, per_second: u16::MAX, newest: 0 }), 0);
            for i in 0..50_000 {
                let sample = Sample {
                    arrival: Timestamp(i * i64::from(u32::MAX)),
                    sequence: 65_536,
                    timestamp: RtpTime(0),
                    part: 0,
                    traffic_class: TrafficClass(0),
                };
                level = samples.keep(sample, ssrc, level);
            }
            assert!(samples.into_kept().len() as u64 <= MOST + u64::from(LAST_LEVEL), "{ssrc}");
        }
    }
}
