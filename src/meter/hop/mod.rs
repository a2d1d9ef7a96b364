//! One stream at one hop: what is counted of each packet.
//!
//! Two parts: [`Hot`] is one cache line and all that a packet in order touches; [`Cold`] holds the rest and is
//! touched on events, and once in 255 packets to take over the short counters of the hot part.

mod hot;
mod kept;
mod rare;
mod times;

pub(super) use hot::{Fit, Hot};
use kept::Kept;
use rare::{NOTHING, Rare};
use smallvec::SmallVec;

use super::batch::NOWHERE;
use super::clock::{ClockIndex, Clocks, Trial, unless_faded};
use super::key::{Key, Kind};
use super::payload::{CLOSED, Print};
use super::samples::{Most, NEVER, Sampling};
use super::sequence::{Silence, Step, Window, first_extended, on_the_wire};
use super::ways::Contest;
use super::{Anchor, ClockSource, Histogram};
use crate::decode::PathId;
use crate::terms::{RtpTime, Timestamp, TrafficClass};

/// One RTP packet as the meter keeps it. Path, TTL and traffic class stand as they do in [`Hot`]: compared as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Digest {
    pub(super) arrival: Timestamp,
    pub(super) print: Print,
    pub(super) timestamp: RtpTime,
    pub(super) sequence: u16,
    pub(super) octets: u16,
    pub(super) path: PathId,
    pub(super) ttl: u8,
    pub(super) traffic_class: TrafficClass,
    pub(super) payload_type: u8,
}

/// Packets that came one way with one marking.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    pub(super) path: PathId,
    pub(super) ttl: u8,
    pub(super) traffic_class: TrafficClass,
    pub(super) packets: u64,
    /// The first and the last of them.
    pub(super) span: (i64, i64),
}

/// Above this many different ways and markings at one hop, new ones are counted as the first way's.
const MAX_TALLIES: usize = 256;

/// Packets of one payload type.
#[derive(Debug, Clone, Copy)]
pub(super) struct PayloadTally {
    pub(super) payload_type: u8,
    pub(super) clock: ClockIndex,
    pub(super) source: ClockSource,
    pub(super) packets: u64,
}

/// A packet far from all before it, until a second one confirms it.
#[derive(Debug, Clone)]
struct Suspect {
    packet: Digest,
    /// Copies of it, and their octets. Their markings are tallied at once: what they are called changes nothing.
    copies: u64,
    copied_octets: u64,
}

/// What is touched on events only.
#[derive(Debug, Clone)]
pub(super) struct Cold {
    pub(super) kind: Kind,
    /// The stream's next hop, in order of appearance; [`NOWHERE`] where this is the last.
    next: u32,
    pub(super) first_arrival: i64,
    pub(super) unique: u64,
    pub(super) octets: u64,
    pub(super) window: Window,
    jitter_sum: f64,
    jitter_updates: u64,
    /// The first packet of this part.
    part: Anchor,
    clock: ClockIndex,
    has_jumped_timestamp: bool,
    pub(super) tallies: SmallVec<[Tally; 1]>,
    pub(super) payload_types: SmallVec<[PayloadTally; 1]>,
    trial: Option<Box<Trial>>,
    /// What most streams have nothing of.
    rare: Option<Box<Rare>>,
    kept: Option<Box<Kept>>,
    most_samples: Most,
}

const _: () = assert!(size_of::<Cold>() <= 176);

/// A stream's first packet at a hop.
pub(super) fn begin(key: Key, kind: Kind, d: &Digest, clocks: &Clocks, sampling: Sampling) -> (Hot, Cold) {
    let highest = first_extended(d.sequence);
    let (clock, source) = clocks.of_payload_type(d.payload_type);
    let mut hot = Hot {
        key,
        reference_arrival: d.arrival.0,
        last_arrival: d.arrival.0,
        highest,
        reference_timestamp: d.timestamp,
        path: d.path,
        ttl: d.ttl,
        traffic_class: d.traffic_class,
        payload_type: d.payload_type,
        ..Hot::vacant()
    };
    let is_unknown = clock == ClockIndex::UNKNOWN;
    let mut cold = Cold {
        kind,
        first_arrival: d.arrival.0,
        unique: 1,
        octets: u64::from(d.octets),
        window: Window::new(highest),
        part: Anchor { sequence: highest, timestamp: d.timestamp, arrival: d.arrival },
        clock,
        trial: is_unknown.then(|| Box::new(Trial::new(0.0, ClockIndex::UNKNOWN))),
        most_samples: sampling.most,
        ..Cold::empty()
    };
    cold.tally(d.path, d.ttl, d.traffic_class, 1, d.arrival.0);
    cold.payload_types.push(PayloadTally { payload_type: d.payload_type, clock, source, packets: 1 });
    hot.set_level(sampling.level);
    hot.set_gate(if sampling.level == NEVER { CLOSED } else { 0 });
    cold.choose(&mut hot, d, highest);
    hot.set_slow(&cold);
    (hot, cold)
}

/// Counts any packet.
pub(super) fn count(hot: &mut Hot, cold: &mut Cold, d: &Digest, clocks: &Clocks) {
    match hot.count_in_order(d, clocks) {
        Fit::Not => {}
        Fit::Counted => return,
        Fit::Chosen => return cold.choose(hot, d, hot.highest),
    }
    cold.take_over(hot);
    if let Some(suspect) = cold.take_suspect() {
        let is_far_from_all = Step::between(hot.highest, d.sequence) == Step::Jump;
        match Step::between(first_extended(suspect.packet.sequence), d.sequence) {
            Step::Back(0) if is_far_from_all => {
                cold.add_copy(suspect, d);
                return;
            }
            Step::Forward(_) | Step::Back(_) if is_far_from_all => {
                cold.resume(hot, &suspect.packet, clocks);
                cold.count_copies(&suspect);
            }
            _ => cold.give_up(&suspect),
        }
    }
    match Step::between(hot.highest, d.sequence) {
        Step::Jump => {
            cold.rare_mut().suspect = Some(Box::new(Suspect { packet: *d, copies: 0, copied_octets: 0 }));
            hot.set_slow(cold);
            return;
        }
        Step::Forward(ahead) => {
            let silence = Silence::between(cold.part.arrival.0, hot.last_arrival, d.arrival.0);
            cold.window.jump_ahead(u32::from(ahead), silence);
            hot.highest = hot.highest.wrapping_add(u32::from(ahead));
            cold.unique += 1;
            cold.note_payload_type(d.payload_type, clocks);
            cold.compare_times(hot, d, ahead == 1, clocks);
            hot.payload_type = d.payload_type;
            cold.choose(hot, d, hot.highest);
        }
        Step::Back(behind) => {
            if cold.window.fill(behind) {
                cold.unique += 1;
                cold.rare_mut().reordered += 1;
                cold.choose(hot, d, hot.highest.wrapping_sub(u32::from(behind)));
            } else {
                cold.rare_mut().duplicates += 1;
            }
            cold.note_payload_type(d.payload_type, clocks);
        }
    }
    cold.note_marking(hot, d);
    hot.set_slow(cold);
}

impl Cold {
    /// A slot that holds no hop.
    pub(super) fn empty() -> Self {
        Self {
            kind: Kind::Plain,
            next: NOWHERE,
            first_arrival: 0,
            unique: 0,
            octets: 0,
            window: Window::new(0),
            jitter_sum: 0.0,
            jitter_updates: 0,
            part: Anchor { sequence: 0, timestamp: RtpTime(0), arrival: Timestamp(0) },
            clock: ClockIndex::UNKNOWN,
            has_jumped_timestamp: false,
            tallies: SmallVec::new(),
            payload_types: SmallVec::new(),
            trial: None,
            rare: None,
            kept: None,
            most_samples: Most::default(),
        }
    }

    /// Takes over the hot part's short counters.
    pub(super) fn take_over(&mut self, hot: &mut Hot) {
        if hot.run > 0 {
            let run = u64::from(hot.run);
            self.window.extend_seen(hot.highest);
            self.unique += run;
            self.octets += u64::from(hot.octets_and_levels & 0x00FF_FFFF);
            self.jitter_sum += f64::from(hot.jitter_sum);
            self.jitter_updates += u64::from(hot.updates);
            self.tally(hot.path, hot.ttl, hot.traffic_class, run, hot.last_arrival);
            if let Some(p) = self.payload_types.iter_mut().find(|p| p.payload_type == hot.payload_type()) {
                p.packets += run;
            }
            (hot.run, hot.updates, hot.jitter_sum) = (0, 0, 0.0);
            hot.jitter = unless_faded(hot.jitter);
            hot.octets_and_levels &= 0xFF00_0000;
            hot.set_slow(self);
        }
    }

    /// Counts packets that came alike, the last of them (or the only one) at this time: a run goes on from a packet
    /// that was counted before.
    fn tally(&mut self, path: PathId, ttl: u8, traffic_class: TrafficClass, packets: u64, at: i64) {
        let same = |t: &Tally| t.path == path && t.ttl == ttl && t.traffic_class == traffic_class;
        if let Some(tally) = self.tallies.iter_mut().find(|t| same(t)) {
            tally.packets += packets;
            tally.span = (tally.span.0.min(at), tally.span.1.max(at));
            return;
        }
        match self.tallies.first().copied() {
            Some(first) if self.tallies.len() >= MAX_TALLIES && (first.path, first.ttl) != (path, ttl) => {
                self.tally(first.path, first.ttl, traffic_class, packets, at);
            }
            _ => self.tallies.push(Tally { path, ttl, traffic_class, packets, span: (at, at) }),
        }
    }

    /// Keeps in mind that a suspect came once more.
    fn add_copy(&mut self, mut suspect: Box<Suspect>, d: &Digest) {
        suspect.copies += 1;
        suspect.copied_octets += u64::from(d.octets);
        self.rare_mut().suspect = Some(suspect);
        self.tally(d.path, d.ttl, d.traffic_class, 1, d.arrival.0);
    }

    /// The suspect was a packet of the stream, and so its copies are duplicates.
    fn count_copies(&mut self, suspect: &Suspect) {
        self.rare_mut().duplicates += suspect.copies;
        self.octets += suspect.copied_octets;
        let payload_type = suspect.packet.payload_type;
        if let Some(p) = self.payload_types.iter_mut().find(|p| p.payload_type == payload_type) {
            p.packets += suspect.copies;
        }
    }

    /// No second packet confirmed a jump. It was marked as it was all the same, so the histograms have it.
    fn give_up(&mut self, suspect: &Suspect) {
        if suspect.copies > 0 {
            self.rare_mut().stray += suspect.copies;
        }
        self.note_stray(&suspect.packet);
    }

    /// A packet of the stream that fits nowhere.
    pub(super) fn note_stray(&mut self, d: &Digest) {
        self.rare_mut().stray += 1;
        self.tally(d.path, d.ttl, d.traffic_class, 1, d.arrival.0);
    }

    fn note_marking(&mut self, hot: &mut Hot, d: &Digest) {
        let (from, to) = (hot.traffic_class.dscp(), d.traffic_class.dscp());
        if from != to {
            let behind = on_the_wire(hot.highest).wrapping_sub(d.sequence);
            let sequence = hot.highest.wrapping_sub(u32::from(behind));
            self.rare_mut().note_change(d.arrival, (from, to), sequence);
        }
        self.tally(d.path, d.ttl, d.traffic_class, 1, d.arrival.0);
        self.octets += u64::from(d.octets);
        (hot.path, hot.ttl, hot.traffic_class) = (d.path, d.ttl, d.traffic_class);
        hot.last_arrival = hot.last_arrival.max(d.arrival.0);
    }

    /// Counts a payload type.
    fn note_payload_type(&mut self, payload_type: u8, clocks: &Clocks) {
        if let Some(p) = self.payload_types.iter_mut().find(|p| p.payload_type == payload_type) {
            p.packets += 1;
        } else {
            let (clock, source) = clocks.of_payload_type(payload_type);
            self.payload_types.push(PayloadTally { payload_type, clock, source, packets: 1 });
        }
    }

    /// Goes on from a jump that was confirmed: over an outage, or in a new part.
    fn resume(&mut self, hot: &mut Hot, d: &Digest, clocks: &Clocks) {
        let ahead = d.sequence.wrapping_sub(on_the_wire(hot.highest));
        self.unique += 1;
        self.note_payload_type(d.payload_type, clocks);
        if self.is_outage(hot, d, ahead, clocks) {
            self.rare_mut().outages += 1;
            let silence = Silence::between(self.part.arrival.0, hot.last_arrival, d.arrival.0);
            self.window.jump_ahead(u32::from(ahead), silence);
            hot.highest = hot.highest.wrapping_add(u32::from(ahead));
            self.compare_times(hot, d, false, clocks);
        } else {
            self.rare_mut().resets += 1;
            self.end_part(hot);
            hot.highest = first_extended(d.sequence);
            self.window.restart(hot.highest);
            self.part = Anchor { sequence: hot.highest, timestamp: d.timestamp, arrival: d.arrival };
            if d.payload_type != hot.payload_type() {
                self.change_clock(hot, d.payload_type);
            }
            self.has_jumped_timestamp = false;
            (hot.reference_arrival, hot.reference_timestamp) = (d.arrival.0, d.timestamp);
            if let Some(trial) = &mut self.trial {
                trial.skip();
            }
        }
        hot.payload_type = d.payload_type;
        self.choose(hot, d, hot.highest);
        self.note_marking(hot, d);
    }

    /// Keeps what the part came to.
    fn end_part(&mut self, hot: &Hot) {
        let (missing, missing_unlisted) = self.window.close();
        let end = Anchor {
            sequence: hot.highest,
            timestamp: hot.reference_timestamp,
            arrival: Timestamp(hot.last_arrival),
        };
        let lowest = self.window.lowest();
        let (begin, highest) = (self.part, hot.highest);
        self.rare_mut().end_part(super::Part { lowest, highest, begin, end, missing, missing_unlisted });
    }

    /// Ends the stream: what is still open is decided by what there is. Parts are kept where hops are compared, or
    /// something was lost.
    pub(super) fn close(&mut self, hot: &mut Hot, is_compared: bool) {
        self.take_over(hot);
        if let Some(suspect) = self.take_suspect() {
            self.give_up(&suspect);
        }
        if let Some(trial) = self.trial.take() {
            let told = trial.decide_at_end();
            self.settle(hot, &trial, told);
        }
        if is_compared || self.window.expected() > self.unique {
            self.end_part(hot);
        } else {
            self.window.close();
        }
    }

    /// Adds a later fragment of one of the stream's packets.
    pub(super) fn note_fragment(&mut self, traffic_class: TrafficClass) {
        super::add(&mut self.rare_mut().fragments, traffic_class.dscp().value(), 1);
    }

    /// Later fragments that came before the stream was one.
    pub(super) fn begin_with_fragments(&mut self, fragments: Histogram) {
        if !fragments.is_empty() {
            self.rare_mut().fragments = fragments;
        }
    }

    fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING)
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn take_suspect(&mut self) -> Option<Box<Suspect>> {
        self.rare.as_mut()?.suspect.take()
    }

    /// Whether it is open of any packet what it is, or where it belongs.
    fn has_open_packets(&self) -> bool {
        let rare = self.rare();
        rare.suspect.is_some() || rare.contest.is_some()
    }

    /// What is held of the stream until it is known where it belongs, if anything is.
    pub(super) fn contest(&self) -> Option<&Contest> {
        self.rare().contest.as_deref()
    }

    /// The same, begun where there was nothing.
    pub(super) fn contest_mut(&mut self) -> &mut Contest {
        self.rare_mut().contest.get_or_insert_default()
    }

    pub(super) fn take_contest(&mut self) -> Option<Box<Contest>> {
        self.rare.as_mut()?.contest.take()
    }

    pub(super) fn put_contest(&mut self, contest: Box<Contest>) {
        self.rare_mut().contest = Some(contest);
    }

    /// Packets that came more than once.
    pub(super) fn duplicates(&self) -> u64 {
        self.rare().duplicates
    }

    /// Takes out what most streams have nothing of.
    pub(super) fn take_rare(&mut self) -> Rare {
        self.rare.take().map(|rare| *rare).unwrap_or_default()
    }

    /// Paths of all packets that were counted here or are held.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathId> + '_ {
        let suspect = self.rare().suspect.iter().map(|suspect| suspect.packet.path);
        let held = self.contest().into_iter().flat_map(|contest| &contest.held).map(|held| held.digest.path);
        self.tallies.iter().map(|tally| tally.path).chain(suspect).chain(held)
    }

    /// The stream's next hop, in order of appearance.
    pub(super) fn next(&self) -> Option<u32> {
        Some(self.next).filter(|&next| next != NOWHERE)
    }

    /// Hangs another hop on.
    pub(super) const fn set_next(&mut self, next: u32) {
        self.next = next;
    }

    /// Whether this hop was ever reached this way.
    pub(super) fn knows_way(&self, hot: &Hot, is_same: impl Fn(PathId, u8) -> bool) -> bool {
        is_same(hot.path, hot.ttl) || self.tallies.iter().any(|t| is_same(t.path, t.ttl))
    }
}
