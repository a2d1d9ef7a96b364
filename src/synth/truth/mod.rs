//! What is true of captures, in the words and shapes of the report.
//!
//! Everything here follows from how the traffic was made: each packet that a tap heard is noted with the numbers
//! its sender gave it, and the figures are then counted from these lists by sets and sorting, without any of the
//! code that measures. `hops` of a stream are places of the scenario, not what a reader takes for places.

mod blame;
mod exchanges;
mod figures;
mod segments;
mod tunnels;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use super::datagram::{Arrival, Phase, Tally};
use super::frame::{outer_ends, tunnel_id};
use super::plan::{Plan, PlannedSender, is_managed};
use super::rewrite;
use super::scenario::{Encapsulation, Framing};
use crate::terms::{Ssrc, Timestamp};

use blame::Blame;
use exchanges::{Exchange, HeardMessage};
use figures::{Figures, HeardPacket};
use segments::{HopNotes, SegmentTruth};
use tunnels::TunnelTruth;
pub(super) use tunnels::{Mirror, tunnels};

/// Part and sequence number of packets, by stream and tap.
type Missed = BTreeMap<(usize, usize), BTreeSet<(u32, u64)>>;

/// Everything that is noted while captures are written.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// By stream, then by tap, in the order of arrival.
    packets: BTreeMap<usize, BTreeMap<usize, Vec<HeardPacket>>>,
    /// What passed a tap and was missed by its mirror.
    missed: Missed,
    /// By point, kind, client and server, in the order of arrival.
    messages: BTreeMap<exchanges::Key, Vec<HeardMessage>>,
    captures: Vec<Capture>,
}

/// What was written to one file.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Capture {
    pub file: String,
    /// The points it holds.
    pub points: Vec<String>,
    pub format: &'static str,
    pub packets: u64,
    /// Octets of frames that were kept.
    pub bytes: u64,
    /// Frames that its machine dropped, where the capture says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
    pub first: Option<String>,
    pub last: Option<String>,
    /// Mirrors that number their frames, by place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tunnels: Vec<TunnelTruth>,
}

/// What the interfaces of the files are called.
#[derive(Debug, Clone, Copy)]
pub(super) enum Naming {
    None,
    ByPoint,
    Fixed(&'static str),
}

/// The whole truth.
#[derive(Debug, Serialize)]
pub(super) struct Truth {
    schema: &'static str,
    seed: u64,
    points: Vec<String>,
    captures: Vec<Capture>,
    streams: Vec<StreamTruth>,
    stun: Vec<Exchange>,
}

#[derive(Debug, Serialize)]
struct StreamTruth {
    id: usize,
    name: Option<String>,
    ssrc: String,
    source: String,
    destination: String,
    transport: &'static str,
    direction: &'static str,
    reverse_of: Option<usize>,
    class: &'static str,
    codec: &'static str,
    payload_types: Vec<u8>,
    clock_rate_hz: u32,
    first: String,
    last: String,
    expected_dscp: Vec<u8>,
    hops: Vec<HopTruth>,
    segments: Vec<SegmentTruth>,
    blame: Vec<Blame>,
}

#[derive(Debug, Serialize)]
struct HopTruth {
    point: String,
    interface: Option<String>,
    vlan: Vec<u16>,
    encapsulation: Vec<String>,
    source: String,
    destination: String,
    /// Where a relay has set another than the sender's.
    #[serde(skip_serializing_if = "Option::is_none")]
    ssrc: Option<String>,
    #[serde(flatten)]
    figures: Figures,
    /// Numbers that passed here and that no frame of the capture has.
    mirror_lost: u64,
    marking: Option<&'static str>,
}

impl Notes {
    /// Notes what one tap heard. `at` is the time that the capture says.
    pub(super) fn hear(&mut self, plan: &Plan, arrival: &Arrival, at: i64, octets: usize, pcp: u8) {
        let tap = &plan.taps[arrival.tap];
        match arrival.tally {
            Tally::Nothing => {}
            Tally::Rtp(rtp) => {
                let pcp = (!tap.vlan.is_empty()).then_some(pcp);
                let packet = HeardPacket {
                    at,
                    true_at: arrival.at,
                    rtp,
                    ttl: arrival.ttl,
                    dscp: arrival.dscp,
                    ecn: arrival.ecn,
                    pcp,
                    octets,
                };
                self.packets.entry(rtp.stream).or_default().entry(arrival.tap).or_default().push(packet);
            }
            Tally::Stun(stun) => {
                let (source, destination) = plan.flows[arrival.flow].ends(arrival.tap, arrival.reverse);
                let is_request = stun.phase == Phase::Request;
                let (client, server) = if is_request { (source, destination) } else { (destination, source) };
                let key = (tap.point, client, server, stun.kind);
                let message = HeardMessage { at, tap: arrival.tap, dscp: arrival.dscp, stun };
                self.messages.entry(key).or_default().push(message);
            }
        }
    }

    /// Notes what passed a tap and its mirror missed.
    pub(super) fn miss(&mut self, arrival: &Arrival) {
        if let Tally::Rtp(rtp) = arrival.tally
            && !rtp.stray
        {
            let missed = self.missed.entry((rtp.stream, arrival.tap)).or_default();
            missed.insert((rtp.part, rtp.sent_as));
        }
    }

    /// Notes a finished file.
    pub(super) fn written(&mut self, capture: Capture) {
        self.captures.push(capture);
    }

    /// Counts everything that was noted.
    pub(super) fn truth(self, plan: &Plan, naming: Naming) -> Truth {
        let mut streams = Vec::new();
        let mut flows = Vec::new();
        for (number, taps) in &self.packets {
            let sender = plan
                .senders
                .iter()
                .chain(&plan.blocks)
                .find(|sender| (sender.number..sender.number + sender.count as usize).contains(number));
            let Some(sender) = sender else { continue };
            if let Some(stream) = stream(plan, sender, *number, (taps, &self.missed), naming) {
                flows.push((sender.flow, sender.reverse, number - sender.number, stream.first.clone()));
                streams.push(stream);
            }
        }
        // The flows of a call: what runs back, and who spoke first.
        for i in 0..streams.len() {
            let (flow, reverse, place, first) = &flows[i];
            let alike = |back: bool| {
                let same = flows.iter().enumerate().filter(move |(_, other)| {
                    other.0 == *flow && other.2 == *place && (other.1 != *reverse) == back
                });
                same.map(|(j, _)| j).collect::<Vec<_>>()
            };
            let (with, against) = (alike(false), alike(true));
            if let ([_], [back]) = (&with[..], &against[..]) {
                streams[i].reverse_of = Some(*back);
            }
            if streams[i].direction.is_empty() {
                let answered_first =
                    against.iter().map(|&j| &flows[j].3).min().is_some_and(|other| other < first);
                streams[i].direction = if answered_first { "reverse" } else { "forward" };
            }
            streams[i].id = i;
            let direction = streams[i].direction;
            streams[i].blame.iter_mut().for_each(|blame| blame.direction = direction);
        }
        Truth {
            schema: "hopmark/truth/v1",
            seed: plan.seed,
            points: plan.points.iter().map(|point| point.name.clone()).collect(),
            captures: self.captures,
            streams,
            stun: exchanges::exchanges(plan, &self.messages),
        }
    }
}

fn stream(
    plan: &Plan,
    sender: &PlannedSender,
    number: usize,
    (taps, missed): (&BTreeMap<usize, Vec<HeardPacket>>, &Missed),
    naming: Naming,
) -> Option<StreamTruth> {
    let in_order_of_travel = |a: &&usize, b: &&usize| if sender.reverse { b.cmp(a) } else { a.cmp(b) };
    let mut order: Vec<&usize> = taps.keys().collect();
    order.sort_by(in_order_of_travel);
    let offset = u32::try_from(number - sender.number).unwrap_or(0);
    let mut hops: Vec<HopTruth> = Vec::new();
    let mut heard: Vec<&Vec<HeardPacket>> = Vec::new();
    let mut notes: Vec<HopNotes> = Vec::new();
    for tap in &order {
        let Some(packets) = taps.get(*tap) else { continue };
        let hop_notes = HopNotes::new(packets, missed.get(&(number, **tap)), plan.taps[**tap].clock);
        hops.push(hop(plan, sender, **tap, offset, packets, &hop_notes, naming));
        heard.push(packets);
        notes.push(hop_notes);
    }
    let is_from_managed = {
        let (source, _) = plan.flows[sender.flow].ends(**order.first()?, sender.reverse);
        is_managed(source.ip())
    };
    let expected = sender.stream.class.accepted();
    if is_from_managed {
        let shares: Vec<&BTreeMap<u8, u64>> = hops.iter().map(|hop| &hop.figures.dscp).collect();
        let markings = figures::markings(&shares, &expected);
        for (hop, marking) in hops.iter_mut().zip(markings) {
            hop.marking = Some(marking);
        }
    }
    let all = || heard.iter().flat_map(|packets| packets.iter()).filter(|packet| !packet.rtp.stray);
    let first_hop = hops.first()?;
    let segments = segments::segments(&notes);
    let figures: Vec<&Figures> = hops.iter().map(|hop| &hop.figures).collect();
    let blame = blame::blame(&segments, &figures, &expected);
    let ssrc = match sender.stream.ssrc {
        Some(_) => sender.ssrc.wrapping_add(offset),
        None => super::plan::drawn_ssrc(plan.seed, number),
    };
    Some(StreamTruth {
        id: 0,
        name: sender.stream.name.clone(),
        ssrc: Ssrc(ssrc).to_string(),
        source: first_hop.source.clone(),
        destination: first_hop.destination.clone(),
        transport: "udp",
        direction: direction(plan, sender, &order),
        reverse_of: None,
        class: sender.stream.class.name(),
        codec: sender.codec.name(),
        payload_types: figures::payload_types(heard.first()?),
        clock_rate_hz: sender.coding.clock_rate,
        first: Timestamp(all().map(|packet| packet.at).min()?).to_string(),
        last: Timestamp(all().map(|packet| packet.at).max()?).to_string(),
        expected_dscp: expected,
        segments,
        blame,
        hops,
    })
}

/// Forward is from the managed side, at the first hop that tells: a translated address does not. Empty where
/// none tells, so that the first to speak decides.
fn direction(plan: &Plan, sender: &PlannedSender, taps: &[&usize]) -> &'static str {
    let sides = taps.iter().map(|&&tap| plan.flows[sender.flow].ends(tap, sender.reverse));
    let managed = sides.map(|(source, destination)| (is_managed(source.ip()), is_managed(destination.ip())));
    match managed.into_iter().find(|(source, destination)| source != destination) {
        Some((true, _)) => "forward",
        Some((false, _)) => "reverse",
        None => "",
    }
}

fn hop(
    plan: &Plan,
    sender: &PlannedSender,
    tap: usize,
    offset: u32,
    packets: &[HeardPacket],
    notes: &HopNotes,
    naming: Naming,
) -> HopTruth {
    let place = &plan.taps[tap];
    let point = plan.points[place.point].name.clone();
    let (mut source, destination) = plan.flows[sender.flow].ends(tap, sender.reverse);
    source.set_ip(super::plan::counted_up(source.ip(), offset));
    HopTruth {
        interface: match naming {
            Naming::None => None,
            Naming::ByPoint => Some(point.clone()),
            Naming::Fixed(name) => Some(name.to_owned()),
        },
        point,
        vlan: place.vlan.clone(),
        encapsulation: encapsulation(plan, sender, tap),
        source: source.to_string(),
        destination: destination.to_string(),
        ssrc: rewrite::ssrc_at(plan, sender.ssrc, tap, sender.reverse).map(|ssrc| Ssrc(ssrc).to_string()),
        figures: figures::figures(packets),
        mirror_lost: notes.mirror_lost(),
        marking: None,
    }
}

/// Tunnels, outermost first, as the report lists them; tags stand under `vlan`.
fn encapsulation(plan: &Plan, sender: &PlannedSender, tap: usize) -> Vec<String> {
    let id = tunnel_id(tap);
    let mut names = Vec::new();
    for &tunnel in &plan.taps[tap].encapsulation {
        if !matches!(tunnel, Encapsulation::Mpls | Encapsulation::Pppoe) {
            let (source, destination) = outer_ends(tunnel, tap, sender.reverse);
            names.push(format!("ip {}>{}", IpAddr::V4(source), IpAddr::V4(destination)));
        }
        match tunnel {
            Encapsulation::Erspan1 => names.extend(["gre".to_owned(), "erspan1 0".to_owned()]),
            Encapsulation::Erspan2 => names.extend(["gre".to_owned(), format!("erspan2 {id}")]),
            Encapsulation::Erspan3 => names.extend(["gre".to_owned(), format!("erspan3 {id} ingress")]),
            Encapsulation::Vxlan => names.push(format!("vxlan {id}")),
            Encapsulation::Geneve => names.push(format!("geneve {id}")),
            Encapsulation::Tzsp => names.push("tzsp".to_owned()),
            Encapsulation::Gre => names.push("gre".to_owned()),
            Encapsulation::GtpU => names.push(format!("gtp-u {id}")),
            Encapsulation::IpInIp => {}
            Encapsulation::Mpls => names.push(format!("mpls {id}")),
            Encapsulation::Pppoe => names.push(format!("pppoe {id}")),
        }
    }
    if let Some(relay) = plan.flows[sender.flow].framed(tap) {
        names.push(match relay.framing {
            Framing::Channel => format!("turn-channel 0x{:04x}", relay.channel),
            Framing::Indication => "turn-indication".to_owned(),
            Framing::MsTurn => "ms-turn".to_owned(),
            Framing::Plain => return names,
        });
    }
    names
}
