//! Observations to records: finds, counts and pairs what was heard.
//!
//! Pure: no I/O and no clock; time is what the packets say. One [`Meter`] belongs to one observation point and
//! one thread. The same observations give the same records, whatever the seed.

mod arena;
mod batch;
mod candidate;
mod clock;
mod contest;
mod expiry;
mod facts;
mod fragments;
mod held;
mod hop;
mod index;
mod key;
mod live;
mod packed;
mod payload;
mod prefetch;
mod proof;
mod record;
mod records;
mod samples;
mod sequence;
mod stun;
mod table;
#[cfg(test)]
mod tests;
mod tunnel;
mod ways;

use batch::{Batch, NOWHERE, Pending};
use candidate::Candidates;
use clock::Clocks;
use expiry::Expiry;
use facts::FactBook;
use fragments::Fragments;
use hop::{Digest, Fit, begin};
use index::Tag;
use key::{AddressBook, Key, Kind, flow_of, key_of};
pub use live::Walk;
pub(crate) use packed::sort_by_number;
pub use packed::{Head, Outline, Packed, Packer, Records, Source};
use payload::Choice;
pub use payload::{MOST_CHOSEN, PayloadMark};
use proof::Context;
pub use record::{
    Anchor, CaptureRecord, ClockSource, DscpChange, FlowFacts, Histogram, HopRecord, Jitter, MAX_CHANGES,
    MAX_PARTS, MAX_RUNS, MeterCounters, MirrorTunnel, MissingRun, OtherMarkings, Part, PayloadType,
    RoundTrip, StreamRecord, StunRecord, TapEvidence, TapGap, Way,
};
use records::{Counted, Paths};
pub use samples::Sample;
use samples::Sampling;
pub(crate) use stun::FORGET_AFTER;
use stun::Transactions;
use table::Table;
pub use tunnel::{TunnelCount, TunnelGap, TunnelRecord, Tunnels};

use crate::decode::{Message, Observation, PathId, PathTable, PlainRtp, RtpHeader};
use crate::terms::{ClockRate, PointId, Timestamp, Transport};

/// Bounds and time-outs of one meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// RTP streams at a time.
    pub max_streams: usize,
    /// Flows that may become streams, at a time.
    pub max_candidates: usize,
    /// Hops of one stream.
    pub max_hops: usize,
    /// Open STUN transactions at a time.
    pub max_transactions: usize,
    /// Pairs of STUN client and server, and flows of which STUN, DTLS or RTCP say something.
    pub max_stun_pairs: usize,
    /// Addresses that are not IPv4 over UDP.
    pub max_addresses: usize,
    /// Whether other points hear the same streams, so that hops are compared.
    pub has_other_points: bool,
    /// Trajectory samples a second that a long stream keeps; half of that at least.
    pub samples_per_second: u16,
    /// Samples that a hop keeps at most, the newest ones; 0 keeps those of the whole stream, the more the longer it is.
    pub newest_samples: usize,
    /// A stream ends after this many nanoseconds without a packet.
    pub stream_timeout_ns: i64,
    /// A STUN request is unanswered after this many nanoseconds.
    pub stun_timeout_ns: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_streams: 200_000,
            max_candidates: 200_000,
            max_hops: 16,
            max_transactions: 65_536,
            max_stun_pairs: 16_384,
            max_addresses: 1 << 20,
            has_other_points: true,
            samples_per_second: 2,
            newest_samples: 0,
            stream_timeout_ns: 60_000_000_000,
            // RFC 8489, section 6.2.1: 39.5 s with the default RTO, Rc and Rm.
            stun_timeout_ns: 39_500_000_000,
        }
    }
}

/// Batches between two looks at what hops want, at least.
const BATCHES_BETWEEN_LOOKS: usize = 256;

/// Counts everything that one observation point hears.
pub struct Meter {
    point: PointId,
    limits: Limits,
    clocks: Clocks,
    table: Table,
    book: AddressBook,
    candidates: Candidates,
    fragments: Fragments,
    facts: FactBook,
    transactions: Transactions,
    paths: Paths,
    /// Whether there ever were many streams at a time.
    is_crowd: bool,
    /// The most streams that there were at a time.
    most_streams: usize,
    expiry: Expiry,
    /// Which packets are looked at more closely.
    choice: Choice,
    /// Batches until it is asked again which packets any hop still wants.
    batches_until_look: usize,
    batch: Batch,
    ended: Vec<StreamRecord>,
    counters: MeterCounters,
    /// Streams that began.
    started: u64,
}

impl Meter {
    /// A meter that has heard nothing.
    ///
    /// `clock_rate_of` says what is known of a payload type's clock beforehand. `seed` is for hashing only.
    pub fn new(
        point: PointId,
        limits: Limits,
        clock_rate_of: impl Fn(u8) -> Option<(ClockRate, ClockSource)>,
        seed: u64,
    ) -> Self {
        let table = Table::new(seed);
        Self {
            point,
            limits,
            clocks: Clocks::new(clock_rate_of),
            book: AddressBook::new(limits.max_addresses, seed),
            candidates: Candidates::new(limits.max_candidates),
            fragments: Fragments::new(table.hasher()),
            facts: FactBook::new(limits.max_stun_pairs, table.hasher()),
            transactions: Transactions::new(&limits, table.hasher()),
            table,
            paths: Paths::default(),
            is_crowd: false,
            most_streams: 0,
            expiry: Expiry::default(),
            choice: Choice::of_point(0, limits.has_other_points),
            batches_until_look: BATCHES_BETWEEN_LOOKS,
            batch: Batch::new(),
            ended: Vec::new(),
            counters: MeterCounters::default(),
            started: 0,
        }
    }

    /// Takes in one observation. `paths` is the table that its path is a number of. Per packet.
    #[inline]
    pub fn observe(&mut self, o: &Observation<'_>, paths: &PathTable) {
        match o.message {
            Message::Rtp(header) => self.observe_rtp(o, header, paths),
            _ => self.observe_other(o, paths),
        }
    }

    /// Takes in one observation of the commonest kind, as [`Self::observe`] would. Per packet.
    #[inline]
    pub fn observe_plain(&mut self, packet: &PlainRtp<'_>, path: PathId, paths: &PathTable) {
        let mut packet = Some((*packet, path));
        if self.fill(|| packet.take()) {
            self.flush(paths);
        }
    }

    /// Has packets of the commonest kind wait, as long as there are any and as there is room; true where there is none for
    /// another, so that [`Self::flush`] is due. Per packet.
    #[allow(clippy::inline_always, reason = "measured: as a call, all of a packet goes through memory twice")]
    #[inline(always)]
    pub(crate) fn fill<'a>(&mut self, mut next: impl FnMut() -> Option<(PlainRtp<'a>, PathId)>) -> bool {
        let Self { table, candidates, batch, choice, .. } = self;
        let mut filled = 0;
        for place in batch.room() {
            let Some((packet, path)) = next() else { break };
            // First, as it may take a call.
            let print = choice.print_of_plain(&packet);
            let key = Key::plain(&packet);
            let tag = table.tag(Kind::Plain, &key);
            table.prepare(tag);
            candidates.prepare_index(tag);
            let digest = Digest {
                arrival: packet.timestamp(),
                timestamp: packet.rtp_timestamp(),
                sequence: packet.sequence(),
                octets: packet.octets(),
                path,
                ttl: packet.ttl(),
                traffic_class: packet.traffic_class(),
                payload_type: packet.payload_type(),
                print,
            };
            *place = Pending { key, digest, tag, guess: NOWHERE };
            filled += 1;
        }
        batch.add(filled)
    }

    fn observe_rtp(&mut self, o: &Observation<'_>, header: RtpHeader<'_>, paths: &PathTable) {
        let Some((kind, key)) = key_of(o, header.ssrc, &mut self.book) else {
            self.counters.unconfirmed_rtp_packets += 1;
            return;
        };
        let d = Digest {
            arrival: o.timestamp,
            timestamp: header.timestamp,
            sequence: header.sequence,
            octets: o.octets,
            path: o.path,
            ttl: o.ttl,
            traffic_class: o.traffic_class,
            payload_type: header.payload_type,
            print: self.choice.print_of(|| header.payload),
        };
        if o.fragment.is_some() {
            self.note_first_fragment(o, kind, key);
        }
        let tag = self.table.tag(kind, &key);
        self.table.prepare(tag);
        self.candidates.prepare_index(tag);
        if let Some(place) = self.batch.room().first_mut() {
            *place = Pending { key, digest: d, tag, guess: NOWHERE };
        }
        if self.batch.add(1) {
            self.flush(paths);
        }
    }

    /// Counts the packets that were looked up, then looks up those that came last: in this order, for what they asked for
    /// needs time to come.
    #[inline(never)]
    pub(crate) fn flush(&mut self, paths: &PathTable) {
        let mut counted = 0;
        loop {
            counted += self.count_in_order(counted);
            let Some(pending) = self.batch.waiting().get(counted).copied() else { break };
            counted += 1;
            self.count_out_of_order(&pending, paths);
        }
        // Of two, so that one frame with a wrong time does not end what is running.
        if let Some((first, last)) = self.batch.span() {
            self.expiry.advance(first.min(last));
        }
        let Self { table, candidates, batch, .. } = self;
        for pending in batch.fresh() {
            pending.guess = table.guess(pending.tag).unwrap_or_else(|| {
                candidates.prepare(pending.tag);
                NOWHERE
            });
        }
        batch.turn(table.removals());
        self.batches_until_look -= 1;
        if self.batches_until_look == 0 {
            self.choose_less();
        }
    }

    /// Counts the packets that wait, but for so many, as long as each is simply the next one of its stream; how many they
    /// were. Per packet.
    #[inline]
    fn count_in_order(&mut self, but_for: usize) -> usize {
        let Self { table, clocks, batch, limits, .. } = self;
        if table.removals() != batch.removals {
            return 0;
        }
        let (hots, colds) = table.parts();
        let mut counted = 0;
        for pending in batch.waiting().get(but_for..).unwrap_or_default() {
            let d = &pending.digest;
            let Some(hot) = hots.get_mut(pending.guess as usize) else { return counted };
            if hot.key != pending.key || d.arrival.0.wrapping_sub(hot.last_arrival) > limits.stream_timeout_ns
            {
                return counted;
            }
            match hot.count_in_order(d, clocks) {
                Fit::Counted => {}
                Fit::Chosen => {
                    if let Some(cold) = colds.get_mut(pending.guess) {
                        cold.choose_last(hot, d);
                    }
                }
                Fit::Not => return counted,
            }
            counted += 1;
        }
        counted
    }

    /// What is new chooses from all packets.
    fn choose_from_all(&mut self) {
        self.choice = Choice::of_point(self.most_streams, self.limits.has_other_points);
    }

    /// Leaves out the packets that no hop wants any more: the longer streams run, the fewer they keep.
    #[inline(never)]
    fn choose_less(&mut self) {
        if self.choice != Choice::NOTHING {
            self.choice = self.choice.at_gate(self.table.lowest_gate());
        }
        // As often as the table is small.
        self.batches_until_look = self.table.places().max(BATCHES_BETWEEN_LOOKS);
    }

    /// Counts all packets that wait.
    fn settle_batch(&mut self, paths: &PathTable) {
        while !self.batch.is_empty() {
            self.flush(paths);
        }
    }

    /// A packet that is not simply the next one of a known stream.
    #[inline(never)]
    fn count_out_of_order(&mut self, pending: &Pending, paths: &PathTable) {
        let &Pending { key, tag, digest: ref d, .. } = pending;
        let Some(first) = self.table.find_tagged(&key, tag) else {
            self.consider((tag.kind(), key, tag), d, paths);
            return;
        };
        let silence = d.arrival.0.saturating_sub(self.table.last_arrival(first));
        let goes_on = |hot: &mut hop::Hot| hot.goes_on_after_clock_step(silence, d);
        if silence > self.limits.stream_timeout_ns && !self.table.hot(first).is_some_and(goes_on) {
            // The stream is over, and a new one needs proof of its own before it takes the key.
            self.consider((tag.kind(), key, tag), d, paths);
        } else {
            self.count(first, d, paths);
        }
    }

    /// How the first hop of a new stream samples.
    fn sampling(&mut self) -> Sampling {
        let streams = self.table.streams();
        let Limits { has_other_points, samples_per_second, .. } = self.limits;
        self.most_streams = self.most_streams.max(streams);
        if !self.is_crowd && Sampling::is_crowd(self.most_streams) {
            self.is_crowd = true;
            if !self.is_compared() {
                self.table.sample_no_more();
            }
        }
        self.choose_from_all();
        let sampling = if self.is_compared() {
            Sampling::of_hops(streams, has_other_points, samples_per_second)
        } else {
            Sampling::none(samples_per_second)
        };
        sampling.with_newest(self.limits.newest_samples)
    }

    /// Whether streams with one hop are kept in the detail that a comparison with others takes. At the only point there
    /// is nothing to compare them with until another hop turns up, and from then on a run that goes on samples them.
    const fn is_compared(&self) -> bool {
        self.limits.has_other_points || !(self.is_crowd || self.limits.newest_samples > 0)
    }

    fn note_first_fragment(&mut self, o: &Observation<'_>, kind: Kind, key: Key) {
        if let Some(fragment) = o.fragment {
            self.fragments.note_first(o, fragment.identification, kind, key);
        }
    }

    /// A packet that looks like RTP and belongs to no stream.
    #[inline(never)]
    fn consider(&mut self, (kind, key, tag): (Kind, Key, Tag), d: &Digest, paths: &PathTable) {
        self.choose_from_all();
        let (facts, book) = (&self.facts, &self.book);
        let context = || Context {
            is_likely_media: facts
                .of_flow(flow_of(kind, key, book))
                .is_some_and(|f| f.stun || f.dtls || f.zrtp || f.rtcp),
        };
        let timeout = self.limits.stream_timeout_ns;
        let proven = self.candidates.add((kind, key, tag), d, timeout, context);
        self.note_given_up();
        let Some((held, fragments)) = proven else { return };
        if let Some(before) = self.table.find(kind, &key) {
            self.end_stream(before, paths);
        }
        self.make_room(paths);
        let mut packets = held.iter();
        let Some(first) = packets.next() else { return };
        let sampling = self.sampling();
        let (hot, mut cold) = begin(key, kind, first, &self.clocks, sampling);
        cold.begin_with_fragments(fragments);
        let stream = self.table.add_stream(hot, cold);
        self.started += 1;
        for d in packets {
            match self.table.hot(stream).map_or(Fit::Not, |hot| hot.count_in_order(d, &self.clocks)) {
                Fit::Not => self.count(stream, d, paths),
                Fit::Counted => {}
                Fit::Chosen => {
                    if let Some((hot, cold)) = self.table.hop(stream) {
                        cold.choose_last(hot, d);
                    }
                }
            }
        }
    }

    /// Everything that is not RTP.
    #[inline(never)]
    fn observe_other(&mut self, o: &Observation<'_>, paths: &PathTable) {
        if matches!(o.message, Message::Other) {
            return;
        }
        // What waits came before: facts of the flow must not work backwards.
        self.settle_batch(paths);
        match o.message {
            Message::Stun(message) => {
                self.transactions.observe(self.point, o, &message, paths, &mut self.facts);
            }
            Message::Dtls => {
                self.facts.note(o.flow(), |facts| facts.dtls = true);
            }
            Message::Zrtp => {
                self.facts.note(o.flow(), |facts| facts.zrtp = true);
            }
            Message::Rtcp(_) => self.note_rtcp(o),
            Message::LaterFragment => self.observe_later_fragment(o, paths),
            Message::Rtp(_) | Message::Other => {}
        }
    }

    /// RTCP vouches for RTP on its own ports, and on the ports below them (RFC 3550, section 11).
    fn note_rtcp(&mut self, o: &Observation<'_>) {
        let mut flow = o.flow();
        self.facts.note(flow, |facts| facts.rtcp = true);
        if flow.transport == Transport::Udp && o.source_port % 2 == 1 && o.destination_port % 2 == 1 {
            flow.source.set_port(o.source_port - 1);
            flow.destination.set_port(o.destination_port - 1);
            self.facts.note(flow, |facts| facts.rtcp = true);
        }
    }

    fn observe_later_fragment(&mut self, o: &Observation<'_>, paths: &PathTable) {
        let Some(fragment) = o.fragment else { return };
        let Some((kind, key)) = self.fragments.stream_of(o, fragment.identification) else {
            self.fragments.orphans += 1;
            return;
        };
        let tag = self.table.tag(kind, &key);
        let Some(first) = self.table.find_tagged(&key, tag) else {
            let dscp = o.traffic_class.dscp().value();
            if !self.candidates.add_fragment(kind, key, tag, dscp) {
                self.fragments.orphans += 1;
            }
            return;
        };
        let place = paths.place(o.path);
        let mut hop = first;
        for i in self.table.chain(first).collect::<smallvec::SmallVec<[u32; 4]>>() {
            if let Some((hot, cold)) = self.table.hop(i)
                && cold.knows_way(hot, |path, ttl| ttl == o.ttl && paths.place(path) == place)
            {
                hop = i;
                break;
            }
        }
        if let Some((_, cold)) = self.table.hop(hop) {
            cold.note_fragment(o.traffic_class);
        }
    }

    /// Packets that did not prove a stream are strays of the stream that had their key before, if one had.
    fn note_given_up(&mut self) {
        if !self.candidates.has_given_up() {
            return;
        }
        for (kind, key, d) in self.candidates.take_given_up() {
            let known = self.table.find(kind, &key);
            if let Some((hot, cold)) = known.and_then(|first| self.table.hop(first)) {
                cold.take_over(hot);
                cold.note_stray(&d);
            } else {
                self.counters.unconfirmed_rtp_packets += 1;
            }
        }
    }

    /// Ends the stream that was idle for longest where there is no room for another.
    fn make_room(&mut self, paths: &PathTable) {
        if self.table.streams() < self.limits.max_streams.max(1) {
            return;
        }
        // Many at once, so that a flood of new streams does not look at every stream each time.
        let mut by_age: Vec<(i64, u32)> =
            self.table.first_hops().into_iter().map(|i| (self.table.last_arrival(i), i)).collect();
        by_age.sort_unstable();
        let many = (by_age.len() / 64).max(1);
        let newest = by_age.last().map_or(0, |&(arrival, _)| arrival);
        for &(arrival, first) in by_age.iter().take(many) {
            // A stream that was over anyway is not cut short.
            let was_running = newest.saturating_sub(arrival) <= self.limits.stream_timeout_ns;
            self.counters.streams_evicted += u64::from(was_running);
            self.end_stream(first, paths);
        }
    }

    fn end_stream(&mut self, first: u32, paths: &PathTable) {
        let mut record = StreamRecord::blank();
        if self.close_stream(first, &mut record, paths) {
            self.ended.push(record);
        }
        self.table.remove_stream(first);
    }

    /// Fills in the record of a stream that goes no further; false where there is none.
    fn close_stream(&mut self, first: u32, record: &mut StreamRecord, paths: &PathTable) -> bool {
        self.decide_contest(first, true, paths);
        let is_compared = self.is_compared();
        let known = (&self.clocks, &self.book);
        let is_stream = if let Some(only) = self.table.only_hop(first) {
            records::fill(record, self.point, &mut [only], known, &mut self.paths, paths, is_compared)
        } else {
            let mut copies = self.table.copy_stream(first);
            let mut hops: smallvec::SmallVec<[Counted<'_>; 8]> =
                copies.iter_mut().map(|(hot, cold)| (hot, cold)).collect();
            records::fill(record, self.point, &mut hops, known, &mut self.paths, paths, is_compared)
        };
        record.facts = self.facts.shared(record.flow);
        is_stream
    }

    /// Streams that have ended since the last call.
    pub fn take_ended(&mut self) -> Vec<StreamRecord> {
        std::mem::take(&mut self.ended)
    }

    /// Ends everything: streams one by one, then STUN, then what was dropped on the way.
    pub fn finish(
        mut self,
        paths: &PathTable,
        mut sink: impl FnMut(&StreamRecord),
    ) -> (Vec<StunRecord>, MeterCounters) {
        self.settle_batch(paths);
        self.candidates.close();
        self.note_given_up();
        for record in self.take_ended() {
            sink(&record);
        }
        let mut latest = None;
        let mut record = StreamRecord::blank();
        for first in self.table.first_hops() {
            latest = latest.max(Some(Timestamp(self.table.last_arrival(first))));
            if self.close_stream(first, &mut record, paths) {
                sink(&record);
            }
            self.table.vacate(first);
            self.table.release_before(first);
        }
        let counters = self.counters(paths);
        (self.transactions.finish(latest), counters)
    }
}

/// Adds packets to a histogram.
fn add(histogram: &mut Histogram, value: u8, packets: u64) {
    if let Some(entry) = histogram.iter_mut().find(|entry| entry.0 == value) {
        entry.1 += packets;
    } else {
        histogram.push((value, packets));
    }
}
