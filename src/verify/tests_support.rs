//! Records made by hand, for the tests of conditions.

use std::sync::Arc;

use smallvec::smallvec;

use crate::decode::{Path, PathId};
use crate::meter::{ClockSource, HopRecord, Jitter, PayloadType, StreamRecord, Way};
use crate::terms::{ClockRate, FlowKey, PointId, Ssrc, Timestamp, Transport};

const FIRST: Timestamp = Timestamp(1_700_000_000_000_000_000);
const LAST: Timestamp = Timestamp(1_700_000_010_000_000_000);

fn flow() -> FlowKey {
    FlowKey {
        source: ([10, 0, 0, 1], 50_004).into(),
        destination: ([52, 112, 0, 1], 3479).into(),
        transport: Transport::Udp,
    }
}

/// A hop that heard these codepoints over ten seconds, without a fault.
pub(super) fn hop(ttl: u8, dscp: &[(u8, u64)]) -> HopRecord {
    let packets = dscp.iter().map(|d| d.1).sum();
    HopRecord {
        point: PointId(0),
        flow: flow(),
        ssrc: Ssrc(0x1c04_15b1),
        path: Some(Arc::new(Path { interface: 0, layers: Box::new([]), place: PathId(0) })),
        ways: smallvec![Way { ttl, packets, path: None, first: FIRST, last: LAST }],
        first: FIRST,
        last: LAST,
        packets,
        unique: packets,
        expected: packets,
        duplicates: 0,
        stray: 0,
        reordered: 0,
        resets: 0,
        outages: 0,
        jitter: Some(Jitter { last: 0.001, mean: 0.001, max: 0.002, updates: packets }),
        loss_bursts: [0; 6],
        dscp: dscp.iter().copied().collect(),
        dscp_changes: Vec::new(),
        dscp_change_count: 0,
        ecn: smallvec![(0, packets)],
        other: None,
        parts: Vec::new(),
        samples: Vec::new(),
        marks: Vec::new(),
        octets: packets * 200,
    }
}

/// An audio stream with these hops.
pub(super) fn stream(hops: impl IntoIterator<Item = HopRecord>) -> StreamRecord {
    StreamRecord {
        point: PointId(0),
        flow: flow(),
        ssrc: Ssrc(0x1c04_15b1),
        first: FIRST,
        last: LAST,
        payload_types: smallvec![PayloadType {
            number: 0,
            packets: 500,
            clock_rate: ClockRate::from_hz(8000),
            clock_source: ClockSource::Static,
        }],
        packet_interval_seconds: Some(0.02),
        mean_octets: 200.0,
        hops: hops.into_iter().collect(),
        facts: None,
    }
}

/// The same stream between two other ends.
pub(super) fn between(source: &str, destination: &str, stream: StreamRecord) -> StreamRecord {
    let end = |text: &str| text.parse().unwrap();
    let flow = FlowKey { source: end(source), destination: end(destination), transport: Transport::Udp };
    let hops = stream.hops.into_iter().map(|hop| HopRecord { flow, ..hop }).collect();
    StreamRecord { flow, hops, ..stream }
}
