//! Gaps that streams of unrelated hosts share at one moment.
//!
//! A mirror that stops for a moment takes something from every stream. So does a link that is down: which of the two
//! it was cannot be told from here, and is not said.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use crate::meter::{Head, HopRecord, TapEvidence, TapGap};
use crate::terms::{PointId, Timestamp};

/// What is kept of all streams to find the gaps that they share: 24 octets for each stream and point, and as much for
/// each of their long silences.
#[derive(Debug, Default)]
pub(super) struct SharedGaps {
    points: Vec<Listener>,
}

/// One point.
#[derive(Debug)]
struct Listener {
    active: Vec<Active>,
    silences: Vec<Silence>,
    /// Silences of fewer packets are not kept.
    least_packets: u32,
}

/// Two hosts, by hashes of their addresses, the smaller first.
type Pair = (u32, u32);

/// From when to when two hosts sent to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Active {
    pair: Pair,
    first: i64,
    last: i64,
}

/// A stream was silent, and its numbers went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Silence {
    /// Its last packet before.
    from: i64,
    lasting_ms: u32,
    packets: u32,
    pair: Pair,
}

impl Silence {
    fn to(&self) -> i64 {
        self.from.saturating_add(i64::from(self.lasting_ms) * MS)
    }
}

const MS: i64 = 1_000_000;
/// Random loss rarely takes so many packets in a row.
const LEAST_PACKETS: u32 = 3;
/// A silence shorter than this may lie within one video frame.
const LEAST_MS: u32 = 50;
/// Silences kept of a point; where there are more, only the longer ones are.
const MOST: usize = 1 << 20;
/// Silences that begin within this time, and end within this time, may be one: streams of 60 ms packets do.
const TOGETHER_NS: i64 = 100 * MS;
/// As many pairs of hosts that have no host in common are unrelated.
const UNRELATED: usize = 3;
/// As many pairs are, even where one host is in all of them: a relay or a gateway, and not one client of a few servers.
const UNRELATED_WITH_ONE_HOST: usize = 8;
/// That so many streams fall silent together by chance is less likely than this, over a whole capture.
const CHANCE: f64 = 0.01;

impl SharedGaps {
    /// Takes in what a stream lost at one of its hops.
    pub(super) fn add(&mut self, hop: &HopRecord) {
        let place = usize::from(hop.point.0);
        if self.points.len() <= place {
            self.points.resize_with(place + 1, Listener::new);
        }
        let Some(listener) = self.points.get_mut(place) else { return };
        let pair = pair(hop.flow.source.ip(), hop.flow.destination.ip());
        for part in &hop.parts {
            for run in &part.missing {
                let lasting_ms = run.until_ms.saturating_sub(run.since_ms);
                if run.length >= listener.least_packets && lasting_ms >= LEAST_MS {
                    let from = part.silence(run).0.0;
                    listener.keep(Silence { from, lasting_ms, packets: run.length, pair });
                }
            }
        }
    }

    /// Whether there is enough silence anywhere that some of it may be shared.
    pub(super) fn is_possible(&self) -> bool {
        self.points.iter().any(Listener::is_possible)
    }

    /// Takes in when a stream ran, whether it lost anything or not.
    pub(super) fn add_active(&mut self, head: &Head) {
        let listener = self.points.get_mut(usize::from(head.point.0));
        if let Some(listener) = listener.filter(|listener| listener.is_possible()) {
            let pair = pair(head.flow.source.ip(), head.flow.destination.ip());
            listener.active.push(Active { pair, first: head.first.0, last: head.last.0 });
        }
    }

    /// The gaps, in order of point and time.
    pub(super) fn finish(self) -> Vec<TapGap> {
        let mut gaps = Vec::new();
        for (place, listener) in (0_u16..).zip(self.points) {
            let gap = |(from, to): (i64, i64)| TapGap {
                point: PointId(place),
                from: Timestamp(from),
                to: Timestamp(to),
                frames: None,
                evidence: TapEvidence::SharedGap,
            };
            gaps.extend(listener.shared().into_iter().map(gap));
        }
        gaps
    }
}

fn pair(a: IpAddr, b: IpAddr) -> Pair {
    #[allow(clippy::cast_possible_truncation, reason = "a part of a hash")]
    let hash = |address: IpAddr| {
        let mut hasher = DefaultHasher::new();
        address.hash(&mut hasher);
        hasher.finish() as u32
    };
    let (a, b) = (hash(a), hash(b));
    (a.min(b), a.max(b))
}

impl Listener {
    const fn new() -> Self {
        Self { active: Vec::new(), silences: Vec::new(), least_packets: LEAST_PACKETS }
    }

    fn is_possible(&self) -> bool {
        self.silences.len() >= UNRELATED
    }

    fn keep(&mut self, silence: Silence) {
        while self.silences.len() >= MOST {
            self.least_packets = self.least_packets.saturating_mul(2);
            let least = self.least_packets;
            self.silences.retain(|kept| kept.packets >= least);
            if least == u32::MAX {
                return;
            }
        }
        if silence.packets >= self.least_packets {
            self.silences.push(silence);
        }
    }

    fn shared(mut self) -> Vec<(i64, i64)> {
        if !self.is_possible() {
            return Vec::new();
        }
        self.silences.sort_unstable();
        let pairs = Pairs::of(self.active);
        let mut lengths: Vec<u32> = self.silences.iter().map(|s| s.lasting_ms).collect();
        lengths.sort_unstable();
        let mut gaps = Vec::new();
        let mut at = 0;
        while let Some(first) = self.silences.get(at) {
            let behind = |from: i64| self.silences.partition_point(|s| s.from <= from);
            let end = behind(first.from.saturating_add(TOGETHER_NS));
            let candidates = self.silences.get(at..end).unwrap_or_default();
            let gap = densest(candidates).and_then(|group| {
                let is_gap = pairs.is_shared(&group, candidates.len(), &lengths);
                is_gap.then(|| {
                    let from = group.iter().map(|s| s.from).min();
                    from.zip(group.iter().map(Silence::to).max())
                })?
            });
            at = match gap {
                Some(gap) => {
                    gaps.push(gap);
                    end
                }
                // Not every silence begins a search of its own: a search is wide.
                None => behind(first.from.saturating_add(TOGETHER_NS / 4)),
            }
            .max(at + 1);
        }
        gaps
    }
}

/// Those that end together, most of them.
fn densest(candidates: &[Silence]) -> Option<Vec<Silence>> {
    if candidates.len() < UNRELATED {
        return None;
    }
    let mut by_end = candidates.to_vec();
    by_end.sort_by_key(|s| (s.to(), *s));
    let mut best = 0..0;
    let mut start = 0;
    for (end, last) in by_end.iter().enumerate() {
        while by_end.get(start).is_some_and(|s| last.to().saturating_sub(s.to()) > TOGETHER_NS) {
            start += 1;
        }
        if end + 1 - start > best.len() {
            best = start..end + 1;
        }
    }
    by_end.get(best).map(<[Silence]>::to_vec)
}

/// When pairs of hosts sent to each other.
struct Pairs {
    starts: Vec<i64>,
    ends: Vec<i64>,
    /// Of all pairs together.
    seconds: f64,
}

impl Pairs {
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a capture")]
    fn of(mut active: Vec<Active>) -> Self {
        active.sort_unstable();
        active.dedup_by(|next, before| {
            let is_one = next.pair == before.pair && next.first <= before.last;
            if is_one {
                before.last = before.last.max(next.last);
            }
            is_one
        });
        let seconds = active.iter().map(|a| a.last.saturating_sub(a.first) as f64 / 1e9).sum();
        let mut starts: Vec<i64> = active.iter().map(|a| a.first).collect();
        let mut ends: Vec<i64> = active.iter().map(|a| a.last).collect();
        starts.sort_unstable();
        ends.sort_unstable();
        Self { starts, ends, seconds }
    }

    /// How many were active from one moment to another.
    fn active(&self, from: i64, to: i64) -> usize {
        let (begun, over) =
            (self.starts.partition_point(|&at| at <= from), self.ends.partition_point(|&at| at < to));
        begun.saturating_sub(over)
    }

    /// Whether enough unrelated hosts were silent together, and that was no chance.
    #[allow(clippy::cast_precision_loss, reason = "counts of silences")]
    fn is_shared(&self, group: &[Silence], candidates: usize, lengths: &[u32]) -> bool {
        let (Some(from), Some(to)) =
            (group.iter().map(|s| s.from).max(), group.iter().map(Silence::to).min())
        else {
            return false;
        };
        let active = self.active(from, to.max(from));
        if candidates < UNRELATED || group.len() * 2 < active {
            return false;
        }
        let mut pairs: Vec<Pair> = group.iter().map(|s| s.pair).collect();
        pairs.sort_unstable();
        pairs.dedup();
        if pairs.len() * 2 < active || !are_unrelated(&pairs) {
            return false;
        }
        // How often others are silent as long, and so how many of those that were active would be just now.
        let half = u32::try_from(to.saturating_sub(from).max(0) / 2 / MS).unwrap_or(u32::MAX);
        let alike = lengths.len() - lengths.partition_point(|&ms| ms < half);
        let others = alike.saturating_sub(group.len()) as f64;
        let window = 2.0 * TOGETHER_NS as f64 / 1e9;
        let expected = active as f64 * others / self.seconds.max(window) * window;
        let found = pairs.len() as f64;
        if expected >= found {
            return false;
        }
        // Chernoff's bound on that many at once, for as many attempts as there are silences.
        let bound =
            if expected > 0.0 { (found - expected + found * (expected / found).ln()).exp() } else { 0.0 };
        bound * (alike as f64) < CHANCE
    }
}

/// Whether it is not the doing of one host.
fn are_unrelated(pairs: &[Pair]) -> bool {
    if pairs.len() >= UNRELATED_WITH_ONE_HOST {
        return true;
    }
    let mut taken: Vec<u32> = Vec::with_capacity(2 * UNRELATED);
    for &(a, b) in pairs {
        if !taken.contains(&a) && !taken.contains(&b) {
            taken.extend([a, b]);
        }
    }
    taken.len() >= 2 * UNRELATED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Anchor, MissingRun, Part, Records, StreamRecord};
    use crate::terms::RtpTime;
    use crate::verify::tests_support::{between, hop, stream};

    /// Numbers of a stream of 50 packets a second, and which of them are lost, as a record of a minute.
    fn record(source: &str, destination: &str, is_lost: impl Fn(u32) -> bool) -> StreamRecord {
        const PACKETS: u32 = 3000;
        let hop: HopRecord = hop(64, &[(46, 500)]);
        let start = hop.first;
        let at = |n: u32| n * 20;
        let mut missing: Vec<MissingRun> = Vec::new();
        for n in 1..PACKETS - 1 {
            if !is_lost(n) {
                continue;
            }
            if let Some(run) = missing.last_mut().filter(|run| run.first + run.length == n) {
                run.length += 1;
                run.until_ms = at(n + 1);
            } else {
                let (since_ms, until_ms) = (at(n - 1), at(n + 1));
                missing.push(MissingRun { first: n, length: 1, since_ms, until_ms });
            }
        }
        let anchor = |sequence| Anchor { sequence, timestamp: RtpTime(0), arrival: start };
        let part = Part {
            lowest: 0,
            highest: PACKETS - 1,
            begin: anchor(0),
            end: anchor(PACKETS - 1),
            missing,
            missing_unlisted: 0,
        };
        let last = Timestamp(start.0 + i64::from(at(PACKETS)) * MS);
        let stream = stream([HopRecord { parts: vec![part], last, ..hop }]);
        between(source, destination, StreamRecord { last, ..stream })
    }

    fn gaps(streams: impl IntoIterator<Item = StreamRecord>) -> Vec<(i64, i64)> {
        let mut shared = SharedGaps::default();
        let (mut start, mut heads) = (0, Vec::new());
        for stream in streams {
            start = stream.first.0;
            let records: Records = std::iter::once(stream).collect();
            records.unpack(0, |hop| shared.add(&hop));
            heads.extend(records.head(0));
        }
        for head in &heads {
            shared.add_active(head);
        }
        shared.finish().into_iter().map(|gap| ((gap.from.0 - start) / MS, (gap.to.0 - start) / MS)).collect()
    }

    fn hosts(n: usize) -> (String, String) {
        (format!("10.0.{n}.1:50000"), format!("52.112.{n}.1:3479"))
    }

    /// Whether a packet is lost where a share of them is, each by itself.
    fn at_random(stream: usize, share: f64) -> impl Fn(u32) -> bool {
        move |n| {
            let mut hasher = DefaultHasher::new();
            (stream, n).hash(&mut hasher);
            #[allow(clippy::cast_precision_loss, reason = "a share")]
            let drawn = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
            drawn < share
        }
    }

    #[test]
    fn what_unrelated_streams_miss_at_once_is_a_gap() {
        for pairs in [3, 4, 50] {
            for share in [0.0, 0.02, 0.05] {
                let streams = (0..pairs).map(|n| {
                    let (near, far) = hosts(n);
                    let noise = at_random(n, share);
                    record(&near, &far, move |i| (1000..1025).contains(&i) || noise(i))
                });
                let found = gaps(streams);
                assert_eq!(found.len(), 1, "{pairs} {share}: {found:?}");
                let (from, to) = found[0];
                assert!((19_880..=19_980).contains(&from) && (20_500..=20_600).contains(&to), "{found:?}");
            }
        }
    }

    #[test]
    fn random_loss_of_many_streams_is_no_gap() {
        for (pairs, share) in [(50, 0.02), (50, 0.05), (50, 0.2), (3, 0.05), (3, 0.2), (3, 0.4), (8, 0.4)] {
            let streams = (0..pairs).map(|n| record(&hosts(n).0, &hosts(n).1, at_random(n, share)));
            assert_eq!(gaps(streams), [], "{pairs} {share}");
        }
    }

    #[test]
    fn what_related_streams_miss_at_once_is_no_gap() {
        let lost = |i: u32| (1000..1050).contains(&i);
        let cases: [(&str, Vec<(&str, &str)>); 4] = [
            ("one stream", vec![("10.0.0.1:5", "52.0.0.1:7")]),
            ("both directions of one call", vec![("10.0.0.1:5", "52.0.0.1:7"), ("52.0.0.1:7", "10.0.0.1:5")]),
            (
                "many streams of two hosts",
                (0..20)
                    .map(
                        |n| {
                            if n % 2 == 0 {
                                ("10.0.0.1:5", "52.0.0.1:7")
                            } else {
                                ("10.0.0.1:9", "52.0.0.1:9")
                            }
                        },
                    )
                    .collect(),
            ),
            (
                "one client and its servers",
                vec![
                    ("10.0.0.1:5", "52.0.0.1:7"),
                    ("10.0.0.1:5", "52.0.0.2:7"),
                    ("10.0.0.1:5", "52.0.0.3:7"),
                ],
            ),
        ];
        for (name, streams) in cases {
            assert_eq!(gaps(streams.into_iter().map(|(a, b)| record(a, b, lost))), [], "{name}");
        }
    }

    #[test]
    fn what_fewer_than_half_miss_is_no_gap() {
        for (silent, is_gap) in [(9, false), (10, true)] {
            let streams = (0..20).map(|n| {
                let (near, far) = hosts(n);
                record(&near, &far, move |i| n < silent && (1000..1050).contains(&i))
            });
            assert_eq!(gaps(streams).len(), usize::from(is_gap), "{silent} of 20");
        }
    }

    #[test]
    fn every_one_of_many_gaps_is_found() {
        let streams = (0..10).map(|n| {
            let (near, far) = hosts(n);
            record(&near, &far, |i| i % 150 > 130)
        });
        assert_eq!(gaps(streams).len(), 20);
    }

    #[test]
    fn more_silences_than_are_kept_leave_the_longest() {
        let mut listener = Listener::new();
        for n in 0..MOST + 10 {
            let packets = if n % 100 == 0 { 50 } else { 3 };
            listener.keep(Silence { from: 0, lasting_ms: 1000, packets, pair: (0, 1) });
        }
        assert!(listener.silences.len() < MOST / 50, "{}", listener.silences.len());
        assert!(listener.silences.iter().all(|s| s.packets == 50));
    }
}
