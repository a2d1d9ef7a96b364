//! What a live observer has heard, handed over at each interval.

use std::sync::Arc;

use super::LivePoint;
use super::cut::Cut;
use super::gaps::Gaps;
use super::opened::Counted;
use crate::decode::{Decoder, Options, PathId, Undecoded};
use crate::evidence::HeaderRing;
use crate::meter::{CaptureRecord, MeterCounters, Packed, Packer, StreamRecord, TapGap, Tunnels, Walk};
use crate::pipeline::gather::Done;
use crate::pipeline::interfaces::Interfaces;
use crate::pipeline::meters::Meters;
use crate::pipeline::observer::tunnel_gaps;
use crate::pipeline::points::Points;
use crate::pipeline::{BATCH, MAX_POINTS, local_point};
use crate::policy::Policy;
use crate::status::PointFigures;
use crate::terms::{Frame, PointId, TimedDigest, Timestamp};
use crate::verify::SilentPoint;

/// Samples that a running stream keeps of each hop, at least: those of the last seconds.
const NEWEST_SAMPLES: usize = 128;
/// Places of a table that are walked through before frames are looked at again.
const PLACES: usize = 2048;
/// At the end of an interval packets may still be on their way from one point to the next. Nothing is called lost of
/// streams that were heard so shortly before.
const SETTLE_NS: i64 = 1_000_000_000;

/// Everything that frames change.
pub(super) struct Hearing {
    number: usize,
    point: LivePoint,
    decoder: Decoder,
    meters: Meters,
    tunnels: Tunnels,
    undecoded: [u64; Undecoded::ALL.len()],
    outbox: Packer,
    /// Records packed for the cut that is being made, and where the walk is.
    walking: Option<Walking>,
    /// Streams that ended since the last cut.
    ended: Vec<StreamRecord>,
    /// Those for which there was no room.
    ended_refused: u64,
    /// The last headers, where they are kept.
    pub(super) headers: Option<HeaderRing>,
    pub(super) gaps: Gaps,
    pub(super) counted: Counted,
    /// The next boundary between intervals.
    boundary: Option<i64>,
    interval_ns: i64,
    keep_ns: i64,
    /// When listening began, by the clock of the packets.
    first: Option<Timestamp>,
    /// When the source was first open: what an interface was sent before was heard by nobody here.
    opened: Option<Timestamp>,
    last_frame: Option<Timestamp>,
}

struct Walking {
    at: Timestamp,
    meter: usize,
    walk: Walk,
    packed: Vec<Packed>,
}

/// Streams that ended between two cuts, at most. Of older ones the last that is told is how they were in the cut before.
pub(super) const MOST_ENDED: usize = 1 << 16;

impl Hearing {
    pub(super) fn new(
        (number, has_others): (usize, bool),
        point: LivePoint,
        (interval_ns, keep_ns): (i64, i64),
        policy: &Arc<Policy>,
        seed: u64,
    ) -> Self {
        let points = Points::new(point.name.clone(), super::PointsBy::Name, policy, MAX_POINTS);
        let meters = Meters::new(points, (number, has_others), Arc::clone(policy), seed)
            .with_newest_samples(NEWEST_SAMPLES);
        Self {
            number,
            point,
            decoder: Decoder::new(seed, Options::default()),
            meters,
            tunnels: Tunnels::new(seed),
            undecoded: [0; Undecoded::ALL.len()],
            outbox: Packer::default(),
            walking: None,
            ended: Vec::new(),
            ended_refused: 0,
            headers: None,
            gaps: Gaps::default(),
            counted: Counted::default(),
            boundary: None,
            interval_ns: interval_ns.max(1),
            keep_ns,
            first: None,
            opened: None,
            last_frame: None,
        }
    }

    /// Other observers hear the same streams.
    pub(super) fn compare(&mut self) {
        self.meters.compare();
    }

    /// The last frame that was heard is of this moment or later.
    pub(super) fn has_heard(&self, moment: Timestamp) -> bool {
        self.last_frame.is_some_and(|last| last >= moment)
    }

    /// A tap is open from now on.
    pub(super) fn open(&mut self, now: Timestamp) {
        self.counted.close();
        self.opened.get_or_insert(now);
    }

    /// Whether an interval is over by this moment. Per frame.
    #[inline]
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.boundary.is_none_or(|boundary| now.0 >= boundary)
    }

    /// Takes in frames. Per frame.
    #[inline]
    pub(super) fn take(&mut self, frames: &[Frame<'_>]) {
        let Some(last) = frames.last() else { return };
        self.last_frame = Some(last.timestamp);
        if self.headers.is_none() {
            self.count(frames);
            return;
        }
        for frame in frames {
            if self.count(std::slice::from_ref(frame))
                && let Some(headers) = &mut self.headers
            {
                headers.push(frame);
            }
        }
    }

    /// Counts frames; whether all of them could be decoded.
    #[inline]
    fn count(&mut self, frames: &[Frame<'_>]) -> bool {
        let Self { meters, decoder, tunnels, undecoded, .. } = self;
        let mut are_decoded = true;
        meters.take(frames, decoder, std::convert::identity, |meters, decoder, frame| {
            let decoded = meters.take_any(frame, decoder);
            if let Some(mirrored) = decoder.take_mirrored() {
                tunnels.note((0, 0), &mirrored, frame.timestamp);
            }
            if let Err(reason) = decoded {
                undecoded[reason as usize] += 1;
                are_decoded = false;
            }
        });
        are_decoded
    }

    /// Takes in one packet that was told in place of its frame. There are no headers of it to keep. Per packet.
    #[inline]
    pub(super) fn take_digest(&mut self, digest: &TimedDigest<'_>) {
        self.last_frame = Some(digest.timestamp);
        self.meters.take_digest(digest, &mut self.decoder);
    }

    /// Ends the interval that this moment lies behind; where none was begun, one begins. Gives the boundary that was
    /// passed.
    pub(super) fn pass(&mut self, now: Timestamp) -> Option<Timestamp> {
        let boundary = now.0.div_euclid(self.interval_ns) * self.interval_ns;
        let before = self.boundary.replace(boundary.saturating_add(self.interval_ns));
        self.first.get_or_insert(now);
        let at = Timestamp(boundary);
        before?;
        for meter in &mut self.meters.all {
            meter.advance(at, self.decoder.paths());
            meter.end_silent(self.decoder.paths());
            let since = at.0.saturating_sub(self.keep_ns);
            self.ended.extend(meter.take_ended().into_iter().filter(|record| record.last.0 >= since));
        }
        self.give_back_paths();
        let too_many = self.ended.len().saturating_sub(MOST_ENDED);
        self.ended_refused += self.ended.drain(..too_many).len() as u64;
        Some(at)
    }

    /// In months more paths are heard than there are numbers.
    fn give_back_paths(&mut self) {
        if !self.decoder.paths().has_grown() {
            return;
        }
        let mut used: Vec<PathId> = Vec::new();
        for meter in &mut self.meters.all {
            used.extend(meter.paths_in_use(self.decoder.paths()));
            used.sort_unstable();
            used.dedup();
            meter.forget_paths();
        }
        self.decoder.paths_mut().keep_only(used);
        self.meters.points.forget_paths();
    }

    /// Begins to copy what there is at this moment; one that is being made goes on instead.
    pub(super) fn begin_cut(&mut self, at: Timestamp) {
        if self.walking.is_none() {
            self.walking = Some(Walking { at, meter: 0, walk: Walk::default(), packed: Vec::new() });
        }
    }

    /// Whether a copy is being made.
    pub(super) const fn is_copying(&self) -> bool {
        self.walking.is_some()
    }

    /// Goes on with the copy; gives it when it is whole.
    pub(super) fn go_on(&mut self, interfaces: &Interfaces) -> Option<Cut> {
        let mut walking = self.walking.take()?;
        let since = Timestamp(walking.at.0.saturating_sub(self.keep_ns));
        if let Some(meter) = self.meters.all.get_mut(walking.meter) {
            let outbox = &mut self.outbox;
            let next = meter.walk(walking.walk, PLACES, since, self.decoder.paths(), |r| outbox.add(&r));
            if outbox.size() >= BATCH {
                walking.packed.push(outbox.take());
            }
            if let Some(walk) = next {
                walking.walk = walk;
            } else {
                (walking.meter, walking.walk) = (walking.meter + 1, Walk::default());
            }
            self.walking = Some(walking);
            return None;
        }
        walking.packed.push(self.outbox.take());
        for record in self.ended.drain(..) {
            self.outbox.add(&record);
        }
        let ended = vec![self.outbox.take()];
        let mut cut = self.cut(walking.at, (walking.packed, ended), interfaces);
        cut.done.paths = self.outbox.take_paths();
        Some(cut)
    }

    /// The copy at once, whole.
    pub(super) fn cut_now(&mut self, at: Timestamp, interfaces: &Interfaces) -> Cut {
        self.walking = None;
        self.begin_cut(at);
        loop {
            if let Some(cut) = self.go_on(interfaces) {
                return cut;
            }
        }
    }

    /// The end of a source: nothing is on its way any more.
    pub(super) fn last_cut(&mut self, interfaces: &Interfaces) -> Cut {
        let now = self.last_frame.unwrap_or(Timestamp(0));
        for meter in &mut self.meters.all {
            meter.advance(now, self.decoder.paths());
        }
        let mut cut = self.cut_now(now, interfaces);
        for capture in &mut cut.done.captures {
            capture.last = self.last_frame;
        }
        cut.is_last = true;
        cut
    }

    fn cut(
        &self,
        at: Timestamp,
        (packed, ended): (Vec<Packed>, Vec<Packed>),
        interfaces: &Interfaces,
    ) -> Cut {
        let points = self.meters.points.names(interfaces);
        let count = points.len();
        let mut counters = MeterCounters::default();
        for meter in &self.meters.all {
            counters.add(&meter.counters(self.decoder.paths()));
        }
        counters.records_refused = self.ended_refused;
        counters.paths_overflowed = self.decoder.paths().overflowed();
        counters.packets_beyond_point_limit = self.meters.points.refused();
        counters.tunnel_frames_unfollowed = self.tunnels.unfollowed();
        let total = self.counted.total();
        let own = local_point(self.number, 0);
        let all_points: Vec<PointId> = (0..count).map(|n| local_point(self.number, n)).collect();
        let tunnels = self.tunnels.clone().finish();
        let missed = |point: PointId| self.gaps.of_point(point);
        let mut gaps: Vec<TapGap> = all_points.iter().flat_map(|&point| missed(point)).collect();
        gaps.extend(tunnel_gaps(&tunnels, &self.meters.points, self.number));
        let capture = CaptureRecord {
            file: self.point.source.clone(),
            point: own,
            other_points: all_points.iter().skip(1).copied().collect(),
            format: String::new(),
            packets: total.packets,
            bytes: total.octets,
            first: if self.point.is_file { self.first } else { self.opened },
            last: Some(Timestamp(at.0.saturating_sub(SETTLE_NS))),
            damage: None,
            undecoded: self.undecoded().collect(),
            dropped: Some(self.counted.dropped()),
            interfaces: interfaces.names(),
            tunnels: Vec::new(),
        };
        Cut {
            at,
            is_last: false,
            figures: self.figures(&points),
            done: Done {
                observer: self.number,
                points,
                interfaces: interfaces.names(),
                captures: vec![capture],
                paths: Vec::new(),
                gaps,
                stun: Vec::new(),
                silent: self.silent(at).into_iter().collect(),
                counters,
            },
            packed,
            ended,
        }
    }

    /// STUN of the pairs that were heard lately.
    pub(super) fn stun(&mut self, at: Timestamp) -> Vec<crate::meter::StunRecord> {
        let since = Timestamp(at.0.saturating_sub(self.keep_ns));
        self.meters.all.iter_mut().flat_map(|meter| meter.stun_since(since)).collect()
    }

    fn undecoded(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counted = Undecoded::ALL.iter().zip(self.undecoded).filter(|&(_, n)| n > 0);
        counted.map(|(reason, n)| (reason.as_str(), n))
    }

    /// Whether nothing was heard for too long.
    fn silent(&self, at: Timestamp) -> Option<SilentPoint> {
        let limit = i64::try_from(self.point.silent_after?.as_nanos()).unwrap_or(i64::MAX);
        let since = self.last_frame.or(self.opened)?;
        let is_silent = at.nanos_since(since) >= limit;
        is_silent.then_some(SilentPoint { point: local_point(self.number, 0), since, until: at })
    }

    #[allow(clippy::cast_precision_loss, reason = "a moment, to a microsecond")]
    fn figures(&self, points: &[String]) -> Vec<PointFigures> {
        let total = self.counted.total();
        let named = points.iter().enumerate().map(|(n, name)| {
            let meter = self.meters.all.get(n);
            let (requests, unanswered) = meter.map_or((0, 0), crate::meter::Meter::stun_totals);
            let own = PointFigures {
                name: name.clone(),
                is_up: true,
                has_been_up: self.opened.is_some(),
                streams_started: meter.map_or(0, crate::meter::Meter::streams_started),
                streams_evicted: meter.map_or(0, |m| m.counters(self.decoder.paths()).streams_evicted),
                stun_requests: requests,
                stun_unanswered: unanswered,
                ..PointFigures::default()
            };
            if n > 0 {
                return own;
            }
            PointFigures {
                packets: total.packets,
                octets: total.octets,
                dropped: total.dropped.clone(),
                freezes: total.freezes,
                filtered: total.filtered.clone(),
                snapped: total.snapped,
                undecoded: self.undecoded().collect(),
                time_source: total.time_source,
                is_xdp_native: total.is_xdp_native,
                last_packet_seconds: self.last_frame.map(|t| t.0 as f64 / 1e9),
                ..own
            }
        });
        named.collect()
    }
}
