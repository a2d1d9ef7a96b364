//! What is said beside media: STUN checks, TURN, DTLS.

use std::collections::VecDeque;

use super::datagram::{Datagram, Phase, StunTally, Tally};
use super::media::nanoseconds;
use super::plan::{Plan, PlannedSender, RelayUse};
use super::random::Random;
use super::scenario::Stun;
use super::stun::{
    ALLOCATE, BINDING, CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION, ERROR, ERROR_CODE, LIFETIME,
    MS_SERVICE_QUALITY, Message, NONCE, PRIORITY, REALM, REQUESTED_TRANSPORT, SUCCESS, USERNAME,
    XOR_MAPPED_ADDRESS, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS,
};

/// Time to live at every end of a talk.
const TTL: u8 = 128;
/// First retransmission of a request (RFC 8489, section 6.2.1).
const RETRANSMISSION: i64 = 500_000_000;

/// One exchange, written out before it begins.
#[derive(Debug)]
pub(super) struct Talk {
    said: VecDeque<Datagram>,
}

/// Where and how an exchange is held.
#[derive(Debug, Clone, Copy)]
struct Setting {
    flow: usize,
    reverse: bool,
    to_relay: bool,
    carrier: usize,
    dscp: u8,
}

impl Talk {
    /// All exchanges of a plan. `carrier` is the number of the first.
    pub(super) fn all(plan: &Plan, mut carrier: usize) -> Vec<Self> {
        let mut talks: Vec<Vec<Datagram>> = Vec::new();
        let mut next = || {
            carrier += 1;
            carrier - 1
        };
        for (stun, flow, reverse) in &plan.checks {
            let dscp = stun.dscp.map_or(0, |codepoint| codepoint.0.value());
            let setting = Setting { flow: *flow, reverse: *reverse, to_relay: false, carrier: next(), dscp };
            talks.push(checks(plan, stun, setting));
        }
        for (number, flow) in plan.flows.iter().enumerate() {
            let users = || plan.senders.iter().filter(|sender| sender.flow == number);
            let Some(first) = users().min_by_key(|sender| sender.start) else { continue };
            if let Some(relay) = flow.relay.as_ref().filter(|relay| relay.allocate && relay.position > 0) {
                let setting = Setting {
                    flow: number,
                    reverse: false,
                    to_relay: true,
                    carrier: next(),
                    dscp: first.dscp,
                };
                talks.push(allocation(plan, first, relay, setting));
            }
            if users().any(|sender| sender.stream.dtls) {
                let setting = Setting {
                    flow: number,
                    reverse: false,
                    to_relay: false,
                    carrier: next(),
                    dscp: first.dscp,
                };
                talks.push(handshake(plan, first.start, setting));
            }
        }
        talks
            .into_iter()
            .map(|mut said| {
                said.sort_by_key(|datagram| datagram.at);
                Self { said: said.into() }
            })
            .collect()
    }

    /// When the next message is sent.
    pub(super) fn next_at(&self) -> Option<i64> {
        self.said.front().map(|datagram| datagram.at)
    }

    /// The next message.
    pub(super) fn take(&mut self) -> Option<Datagram> {
        self.said.pop_front()
    }
}

impl Setting {
    fn say(&self, at: i64, back: bool, payload: Vec<u8>, tally: Tally) -> Datagram {
        Datagram {
            at,
            flow: self.flow,
            reverse: self.reverse != back,
            to_relay: self.to_relay,
            carrier: self.carrier,
            dscp: self.dscp,
            ecn: 0,
            ttl: TTL,
            number: None,
            identification: super::sender::low_16((at / 1_000_000).unsigned_abs()),
            spacing: 20_000_000,
            calm: true,
            payload,
            tally,
        }
    }
}

/// Connectivity checks, then consent checks.
fn checks(plan: &Plan, stun: &Stun, setting: Setting) -> Vec<Datagram> {
    let mut random = Random::new(plan.seed, &[6, setting.carrier as u64]);
    let start = plan.start + nanoseconds(stun.start);
    let mut times: Vec<i64> = (0..i64::from(stun.checks)).map(|check| start + check * 50_000_000).collect();
    let end = start + nanoseconds(stun.consent_seconds);
    let mut at = start;
    loop {
        // RFC 7675, section 5.1: every five seconds, times 0.8 to 1.2.
        at += i64::try_from(random.between(4_000, 6_000)).unwrap_or(5_000) * 1_000_000;
        if at > end {
            break;
        }
        times.push(at);
    }
    let crossing: i64 = plan.taps.iter().map(|tap| tap.delay).sum();
    // The answer's way over the points is part of the round trip.
    let back = |at: i64| at + nanoseconds(stun.round_trip) - crossing;
    let answered = times.len().saturating_sub(stun.unanswered as usize);
    let client = plan.flows[setting.flow]
        .ends(if setting.reverse { 0 } else { plan.taps.len() - 1 }, setting.reverse)
        .0;
    let mut said = Vec::new();
    for (number, &at) in times.iter().enumerate() {
        let transaction = super::random::mix(plan.seed ^ ((setting.carrier as u64) << 32 | number as u64));
        let tally = |phase| Tally::Stun(StunTally { kind: "binding", transaction, phase });
        let request = || {
            Message::new(BINDING, transaction)
                .attribute(USERNAME, b"far0:near1")
                .attribute(PRIORITY, &[0x6E, 0x7F, 0x1E, 0xFF])
                .integrity()
                .fingerprinted()
        };
        let again = number < stun.retransmitted as usize;
        said.push(setting.say(at, false, request(), tally(Phase::Request)));
        if again {
            said.push(setting.say(at + RETRANSMISSION, false, request(), tally(Phase::Request)));
        }
        if number < answered {
            let asked = if again { at + RETRANSMISSION } else { at };
            let message = Message::new(BINDING | SUCCESS, transaction).address(XOR_MAPPED_ADDRESS, client);
            said.push(setting.say(
                back(asked),
                true,
                message.integrity().fingerprinted(),
                tally(Phase::Success),
            ));
        }
    }
    said
}

/// What a client and its relay say before media runs: refused, then granted, then bound.
fn allocation(plan: &Plan, sender: &PlannedSender, relay: &RelayUse, setting: Setting) -> Vec<Datagram> {
    let flow = &plan.flows[setting.flow];
    let mapped = flow.ends(relay.position - 1, false).0;
    let crossing: i64 = plan.taps[..relay.position].iter().map(|tap| tap.delay).sum();
    let round_trip = 2 * crossing + 20_000_000;
    let start = sender.start - 4 * round_trip - 50_000_000;
    let number = |step: u64| super::random::mix(plan.seed ^ relay.session ^ step);
    let quality = [0, u8::try_from(sender.stream.class.modality()).unwrap_or(0), 0, 0];
    let udp = [17, 0, 0, 0];
    let allocate = || {
        Message::new(ALLOCATE, number(0))
            .attribute(REQUESTED_TRANSPORT, &udp)
            .attribute(MS_SERVICE_QUALITY, &quality)
            .finished()
    };
    let refused = Message::new(ALLOCATE | ERROR, number(0))
        .attribute(ERROR_CODE, b"\0\0\x04\x01Unauthorized")
        .attribute(REALM, b"relay.example")
        .attribute(NONCE, b"0123456789abcdef");
    let again = Message::new(ALLOCATE, number(1))
        .attribute(REQUESTED_TRANSPORT, &udp)
        .attribute(MS_SERVICE_QUALITY, &quality)
        .attribute(USERNAME, b"near1")
        .attribute(REALM, b"relay.example")
        .attribute(NONCE, b"0123456789abcdef")
        .integrity();
    let granted = Message::new(ALLOCATE | SUCCESS, number(1))
        .address(XOR_RELAYED_ADDRESS, relay.relayed)
        .address(XOR_MAPPED_ADDRESS, mapped)
        .attribute(LIFETIME, &600_u32.to_be_bytes())
        .integrity();
    let is_channel = relay.framing == super::scenario::Framing::Channel;
    let (method, kind) =
        if is_channel { (CHANNEL_BIND, "channel-bind") } else { (CREATE_PERMISSION, "create-permission") };
    let mut bind = Message::new(method, number(2)).address(XOR_PEER_ADDRESS, flow.far);
    if is_channel {
        let [high, low] = relay.channel.to_be_bytes();
        bind = bind.attribute(CHANNEL_NUMBER, &[high, low, 0, 0]);
    }
    let bound = Message::new(method | SUCCESS, number(2)).integrity();
    let mut said = Vec::new();
    let rounds = [
        (allocate(), refused.finished(), "allocate", Phase::Error(401)),
        (again.finished(), granted.finished(), "allocate", Phase::Success),
        (bind.integrity().finished(), bound.finished(), kind, Phase::Success),
    ];
    for (step, (request, answer, kind, phase)) in (0_u32..).zip(rounds) {
        let at = start + i64::from(step) * round_trip;
        let transaction = number(u64::from(step));
        let tally = |phase| Tally::Stun(StunTally { kind, transaction, phase });
        said.push(setting.say(at, false, request, tally(Phase::Request)));
        said.push(setting.say(at + round_trip - crossing, true, answer, tally(phase)));
    }
    said
}

/// The hellos of a DTLS handshake (RFC 6347), their content random.
fn handshake(plan: &Plan, media: i64, setting: Setting) -> Vec<Datagram> {
    let mut random = Random::new(plan.seed, &[7, setting.carrier as u64]);
    let crossing: i64 = plan.taps.iter().map(|tap| tap.delay).sum();
    let mut hello = |kind: u8, octets: u8| {
        let mut record = vec![22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, octets, kind];
        record.resize(13 + usize::from(octets), 0);
        random.fill(&mut record[14..]);
        record
    };
    let start = media - 2 * crossing - 40_000_000;
    vec![
        setting.say(start, false, hello(1, 150), Tally::Nothing),
        setting.say(start + crossing + 5_000_000, true, hello(2, 180), Tally::Nothing),
    ]
}
