//! What is packed comes out as it was.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::decode::{Layer, PathId};
use crate::meter::{
    Anchor, ClockSource, DscpChange, FlowFacts, Histogram, HopRecord, Jitter, MissingRun, OtherMarkings,
    Part, PayloadMark, PayloadType, Sample, Way,
};
use crate::terms::{ClockRate, Dscp, FlowKey, PointId, RtpTime, Ssrc, Timestamp, TrafficClass, Transport};

/// Numbers out of a list that proptest drew: small ones, large ones and zeros.
struct Draw<'a>(std::slice::Iter<'a, u64>);

impl Draw<'_> {
    fn any(&mut self) -> u64 {
        self.0.next().copied().unwrap_or(7)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.any() % n
    }

    fn chance(&mut self) -> bool {
        self.below(2) == 0
    }

    fn u32(&mut self) -> u32 {
        u32::try_from(self.any() & u64::from(u32::MAX)).unwrap()
    }

    fn u16(&mut self) -> u16 {
        (self.any() & 0xFFFF) as u16
    }

    fn u8(&mut self) -> u8 {
        (self.any() & 0xFF) as u8
    }

    fn time(&mut self) -> Timestamp {
        Timestamp(self.any().cast_signed())
    }

    fn dscp(&mut self) -> Dscp {
        Dscp::try_from(self.u8() & 63).unwrap()
    }

    fn list<T>(&mut self, most: u64, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| one(self)).collect()
    }

    fn address(&mut self) -> SocketAddr {
        let ip = if self.chance() { IpAddr::from(self.u32().to_be_bytes()) } else { [self.u16(); 8].into() };
        SocketAddr::new(ip, self.u16())
    }

    fn flow(&mut self) -> FlowKey {
        let transport = if self.chance() { Transport::Udp } else { Transport::Tcp };
        FlowKey { source: self.address(), destination: self.address(), transport }
    }

    fn histogram(&mut self) -> Histogram {
        self.list(3, |d| (d.u8(), d.any())).into()
    }

    fn anchor(&mut self) -> Anchor {
        Anchor { sequence: self.u32(), timestamp: RtpTime(self.u32()), arrival: self.time() }
    }

    fn part(&mut self) -> Part {
        Part {
            lowest: self.u32(),
            highest: self.u32(),
            begin: self.anchor(),
            end: self.anchor(),
            missing: self.list(4, |d| MissingRun {
                first: d.u32(),
                length: d.u32(),
                since_ms: d.u32(),
                until_ms: d.u32(),
            }),
            missing_unlisted: self.any(),
        }
    }

    fn float(&mut self) -> f64 {
        match self.below(3) {
            0 => 0.0,
            1 => f32::from_bits(self.u32() & 0x7F00_FFFF).into(),
            _ => f64::from_bits(self.any() & 0x7FE0_0FFF_FFFF_FFFF),
        }
    }

    fn hop(&mut self, (point, flow, ssrc): (PointId, FlowKey, Ssrc), paths: &[Arc<Path>]) -> HopRecord {
        let path = |d: &mut Self| d.chance().then(|| Arc::clone(&paths[usize::from(d.u8()) % paths.len()]));
        let packets = self.any();
        let one =
            |d: &mut Self| if d.chance() { d.histogram() } else { smallvec::smallvec![(d.u8(), packets)] };
        HopRecord {
            point,
            flow,
            ssrc,
            path: path(self),
            ways: self
                .list(3, |d| Way {
                    ttl: d.u8(),
                    packets: d.any(),
                    path: path(d),
                    first: d.time(),
                    last: d.time(),
                })
                .into(),
            first: self.time(),
            last: self.time(),
            packets,
            unique: self.any(),
            expected: self.any(),
            duplicates: self.any(),
            stray: self.any(),
            reordered: self.any(),
            resets: self.u32(),
            outages: self.u32(),
            jitter: self.chance().then(|| Jitter {
                last: self.float(),
                mean: self.float(),
                max: self.float(),
                updates: self.any(),
            }),
            loss_bursts: if self.chance() { [0; 6] } else { [0; 6].map(|_| self.any()) },
            dscp: one(self),
            dscp_changes: self.list(3, |d| DscpChange {
                at: d.time(),
                from: d.dscp(),
                to: d.dscp(),
                sequence: d.u32(),
                part: d.u16(),
            }),
            dscp_change_count: self.any(),
            ecn: one(self),
            other: self.chance().then(|| {
                Box::new(OtherMarkings {
                    pcp: self.histogram(),
                    user_priority: self.histogram(),
                    mpls_tc: self.histogram(),
                    outer_dscp: self.histogram(),
                    fragments: self.histogram(),
                })
            }),
            parts: self.list(3, Self::part),
            samples: self.list(6, |d| Sample {
                arrival: d.time(),
                sequence: d.u32(),
                timestamp: RtpTime(d.u32()),
                part: d.u16(),
                traffic_class: TrafficClass(d.u8()),
            }),
            marks: self.list(4, |d| PayloadMark {
                hash: d.any(),
                arrival: d.time(),
                sequence: d.u32(),
                timestamp: RtpTime(d.u32()),
                part: d.u16(),
                traffic_class: TrafficClass(d.u8()),
                repeats: d.chance(),
            }),
            octets: self.any(),
        }
    }

    /// As most hops are, in one respect or another: from start to end, over one way, in one part.
    fn usual(&mut self, mut hop: HopRecord, (first, last): (Timestamp, Timestamp)) -> HopRecord {
        if self.chance() {
            (hop.first, hop.last) = (first, last);
        }
        let HopRecord { packets, first, last, .. } = hop;
        if self.chance() {
            hop.other = Some(Box::new(tagged(self.u8(), packets)));
        }
        if self.chance() {
            hop.ways = smallvec::smallvec![Way { ttl: self.u8(), packets, path: None, first, last }];
        }
        if self.chance() {
            let (lowest, highest) = (self.u32(), self.u32());
            let begin = Anchor { sequence: lowest, timestamp: RtpTime(self.u32()), arrival: first };
            let end = Anchor { sequence: highest, timestamp: RtpTime(self.u32()), arrival: last };
            hop.parts = vec![Part { lowest, highest, begin, end, missing: Vec::new(), missing_unlisted: 0 }];
        }
        hop
    }

    fn stream(&mut self, paths: &[Arc<Path>]) -> StreamRecord {
        let (point, flow, ssrc) = (PointId(self.u16()), self.flow(), Ssrc(self.u32()));
        let (first, last) = (self.time(), self.time());
        StreamRecord {
            point,
            flow,
            ssrc,
            first,
            last,
            payload_types: self
                .list(3, |d| PayloadType {
                    number: d.u8(),
                    packets: d.any(),
                    clock_rate: ClockRate::from_hz(d.u32()),
                    clock_source: [
                        ClockSource::Static,
                        ClockSource::Configured,
                        ClockSource::Inferred,
                        ClockSource::Unknown,
                    ][usize::from(d.u8() & 3)],
                })
                .into(),
            packet_interval_seconds: self.chance().then_some(0.02),
            mean_octets: 214.5,
            hops: self.list(3, |d| {
                let hop = d.hop((point, flow, ssrc), paths);
                d.usual(hop, (first, last))
            }),
            facts: self.chance().then(|| {
                Arc::new(FlowFacts {
                    stun: self.chance(),
                    dtls: self.chance(),
                    zrtp: self.chance(),
                    rtcp: self.chance(),
                    turn: self.chance(),
                    modality: self.chance().then(|| self.u16()),
                    relayed: self.chance().then(|| self.address()),
                    mapped: self.chance().then(|| self.address()),
                    peer: self.chance().then(|| self.address()),
                })
            }),
        }
    }
}

fn paths() -> Vec<Arc<Path>> {
    let path = |vid| {
        let layers = Box::new([Layer::Vlan { vid, pcp: 5 }]);
        Arc::new(Path { interface: 0, layers, place: PathId(vid) })
    };
    (0..3).map(path).collect()
}

fn record(records: &Records, number: u32) -> Option<StreamRecord> {
    let mut hops = Vec::new();
    let head = records.unpack(number, |hop| hops.push(hop))?;
    Some(head.with_hops(hops))
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..4_u64, any::<u64>(), (0_u32..64, any::<u64>()).prop_map(|(shift, n)| n >> shift)]
}

proptest! {
    #[test]
    fn a_record_comes_out_as_it_went_in(numbers in prop::collection::vec(number(), 1..600)) {
        let (mut draw, paths) = (Draw(numbers.iter()), paths());
        let mut streams = vec![draw.stream(&paths), draw.stream(&paths)];
        let records: Records = streams.iter().cloned().collect();
        streams.sort_by_key(|s| (s.first, s.point, s.flow, s.ssrc, s.last));
        for (number, stream) in (0..).zip(&streams) {
            let head = records.head(number).unwrap();
            prop_assert_eq!((head.ssrc, head.flow, head.last), (stream.ssrc, stream.flow, stream.last));
            let has_marks = stream.hops.iter().any(|hop| !hop.marks.is_empty());
            prop_assert_eq!(records.ssrc(number), (stream.ssrc, has_marks));
            prop_assert_eq!(format!("{:?}", record(&records, number).unwrap()), format!("{stream:?}"));
        }
        prop_assert_eq!(records.len(), 2);
        prop_assert!(record(&records, 2).is_none());
    }
}

#[test]
fn points_of_a_source_have_the_numbers_of_the_run() {
    let numbers: Vec<u64> = (0..500).collect();
    let stream = Draw(numbers.iter()).stream(&paths());
    let mut records = Records::default();
    let mut sources = Vec::new();
    for source in 0..2 {
        let mut packer = Packer::default();
        packer.add(&stream);
        records.add(source, &packer.take());
        let number = PointId(u16::try_from(source).unwrap() + 10);
        sources.push(Source { paths: packer.take_paths(), points: vec![(stream.point, number)] });
    }
    records.close(sources);
    let points: Vec<_> = (0..2).map(|i| record(&records, i).unwrap().point).collect();
    assert_eq!(points, [PointId(10), PointId(11)]);
    assert!(record(&records, 0).unwrap().hops.iter().all(|hop| hop.point == PointId(10)));
}

#[test]
fn records_that_are_alike_stand_by_source_whoever_sent_first() {
    let numbers: Vec<u64> = (0..500).collect();
    let stream = Draw(numbers.iter()).stream(&paths());
    let packed = |octets: f32| {
        let mut packer = Packer::default();
        packer.add(&StreamRecord { mean_octets: octets, ..stream.clone() });
        (packer.take(), packer.take_paths())
    };
    for order in [[0, 1], [1, 0]] {
        let mut records = Records::default();
        for source in order {
            records.add(source, &packed([100.0, 200.0][source]).0);
        }
        records.close(vec![Source::default(), Source::default()]);
        let octets: Vec<_> = (0..2).map(|i| records.head(i).unwrap().mean_octets.to_bits()).collect();
        assert_eq!(octets, [100.0_f32.to_bits(), 200.0_f32.to_bits()], "{order:?}");
    }
}

#[test]
fn records_of_one_source_find_their_paths_where_these_were_put_behind_others() {
    let numbers: Vec<u64> = (0..500).collect();
    let stream = Draw(numbers.iter()).stream(&paths());
    let mut packer = Packer::default();
    let mut packed = |stream: &StreamRecord| {
        packer.add(stream);
        (packer.take(), packer.take_paths())
    };
    let earlier = StreamRecord { first: Timestamp(0), ..stream.clone() };
    let later =
        StreamRecord { first: Timestamp(1), hops: Draw(numbers[9..].iter()).stream(&paths()).hops, ..stream };
    let (first, mut behind) = packed(&earlier);
    let (second, mut all) = packed(&later);
    let mut first = first;
    first.move_paths(all.len());
    all.append(&mut behind);
    let mut records = Records::default();
    records.add(0, &second);
    records.add(0, &first);
    records.close(vec![Source { paths: all, points: Vec::new() }]);
    for (number, expected) in [(0, earlier), (1, later)] {
        let found = record(&records, number).unwrap();
        let layers =
            |stream: &StreamRecord| -> Vec<_> { stream.hops.iter().map(|hop| hop.path.clone()).collect() };
        assert_eq!(layers(&found), layers(&expected));
    }
}

/// The markings of a hop of which so many packets had a tag.
fn tagged(pcp: u8, packets: u64) -> OtherMarkings {
    OtherMarkings { pcp: smallvec::smallvec![(pcp, packets)], ..OtherMarkings::default() }
}

/// Gives a record a fault.
type Spoil = fn(&mut StreamRecord);

#[test]
fn an_outline_is_all_of_a_record_without_a_fault_and_of_no_other() {
    let numbers: Vec<u64> = (0..500).collect();
    let mut draw = Draw(numbers.iter());
    let mut fine = draw.stream(&paths());
    let own = (fine.point, fine.flow, fine.ssrc);
    let (flow, packets) = (FlowKey { transport: Transport::Udp, ..fine.flow }, 300);
    let mut hop = draw.hop(own, &paths());
    let way = Way { ttl: 64, packets, path: None, first: fine.first, last: fine.last };
    hop = HopRecord {
        flow,
        ways: smallvec::smallvec![way],
        first: fine.first,
        last: fine.last,
        packets,
        unique: packets,
        expected: packets,
        duplicates: 0,
        stray: 0,
        reordered: 0,
        resets: 0,
        outages: 0,
        jitter: Some(Jitter { last: 0.1, mean: 0.2, max: 0.3, updates: 299 }),
        loss_bursts: [0; 6],
        dscp: smallvec::smallvec![(46, packets)],
        dscp_changes: Vec::new(),
        dscp_change_count: 0,
        ecn: smallvec::smallvec![(1, packets)],
        other: None,
        ..hop
    };
    fine = StreamRecord { flow, facts: None, hops: vec![hop], ..fine };
    let outline = |record: &StreamRecord| {
        let all: Records = [record.clone()].into_iter().collect();
        all.outline(0)
    };
    let mut seen = 0;
    for (kinds, jitter, pcp) in [(0, true, None), (1, true, Some(5)), (2, false, Some(0))] {
        let mut fine = fine.clone();
        fine.payload_types.truncate(kinds);
        seen += fine.payload_types.len();
        fine.hops[0].jitter = fine.hops[0].jitter.filter(|_| jitter);
        fine.hops[0].other = pcp.map(|pcp| Box::new(tagged(pcp, packets)));
        let StreamRecord { point, flow, first, last, packet_interval_seconds, mean_octets, .. } = fine;
        let expected = Outline {
            point,
            flow,
            first,
            last,
            packets,
            dscp: 46,
            pcp,
            payload_type: fine.payload_types.first().copied(),
            packet_interval_seconds,
            mean_octets,
            jitter_seconds: jitter.then_some(0.2),
        };
        assert_eq!(outline(&fine), Some(expected));
    }
    assert!(seen > 0);
    let faults: [(&str, Spoil); 21] = [
        ("no hop", |s| s.hops.clear()),
        ("two hops", |s| s.hops.push(s.hops[0].clone())),
        ("facts", |s| s.facts = Some(Arc::default())),
        ("TCP", |s| s.flow.transport = Transport::Tcp),
        ("begins later", |s| s.hops[0].first.0 += 1),
        ("ends earlier", |s| s.hops[0].last.0 -= 1),
        ("no way", |s| s.hops[0].ways.clear()),
        ("lost", |s| s.hops[0].expected += 1),
        ("counted twice", |s| s.hops[0].unique -= 1),
        ("duplicates", |s| s.hops[0].duplicates = 1),
        ("stray", |s| s.hops[0].stray = 1),
        ("reordered", |s| s.hops[0].reordered = 1),
        ("restarted", |s| s.hops[0].resets = 1),
        ("outage", |s| s.hops[0].outages = 1),
        ("burst", |s| s.hops[0].loss_bursts[3] = 1),
        ("two codepoints", |s| s.hops[0].dscp = smallvec::smallvec![(46, 299), (0, 1)]),
        ("changed", |s| s.hops[0].dscp_change_count = 1),
        ("two of ECN", |s| s.hops[0].ecn = smallvec::smallvec![(1, 299), (0, 1)]),
        ("a tag on some", |s| s.hops[0].other = Some(Box::new(tagged(5, 299)))),
        ("fragments", |s| {
            s.hops[0].other = Some(Box::new(tagged(5, 300)));
            s.hops[0].other.as_mut().unwrap().fragments.push((46, 1));
        }),
        ("nothing", |s| s.hops[0].packets = 0),
    ];
    for (name, spoil) in faults {
        let mut spoilt = fine.clone();
        spoil(&mut spoilt);
        assert_eq!(outline(&spoilt), None, "{name}");
    }
}
