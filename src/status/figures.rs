//! The figures that Prometheus is told, added up as streams run.

use std::collections::BTreeMap;

use crate::terms::Direction;
use crate::verify::{FindingKind, Severity, WorstMarking};

/// Everything that is counted since the start, and what is true at the moment of writing.
///
/// Keys are few by design: no address, port, SSRC or call is among them. Points and classes are places in the lists
/// of names here.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// What each observation point heard and missed.
    pub points: Vec<PointFigures>,
    /// Names of the service classes.
    pub classes: Vec<String>,
    /// RTP by hop, direction and class.
    pub hops: BTreeMap<HopKey, HopFigures>,
    /// Packets by hop, direction, class, codepoint and verdict on it.
    pub marking: BTreeMap<(HopKey, u8, MarkingVerdict), u64>,
    /// What happened between neighbouring hops.
    pub segments: BTreeMap<SegmentKey, SegmentFigures>,
    /// Packets whose codepoint changed between neighbouring hops, by codepoint before and after.
    pub remarked: BTreeMap<(SegmentKey, u8, u8), u64>,
    /// Running streams by direction, class and their marking over all hops. Now.
    pub verdicts: BTreeMap<(Direction, Class, WorstMarking), u64>,
    /// Findings that were opened.
    pub findings: BTreeMap<(FindingKind, Severity), u64>,
    /// Findings that stand. Now.
    pub findings_open: BTreeMap<(FindingKind, Severity), u64>,
    /// Intervals in which a point (by its place in the list) is known to have missed frames, by what tells so.
    pub suspect_intervals: BTreeMap<(u16, &'static str), u64>,
    /// Label sets that found no room.
    pub series_limited: u64,
    /// Intervals that were judged.
    pub intervals: u64,
    /// Time that judging took, in seconds.
    pub judge_seconds: f64,
    /// Time that judging the last interval took, in seconds. Now.
    pub judge_last_seconds: f64,
    /// What the meters dropped or refused, by what it was.
    pub refused: Vec<(&'static str, u64)>,
}

/// A service class: a place in the list of names, or none that could be told.
pub type Class = Option<u8>;

/// Where and on what packets were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HopKey {
    /// A place in [`Figures::points`].
    pub point: u16,
    /// The first hop of a stream at this point is 1. Those beyond the fourth count as the fourth.
    pub hop: u8,
    /// Forward is from the managed side to the far side.
    pub direction: Direction,
    /// The service class.
    pub class: Class,
}

/// Two neighbouring hops, each a place in [`Figures::points`] and the hop there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentKey {
    /// The hop before.
    pub from: (u16, u8),
    /// The hop after.
    pub to: (u16, u8),
    /// Forward is from the managed side to the far side.
    pub direction: Direction,
    /// The service class.
    pub class: Class,
}

/// What one observation point heard and missed.
#[derive(Debug, Clone, Default)]
pub struct PointFigures {
    /// Its name.
    pub name: String,
    /// Frames heard.
    pub packets: u64,
    /// Their octets on the wire.
    pub octets: u64,
    /// Frames that were lost on their way to the program, by where.
    pub dropped: Vec<(&'static str, u64)>,
    /// Times at which the ring was full and stopped, where there is a ring.
    pub freezes: Option<u64>,
    /// Frames that the kernel's filter kept away, by reason.
    pub filtered: Vec<(&'static str, u64)>,
    /// Frames that came cut.
    pub snapped: u64,
    /// Frames that were not decoded, by reason.
    pub undecoded: Vec<(&'static str, u64)>,
    /// Whether frames are coming at all: the interface is there and up, or the file is not over. Now.
    pub is_up: bool,
    /// Whether it was ever open.
    pub has_been_up: bool,
    /// Whether it is not listened to any more; what it counted stays counted.
    pub is_gone: bool,
    /// Where the times of frames come from. Now.
    pub time_source: Option<&'static str>,
    /// Whether the driver itself tells RTP in few octets in place of frames; absent where nobody does. Now.
    pub is_xdp_native: Option<bool>,
    /// Capture time of the last frame, in seconds since 1970.
    pub last_packet_seconds: Option<f64>,
    /// Streams that began.
    pub streams_started: u64,
    /// Streams that had to make room for others.
    pub streams_evicted: u64,
    /// STUN requests, without retransmissions.
    pub stun_requests: u64,
    /// STUN requests whose time went by without an answer.
    pub stun_unanswered: u64,
    /// Round trips of STUN, in seconds: an observation for each pair of hosts and interval.
    pub stun_round_trip: Distribution,
}

impl PointFigures {
    /// Adds what another observer of the same point heard.
    pub fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.octets += other.octets;
        for (sums, more) in [
            (&mut self.dropped, &other.dropped),
            (&mut self.filtered, &other.filtered),
            (&mut self.undecoded, &other.undecoded),
        ] {
            for &(reason, n) in more {
                match sums.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, sum)) => *sum += n,
                    None => sums.push((reason, n)),
                }
            }
        }
        self.freezes = self.freezes.zip(other.freezes).map(|(a, b)| a + b).or(self.freezes).or(other.freezes);
        self.snapped += other.snapped;
        self.is_up &= other.is_up;
        self.has_been_up &= other.has_been_up;
        self.time_source = self.time_source.or(other.time_source);
        self.is_xdp_native = self.is_xdp_native.or(other.is_xdp_native);
        let last = [self.last_packet_seconds, other.last_packet_seconds];
        self.last_packet_seconds = last.into_iter().flatten().reduce(f64::max);
        self.streams_started += other.streams_started;
        self.streams_evicted += other.streams_evicted;
        self.stun_requests += other.stun_requests;
        self.stun_unanswered += other.stun_unanswered;
    }
}

/// What was counted of RTP at one hop.
#[derive(Debug, Clone, Default)]
pub struct HopFigures {
    /// Packets heard.
    pub packets: u64,
    /// Highest minus lowest sequence number plus one.
    pub expected: u64,
    /// Expected, and not heard within an interval.
    pub lost: u64,
    /// Heard before.
    pub duplicates: u64,
    /// Heard after one with a higher number.
    pub reordered: u64,
    /// Restarts of sequence number or timestamp.
    pub resets: u64,
    /// Interarrival jitter in seconds: an observation for each stream and interval.
    pub jitter: Distribution,
    /// Streams that run. Now.
    pub active: u64,
    /// The most octets in a second within the last minute. Now.
    pub peak_bytes_per_second: f64,
}

/// What happened between two hops.
#[derive(Debug, Clone, Default)]
pub struct SegmentFigures {
    /// Packets at the hop before.
    pub packets: u64,
    /// Of them lost for certain.
    pub lost: u64,
    /// Of them missing, where the mirror behind may have missed them.
    pub suspect: u64,
    /// Delay in seconds: an observation for each stream and interval, where the clocks are one.
    pub delay: Distribution,
}

/// The verdict on the codepoint of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarkingVerdict {
    /// As expected.
    Conformant,
    /// Zero where a marking is expected, and nothing before was right.
    Unmarked,
    /// Right before, wrong here.
    Remarked,
    /// Wrong already at the hop before.
    Inherited,
    /// Another codepoint than expected.
    Unexpected,
    /// Too few packets, or no expectation.
    Unclassified,
}

impl MarkingVerdict {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Conformant,
        Self::Unmarked,
        Self::Remarked,
        Self::Inherited,
        Self::Unexpected,
        Self::Unclassified,
    ];

    /// As labels say it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conformant => "conformant",
            Self::Unmarked => "unmarked",
            Self::Remarked => "remarked",
            Self::Inherited => "inherited",
            Self::Unexpected => "unexpected",
            Self::Unclassified => "unclassified",
        }
    }
}

/// A histogram of durations in seconds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution {
    /// Observations by bucket, not cumulative; the last one has no upper bound.
    pub counts: [u64; BOUNDS.len() + 1],
    /// Sum of all observations.
    pub sum: f64,
}

/// Upper bounds of the buckets in seconds: from a mirror port's noise to what a jitter buffer gives up on.
pub const BOUNDS: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 1.0];

impl Distribution {
    /// Takes in one observation; one that is no number is left out.
    pub fn observe(&mut self, seconds: f64) {
        if !seconds.is_finite() {
            return;
        }
        let bucket = BOUNDS.iter().position(|&bound| seconds <= bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += seconds;
    }

    /// How many observations there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut distribution = Distribution::default();
        for seconds in [0.000_1, 0.000_2, 1.0, 1.1, f64::NAN] {
            distribution.observe(seconds);
        }
        assert_eq!(distribution.counts[0], 1);
        assert_eq!(distribution.counts[1], 1);
        assert_eq!(distribution.counts[BOUNDS.len() - 1], 1);
        assert_eq!(distribution.counts[BOUNDS.len()], 1);
        assert_eq!(distribution.count(), 4);
    }
}
