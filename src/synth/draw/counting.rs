//! Scenarios for counting at each hop: everything that a stream can do.
//!
//! Every feature comes with some probability. What happens in a stream (restarts, pauses, changes) happens at a
//! hundredth packet, runs of losses between them, so that no two of them touch.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{codepoint, sometimes, tags, thousandths, tunnels};
use crate::synth::media::{Class, Codec};
use crate::synth::random::Random;
use crate::synth::scenario::{
    Background, Burst, CodecChange, Directions, DropCounts, DscpChange, Endpoint, Framing, Match, Point,
    Relay, Remark, Scenario, Segment, Silence, Stream, Stun,
};
use crate::terms::Dscp;

/// Packets between two things that happen in a stream.
const STEP: u64 = 100;
const NAMES: [&str; 4] = ["access", "distribution", "core", "edge"];

/// Draws a scenario: 1 to 4 points, 1 to 6 streams. The same seed always draws the same.
pub(super) fn draw(seed: u64) -> Scenario {
    let mut random = Random::new(seed, &[10]);
    let several_ways = random.chance(0.2);
    let mut scenario = Scenario { seed, points: points(&mut random, several_ways), ..Scenario::default() };
    if random.chance(0.35) {
        scenario.relays.push(relay(&mut random, &scenario.points));
    }
    for number in 0..random.between(1, 6) {
        let stream = stream(&mut random, number, several_ways, &scenario);
        if random.chance(0.5) && stream.relay.is_none() {
            scenario.stun.push(checks(&mut random, &stream));
        }
        scenario.streams.push(stream);
    }
    if random.chance(0.4) {
        scenario.background =
            Some(Background { packets: Some(random.between(50, 600)), ..Background::default() });
    }
    scenario
}

fn points(random: &mut Random, several_ways: bool) -> Vec<Point> {
    let count = random.between(1, 4);
    let ways_at = random.below(count);
    let has_nat = random.chance(0.25);
    let nat_at = random.between(1, 4);
    (0..count)
        .map(|place| {
            let twice = !several_ways && random.chance(0.25);
            let is_nat = has_nat && place == nat_at;
            let rerouted = several_ways && place == ways_at && random.chance(0.5);
            Point {
                name: NAMES[usize::try_from(place).unwrap_or(0)].to_owned(),
                vlan: tags(random),
                pcp: random.chance(0.2).then_some(0),
                encapsulation: tunnels(random, 0.3),
                ttl_drop: Some(u8::try_from(random.between(u64::from(place > 0), 3)).unwrap_or(1)),
                delay: thousandths(random, 1, 8),
                also_after_router: twice,
                after_router_vlan: (twice && random.chance(0.5)).then(|| tags(random)),
                mirror_loss: sometimes(random, 0.15, 30),
                mirror_duplicates: sometimes(random, 0.15, 50),
                mirror_gaps: Vec::new(),
                mirror_direction: Directions::Both,
                drop_counts: DropCounts::None,
                snap: random.chance(0.2).then_some(256),
                clock_offset: if random.chance(0.15) { thousandths(random, 0, 400) - 0.2 } else { 0.0 },
                clock_drift: 0.0,
                rewrite: None,
                nat: is_nat.then_some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 5))),
                ecmp: several_ways && place == ways_at && !rerouted,
                reroute_at: rerouted.then(|| random.between(60, 160)),
                segments: (0..random.below(3)).map(|_| segment(random, true)).collect(),
            }
        })
        .collect()
}

fn segment(random: &mut Random, may_remark: bool) -> Segment {
    let directions = [Directions::Both, Directions::Forward, Directions::Reverse];
    Segment {
        direction: random.one_of(&directions).unwrap_or_default(),
        remark: if may_remark && random.chance(0.4) { vec![remark(random)] } else { Vec::new() },
        loss: sometimes(random, 0.3, 50),
        bursts: if random.chance(0.25) { vec![run_of_losses(random)] } else { Vec::new() },
        duplicates: sometimes(random, 0.2, 40),
        reorder: sometimes(random, 0.2, 40),
        reorder_by: random.chance(0.5).then(|| u8::try_from(random.between(1, 3)).unwrap_or(1)),
        jitter: if random.chance(0.4) { thousandths(random, 1, 80) / 10.0 } else { 0.0 },
        congestion: sometimes(random, 0.2, 200),
        ..Segment::default()
    }
}

fn remark(random: &mut Random) -> Remark {
    let changes: [(Option<u8>, u8); 7] = [
        (Some(46), 0),
        (Some(34), 0),
        (None, 0),
        (Some(46), 40),
        (Some(34), 32),
        (Some(46), 6),
        (Some(0), 46),
    ];
    let (from, to) = random.one_of(&changes).unwrap_or((None, 0));
    let from = from.and_then(|from| Dscp::try_from(from).ok());
    Remark { from: from.map_or(Match::Any, Match::Only), to: codepoint(to) }
}

/// Between two hundredth packets, clear of what happens at either.
fn run_of_losses(random: &mut Random) -> Burst {
    Burst { at: random.between(1, 4) * STEP + 30, packets: random.between(2, 40) }
}

fn relay(random: &mut Random, points: &[Point]) -> Relay {
    let bare_from = random.below(points.len() as u64 + 1);
    let framings = [Framing::Channel, Framing::Indication, Framing::MsTurn];
    Relay {
        name: "relay".to_owned(),
        address: Endpoint { address: IpAddr::V4(Ipv4Addr::new(52, 113, 0, 1)), port: Some(3478) },
        relayed: Some(IpAddr::V4(Ipv4Addr::new(52, 113, 0, 2))),
        framing: random.one_of(&framings).unwrap_or_default(),
        bare_from: usize::try_from(bare_from)
            .ok()
            .and_then(|i| points.get(i))
            .map(|point| point.name.clone()),
        allocate: None,
    }
}

fn stream(random: &mut Random, number: u64, several_ways: bool, scenario: &Scenario) -> Stream {
    let class =
        random.one_of(&[Class::Audio, Class::Audio, Class::Video, Class::Sharing]).unwrap_or_default();
    let relay = scenario.relays.first().filter(|_| random.chance(0.5)).map(|relay| relay.name.clone());
    let is_v6 = relay.is_none() && random.chance(0.2);
    let is_inside = relay.is_none() && random.chance(0.3);
    let host = u8::try_from(number).unwrap_or(0) + 10;
    let wide = u16::from(host);
    let (near, far): (IpAddr, IpAddr) = match (is_v6, is_inside) {
        (false, false) => (Ipv4Addr::new(10, 1, 0, host).into(), Ipv4Addr::new(52, 112, 0, host).into()),
        (false, true) => (Ipv4Addr::new(10, 1, 0, host).into(), Ipv4Addr::new(10, 2, 0, host).into()),
        (true, false) => (
            Ipv6Addr::new(0xFD00, 1, 0, 0, 0, 0, 0, wide).into(),
            Ipv6Addr::new(0x2603, 0x1063, 0, 0, 0, 0, 0, wide).into(),
        ),
        (true, true) => (
            Ipv6Addr::new(0xFD00, 1, 0, 0, 0, 0, 0, wide).into(),
            Ipv6Addr::new(0xFD00, 2, 0, 0, 0, 0, 0, wide).into(),
        ),
    };
    let directions = [Directions::Forward, Directions::Forward, Directions::Reverse, Directions::Both];
    let direction = random.one_of(&directions).unwrap_or_default();
    let port = class.client_port() + u16::try_from(random.below(20)).unwrap_or(0);
    let far_port = if is_inside { class.client_port() + 1 } else { class.service_port() };
    let near = Endpoint { address: near, port: Some(port) };
    let far = Endpoint { address: far, port: Some(far_port) };
    let (source, destination) = if direction == Directions::Reverse { (far, near) } else { (near, far) };
    let ttls: &[u8] = if relay.is_some() { &[128] } else { &[128, 64, 255] };
    let near_wrap = random.chance(0.3);
    let mut stream = Stream {
        name: Some(format!("{}-{number}", class.name())),
        class,
        direction: Some(direction),
        ttl: random.one_of(ttls),
        start: thousandths(random, 0, 3_000),
        seconds: Some(thousandths(random, 6_000, 14_000)),
        sequence: near_wrap.then(|| u16::try_from(random.between(65_300, 65_535)).unwrap_or(u16::MAX)),
        timestamp: near_wrap.then(|| u32::MAX - random.next_u32() % 100_000),
        dscp: if random.chance(0.3) { random.one_of(&[0, 0, 8, 46, 34]).map(codepoint) } else { None },
        ecn: if random.chance(0.3) { 2 } else { 0 },
        header_extension: random.chance(0.2),
        rtcp: random.chance(0.3),
        dtls: random.chance(0.2),
        relay,
        first_mile: random.chance(0.5).then(|| segment(random, false)),
        ..Stream::new(source, destination)
    };
    coding(random, &mut stream);
    happenings(random, &mut stream, several_ways);
    stream
}

fn coding(random: &mut Random, stream: &mut Stream) {
    if stream.class != Class::Audio {
        stream.frame_packets = random.one_of(&[(1, 3), (2, 5), (3, 3), (4, 8)]);
        stream.frame_rate = random.one_of(&[10, 15, 30]);
        stream.payload = u16::try_from(random.between(100, 500)).ok();
        return;
    }
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus, Codec::Silk, Codec::L16];
    stream.codec = random.one_of(&codecs);
    match stream.codec {
        Some(Codec::Opus) => stream.payload_type = random.one_of(&[102, 111]),
        Some(Codec::Silk) if random.chance(0.5) => {
            stream.payload_type = Some(110);
            stream.clock_rate = random.one_of(&[8_000, 24_000, 32_000, 48_000]);
        }
        Some(Codec::L16) => stream.payload = Some(200),
        _ => {}
    }
    if stream.codec != Some(Codec::L16) && random.chance(0.25) {
        stream.packet_interval = random.one_of(&[0.01, 0.03, 0.04]);
    }
}

/// One thing at each hundredth packet, at most.
fn happenings(random: &mut Random, stream: &mut Stream, several_ways: bool) {
    let is_g711 = matches!(stream.codec, Some(Codec::Pcmu | Codec::Pcma));
    // A long outage can be told from a restart only where packets come evenly.
    if stream.class != Class::Audio && random.chance(0.1) {
        stream.frame_packets = Some((5, 5));
        stream.frame_rate = Some(60);
        stream.outage.push(Burst { at: 3 * STEP, packets: random.between(3_100, 6_000) });
        return;
    }
    for at in (1..=4).map(|place| place * STEP) {
        match random.below(12) {
            0 if !several_ways => stream.restart.push(at),
            1 if !several_ways => stream.stray.push(at),
            2 => stream.outage.push(Burst { at, packets: random.between(3, 60) }),
            3 | 4 => stream.silence.push(Silence {
                at,
                seconds: thousandths(random, 500, 3_000),
                marker: random.chance(0.4).then_some(false),
                comfort_noise: is_g711 && random.chance(0.5),
            }),
            5 if is_g711 => stream.event.push(Burst { at, packets: random.between(5, 15) }),
            6 if is_g711 && stream.codec_change.is_empty() => {
                stream.codec_change.push(CodecChange { at, codec: Codec::G722 });
            }
            7 => {
                let dscp = codepoint(random.one_of(&[0, 46, 34]).unwrap_or(0));
                stream.dscp_change.push(DscpChange { at, dscp });
            }
            _ => {}
        }
    }
}

fn checks(random: &mut Random, stream: &Stream) -> Stun {
    let (client, server) = match stream.direction {
        Some(Directions::Reverse) => (stream.destination, stream.source),
        _ => (stream.source, stream.destination),
    };
    Stun {
        client,
        server,
        direction: random.one_of(&[Directions::Forward, Directions::Both]),
        start: thousandths(random, 0, 1_000),
        checks: u32::try_from(random.between(1, 5)).unwrap_or(1),
        consent_seconds: if random.chance(0.6) { 12.0 } else { 0.0 },
        round_trip: thousandths(random, 80, 300),
        unanswered: u32::from(random.chance(0.3)),
        retransmitted: u32::from(random.chance(0.3)),
        dscp: random.chance(0.5).then(|| codepoint(stream.class.dscp())),
    }
}
