//! Scenarios for joining hops: calls over a path, and what befalls them.
//!
//! Always decidable: what mirrors cannot tell apart is not drawn. So clocks differ by a quarter of a second or not
//! at all, routers stand between points wherever clocks cannot tell the order, and runs of losses, new routes
//! and restarts keep clear of each other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{codepoint, sometimes, tags, thousandths, tunnels};
use crate::synth::media::{Class, Codec};
use crate::synth::random::Random;
use crate::synth::scenario::{
    Background, Burst, Directions, Endpoint, Framing, Match, Point, Relay, Remark, Scenario, Segment, Stream,
};
use crate::terms::Dscp;

const NAMES: [&str; 6] = ["access", "distribution", "core", "edge", "transit", "peer"];
const DIRECTIONS: [Directions; 5] =
    [Directions::Forward, Directions::Reverse, Directions::Forward, Directions::Reverse, Directions::Both];

/// Draws a scenario: 2 to 6 points, 1 to 4 calls. The same seed always draws the same.
pub(super) fn draw(seed: u64) -> Scenario {
    let mut random = Random::new(seed, &[11]);
    let mut points = points(&mut random);
    remarkings(&mut random, &mut points);
    twice_heard(&mut random, &mut points);
    let mut scenario = Scenario { seed, points, ..Scenario::default() };
    if random.chance(0.4) {
        scenario.relays.push(relay(&mut random, &scenario.points));
    }
    for number in 0..random.between(1, 4) {
        call(&mut random, number, &mut scenario);
    }
    if random.chance(0.3) {
        scenario.background =
            Some(Background { packets: Some(random.between(50, 300)), ..Background::default() });
    }
    scenario
}

fn points(random: &mut Random) -> Vec<Point> {
    let count = random.between(2, 6);
    let one_clock = random.chance(0.5);
    let several_ways = random.chance(0.2);
    let ways_at = random.below(count);
    let is_rerouted = random.chance(0.5);
    let nat_at = if random.chance(0.35) { random.between(1, count - 1) } else { count };
    (0..count)
        .map(|place| {
            // Where some packets pass more routers than others, the next point lies beyond all of them.
            let least = if several_ways { 3 } else { u64::from(!(one_clock && random.chance(0.15))) };
            let (clock_offset, clock_drift) = if one_clock { (0.0, 0.0) } else { clock(random) };
            let has_ways = several_ways && place == ways_at;
            Point {
                name: NAMES[usize::try_from(place).unwrap_or(0)].to_owned(),
                vlan: tags(random),
                encapsulation: tunnels(random, 0.35),
                ttl_drop: Some(u8::try_from(random.between(least, least.max(1) + 2)).unwrap_or(1)),
                delay: thousandths(random, 1, 15),
                also_after_router: !several_ways && random.chance(0.2),
                after_router_vlan: random.chance(0.5).then(|| tags(random)),
                mirror_loss: sometimes(random, 0.2, 20),
                mirror_duplicates: sometimes(random, 0.1, 30),
                snap: random.chance(0.2).then_some(256),
                clock_offset,
                clock_drift,
                nat: (place == nat_at).then_some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 5))),
                ecmp: has_ways && !is_rerouted,
                reroute_at: (has_ways && is_rerouted).then(|| random.between(100, 130)),
                segments: (0..random.below(3)).map(|_| segment(random)).collect(),
                ..Point::default()
            }
        })
        .collect()
}

/// Offset in quarters of a second, up to three hours, and drift in millionths.
fn clock(random: &mut Random) -> (f64, f64) {
    let quarters = random.one_of(&[4, 240, 43_200]).unwrap_or(4);
    let offset = thousandths(random, 0, quarters) * 250.0 * if random.chance(0.5) { 1.0 } else { -1.0 };
    let drift = if random.chance(0.5) { thousandths(random, 0, 100) * 1_000.0 - 50.0 } else { 0.0 };
    // Drift alone, over seconds, is too little to be told from delay.
    if offset == 0.0 { (0.0, 0.0) } else { (offset, drift) }
}

fn segment(random: &mut Random) -> Segment {
    // The shortest stream has 150 packets; ways part at packet 100, and restarts come later.
    let run = Burst { at: random.between(40, 60), packets: random.between(2, 30) };
    Segment {
        direction: random.one_of(&DIRECTIONS).unwrap_or_default(),
        loss: sometimes(random, 0.4, 30),
        bursts: if random.chance(0.3) { vec![run] } else { Vec::new() },
        duplicates: sometimes(random, 0.1, 20),
        reorder: sometimes(random, 0.15, 20),
        jitter: if random.chance(0.5) { thousandths(random, 1, 50) / 10.0 } else { 0.0 },
        ..Segment::default()
    }
}

/// None, one or two segments change codepoints.
fn remarkings(random: &mut Random, points: &mut [Point]) {
    let changes: [(Option<u8>, u8); 8] = [
        (Some(46), 0),
        (None, 0),
        (None, 0),
        (Some(46), 40),
        (Some(46), 8),
        (None, 8),
        (Some(34), 0),
        (Some(0), 46),
    ];
    let count = random.one_of(&[0, 1, 1, 2]).unwrap_or(0);
    for _ in 0..count {
        let (from, to) = random.one_of(&changes).unwrap_or((None, 0));
        let from = from.and_then(|from| Dscp::try_from(from).ok()).map_or(Match::Any, Match::Only);
        // What happens before the first point is nobody's to see.
        let place = usize::try_from(random.between(1, points.len() as u64 - 1)).unwrap_or(1);
        let direction = random.one_of(&DIRECTIONS).unwrap_or_default();
        let remark = vec![Remark { from, to: codepoint(to) }];
        points[place].segments.push(Segment { direction, remark, ..Segment::default() });
    }
}

/// Sometimes one mirror hears both sides of what stands between two points, an address translator perhaps.
fn twice_heard(random: &mut Random, points: &mut [Point]) {
    let has_ways = points.iter().any(|point| point.ecmp || point.reroute_at.is_some());
    if has_ways || !random.chance(0.15) {
        return;
    }
    let place = usize::try_from(random.between(1, points.len() as u64 - 1)).unwrap_or(1);
    let before = points[place - 1].clone();
    let point = &mut points[place];
    point.name = before.name;
    (point.clock_offset, point.clock_drift, point.snap) =
        (before.clock_offset, before.clock_drift, before.snap);
    point.ttl_drop = Some(2);
}

fn relay(random: &mut Random, points: &[Point]) -> Relay {
    // The first point is on the client's side: behind a relay nothing tells which end is managed.
    let bare_from = random.between(1, points.len() as u64);
    let framings = [Framing::Channel, Framing::Indication, Framing::MsTurn, Framing::Plain];
    Relay {
        name: "relay".to_owned(),
        address: Endpoint { address: IpAddr::V4(Ipv4Addr::new(52, 113, 0, 1)), port: Some(3478) },
        relayed: Some(IpAddr::V4(Ipv4Addr::new(52, 113, 0, 2))),
        framing: random.one_of(&framings).unwrap_or_default(),
        bare_from: usize::try_from(bare_from)
            .ok()
            .and_then(|place| points.get(place))
            .filter(|point| point.name != points[0].name)
            .map(|point| point.name.clone()),
        allocate: None,
    }
}

/// One call: audio or video, in both directions.
fn call(random: &mut Random, number: u64, scenario: &mut Scenario) {
    let class = if random.chance(0.25) { Class::Video } else { Class::Audio };
    let relay = scenario.relays.first().filter(|_| random.chance(0.6)).map(|relay| relay.name.clone());
    let is_v6 = relay.is_none() && random.chance(0.15);
    let host = u8::try_from(number).unwrap_or(0) + 10;
    let wide = u16::from(host);
    let (near, far): (IpAddr, IpAddr) = if is_v6 {
        (
            Ipv6Addr::new(0xFD00, 1, 0, 0, 0, 0, 0, wide).into(),
            Ipv6Addr::new(0x2603, 0x1063, 0, 0, 0, 0, 0, wide).into(),
        )
    } else {
        (Ipv4Addr::new(10, 1, 0, host).into(), Ipv4Addr::new(52, 112, 0, host).into())
    };
    let port = class.client_port() + u16::try_from(random.below(20)).unwrap_or(0);
    // Mostly short, so that very many can be tried.
    let packets = random.one_of(&[250, 400, 1_500]).map_or(250, |most| random.between(150, most));
    // A relay sends with a time to live of 64: what comes to it must have more.
    let ttls: &[u8] = if relay.is_some() { &[128, 255] } else { &[128, 64, 255] };
    let near_wrap = random.chance(0.3);
    let mut stream = Stream {
        name: Some(format!("call-{number}")),
        class,
        direction: Some(Directions::Both),
        ttl: random.one_of(ttls),
        start: thousandths(random, 0, 3_000),
        packets: Some(packets),
        sequence: near_wrap.then(|| u16::try_from(random.between(65_300, 65_535)).unwrap_or(u16::MAX)),
        dscp: random.chance(0.15).then(|| codepoint(0)),
        restart: if packets > 300 && random.chance(0.2) { vec![random.between(200, 250)] } else { vec![] },
        header_extension: random.chance(0.2),
        rtcp: random.chance(0.3),
        dtls: random.chance(0.2),
        relay,
        ..Stream::new(
            Endpoint { address: near, port: Some(port) },
            Endpoint { address: far, port: Some(class.service_port()) },
        )
    };
    if class == Class::Audio {
        stream.codec = random.one_of(&[Codec::Pcmu, Codec::Opus, Codec::Silk]);
    } else {
        stream.frame_packets = random.one_of(&[(1, 3), (2, 5)]);
        stream.frame_rate = random.one_of(&[15, 30]);
        stream.payload = u16::try_from(random.between(100, 500)).ok();
    }
    scenario.streams.push(stream);
}
