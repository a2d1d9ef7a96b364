//! Months in minutes: what a live observer keeps apart, and gives back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::LivePoint;
use super::cut::Cut;
use super::hearing::{Hearing, MOST_ENDED};
use crate::decode::Layer;
use crate::meter::{HopRecord, Records};
use crate::pipeline::gather::gather;
use crate::pipeline::interfaces::Interfaces;
use crate::policy::Policy;
use crate::terms::{Frame, LinkType, Timestamp};

const SECOND: i64 = 1_000_000_000;

/// RTP of a stream whose SSRC is also the identifier of its tunnel.
struct InTunnel {
    teid: u32,
    number: u16,
}

fn ipv4(class: u8, last: [u8; 2], source_port: u16, destination_port: u16, payload: &[u8]) -> Vec<u8> {
    let size = |octets: usize| u16::try_from(octets).unwrap().to_be_bytes();
    let whole = size(28 + payload.len());
    let header =
        [0x45, class, whole[0], whole[1], 0, 1, 0, 0, 63, 17, 0, 0, 10, 0, 0, last[0], 10, 0, 0, last[1]];
    let ports = [source_port.to_be_bytes(), destination_port.to_be_bytes(), size(8 + payload.len()), [0, 0]];
    [&header[..], ports.as_flattened(), payload].concat()
}

impl InTunnel {
    fn octets(&self) -> Vec<u8> {
        let timestamp = 160 * u32::from(self.number);
        let header =
            [&[0x80, 0][..], &self.number.to_be_bytes(), &timestamp.to_be_bytes(), &self.teid.to_be_bytes()];
        let rtp = [&header.concat()[..], &[0x55; 20]].concat();
        let inner = ipv4(0xB8, [1, 2], 50_000, 4000, &rtp);
        let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
        let gtpu = [&[0x30, 255][..], &length, &self.teid.to_be_bytes(), &inner].concat();
        ipv4(0x28, [3, 4], 2152, 2152, &gtpu)
    }
}

fn hear(hearing: &mut Hearing, packet: &InTunnel, at: i64) {
    let data = packet.octets();
    let wire_len = u32::try_from(data.len()).unwrap();
    let timestamp = Timestamp(at);
    hearing.take(&[Frame { timestamp, data: &data, wire_len, link: LinkType::RAW, interface: 0 }]);
}

fn hearing(policy: Policy, keep_ns: i64) -> Hearing {
    let point = LivePoint {
        name: "access".into(),
        source: "mirror0".into(),
        taps: 1,
        is_file: true,
        silent_after: None,
    };
    Hearing::new((0, false), point, (SECOND, keep_ns), &Arc::new(policy), 1)
}

/// All hops of a cut, as the judge reads them.
fn hops(cut: &Cut) -> Vec<HopRecord> {
    let mut records = Records::default();
    for packed in cut.packed.iter().chain(&cut.ended) {
        records.add(0, packed);
    }
    let material = gather(vec![cut.done.clone()], records, &[]);
    let mut hops = Vec::new();
    for number in material.records.numbers() {
        material.records.unpack(number, |hop| hops.push(hop));
    }
    hops
}

fn teid(hop: &HopRecord) -> Option<u32> {
    match hop.path.as_deref()?.layers.last()? {
        Layer::Gtpu { teid } => Some(*teid),
        _ => None,
    }
}

#[test]
fn two_hundred_thousand_tunnels_one_after_the_other_are_all_told_apart() {
    const TUNNELS: u32 = 200_000;
    const STEP_NS: i64 = SECOND / 200;
    let mut policy = Policy::default();
    policy.limits.stream_timeout = Duration::from_secs(10);
    let mut hearing = hearing(policy, 2 * SECOND);
    let interfaces = Interfaces::default();
    let mut told = HashSet::new();
    let mut steady = Vec::new();
    for step in 0..TUNNELS + 230 {
        let at = i64::from(step) * STEP_NS;
        if hearing.is_due(Timestamp(at)) && hearing.pass(Timestamp(at)).is_some() {
            let cut = hearing.cut_now(Timestamp(at), &interfaces);
            assert_eq!(cut.done.counters.paths_overflowed, 0, "at {step}");
            for hop in hops(&cut) {
                let teid = teid(&hop).unwrap();
                assert_eq!((teid, hop.ways.len()), (hop.ssrc.0, 1), "at {step}");
                told.insert(teid);
                steady.extend((teid == u32::MAX).then_some(hop.packets));
            }
        }
        // Each stream has a packet every 20 ms, and five in all; one goes on to the end.
        for number in 0..5_u16 {
            let began = step.checked_sub(4 * u32::from(number));
            if let Some(teid) = began.filter(|teid| *teid < TUNNELS) {
                hear(&mut hearing, &InTunnel { teid, number }, at);
            }
        }
        if step % 4 == 0 {
            let number = u16::try_from(step / 4).unwrap();
            hear(&mut hearing, &InTunnel { teid: u32::MAX, number }, at);
        }
    }
    assert_eq!(told.len(), TUNNELS as usize + 1);
    assert!(steady.is_sorted(), "counted on under one number");
    assert!(steady.last().is_some_and(|&packets| packets > u64::from(TUNNELS / 4) - 100));
}

#[test]
fn streams_that_ended_in_a_cut_that_nobody_saw_keep_their_tunnels() {
    let mut policy = Policy::default();
    policy.limits.stream_timeout = Duration::from_secs(2);
    let mut hearing = hearing(policy, 60 * SECOND);
    let interfaces = Interfaces::default();
    let mut unseen: Option<Cut> = None;
    for second in 0..12_u32 {
        let begin = i64::from(second) * SECOND;
        if hearing.pass(Timestamp(begin)).is_some() {
            let mut cut = hearing.cut_now(Timestamp(begin), &interfaces);
            if let Some(before) = unseen.take() {
                cut.take_ended(before);
            }
            unseen = Some(cut);
        }
        for number in 0..10_u16 {
            let at = begin + i64::from(number) * 20_000_000;
            hear(&mut hearing, &InTunnel { teid: 1000 + second, number }, at);
        }
    }
    let found: Vec<_> = hops(&unseen.unwrap()).iter().map(|hop| (hop.ssrc.0, teid(hop))).collect();
    let expected: Vec<_> = (1000..1011).map(|teid| (teid, Some(teid))).collect();
    assert_eq!(found, expected);
}

#[test]
fn streams_that_ended_when_there_was_no_room_are_counted() {
    const REFUSED: u32 = 100;
    let streams = u32::try_from(MOST_ENDED).unwrap() + REFUSED;
    let mut policy = Policy::default();
    policy.limits.stream_timeout = Duration::from_secs(2);
    let mut hearing = hearing(policy, 60 * SECOND);
    let interfaces = Interfaces::default();
    hearing.pass(Timestamp(0));
    for number in 0..5_u16 {
        let at = i64::from(number) * 20_000_000;
        let timestamp = (160 * u32::from(number)).to_be_bytes();
        for ssrc in 0..streams {
            let header = [&[0x80, 0][..], &number.to_be_bytes(), &timestamp, &ssrc.to_be_bytes()].concat();
            let [high, low, ..] = ssrc.to_le_bytes();
            let data = ipv4(0xB8, [high, low], 50_000, 4000, &[&header[..], &[0x55; 20]].concat());
            let wire_len = u32::try_from(data.len()).unwrap();
            let timestamp = Timestamp(at + i64::from(ssrc));
            hearing.take(&[Frame { timestamp, data: &data, wire_len, link: LinkType::RAW, interface: 0 }]);
        }
    }
    for second in [1, 10, 11] {
        let at = Timestamp(second * SECOND);
        hearing.pass(at);
        let cut = hearing.cut_now(at, &interfaces);
        let expected = match second {
            1 => (streams as usize, 0),
            10 => (MOST_ENDED, u64::from(REFUSED)),
            _ => (0, u64::from(REFUSED)),
        };
        assert_eq!((hops(&cut).len(), cut.done.counters.records_refused), expected, "at {second} s");
    }
}
