//! An outcome made by hand for the tests of the reports.

use std::net::SocketAddr;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::decode::{Layer, Path, PathId};
use crate::meter::{
    CaptureRecord, ClockSource, DscpChange, FlowFacts, HopRecord, Jitter, MeterCounters, MirrorTunnel,
    OtherMarkings, PayloadType, RoundTrip, StreamRecord, StunRecord, TapEvidence, TapGap, TunnelCount, Way,
};
use crate::policy::Evidence;
use crate::terms::{ClockRate, Direction, Dscp, FlowKey, PointId, Ssrc, Timestamp, Transport};
use crate::verify::{
    ClockRelation, Delay, Finding, FindingKind, JoinedBy, JudgedStream, Marking, Outcome, Place, Quality,
    QualityVerdict, Remarked, Segment, Severity, Variation,
};

/// Seconds after the start of the example.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_700_000_000 + seconds, 5)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn path(interface: u16, layers: &[Layer]) -> Arc<Path> {
    Arc::new(Path { interface, layers: layers.into(), place: PathId(0) })
}

fn vlan(vid: u16) -> Layer {
    Layer::Vlan { vid, pcp: 5 }
}

pub(super) fn hop(interface: u16, layers: &[Layer], ttl: u8, dscp: &[(u8, u64)]) -> HopRecord {
    let unique = dscp.iter().map(|(_, packets)| packets).sum();
    HopRecord {
        point: PointId(0),
        flow: flow("10.20.0.31:50012", "52.112.100.7:3479"),
        ssrc: Ssrc(0x1c04_15b1),
        path: Some(path(interface, layers)),
        ways: smallvec![Way { ttl, packets: unique, path: None, first: at(0), last: at(60) }],
        first: at(0),
        last: at(60),
        packets: unique,
        unique,
        expected: unique,
        duplicates: 0,
        stray: 0,
        reordered: 0,
        resets: 0,
        outages: 0,
        jitter: Some(Jitter { last: 0.0012, mean: 0.001_25, max: 0.0049, updates: unique.saturating_sub(1) }),
        loss_bursts: [0; 6],
        dscp: dscp.iter().copied().collect(),
        dscp_changes: Vec::new(),
        dscp_change_count: 0,
        ecn: smallvec![(0, unique)],
        other: None,
        parts: Vec::new(),
        samples: Vec::new(),
        marks: Vec::new(),
        octets: unique * 200,
    }
}

fn flow(source: &str, destination: &str) -> FlowKey {
    FlowKey { source: address(source), destination: address(destination), transport: Transport::Udp }
}

/// A conformant audio stream, seen at one hop.
pub(super) fn stream(number: u32) -> JudgedStream {
    JudgedStream {
        record: Box::new(StreamRecord {
            point: PointId(0),
            flow: flow("10.20.0.31:50012", "52.112.100.7:3479"),
            ssrc: Ssrc(0x1c04_15b1 + number),
            first: at(0),
            last: at(60),
            payload_types: smallvec![PayloadType {
                number: 0,
                packets: 3000,
                clock_rate: ClockRate::from_hz(8000),
                clock_source: ClockSource::Static,
            }],
            packet_interval_seconds: Some(0.02),
            mean_octets: 200.0,
            hops: vec![hop(0, &[], 64, &[(46, 3000)])],
            facts: None,
        }),
        direction: Direction::Forward,
        reverse_of: None,
        call: 0,
        class: Some(0),
        evidence: Evidence::ClientPort(50012),
        codec: Some("PCMU".into()),
        expectation: crate::policy::Expectation::Class,
        expected: smallvec![Dscp::EF],
        markings: smallvec![Marking::Conformant],
        segments: Vec::new(),
        quality: Quality {
            loss_ratio: Some(0.0),
            certain_loss_ratio: None,
            jitter_seconds: Some(0.001_25),
            round_trip_seconds: Some(0.0312),
            mos_estimate: Some(4.39),
            verdict: QualityVerdict::Good,
            reasons: SmallVec::new(),
        },
    }
}

fn ends(stream: &mut JudgedStream, source: &str, destination: &str) {
    stream.record.flow.source = address(source);
    stream.record.flow.destination = address(destination);
}

/// The other direction of a stream, on the way in.
fn reversed(of: &JudgedStream, of_number: u32, number: u32) -> JudgedStream {
    let mut back = stream(number);
    back.record.flow = of.record.flow.reversed();
    back.direction = Direction::Reverse;
    back.reverse_of = Some(of_number);
    back.call = of.call;
    back
}

/// Conformant, bleached, unmarked, mixed, IPv6, inside TURN, without jitter, and several hops.
fn streams() -> Vec<JudgedStream> {
    let mut right = stream(0);
    let right_back = reversed(&right, 0, 1);
    right.reverse_of = Some(1);

    let mut bleached = stream(2);
    ends(&mut bleached, "10.20.0.44:50004", "198.51.100.9:50010");
    bleached.call = 1;
    bleached.record.hops =
        vec![hop(0, &[vlan(20)], 64, &[(46, 3000)]), hop(1, &[vlan(30)], 63, &[(0, 2990)])];
    bleached.record.hops[0].other =
        Some(Box::new(OtherMarkings { pcp: smallvec![(5, 3000)], ..OtherMarkings::default() }));
    bleached.record.hops[1].expected = 3000;
    bleached.record.hops[1].loss_bursts = [4, 3, 0, 0, 0, 0];
    bleached.markings = smallvec![Marking::Conformant, Marking::Remarked];
    bleached.quality.loss_ratio = Some(10.0 / 3000.0);

    let mut unmarked_back = reversed(&bleached, 2, 3);
    bleached.reverse_of = Some(3);
    unmarked_back.record.hops =
        vec![hop(1, &[vlan(30)], 57, &[(0, 3000)]), hop(0, &[vlan(20)], 56, &[(0, 3000)])];
    unmarked_back.markings = smallvec![Marking::Unmarked, Marking::Inherited];

    let mut six = stream(4);
    ends(
        &mut six,
        "[2001:db8:1234:5678:9abc:def0:1234:5678]:50024",
        "[2603:1063:8765:4321:fedc:ba98:7654:3210]:50025",
    );
    six.call = 2;
    six.class = Some(1);
    six.evidence = Evidence::Cadence;
    six.codec = None;
    six.expected = smallvec![Dscp::AF41];
    six.record.payload_types = smallvec![PayloadType {
        number: 122,
        packets: 5000,
        clock_rate: None,
        clock_source: ClockSource::Unknown,
    }];
    six.record.hops = vec![hop(2, &[], 61, &[(34, 3500), (0, 1500)])];
    six.record.hops[0].jitter = None;
    six.record.hops[0].ways = smallvec![
        Way { ttl: 61, packets: 3500, path: None, first: at(0), last: at(42) },
        Way { ttl: 60, packets: 1500, path: Some(path(1, &[])), first: at(42), last: at(60) }
    ];
    six.record.hops[0].dscp_changes =
        vec![DscpChange { at: at(40), from: Dscp::AF41, to: Dscp::DF, sequence: 67_000, part: 0 }];
    six.record.hops[0].dscp_change_count = 1;
    six.markings = smallvec![Marking::Mixed];
    six.quality = Quality { loss_ratio: Some(0.000_02), verdict: QualityVerdict::Good, ..Quality::default() };

    let relayed = relayed();
    vec![right, right_back, bleached, unmarked_back, six, relayed]
}

/// Inside TURN inside a tunnel, over three hops, and poor.
fn relayed() -> JudgedStream {
    let mut relayed = stream(5);
    relayed.call = 3;
    relayed.class = None;
    relayed.evidence = Evidence::TurnModality;
    let channel = Layer::ChannelData { channel: 0x4001 };
    let tunnel = Layer::Ip {
        source: "192.0.2.1".parse().unwrap(),
        destination: "192.0.2.2".parse().unwrap(),
        dscp: Dscp::DF,
    };
    relayed.record.hops = vec![
        hop(0, &[channel], 64, &[(34, 120)]),
        hop(1, &[tunnel, Layer::Gre { key: Some(7) }, channel], 63, &[(34, 120)]),
        hop(2, &[channel], 62, &[(8, 100)]),
    ];
    relayed.record.hops[1].other =
        Some(Box::new(OtherMarkings { outer_dscp: smallvec![(0, 120)], ..OtherMarkings::default() }));
    relayed.record.hops[2].expected = 120;
    relayed.record.hops[2].loss_bursts = [0, 0, 0, 0, 0, 1];
    relayed.record.facts = Some(Arc::new(FlowFacts {
        stun: true,
        turn: true,
        modality: Some(1),
        relayed: Some(address("52.112.100.7:50200")),
        mapped: Some(address("203.0.113.5:61000")),
        ..FlowFacts::default()
    }));
    relayed.markings = smallvec![Marking::Unexpected, Marking::Inherited, Marking::Remarked];
    relayed.quality = Quality {
        loss_ratio: Some(20.0 / 120.0),
        jitter_seconds: Some(0.0412),
        verdict: QualityVerdict::Poor,
        reasons: smallvec!["loss", "jitter"],
        ..Quality::default()
    };
    relayed
}

/// An error on stream 2: bleached between its two hops.
pub(super) fn finding() -> Finding {
    Finding {
        kind: FindingKind::Bleached,
        severity: Severity::Error,
        stream: Some(2),
        call: Some(1),
        place: Place::Between(0, 1),
        direction: Some(Direction::Forward),
        from: Some(Dscp::EF),
        to: Some(Dscp::DF),
        packets: 2990,
        first: at(0),
        last: at(60),
        message: "10.20.0.44:50004 to 198.51.100.9:50010 left the first hop as EF(46) and reached the next as DF(0)."
            .into(),
        advice: "Look at the trust state and the policy of the device between these hops: it resets the codepoint.",
    }
}

fn findings() -> Vec<Finding> {
    let place = Place::Point(PointId(0));
    vec![
        finding(),
        Finding {
            kind: FindingKind::Remarked,
            stream: Some(5),
            call: Some(3),
            place: Place::Between(1, 2),
            from: Some(Dscp::AF41),
            to: Some(Dscp::try_from(8).unwrap()),
            packets: 100,
            message: "Left the tunnel with another codepoint.".into(),
            advice: "Look at the device that ends the tunnel.",
            ..finding()
        },
        Finding {
            kind: FindingKind::UnmarkedAtSource,
            severity: Severity::Warning,
            stream: Some(3),
            direction: Some(Direction::Reverse),
            place,
            packets: 3000,
            message: "Came in unmarked and was marked at no hop.".into(),
            advice: "Mark it where it enters: at the edge, by the far side's addresses and ports.",
            ..finding()
        },
        Finding {
            kind: FindingKind::AsymmetricMarking,
            severity: Severity::Warning,
            stream: None,
            direction: None,
            place: Place::Everywhere,
            packets: 3000,
            message: "One direction is marked EF(46), the other DF(0).".into(),
            advice: "Compare the policies of the two directions.",
            ..finding()
        },
        Finding {
            kind: FindingKind::ClockUnknown,
            severity: Severity::Info,
            stream: Some(4),
            call: Some(2),
            place,
            from: None,
            to: None,
            packets: 5000,
            message: "Payload type 122 has no known clock rate.".into(),
            advice: "Name its clock rate in the configuration.",
            ..finding()
        },
    ]
}

fn stun() -> Vec<StunRecord> {
    let answered = StunRecord {
        point: PointId(0),
        client: address("10.20.0.31:50012"),
        server: address("52.112.100.7:3479"),
        transport: Transport::Udp,
        kind: "binding",
        requests: 12,
        responses: 12,
        errors: 0,
        error_codes: SmallVec::new(),
        unanswered: 0,
        retransmitted: 0,
        unmatched: 0,
        consent_checks: 11,
        round_trip: Some(RoundTrip { min: 0.030, mean: 0.0312, p99: 0.035, max: 0.035, samples: 12 }),
        dscp_requests: smallvec![(46, 12)],
        dscp_responses: smallvec![(0, 12)],
        first: at(0),
        last: at(55),
        facts: FlowFacts { mapped: Some(address("203.0.113.5:61000")), ..FlowFacts::default() },
    };
    let silent = StunRecord {
        client: address("10.20.0.77:50030"),
        server: address("52.112.100.8:3478"),
        kind: "allocate",
        requests: 4,
        responses: 0,
        unanswered: 4,
        retransmitted: 20,
        consent_checks: 0,
        round_trip: None,
        dscp_responses: SmallVec::new(),
        facts: FlowFacts { modality: Some(2), ..FlowFacts::default() },
        ..answered.clone()
    };
    let refused = StunRecord {
        client: address("[2001:db8:1234:5678:9abc:def0:1234:5678]:50024"),
        server: address("[2603:1063:8765:4321:fedc:ba98:7654:3210]:3478"),
        transport: Transport::Tcp,
        kind: "create-permission",
        requests: 3,
        responses: 3,
        errors: 2,
        error_codes: smallvec![(438, 1), (401, 1)],
        round_trip: Some(RoundTrip { min: 0.1, mean: 0.2, p99: 0.3, max: 0.3, samples: 3 }),
        ..answered.clone()
    };
    vec![answered, silent, refused]
}

pub(super) fn capture(file: &str) -> CaptureRecord {
    CaptureRecord {
        file: file.into(),
        point: PointId(0),
        other_points: Vec::new(),
        format: "pcapng".into(),
        packets: 18_120,
        bytes: 3_900_000,
        first: Some(at(0)),
        last: Some(at(60)),
        damage: None,
        undecoded: Vec::new(),
        dropped: None,
        interfaces: Vec::new(),
        tunnels: Vec::new(),
    }
}

/// A mirror session that numbers its frames.
fn tunnel(session: u16, count: TunnelCount) -> MirrorTunnel {
    let (source, destination) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    MirrorTunnel { source, destination, session, count }
}

/// The same stream, every hop of which saw its 5-tuple.
fn with_its_flow(mut stream: JudgedStream) -> JudgedStream {
    let flow = stream.record.flow;
    for hop in &mut stream.record.hops {
        hop.flow = flow;
    }
    stream
}

/// Six streams in four calls with something of everything.
pub(super) fn outcome() -> Outcome {
    Outcome {
        points: vec!["core".into()],
        interfaces: vec![vec![Some("eth0".into()), Some("eth1".into()), None]],
        classes: vec!["audio".into(), "video".into()],
        captures: vec![
            CaptureRecord {
                interfaces: vec![Some("eth0".into()), Some("eth1".into()), None],
                undecoded: vec![("arp", 12), ("tcp without media", 1410), ("short frame", 2)],
                dropped: Some(17),
                tunnels: vec![
                    tunnel(12, TunnelCount { frames: 17_000, lost: 30 }),
                    tunnel(13, TunnelCount { frames: 800, lost: 0 }),
                ],
                ..capture("mirror/core-1.pcapng")
            },
            CaptureRecord {
                format: "pcap+gzip".into(),
                damage: Some(
                    "cut off at octet 81,920, in frame 412: 1,500 octets announced, 96 there".into(),
                ),
                packets: 411,
                bytes: 81_000,
                ..capture("mirror/core-2.pcap.gz")
            },
        ],
        streams: streams().into_iter().map(with_its_flow).collect(),
        span: span(&streams()),
        gaps: vec![
            TapGap {
                point: PointId(0),
                from: at(10),
                to: at(12),
                frames: Some(17),
                evidence: TapEvidence::DropCount,
            },
            TapGap {
                point: PointId(0),
                from: at(30),
                to: at(31),
                frames: None,
                evidence: TapEvidence::SharedGap,
            },
        ],
        joins: Vec::new(),
        stun: stun(),
        silent: Vec::new(),
        findings: findings(),
        counters: MeterCounters {
            unconfirmed_rtp_packets: 9,
            orphan_fragments: 3,
            ..MeterCounters::default()
        },
    }
}

/// What a segment did to a stream that it passed unharmed, in 1.2 ms.
fn segment(packets: u64) -> Segment {
    Segment {
        packets_in: packets,
        packets_out: packets,
        is_alternative: false,
        lost: Some(0),
        lost_certain: Some(0),
        lost_suspect: Some(0),
        unseen_after: 0,
        unseen_before: 0,
        reordered_added: 0,
        remarked: Vec::new(),
        pcp_changed: Vec::new(),
        delay: Some(Delay { min: 0.001, mean: 0.0012, p99: 0.002, max: 0.004, samples: 40 }),
        delay_variation: Some(Variation { p50: 0.0002, p99: 0.001, max: 0.003 }),
        clock: ClockRelation::ONE,
        joined_by: JoinedBy::Rtp,
        is_counted: true,
        suspect: Vec::new(),
    }
}

/// A call that was heard at three points in both directions, with an address translation and another clock.
pub(super) fn joined() -> Outcome {
    let at_point = |point, ttl, dscp, packets| HopRecord {
        point: PointId(point),
        ..hop(u16::from(point == 0), &[], ttl, &[(dscp, packets)])
    };
    let mut there = stream(0);
    there.reverse_of = Some(1);
    there.record.hops = vec![at_point(0, 64, 46, 3000), at_point(1, 62, 46, 3000), at_point(2, 61, 0, 2980)];
    there.record.hops[2].flow = flow("203.0.113.5:61000", "52.112.100.7:3479");
    there.markings = smallvec![Marking::Conformant, Marking::Conformant, Marking::Remarked];
    let remarked =
        Remarked { from: Dscp::EF, to: Dscp::DF, packets: 2980, first: at(0), last: at(60), before: 0 };
    let mut last = Segment {
        lost: Some(20),
        lost_certain: Some(20),
        packets_out: 2980,
        remarked: vec![remarked],
        ..segment(3000)
    };
    (last.delay, last.clock.shared) = (None, false);
    there.segments = vec![segment(3000), last];

    let mut back = reversed(&there, 0, 1);
    back.expectation = crate::policy::Expectation::ClassOrUnmarked;
    back.record.hops = vec![at_point(2, 57, 0, 2950), at_point(1, 56, 46, 2950), at_point(0, 54, 46, 2940)];
    for hop in &mut back.record.hops {
        hop.flow = back.record.flow;
    }
    back.record.hops[0].flow = flow("52.112.100.7:3479", "203.0.113.5:61000");
    back.markings = smallvec![Marking::Unmarked, Marking::Conformant, Marking::Conformant];
    let marked =
        Remarked { from: Dscp::DF, to: Dscp::EF, packets: 2950, first: at(0), last: at(60), before: 0 };
    let mut first = Segment { remarked: vec![marked], ..segment(2950) };
    (first.delay, first.clock.shared) = (None, false);
    let doubtful = vec!["the capturing machine dropped frames"];
    back.segments = vec![
        first,
        Segment {
            lost: None,
            lost_certain: Some(2),
            lost_suspect: Some(8),
            unseen_after: 3,
            suspect: doubtful,
            ..segment(2950)
        },
    ];

    Outcome {
        points: vec!["access".into(), "core".into(), "edge".into()],
        interfaces: vec![vec![None, Some("Gi1/0/7".into())], vec![None], vec![None]],
        classes: vec!["audio".into()],
        captures: vec![capture("access.pcapng")],
        span: span(&[there.clone(), back.clone()]),
        streams: vec![there, back].into(),
        silent: Vec::new(),
        findings: vec![Finding { stream: Some(0), call: Some(0), place: Place::Between(1, 2), ..finding() }],
        ..Outcome::default()
    }
}

/// Frames, but no stream.
pub(super) fn no_streams() -> Outcome {
    let mut outcome = outcome();
    outcome.streams.whole().clear();
    outcome.findings.clear();
    outcome.stun.retain(|s| s.responses == 0);
    outcome.captures.truncate(1);
    outcome
}

fn span(streams: &[JudgedStream]) -> Option<(Timestamp, Timestamp)> {
    let records = || streams.iter().map(|s| &s.record);
    Some((records().map(|r| r.first).min()?, records().map(|r| r.last).max()?))
}
