//! STUN transactions: requests paired with responses, by transaction id.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use super::clock::seconds;
use super::facts::FactBook;
use super::{FlowFacts, Histogram, Limits, RoundTrip, StunRecord, add};
use crate::decode::stun::{Class, StunMessage};
use crate::decode::{Observation, PathId, PathTable};
use crate::terms::{PointId, Timestamp};

/// One transaction: its id, who asked and who was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    id: [u8; 16],
    client: SocketAddr,
    server: SocketAddr,
}

struct Open {
    record: usize,
    last_sent: Timestamp,
    /// Where the request was heard: a copy heard elsewhere is another hop's.
    place: PathId,
    ttl: u8,
    is_answered: bool,
}

/// A request heard again within this time is the mirror's copy, later it is a retransmission.
/// RFC 8445 section 14.3: an agent waits 500 ms at least, 50 ms in the most eager implementations.
const MIRROR_COPY_NS: i64 = 5_000_000;
/// RFC 7675 section 5.1: consent checks follow each other 4 to 6 s apart.
const CONSENT_NS: std::ops::RangeInclusive<i64> = 3_900_000_000..=6_100_000_000;
/// At the end of a capture a request younger than this may still have been answered.
const STILL_OPEN_NS: i64 = 500_000_000;
/// A pair that was quiet for this many times as long as a transaction may take is forgotten, while a meter runs.
pub(crate) const FORGET_AFTER: i64 = 10;
/// Newest round trips of one record, for its percentile.
const MOST_SAMPLES: usize = 512;

/// All transactions of an observer.
pub(super) struct Transactions {
    open: HashMap<Key, Open, foldhash::fast::FixedState>,
    queue: VecDeque<(Timestamp, Key)>,
    records: Vec<Pair>,
    by_pair: HashMap<(SocketAddr, SocketAddr, &'static str), usize, foldhash::fast::FixedState>,
    max_open: usize,
    max_pairs: usize,
    timeout_ns: i64,
    evicted: u64,
    requests: u64,
    unanswered: u64,
    latest: Timestamp,
}

/// A record in the making.
#[derive(Clone)]
struct Pair {
    record: StunRecord,
    last_request: Option<Timestamp>,
    sum: f64,
    samples: Vec<f32>,
    oldest_sample: usize,
}

impl Transactions {
    pub(super) fn new(limits: &Limits, hasher: &foldhash::fast::FixedState) -> Self {
        Self {
            open: HashMap::with_hasher(hasher.clone()),
            queue: VecDeque::new(),
            records: Vec::new(),
            by_pair: HashMap::with_hasher(hasher.clone()),
            max_open: limits.max_transactions.max(1),
            max_pairs: limits.max_stun_pairs.max(1),
            timeout_ns: limits.stun_timeout_ns,
            evicted: 0,
            requests: 0,
            unanswered: 0,
            latest: Timestamp(i64::MIN),
        }
    }

    /// Takes in one message.
    pub(super) fn observe(
        &mut self,
        point: PointId,
        o: &Observation<'_>,
        message: &StunMessage<'_>,
        paths: &PathTable,
        book: &mut FactBook,
    ) {
        self.latest = self.latest.max(o.timestamp);
        self.expire(o.timestamp);
        let learnt = book.note(o.flow(), |facts| learn(facts, message));
        match message.class() {
            Class::Request => self.observe_request(point, o, message, paths.place(o.path)),
            Class::Success | Class::Error => self.observe_response(point, o, message, &learnt),
            Class::Indication => {}
        }
    }

    fn observe_request(
        &mut self,
        point: PointId,
        o: &Observation<'_>,
        message: &StunMessage<'_>,
        place: PathId,
    ) {
        let flow = o.flow();
        let key = Key { id: message.transaction_id(), client: flow.source, server: flow.destination };
        let dscp = o.traffic_class.dscp().value();
        if let Some(open) = self.open.get_mut(&key) {
            let is_other_hop = (open.place, open.ttl) != (place, o.ttl);
            if !is_other_hop && o.timestamp.nanos_since(open.last_sent) > MIRROR_COPY_NS {
                open.last_sent = o.timestamp;
                if let Some(pair) = self.records.get_mut(open.record) {
                    pair.record.retransmitted += 1;
                    pair.record.last = pair.record.last.max(o.timestamp);
                    add(&mut pair.record.dscp_requests, dscp, 1);
                }
            }
            return;
        }
        let Some(record) = self.pair(point, o, key.client, key.server, message.kind()) else { return };
        let Some(pair) = self.records.get_mut(record) else { return };
        pair.record.requests += 1;
        self.requests += 1;
        add(&mut pair.record.dscp_requests, dscp, 1);
        if let Some(modality) = message.ms_service_quality() {
            pair.record.facts.modality = Some(modality.stream_type);
        }
        if let Some(peer) = message.peer_address() {
            pair.record.facts.peer = Some(peer);
        }
        let has_worked = pair.record.responses > 0;
        let gap = pair.last_request.replace(o.timestamp).map(|before| o.timestamp.nanos_since(before));
        if message.kind() == "binding" && has_worked && gap.is_some_and(|gap| CONSENT_NS.contains(&gap)) {
            pair.record.consent_checks += 1;
        }
        if self.open.len() >= self.max_open {
            self.evict();
        }
        let open = Open { record, last_sent: o.timestamp, place, ttl: o.ttl, is_answered: false };
        self.open.insert(key, open);
        self.queue.push_back((o.timestamp, key));
    }

    fn observe_response(
        &mut self,
        point: PointId,
        o: &Observation<'_>,
        message: &StunMessage<'_>,
        learnt: &FlowFacts,
    ) {
        let flow = o.flow();
        let key = Key { id: message.transaction_id(), client: flow.destination, server: flow.source };
        let Some(open) = self.open.get_mut(&key) else {
            if let Some(record) = self.pair(point, o, key.client, key.server, message.kind())
                && let Some(pair) = self.records.get_mut(record)
            {
                pair.record.unmatched += 1;
            }
            return;
        };
        if std::mem::replace(&mut open.is_answered, true) {
            return;
        }
        let round_trip = o.timestamp.nanos_since(open.last_sent);
        let Some(pair) = self.records.get_mut(open.record) else { return };
        let record = &mut pair.record;
        record.responses += 1;
        record.last = record.last.max(o.timestamp);
        add(&mut record.dscp_responses, o.traffic_class.dscp().value(), 1);
        if message.class() == Class::Error {
            record.errors += 1;
            let code = message.error_code().unwrap_or(0);
            if let Some(entry) = record.error_codes.iter_mut().find(|c| c.0 == code) {
                entry.1 += 1;
            } else if record.error_codes.len() < 32 {
                record.error_codes.push((code, 1));
            }
        }
        record.facts = FlowFacts { modality: record.facts.modality, peer: record.facts.peer, ..*learnt };
        if round_trip >= 0 {
            pair.time(seconds(round_trip));
        }
    }

    /// The record of this client, server and kind; `None` where there is no room for another.
    fn pair(
        &mut self,
        point: PointId,
        o: &Observation<'_>,
        client: SocketAddr,
        server: SocketAddr,
        kind: &'static str,
    ) -> Option<usize> {
        if let Some(&known) = self.by_pair.get(&(client, server, kind)) {
            if let Some(pair) = self.records.get_mut(known) {
                pair.record.last = pair.record.last.max(o.timestamp);
            }
            return Some(known);
        }
        if self.records.len() >= self.max_pairs {
            self.evicted += 1;
            return None;
        }
        self.by_pair.insert((client, server, kind), self.records.len());
        self.records.push(Pair {
            record: StunRecord {
                point,
                client,
                server,
                transport: o.transport,
                kind,
                requests: 0,
                responses: 0,
                errors: 0,
                error_codes: smallvec::SmallVec::new(),
                unanswered: 0,
                retransmitted: 0,
                unmatched: 0,
                consent_checks: 0,
                round_trip: None,
                dscp_requests: Histogram::new(),
                dscp_responses: Histogram::new(),
                first: o.timestamp,
                last: o.timestamp,
                facts: FlowFacts { stun: true, ..FlowFacts::default() },
            },
            last_request: None,
            sum: 0.0,
            samples: Vec::new(),
            oldest_sample: 0,
        });
        Some(self.records.len() - 1)
    }

    /// Closes transactions whose time is over.
    fn expire(&mut self, now: Timestamp) {
        while let Some(&(sent, key)) = self.queue.front() {
            if now.nanos_since(sent) <= self.timeout_ns {
                return;
            }
            self.queue.pop_front();
            self.close(&key);
        }
    }

    fn close(&mut self, key: &Key) {
        if let Some(open) = self.open.remove(key)
            && !open.is_answered
            && let Some(pair) = self.records.get_mut(open.record)
        {
            pair.record.unanswered += 1;
            self.unanswered += 1;
        }
    }

    /// Makes room: the oldest transaction is forgotten, without a word on whether it was answered.
    fn evict(&mut self) {
        if let Some((_, key)) = self.queue.pop_front()
            && let Some(open) = self.open.remove(&key)
            && !open.is_answered
        {
            self.evicted += 1;
        }
    }

    /// Closes what is open and gives all records.
    pub(super) fn finish(mut self, latest_media: Option<Timestamp>) -> Vec<StunRecord> {
        let end = self.latest.max(latest_media.unwrap_or(self.latest));
        while let Some((_, key)) = self.queue.pop_front() {
            if self.open.get(&key).is_some_and(|open| end.nanos_since(open.last_sent) >= STILL_OPEN_NS) {
                self.close(&key);
            }
        }
        self.records.into_iter().map(Pair::into_record).collect()
    }

    /// Time goes on, though no message may have come.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
        self.expire(now);
    }

    /// Records of the pairs that were heard since a moment. Pairs that were quiet for so long that their transactions
    /// are over give their place to others.
    pub(super) fn since(&mut self, since: Timestamp) -> Vec<StunRecord> {
        let recent = self.records.iter().filter(|pair| pair.record.last >= since);
        let records = recent.cloned().map(Pair::into_record).collect();
        let forget = Timestamp(self.latest.0.saturating_sub(self.timeout_ns.saturating_mul(FORGET_AFTER)));
        if self.records.iter().any(|pair| pair.record.last < forget) {
            self.forget_before(forget);
        }
        records
    }

    fn forget_before(&mut self, moment: Timestamp) {
        let mut places = vec![None; self.records.len()];
        let mut kept = 0;
        for (place, pair) in places.iter_mut().zip(&self.records) {
            if pair.record.last >= moment {
                *place = Some(kept);
                kept += 1;
            }
        }
        let place_of = |record: usize| places.get(record).copied().flatten();
        self.records.retain(|pair| pair.record.last >= moment);
        self.by_pair.retain(|_, record| {
            place_of(*record).is_some_and(|place| {
                *record = place;
                true
            })
        });
        self.open.retain(|_, open| {
            place_of(open.record).is_some_and(|place| {
                open.record = place;
                true
            })
        });
    }

    /// Where the requests of open transactions were heard.
    pub(super) fn places(&self) -> impl Iterator<Item = PathId> + '_ {
        self.open.values().map(|open| open.place)
    }

    /// Requests so far, and those that were not answered in time.
    pub(super) const fn totals(&self) -> (u64, u64) {
        (self.requests, self.unanswered)
    }

    /// Transactions and pairs that found no room.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }
}

impl Pair {
    #[allow(clippy::cast_possible_truncation, reason = "seconds, to seven digits")]
    fn time(&mut self, round_trip: f64) {
        self.sum += round_trip;
        let old = self.record.round_trip.unwrap_or(RoundTrip {
            min: f64::INFINITY,
            mean: 0.0,
            p99: 0.0,
            max: 0.0,
            samples: 0,
        });
        self.record.round_trip = Some(RoundTrip {
            min: old.min.min(round_trip),
            max: old.max.max(round_trip),
            samples: old.samples + 1,
            ..old
        });
        if self.samples.len() < MOST_SAMPLES {
            self.samples.push(round_trip as f32);
        } else if let Some(oldest) = self.samples.get_mut(self.oldest_sample) {
            *oldest = round_trip as f32;
            self.oldest_sample = (self.oldest_sample + 1) % MOST_SAMPLES;
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a count of transactions")]
    fn into_record(mut self) -> StunRecord {
        if let Some(round_trip) = &mut self.record.round_trip {
            round_trip.mean = self.sum / round_trip.samples as f64;
            self.samples.sort_by(f32::total_cmp);
            let nearest_rank = (self.samples.len() * 99).div_ceil(100).saturating_sub(1);
            // The samples are rounded to seven digits; the percentile must not leave the range for it.
            let p99 = self.samples.get(nearest_rank).map_or(round_trip.max, |&s| f64::from(s));
            round_trip.p99 = p99.clamp(round_trip.min, round_trip.max);
        }
        self.record
    }
}

/// What a message says of its flow.
fn learn(facts: &mut FlowFacts, message: &StunMessage<'_>) {
    facts.stun = true;
    if matches!(
        message.kind(),
        "allocate" | "channel-bind" | "create-permission" | "send" | "data" | "refresh"
    ) {
        facts.turn = true;
    }
    let is_success = message.class() == Class::Success;
    match (message.kind(), message.class()) {
        ("allocate", Class::Request) => {
            facts.modality = message.ms_service_quality().map(|q| q.stream_type).or(facts.modality);
        }
        ("allocate", Class::Success) => facts.relayed = message.relayed_address().or(facts.relayed),
        ("channel-bind", Class::Request) => facts.peer = message.peer_address().or(facts.peer),
        _ => {}
    }
    if is_success {
        facts.mapped = message.mapped_address().or(facts.mapped);
    }
}
