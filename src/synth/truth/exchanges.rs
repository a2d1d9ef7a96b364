//! What is true of STUN between one client and one server at one point.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::Serialize;

use crate::synth::datagram::{Phase, StunTally};
use crate::synth::plan::Plan;
use crate::terms::Timestamp;

/// Point, client, server, kind.
pub(super) type Key = (usize, SocketAddr, SocketAddr, &'static str);

/// One message as a tap heard it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeardMessage {
    pub at: i64,
    pub tap: usize,
    pub dscp: u8,
    pub stun: StunTally,
}

/// What is true of one client, server and kind of request at one point.
#[derive(Debug, Serialize)]
pub(super) struct Exchange {
    point: String,
    client: String,
    server: String,
    kind: &'static str,
    /// Transactions whose request was heard.
    requests: u64,
    /// Those that were answered, with success or an error.
    responses: u64,
    errors: u64,
    error_codes: BTreeMap<u16, u64>,
    unanswered: u64,
    unmatched: u64,
    /// Absent where one mirror hears every packet at two places, as what follows.
    retransmitted: Option<u64>,
    round_trip_seconds: Option<RoundTrip>,
    dscp_requests: Option<BTreeMap<u8, u64>>,
    dscp_responses: Option<BTreeMap<u8, u64>>,
    first: String,
    last: String,
}

#[derive(Debug, Serialize)]
struct RoundTrip {
    min: f64,
    mean: f64,
    p99: f64,
    max: f64,
    samples: u64,
}

/// Counts all exchanges.
pub(super) fn exchanges(plan: &Plan, messages: &BTreeMap<Key, Vec<HeardMessage>>) -> Vec<Exchange> {
    messages.iter().filter_map(|(key, heard)| exchange(plan, *key, heard)).collect()
}

fn exchange(plan: &Plan, (point, client, server, kind): Key, heard: &[HeardMessage]) -> Option<Exchange> {
    let of = |phase: fn(Phase) -> bool| heard.iter().filter(move |message| phase(message.stun.phase));
    let numbers = |phase: fn(Phase) -> bool| of(phase).map(|m| m.stun.transaction).collect::<BTreeSet<u64>>();
    let is_answer = |phase| phase != Phase::Request;
    let asked = numbers(|phase| phase == Phase::Request);
    let answered = numbers(is_answer);
    let refused = numbers(|phase| matches!(phase, Phase::Error(_)));
    let mut error_codes = BTreeMap::new();
    let mut coded = BTreeSet::new();
    for message in heard {
        if let Phase::Error(code) = message.stun.phase
            && coded.insert(message.stun.transaction)
        {
            *error_codes.entry(code).or_default() += 1;
        }
    }
    let one_place = heard.iter().map(|message| message.tap).collect::<BTreeSet<_>>().len() == 1;
    let marks = |phase: fn(Phase) -> bool| {
        let mut marks = BTreeMap::new();
        of(phase).for_each(|message| *marks.entry(message.dscp).or_default() += 1);
        one_place.then_some(marks)
    };
    let both = asked.intersection(&answered).count() as u64;
    Some(Exchange {
        point: plan.points.get(point)?.name.clone(),
        client: client.to_string(),
        server: server.to_string(),
        kind,
        requests: asked.len() as u64,
        responses: both,
        errors: asked.intersection(&refused).count() as u64,
        error_codes,
        unanswered: asked.len() as u64 - both,
        unmatched: answered.difference(&asked).count() as u64,
        retransmitted: one_place
            .then(|| of(|phase| phase == Phase::Request).count() as u64 - asked.len() as u64),
        round_trip_seconds: if one_place { round_trip(heard) } else { None },
        dscp_requests: marks(|phase| phase == Phase::Request),
        dscp_responses: marks(is_answer),
        first: Timestamp(heard.iter().map(|message| message.at).min()?).to_string(),
        last: Timestamp(heard.iter().map(|message| message.at).max()?).to_string(),
    })
}

/// From the last request before it to each transaction's response.
#[allow(clippy::cast_precision_loss, reason = "round trips are far below 2^53 ns")]
fn round_trip(heard: &[HeardMessage]) -> Option<RoundTrip> {
    let mut times = Vec::new();
    for (i, answer) in heard.iter().enumerate().filter(|(_, message)| message.stun.phase != Phase::Request) {
        let asked = heard[..i].iter().rev().find(|message| {
            message.stun.phase == Phase::Request && message.stun.transaction == answer.stun.transaction
        });
        times.extend(asked.map(|asked| (answer.at - asked.at) as f64 / 1e9));
    }
    times.sort_by(f64::total_cmp);
    // Nearest rank.
    let rank = (times.len() * 99).div_ceil(100).saturating_sub(1);
    Some(RoundTrip {
        min: *times.first()?,
        mean: times.iter().sum::<f64>() / times.len() as f64,
        p99: *times.get(rank)?,
        max: *times.last()?,
        samples: times.len() as u64,
    })
}
