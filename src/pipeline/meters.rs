//! The meters of an observer: one for each of its points.

use std::sync::Arc;

use super::points::Points;
use super::{MAX_LOCAL_POINTS, local_point};
use crate::decode::{Decoder, Undecoded};
use crate::meter::{ClockSource, Limits, Meter};
use crate::policy::{Policy, static_clock_rate};
use crate::terms::{ClockRate, Frame, TimedDigest};

/// One meter for each point that heard something.
pub(super) struct Meters {
    pub(super) points: Points,
    pub(super) all: Vec<Meter>,
    observer: usize,
    has_other_points: bool,
    policy: Arc<Policy>,
    newest_samples: usize,
    seed: u64,
    /// The interface of the last frame, and its point.
    last: (u16, usize),
}

impl Meters {
    pub(super) fn new(
        points: Points,
        (observer, has_other_observers): (usize, bool),
        policy: Arc<Policy>,
        seed: u64,
    ) -> Self {
        let has_other_points = has_other_observers || points.are_several();
        let last = (0, points.of_interface(0));
        Self { points, all: Vec::new(), observer, has_other_points, policy, newest_samples: 0, seed, last }
    }

    /// Keeps so many of the newest samples of each hop, however long streams are.
    pub(super) fn with_newest_samples(self, newest_samples: usize) -> Self {
        Self { newest_samples, ..self }
    }

    /// Other points hear the same streams from now on.
    pub(super) fn compare(&mut self) {
        self.has_other_points = true;
        for meter in &mut self.all {
            meter.compare();
        }
    }

    /// Decodes a frame and counts what it carries, if it is one of the commonest; false leaves all as it was. Per frame.
    #[allow(clippy::inline_always, reason = "measured: as a call, all of a packet goes through memory")]
    #[inline(always)]
    pub(super) fn take_plain(&mut self, frame: Frame<'_>, decoder: &mut Decoder) -> bool {
        if self.points.are_sessions() {
            return false;
        }
        let Some((packet, path)) = decoder.decode_plain(frame) else { return false };
        if self.last.0 != frame.interface {
            self.last = (frame.interface, self.points.of_interface(frame.interface));
        }
        if let Some(meter) = self.at(self.last.1) {
            meter.observe_plain(&packet, path, decoder.paths());
        }
        true
    }

    /// Decodes any frame and counts what it carries. Per frame.
    ///
    /// # Errors
    ///
    /// The reason why there was nothing to count.
    #[inline(never)]
    pub(super) fn take_any(&mut self, frame: &Frame<'_>, decoder: &mut Decoder) -> Result<(), Undecoded> {
        let are_sessions = self.points.are_sessions();
        let of_interface = self.points.of_interface(frame.interface);
        decoder.decode_any(frame, &mut |o, paths| {
            // Of a mirror's session it is the tunnel that tells the point.
            let point = if are_sessions { self.points.of_path(o.path, paths) } else { of_interface };
            if let Some(meter) = self.at(point) {
                meter.observe(o, paths);
            }
        })
    }

    /// Counts a packet that the kernel told, on the only interface there is. Per packet.
    #[inline]
    pub(super) fn take_digest(&mut self, digest: &TimedDigest<'_>, decoder: &mut Decoder) {
        if !self.points.are_sessions()
            && let Some((plain, path)) = decoder.decode_plain_digest(digest, 0)
        {
            let point = self.points.of_interface(0);
            if let Some(meter) = self.at(point) {
                meter.observe_plain(&plain.packet(), path, decoder.paths());
            }
        } else {
            self.take_any_digest(digest, decoder);
        }
    }

    #[inline(never)]
    fn take_any_digest(&mut self, digest: &TimedDigest<'_>, decoder: &mut Decoder) {
        let seen = decoder.decode_digest(digest, 0);
        let point = if self.points.are_sessions() {
            self.points.of_path(seen.path, decoder.paths())
        } else {
            self.points.of_interface(0)
        };
        if let Some(meter) = self.at(point) {
            meter.observe(&seen, decoder.paths());
        }
    }

    #[inline]
    pub(super) fn at(&mut self, point: usize) -> Option<&mut Meter> {
        if self.all.len() <= point {
            self.grow(point.min(MAX_LOCAL_POINTS - 1));
        }
        self.all.get_mut(point.min(MAX_LOCAL_POINTS - 1))
    }

    #[cold]
    fn grow(&mut self, wanted: usize) {
        while self.all.len() <= wanted {
            let point = local_point(self.observer, self.all.len());
            let limits = limits(&self.policy, self.has_other_points);
            let limits = Limits { newest_samples: self.newest_samples, ..limits };
            let policy = &self.policy;
            self.all.push(Meter::new(point, limits, |pt| clock_rate(policy, pt), self.seed));
        }
    }
}

/// What is known of a payload type's clock before any packet came.
fn clock_rate(policy: &Policy, payload_type: u8) -> Option<(ClockRate, ClockSource)> {
    let configured = policy.configured_clock_rate(payload_type).map(|rate| (rate, ClockSource::Configured));
    configured.or_else(|| static_clock_rate(payload_type).map(|rate| (rate, ClockSource::Static)))
}

fn limits(policy: &Policy, has_other_points: bool) -> Limits {
    let l = &policy.limits;
    let bound = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let ns = |d: std::time::Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
    Limits {
        max_streams: bound(l.max_streams),
        max_candidates: bound(l.max_candidates),
        max_hops: bound(l.max_hops),
        max_transactions: bound(l.max_transactions),
        samples_per_second: u16::try_from(l.samples_per_second).unwrap_or(u16::MAX),
        stream_timeout_ns: ns(l.stream_timeout),
        stun_timeout_ns: ns(l.stun_timeout),
        has_other_points,
        ..Limits::default()
    }
}
