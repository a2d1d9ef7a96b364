//! What every packet of a hop touches: one cache line.

use super::times::{SHORTEST_TICK, SUSPICIOUS_SECONDS, is_leap};
use super::{Cold, Digest};
use crate::decode::PathId;
use crate::meter::candidate::is_clock_step;
use crate::meter::clock::{ClockIndex, Clocks, nearly_seconds, next_jitter};
use crate::meter::key::Key;
use crate::meter::payload::{CLOSED, Gate};
use crate::meter::samples::{Level, NEVER, Sampling, is_chosen};
use crate::meter::sequence::on_the_wire;
use crate::terms::{RtpTime, TrafficClass};

/// What every packet touches.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(in crate::meter) struct Hot {
    pub(in crate::meter) key: Key,
    /// Arrival of the packet that jitter refers to.
    pub(super) reference_arrival: i64,
    pub(in crate::meter) last_arrival: i64,
    /// Highest extended sequence number of this part.
    pub(super) highest: u32,
    pub(super) reference_timestamp: RtpTime,
    pub(super) jitter: f32,
    pub(super) jitter_max: f32,
    /// Since the cold part took over.
    pub(super) jitter_sum: f32,
    /// Octets since the cold part took over in the lower 24 bits, which 255 packets cannot overflow; the level of
    /// trajectory sampling in the next 5; the gate of the payload sketch in the upper 3.
    pub(super) octets_and_levels: u32,
    pub(in crate::meter) path: PathId,
    pub(in crate::meter) ttl: u8,
    pub(super) traffic_class: TrafficClass,
    /// That of the last packet; with [`SLOW`] it is no packet's, so that one look tells both.
    pub(super) payload_type: u8,
    pub(super) clock: ClockIndex,
    /// Packets in order since the cold part took over.
    pub(super) run: u8,
    pub(super) updates: u8,
}

/// Set in the payload type where the next packet is not simply counted, whatever it is like.
const SLOW: u8 = 0x80;
/// The levels of a hop that keeps no packets; in the lower bits are octets.
const KEEPS_NOTHING: u32 = (CLOSED as u32) << 29 | (NEVER as u32) << 24;

const _: () = assert!(size_of::<Hot>() == 64);

impl Hot {
    /// A slot that holds no hop.
    pub(in crate::meter) const fn vacant() -> Self {
        Self {
            key: Key::VACANT,
            reference_arrival: 0,
            last_arrival: i64::MIN,
            highest: 0,
            reference_timestamp: RtpTime(0),
            jitter: 0.0,
            jitter_max: 0.0,
            jitter_sum: 0.0,
            octets_and_levels: 0,
            path: PathId::OVERFLOW,
            ttl: 0,
            traffic_class: TrafficClass(0),
            payload_type: SLOW,
            clock: ClockIndex::UNKNOWN,
            run: 0,
            updates: 0,
        }
    }

    /// Whether the slot holds no hop.
    pub(in crate::meter) fn is_vacant(&self) -> bool {
        self.key == Key::VACANT && self.last_arrival == i64::MIN
    }
}

/// What became of a packet that may have been the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::meter) enum Fit {
    /// It is not simply the next one: nothing was counted.
    Not,
    /// It was counted.
    Counted,
    /// It was counted, and is one that the hop keeps: [`Cold::choose_last`] is to do so.
    Chosen,
}

impl Hot {
    /// Counts a packet that is the next in sequence and like the one before. Per packet.
    #[allow(clippy::inline_always, reason = "measured: a call takes as long as half of it")]
    #[inline(always)]
    pub(in crate::meter) fn count_in_order(&mut self, d: &Digest, clocks: &Clocks) -> Fit {
        if d.sequence.wrapping_sub(on_the_wire(self.highest)) != 1
            || alike(self.path, self.ttl, self.traffic_class) != alike(d.path, d.ttl, d.traffic_class)
            || self.payload_type != d.payload_type
        {
            return Fit::Not;
        }
        if d.timestamp != self.reference_timestamp {
            let elapsed = nearly_seconds(d.arrival.0.wrapping_sub(self.reference_arrival));
            let ticks = f64::from(d.timestamp.since(self.reference_timestamp));
            let difference = elapsed - ticks * clocks.seconds_per_tick(self.clock);
            if difference.abs() < SUSPICIOUS_SECONDS {
                self.jitter = next_jitter(self.jitter, difference);
                // Written always: whether there is a new maximum is a guess that the processor often loses.
                self.jitter_max = if self.jitter > self.jitter_max { self.jitter } else { self.jitter_max };
                self.jitter_sum += self.jitter;
                self.updates += 1;
            } else if !difference.is_nan() || is_leap(elapsed, ticks * SHORTEST_TICK) {
                return Fit::Not;
            }
            self.reference_arrival = d.arrival.0;
            self.reference_timestamp = d.timestamp;
        }
        self.highest = self.highest.wrapping_add(1);
        self.last_arrival = self.last_arrival.max(d.arrival.0);
        self.octets_and_levels += u32::from(d.octets);
        self.run += 1;
        if self.run == u8::MAX {
            self.payload_type |= SLOW;
        }
        if !self.keeps_nothing()
            && (is_chosen(self.key.ssrc(), d.sequence, self.level()) || d.print.passes(self.gate()))
        {
            Fit::Chosen
        } else {
            Fit::Counted
        }
    }

    /// Whether a packet after a silence goes on where the stream was, so that it was the clock that moved.
    pub(in crate::meter) fn goes_on_after_clock_step(&self, silence_ns: i64, d: &Digest) -> bool {
        is_clock_step(silence_ns, on_the_wire(self.highest), self.reference_timestamp, d)
    }

    /// Whether no packet is kept, so that none need be looked at.
    #[inline]
    pub(super) const fn keeps_nothing(&self) -> bool {
        self.octets_and_levels >= KEEPS_NOTHING
    }

    /// The level of trajectory sampling.
    pub(super) const fn level(&self) -> Level {
        (self.octets_and_levels >> 24 & 0x1F) as u8
    }

    /// The gate of the payload sketch.
    pub(in crate::meter) const fn gate(&self) -> Gate {
        (self.octets_and_levels >> 29) as u8
    }

    /// Begins to sample, where this was not done before.
    pub(in crate::meter) const fn sample_from_now(&mut self, sampling: Sampling) {
        if self.level() == NEVER {
            self.set_level(sampling.level);
            self.set_gate(0);
        }
    }

    pub(super) const fn set_level(&mut self, level: Level) {
        self.octets_and_levels = self.octets_and_levels & 0xE0FF_FFFF | (level as u32) << 24;
    }

    pub(super) const fn set_gate(&mut self, gate: Gate) {
        self.octets_and_levels = self.octets_and_levels & 0x1FFF_FFFF | (gate as u32) << 29;
    }

    pub(super) const fn payload_type(&self) -> u8 {
        self.payload_type & !SLOW
    }

    /// Sends every packet of the stream through the slow path (or no more).
    pub(in crate::meter) fn set_slow(&mut self, cold: &Cold) {
        let needed = cold.has_open_packets()
            || cold.trial.is_some()
            || cold.has_jumped_timestamp
            || self.run == u8::MAX;
        self.clock = cold.clock;
        self.payload_type = if needed { self.payload_type | SLOW } else { self.payload_type() };
    }
}

/// How a packet came, as one number: one load where the fields stand side by side.
#[inline]
const fn alike(path: PathId, ttl: u8, traffic_class: TrafficClass) -> u32 {
    path.0 as u32 | (ttl as u32) << 16 | (traffic_class.0 as u32) << 24
}
