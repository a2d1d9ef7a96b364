//! A scenario resolved: defaults filled in, names looked up.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::check;
use super::error::{SynthError, refuse};
use super::media::{Class, Codec, Coding, nanoseconds};
use super::random::mix_u32;
use super::scenario::{
    Background, Directions, DropCounts, Encapsulation, Endpoint, Framing, Interval, Relay, Rewrite, Scenario,
    Segment, Stream, Stun,
};

/// Everything that playing needs to know.
#[derive(Debug)]
pub(super) struct Plan {
    pub seed: u64,
    /// Second 0 of the scenario, in nanoseconds since 1970.
    pub start: i64,
    pub points: Vec<PlannedPoint>,
    /// Places at which packets are heard, from the near end to the far end.
    pub taps: Vec<Tap>,
    pub flows: Vec<Flow>,
    pub senders: Vec<PlannedSender>,
    pub blocks: Vec<PlannedSender>,
    /// STUN checks with their flow and whether the client is at the far end.
    pub checks: Vec<(Stun, usize, bool)>,
    pub background: Option<Background>,
}

/// One observation point: one capture file, or one interface of the only one.
#[derive(Debug)]
pub(super) struct PlannedPoint {
    pub name: String,
    pub snap: Option<u32>,
    pub drop_counts: DropCounts,
}

/// One place at which packets are heard; `segments` and what follows belong to the segment before it.
#[derive(Debug, Clone)]
pub(super) struct Tap {
    pub point: usize,
    pub vlan: Vec<u16>,
    pub pcp: Option<u8>,
    pub encapsulation: Vec<Encapsulation>,
    pub mirror_loss: f64,
    pub mirror_duplicates: f64,
    /// From when to when it delivers nothing, in nanoseconds since 1970.
    pub mirror_gaps: Vec<(i64, i64)>,
    pub mirror_direction: Directions,
    pub clock: Clock,
    pub nat: Option<IpAddr>,
    pub rewrite: Option<Rewrite>,
    pub ttl_drop: u8,
    pub delay: i64,
    pub ecmp: bool,
    pub reroute_at: Option<u64>,
    pub segments: Vec<Segment>,
}

impl Tap {
    /// Whether its mirror delivers nothing at a true time.
    pub(super) fn is_silent(&self, at: i64) -> bool {
        self.mirror_gaps.iter().any(|&(from, to)| (from..to).contains(&at))
    }
}

/// What a capture takes for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Clock {
    start: i64,
    /// Nanoseconds by which it is fast at the scenario's start.
    pub offset: i64,
    /// By how much it runs fast, in parts of 10^12.
    pub drift: i64,
}

impl Clock {
    /// What it shows at a true time.
    pub(super) fn shows(self, at: i64) -> i64 {
        let drifted = i128::from(at - self.start) * i128::from(self.drift) / 1_000_000_000_000;
        at + self.offset + i64::try_from(drifted).unwrap_or(0)
    }
}

/// Two ends and what translates between them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Flow {
    pub near: SocketAddr,
    pub far: SocketAddr,
    /// The near end's address from a tap on.
    pub nat: Vec<(usize, SocketAddr)>,
    pub relay: Option<RelayUse>,
}

/// What a flow has of a relay.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RelayUse {
    pub address: SocketAddr,
    pub relayed: SocketAddr,
    pub channel: u16,
    pub session: u64,
    pub framing: Framing,
    /// Taps before this one hear the client's side.
    pub position: usize,
    pub allocate: bool,
}

/// One stream to be sent (or one block of very many).
#[derive(Debug, Clone)]
pub(super) struct PlannedSender {
    pub stream: Stream,
    pub flow: usize,
    /// Whether it runs from the far end to the near end.
    pub reverse: bool,
    /// When it starts, in nanoseconds since 1970.
    pub start: i64,
    pub codec: Codec,
    pub coding: Coding,
    /// Nanoseconds between packets, or between frames.
    pub interval: i64,
    pub packets: u64,
    pub dscp: u8,
    pub ttl: u8,
    pub ssrc: u32,
    /// Number of its (first) stream in the truth.
    pub number: usize,
    /// The scenario's seed.
    pub seed: u64,
    pub count: u32,
}

/// When something begins and ends, in nanoseconds since 1970.
pub(super) fn span(start: i64, interval: Interval) -> (i64, i64) {
    let from = start + nanoseconds(interval.at);
    (from, from + nanoseconds(interval.lasting))
}

impl Flow {
    /// Source and destination as a tap sees them.
    pub(super) fn ends(&self, tap: usize, reverse: bool) -> (SocketAddr, SocketAddr) {
        let beyond_relay = self.relay.as_ref().filter(|relay| tap >= relay.position);
        let translated = self.nat.iter().rev().find(|(from, _)| tap >= *from).map(|(_, address)| *address);
        let near = beyond_relay.map_or(translated.unwrap_or(self.near), |relay| relay.relayed);
        let far = self.framed(tap).map_or(self.far, |relay| relay.address);
        if reverse { (far, near) } else { (near, far) }
    }

    /// The relay whose framing a tap sees around media.
    pub(super) fn framed(&self, tap: usize) -> Option<&RelayUse> {
        self.relay.as_ref().filter(|relay| tap < relay.position)
    }
}

impl Plan {
    /// Resolves a scenario.
    pub(super) fn new(scenario: &Scenario) -> Result<Self, SynthError> {
        check::scenario(scenario)?;
        let mut plan = Self {
            seed: scenario.seed,
            start: scenario.start.0,
            points: Vec::new(),
            taps: Vec::new(),
            flows: Vec::new(),
            senders: Vec::new(),
            blocks: Vec::new(),
            checks: Vec::new(),
            background: scenario.background.clone(),
        };
        plan.lay_path(scenario);
        for stream in &scenario.streams {
            plan.add_stream(scenario, stream)?;
        }
        for stun in &scenario.stun {
            plan.add_checks(stun)?;
        }
        plan.refuse_twins()?;
        Ok(plan)
    }

    fn lay_path(&mut self, scenario: &Scenario) {
        for (place, point) in scenario.points.iter().enumerate() {
            let known = self.points.iter().position(|known| known.name == point.name);
            let number = known.unwrap_or_else(|| {
                let (name, snap) = (point.name.clone(), point.snap);
                self.points.push(PlannedPoint { name, snap, drop_counts: point.drop_counts });
                self.points.len() - 1
            });
            let tap = Tap {
                point: number,
                vlan: point.vlan.clone(),
                pcp: point.pcp,
                encapsulation: point.encapsulation.clone(),
                mirror_loss: point.mirror_loss,
                mirror_duplicates: point.mirror_duplicates,
                mirror_gaps: point.mirror_gaps.iter().map(|gap| span(self.start, *gap)).collect(),
                mirror_direction: point.mirror_direction,
                clock: Clock {
                    start: self.start,
                    offset: nanoseconds(point.clock_offset),
                    // Millionths of a millionth.
                    drift: nanoseconds(point.clock_drift) / 1_000,
                },
                nat: point.nat,
                rewrite: point.rewrite,
                ttl_drop: point.ttl_drop.unwrap_or(u8::from(place > 0)),
                delay: nanoseconds(point.delay),
                ecmp: point.ecmp,
                reroute_at: point.reroute_at,
                segments: point.segments.clone(),
            };
            let again = point.also_after_router.then(|| Tap {
                vlan: point.after_router_vlan.clone().unwrap_or_else(|| point.vlan.clone()),
                nat: None,
                rewrite: None,
                ttl_drop: 1,
                delay: 50_000,
                ecmp: false,
                reroute_at: None,
                segments: Vec::new(),
                ..tap.clone()
            });
            self.taps.push(tap);
            self.taps.extend(again);
        }
        if self.taps.is_empty() {
            let (name, drop_counts) = ("capture".to_owned(), DropCounts::None);
            self.points.push(PlannedPoint { name, snap: None, drop_counts });
            self.taps.push(Tap {
                point: 0,
                vlan: Vec::new(),
                pcp: None,
                encapsulation: Vec::new(),
                mirror_loss: 0.0,
                mirror_duplicates: 0.0,
                mirror_gaps: Vec::new(),
                mirror_direction: Directions::Both,
                clock: Clock::default(),
                nat: None,
                rewrite: None,
                ttl_drop: 0,
                delay: 1_000_000,
                ecmp: false,
                reroute_at: None,
                segments: Vec::new(),
            });
        }
    }

    fn add_stream(&mut self, scenario: &Scenario, stream: &Stream) -> Result<(), SynthError> {
        let relay = match &stream.relay {
            None => None,
            Some(name) => {
                Some(scenario.relays.iter().find(|relay| relay.name == *name).ok_or_else(|| {
                    refuse(
                        format!("stream {:?}, relay", stream.name),
                        format!("there is no relay {name:?}"),
                        "add a [[relay]] of that name",
                    )
                })?)
            }
        };
        let directions = stream.direction.unwrap_or(Directions::Forward);
        let count = stream.count.unwrap_or(1).max(1);
        let clones = if stream.is_block() { 1 } else { count };
        for clone in 0..clones {
            for reverse in [false, true] {
                if !directions.covers(reverse) {
                    continue;
                }
                // The way back of a stream in both directions has source and destination exchanged.
                let swapped = reverse && directions == Directions::Reverse;
                let source = Endpoint { address: counted_up(stream.source.address, clone), ..stream.source };
                let (near, far) =
                    if swapped { (stream.destination, source) } else { (source, stream.destination) };
                let flow = self.flow(near, far, stream.class, relay, scenario)?;
                let sender = self.sender(stream, flow, reverse, clone);
                if stream.is_block() { self.blocks.push(sender) } else { self.senders.push(sender) }
            }
        }
        Ok(())
    }

    fn sender(&self, stream: &Stream, flow: usize, reverse: bool, clone: u32) -> PlannedSender {
        let codec = stream.codec.unwrap_or(stream.class.codec());
        let mut coding = codec.coding();
        coding.payload_type = stream.payload_type.unwrap_or(coding.payload_type);
        coding.clock_rate = stream.clock_rate.unwrap_or(coding.clock_rate);
        coding.payload = stream.payload.unwrap_or(coding.payload);
        coding.frame_rate = coding.frame_rate.map(|rate| stream.frame_rate.unwrap_or(rate));
        let packet_interval = stream.packet_interval.unwrap_or(if codec == Codec::L16 { 0.01 } else { 0.02 });
        let interval = match coding.frame_rate {
            Some(rate) => 1_000_000_000 / i64::from(rate.max(1)),
            None => nanoseconds(packet_interval),
        };
        let packets = match (stream.packets, stream.seconds) {
            (Some(packets), _) => packets,
            (None, None) => 500,
            (None, Some(seconds)) => {
                let slots = u64::try_from(nanoseconds(seconds) / interval.max(1)).unwrap_or(0);
                let (least, most) = frame_packets(stream);
                if coding.frame_rate.is_some() {
                    slots * (u64::from(least) + u64::from(most)) / 2
                } else {
                    slots
                }
            }
        };
        let number = self.senders.len() + self.blocks.iter().map(|block| block.count as usize).sum::<usize>();
        let drawn = drawn_ssrc(self.seed, number);
        PlannedSender {
            flow,
            reverse,
            start: self.start + nanoseconds(stream.start),
            codec,
            coding,
            interval,
            packets,
            dscp: stream.dscp.map_or(stream.class.dscp(), |codepoint| codepoint.0.value()),
            ttl: stream.ttl.unwrap_or(128),
            ssrc: stream
                .ssrc
                .map_or(drawn, |ssrc| ssrc.wrapping_add(clone).wrapping_add(u32::from(reverse) << 16)),
            number,
            seed: self.seed,
            count: if stream.is_block() { stream.count.unwrap_or(1).max(1) } else { 1 },
            stream: stream.clone(),
        }
    }

    fn add_checks(&mut self, stun: &Stun) -> Result<(), SynthError> {
        let directions = stun.direction.unwrap_or(Directions::Forward);
        let (near, far) = match directions {
            Directions::Reverse => (stun.server, stun.client),
            Directions::Both | Directions::Forward => (stun.client, stun.server),
        };
        let far = Endpoint { port: far.port.or(Some(3478)), ..far };
        let flow = self.flow(near, far, Class::Audio, None, &Scenario::default())?;
        let crossing: i64 = self.taps.iter().map(|tap| tap.delay).sum();
        if nanoseconds(stun.round_trip) <= 2 * crossing {
            return Err(refuse(
                format!("stun {} > {}, round_trip", near.address, far.address),
                format!("{} s is less than the way there and back takes", stun.round_trip),
                "raise `round_trip`, or lower the `delay` of the points",
            ));
        }
        for reverse in [false, true] {
            if directions.covers(reverse) {
                self.checks.push((stun.clone(), flow, reverse));
            }
        }
        Ok(())
    }

    /// The number of the flow between two ends, new or known.
    fn flow(
        &mut self,
        near: Endpoint,
        far: Endpoint,
        class: Class,
        relay: Option<&Relay>,
        scenario: &Scenario,
    ) -> Result<usize, SynthError> {
        let far_port = if is_managed(far.address) { class.client_port() } else { class.service_port() };
        let near = SocketAddr::new(near.address, near.port.unwrap_or(class.client_port()));
        let far = SocketAddr::new(far.address, far.port.unwrap_or(far_port));
        let number = self.flows.len();
        let mut addresses = vec![near.ip(), far.ip()];
        let relay = match relay {
            None => None,
            Some(relay) => {
                addresses.extend([relay.address.address].into_iter().chain(relay.relayed));
                Some(self.relay_use(relay, number, scenario)?)
            }
        };
        if addresses.iter().any(|address| address.is_ipv4() != near.is_ipv4()) {
            return Err(refuse(
                format!("stream {near} > {far}"),
                "IPv4 and IPv6 are mixed between its ends and its relay",
                "give all of them addresses of one version",
            ));
        }
        if let Some(known) = self.flows.iter().position(|flow| {
            flow.near == near
                && flow.far == far
                && flow.relay.as_ref().map(|known| known.address) == relay.as_ref().map(|new| new.address)
        }) {
            return Ok(known);
        }
        let nat = self.translations(near);
        self.flows.push(Flow { near, far, nat, relay });
        Ok(number)
    }

    fn relay_use(&self, relay: &Relay, flow: usize, scenario: &Scenario) -> Result<RelayUse, SynthError> {
        let position = match &relay.bare_from {
            None => self.taps.len(),
            Some(name) => {
                let point = self.points.iter().position(|point| point.name == *name);
                point.and_then(|point| self.taps.iter().position(|tap| tap.point == point)).ok_or_else(
                    || {
                        let known: Vec<&str> =
                            scenario.points.iter().map(|point| point.name.as_str()).collect();
                        refuse(
                            format!("relay {:?}, bare_from", relay.name),
                            format!("there is no point {name:?}"),
                            format!("points here: {}", known.join(", ")),
                        )
                    },
                )?
            }
        };
        let step = u16::try_from(flow % 4000).unwrap_or(0);
        Ok(RelayUse {
            address: SocketAddr::new(relay.address.address, relay.address.port.unwrap_or(3478)),
            // Beyond every client range, so that a relayed address never looks like a client's port.
            relayed: SocketAddr::new(relay.relayed.unwrap_or(relay.address.address), 52_000 + step),
            channel: 0x4000 + step % 0x0FFF,
            session: super::random::mix(self.seed ^ (flow as u64 + 1)),
            framing: relay.framing,
            position,
            allocate: relay.allocate.unwrap_or(true) && relay.framing != Framing::Plain,
        })
    }

    /// How a near end looks from each tap that translates: the port is kept where it is free.
    fn translations(&self, near: SocketAddr) -> Vec<(usize, SocketAddr)> {
        let mut nat: Vec<(usize, SocketAddr)> = Vec::new();
        for (place, tap) in self.taps.iter().enumerate() {
            // A translator of one version leaves the other alone.
            let Some(address) = tap.nat.filter(|nat| nat.is_ipv4() == near.is_ipv4()) else { continue };
            let same_end = self.flows.iter().find(|flow| flow.near == near);
            let known = same_end.and_then(|flow| flow.nat.iter().find(|(at, _)| *at == place)).copied();
            let taken = |port: u16| {
                let outside = (place, SocketAddr::new(address, port));
                self.flows.iter().any(|flow| flow.near != near && flow.nat.contains(&outside))
            };
            let free = (0..u16::MAX)
                .map(|step| near.port().wrapping_add(step.wrapping_mul(97)))
                .find(|&p| !taken(p));
            let drawn = (place, SocketAddr::new(address, free.unwrap_or(near.port())));
            nat.push(known.unwrap_or(drawn));
        }
        nat
    }

    fn refuse_twins(&self) -> Result<(), SynthError> {
        // Hosts that chose the same by chance are told apart by their flows, where the scenario asks for them.
        let mut seen: HashMap<u32, Vec<&PlannedSender>> = HashMap::new();
        for sender in &self.senders {
            let twins = seen.entry(sender.ssrc).or_default();
            let is_meant = |twin: &&PlannedSender| {
                sender.stream.ssrc.and(twin.stream.ssrc).is_some() && twin.flow != sender.flow
            };
            let all_meant = twins.iter().all(is_meant);
            twins.push(sender);
            if !all_meant {
                return Err(refuse(
                    format!("stream {:?}, ssrc", sender.stream.name),
                    format!("two streams have the SSRC 0x{:08x}", sender.ssrc),
                    "choose another, leave the key out, or give them other hosts and both the key",
                ));
            }
        }
        Ok(())
    }

    /// When the media ends, in nanoseconds since 1970, and how many packets it has.
    pub(super) fn extent(&self) -> (i64, u64) {
        let all = || self.senders.iter().chain(&self.blocks);
        let last = |sender: &PlannedSender| {
            let slots = match sender.coding.frame_rate {
                Some(_) => sender.packets / u64::from(frame_packets(&sender.stream).1).max(1),
                None => sender.packets,
            };
            let spread = nanoseconds(sender.stream.spread.unwrap_or(0.0));
            sender.start + spread + sender.interval.saturating_mul(i64::try_from(slots).unwrap_or(0))
        };
        let end = all().map(last).max().unwrap_or(self.start + 1_000_000_000);
        (end, all().map(|sender| sender.packets * u64::from(sender.count)).sum())
    }
}

/// The SSRC of a numbered stream: all are different, because the mixing is one to one.
pub(super) fn drawn_ssrc(seed: u64, number: usize) -> u32 {
    let counter = u32::try_from(number).unwrap_or(u32::MAX);
    let seeded = u32::try_from(seed & 0xFFFF).unwrap_or(0) << 16;
    mix_u32(seeded ^ counter.wrapping_add(1))
}

/// Least and most packets of a frame.
pub(super) fn frame_packets(stream: &Stream) -> (u8, u8) {
    stream.frame_packets.unwrap_or((2, 5))
}

/// The `steps`-th address after one.
pub(super) fn counted_up(address: IpAddr, steps: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits().wrapping_add(steps))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits().wrapping_add(u128::from(steps)))),
    }
}

/// Whether an address is managed where no networks are configured (RFC 1918, RFC 4193, RFC 6598).
pub(super) fn is_managed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1])),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xFE00) == 0xFC00,
    }
}
