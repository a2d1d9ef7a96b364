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
}

impl Meters {
    pub(super) fn new(
        points: Points,
        (observer, has_other_observers): (usize, bool),
        policy: Arc<Policy>,
        seed: u64,
    ) -> Self {
        let has_other_points = has_other_observers || points.are_several();
        Self { points, all: Vec::new(), observer, has_other_points, policy, newest_samples: 0, seed }
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

    /// Decodes frames and counts what they carry. `number_of` gives the point's number of an interface; `take_any` is given
    /// what is not of the commonest kind. Per frame.
    #[inline]
    pub(super) fn take(
        &mut self,
        frames: &[Frame<'_>],
        decoder: &mut Decoder,
        number_of: impl Fn(u16) -> u16,
        mut take_any: impl FnMut(&mut Self, &mut Decoder, &Frame<'_>),
    ) {
        let mut left = frames;
        while let Some(first) = left.first() {
            let of = (first.interface, number_of(first.interface));
            let Some(others) = left.get(self.take_plain(left, of, decoder)..) else { break };
            left = others;
            if let Some((other, behind)) = others.split_first()
                && other.interface == of.0
            {
                take_any(self, decoder, &Frame { interface: of.1, ..*other });
                left = behind;
            }
        }
    }

    /// Decodes and counts frames as long as they are of the commonest kind and of this interface, which has this number;
    /// how many they were. Per frame.
    #[inline]
    fn take_plain(
        &mut self,
        frames: &[Frame<'_>],
        (of, interface): (u16, u16),
        decoder: &mut Decoder,
    ) -> usize {
        if self.points.are_sessions() {
            return 0;
        }
        let Some(meter) = self.at(self.points.of_interface(interface)) else { return 0 };
        let of_interface = (interface, decoder.bare_path(interface));
        let mut left = frames;
        while meter.fill(|| {
            let (frame, behind) = left.split_first().filter(|(frame, _)| frame.interface == of)?;
            let decoded = decoder.decode_plain_of(of_interface, frame)?;
            left = behind;
            Some(decoded)
        }) {
            meter.flush(decoder.paths());
        }
        frames.len() - left.len()
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
