//! Facts about the meter as a whole: packets in, records out.

use super::*;
use crate::decode::{Addresses, Decoder, Layer, Options, PathId, Payload};
use crate::terms::{Frame, LinkType, RtpTime, Ssrc, TrafficClass};

/// A packet of one stream: PCMU, EF, 20 ms and 160 ticks a number, as long after the start as the last three
/// digits of its number say.
fn packet(sequence: u16) -> Observation<'static> {
    let number = sequence % 1000;
    Observation {
        timestamp: Timestamp(i64::from(number) * 20_000_000),
        addresses: Addresses::V4 { source: 0x0A00_0001, destination: 0x0A00_0002 },
        source_port: 50_000,
        destination_port: 50_002,
        transport: Transport::Udp,
        traffic_class: TrafficClass(46 << 2),
        ttl: 64,
        path: PathId(0),
        octets: 200,
        fragment: None,
        message: Message::Rtp(RtpHeader {
            ssrc: Ssrc(1),
            timestamp: RtpTime(u32::from(number) * 160),
            sequence,
            payload_type: 0,
            marker: false,
            payload: Payload::default(),
        }),
    }
}

fn marked(dscp: u8, o: Observation<'static>) -> Observation<'static> {
    Observation { traffic_class: TrafficClass(dscp << 2), ..o }
}

fn rate_of(_: u8) -> Option<(ClockRate, ClockSource)> {
    ClockRate::from_hz(8000).map(|rate| (rate, ClockSource::Static))
}

fn streams(packets: &[Observation<'_>]) -> Vec<StreamRecord> {
    let mut meter = Meter::new(PointId(0), Limits::default(), rate_of, 1);
    let mut paths = PathTable::new(1);
    paths.intern(0, &[]);
    for o in packets {
        meter.observe(o, &paths);
    }
    let mut streams = Vec::new();
    let _ = meter.finish(&paths, |record| streams.push(record.clone()));
    streams
}

#[test]
fn streams_that_are_over_are_given_out_while_others_run() {
    let limits = Limits { max_streams: 160, ..Limits::default() };
    let mut meter = Meter::new(PointId(0), limits, rate_of, 1);
    let mut paths = PathTable::new(1);
    paths.intern(0, &[]);
    let mut running = 0;
    let mut given: Vec<Timestamp> = Vec::new();
    // A stream a second, each of two seconds: of those that are over for a minute none stays.
    for second in 0..300_u16 {
        for sequence in 0..100 {
            let o = packet(sequence);
            let timestamp = Timestamp(o.timestamp.0 + i64::from(second) * 1_000_000_000);
            meter.observe(&Observation { timestamp, source_port: 1000 + second, ..o }, &paths);
        }
        meter.expire(&paths);
        given.extend(meter.take_ended().iter().map(|record| record.last));
        running = running.max(meter.table.streams());
    }
    assert!((60..70).contains(&running), "{running} streams at a time");
    assert!((230..245).contains(&given.len()), "{} streams given out", given.len());
    let mut rest = 0;
    let _ = meter.finish(&paths, |_| rest += 1);
    assert_eq!(given.len() + rest, 300);
}

fn only_hop(packets: &[Observation<'_>]) -> HopRecord {
    let streams = streams(packets);
    let [stream] = &streams[..] else { panic!("{} streams", streams.len()) };
    let [hop] = &stream.hops[..] else { panic!("{} hops", stream.hops.len()) };
    hop.clone()
}

#[test]
fn copies_of_a_packet_after_a_jump_are_in_the_histograms() {
    let begun: Vec<_> = (0..6).map(packet).collect();
    let copies = [packet(30_006), marked(0, packet(30_006)), packet(30_006)];
    let confirmed = only_hop(&[&begun[..], &copies, &[packet(30_007)]].concat());
    assert_eq!((confirmed.unique, confirmed.duplicates, confirmed.stray), (8, 2, 0));
    let given_up = only_hop(&[&begun[..], &copies, &[packet(6)]].concat());
    assert_eq!((given_up.unique, given_up.duplicates, given_up.stray), (7, 0, 3));
    for (hop, right) in [(confirmed, 9), (given_up, 9)] {
        assert_eq!(hop.dscp[..], [(46, right), (0, 1)]);
        assert_eq!(hop.ways[0].packets, hop.packets);
    }
}

#[test]
fn a_new_timeline_is_counted_however_few_packets_are_kept() {
    for newest_samples in [0, 8] {
        // With a bound on samples the only point keeps none.
        let limits = Limits { has_other_points: false, newest_samples, ..Limits::default() };
        let mut meter = Meter::new(PointId(0), limits, rate_of, 1);
        let mut paths = PathTable::new(1);
        paths.intern(0, &[]);
        for mut o in (0..200).map(packet) {
            if let Message::Rtp(header) = &mut o.message
                && header.sequence >= 100
            {
                header.timestamp = RtpTime(header.timestamp.0 + 1_000_000);
            }
            meter.observe(&o, &paths);
        }
        let mut resets = Vec::new();
        let _ = meter.finish(&paths, |record| resets.push(record.hops[0].resets));
        assert_eq!(resets, [1], "{newest_samples}");
    }
}

#[test]
fn a_new_timeline_is_counted_where_the_clock_is_not_known() {
    let mut meter = Meter::new(PointId(0), Limits::default(), |_| None, 1);
    let mut paths = PathTable::new(1);
    paths.intern(0, &[]);
    let mut ticks = 0_u32;
    for n in 0..3000_u16 {
        // 70 kHz, which no media have.
        ticks = ticks.wrapping_add(if n == 2500 { 10_000_000 } else { 1400 });
        let mut o = packet(n % 1000);
        o.timestamp = Timestamp(i64::from(n) * 20_000_000);
        if let Message::Rtp(header) = &mut o.message {
            (header.sequence, header.timestamp, header.payload_type) = (n, RtpTime(ticks), 111);
        }
        meter.observe(&o, &paths);
    }
    let mut hops = Vec::new();
    let _ =
        meter.finish(&paths, |record| hops.extend(record.hops.iter().map(|hop| (hop.unique, hop.resets))));
    assert_eq!(hops, [(3000, 1)]);
}

#[test]
fn times_at_the_ends_of_what_a_capture_can_say_are_taken() {
    let at = |ns: i64, o: Observation<'static>| Observation { timestamp: Timestamp(ns), ..o };
    let begun: Vec<_> = (0..6).map(packet).collect();
    for (one, other) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (i64::MIN, 0), (0, i64::MIN)] {
        let candidate: Vec<_> = (0..6).map(|n| at(if n % 2 == 0 { one } else { other }, packet(n))).collect();
        let _ = streams(&candidate);
        let later = [at(one, packet(6)), at(other, packet(7)), at(one, packet(9)), at(other, packet(8))];
        let _ = streams(&[&begun[..], &later].concat());
    }
}

#[test]
fn a_timestamp_half_its_range_away_is_taken() {
    let half = |o: Observation<'static>| match o.message {
        Message::Rtp(header) => {
            let timestamp = RtpTime(header.timestamp.0.wrapping_add((1 << 31) - 160));
            Observation { message: Message::Rtp(RtpHeader { timestamp, ..header }), ..o }
        }
        _ => o,
    };
    let day_later = |o: Observation<'static>| Observation {
        timestamp: Timestamp(o.timestamp.0 + 2 * 86_400_000_000_000),
        ..o
    };
    let begun: Vec<_> = (0..6).map(packet).collect();
    let heard = streams(&[&begun[..], &[day_later(half(packet(6)))]].concat());
    assert_eq!(heard.len(), 1);
}

/// The hops of a stream that came over so many places, all of which `place_of` has for its packets.
fn hops_over(places: u16, packets: u16, place_of: impl Fn(u16) -> u16) -> Vec<HopRecord> {
    let mut paths = PathTable::new(1);
    paths.intern(0, &[]);
    let ways: Vec<_> = (0..places).map(|vid| paths.intern(0, &[Layer::Vlan { vid, pcp: 0 }])).collect();
    let mut meter = Meter::new(PointId(0), Limits::default(), rate_of, 1);
    (0..6).for_each(|n| meter.observe(&packet(n), &paths));
    for n in 6..packets {
        let path = ways[usize::from(place_of(n)) % ways.len()];
        meter.observe(&Observation { path, ..packet(n) }, &paths);
    }
    let mut hops = Vec::new();
    let _ = meter.finish(&paths, |stream| hops.extend(stream.hops.clone()));
    hops
}

#[test]
fn a_stream_over_thousands_of_ways_is_one_hop() {
    // Each packet another way: what is held is looked through again and again.
    let hops = hops_over(4000, 20_000, |n| n.wrapping_mul(40_503) >> 2);
    assert_eq!(hops.len(), 1);
    assert_eq!((hops[0].packets, hops[0].unique, hops[0].expected), (20_000, 20_000, 20_000));
    assert_eq!(hops[0].ways.iter().map(|way| way.packets).sum::<u64>(), 20_000);
}

#[test]
fn a_stream_that_takes_turns_between_ways_is_one_hop() {
    let hops = hops_over(3, 900, |n| n / 100);
    assert_eq!(hops.len(), 1);
    assert_eq!((hops[0].packets, hops[0].unique, hops[0].ways.len()), (900, 900, 4));
}

#[test]
fn copies_over_other_ways_are_hops_each_counted_to_the_packet() {
    let mut paths = PathTable::new(1);
    let ways: Vec<_> = (0..5).map(|vid| paths.intern(0, &[Layer::Vlan { vid, pcp: 0 }])).collect();
    let mut meter = Meter::new(PointId(0), Limits::default(), rate_of, 1);
    for n in 0..300 {
        for (i, path) in (0..).zip(&ways) {
            // The ways begin one after the other, in turn one packet is lost on each.
            if n >= i * 10 && n % 50 != i {
                meter.observe(&Observation { path: *path, ..packet(n) }, &paths);
            }
        }
    }
    let mut hops = Vec::new();
    let _ = meter.finish(&paths, |stream| hops.extend(stream.hops.clone()));
    let counts: Vec<_> =
        hops.iter().map(|hop| (hop.unique, hop.expected, hop.duplicates, hop.stray)).collect();
    assert_eq!(
        counts,
        [(294, 299, 0, 0), (285, 290, 0, 0), (275, 280, 0, 0), (265, 270, 0, 0), (255, 260, 0, 0)]
    );
}

#[test]
fn parts_and_runs_are_bounded_however_often_a_stream_restarts() {
    let rate_of = |_| None;
    let mut meter = Meter::new(PointId(0), Limits::default(), rate_of, 1);
    let mut paths = PathTable::new(1);
    paths.intern(0, &[]);
    (0..6).for_each(|n| meter.observe(&packet(n), &paths));
    let restarts: u16 = 1000;
    for n in 1..=restarts {
        // Two numbers with one missing between them, far from those before.
        let sequence = n.wrapping_mul(10_000);
        for sequence in [sequence, sequence.wrapping_add(2)] {
            let later = packet(sequence);
            meter.observe(&Observation { timestamp: Timestamp(0), ..later }, &paths);
        }
    }
    let mut hops = Vec::new();
    let _ = meter.finish(&paths, |stream| hops.extend(stream.hops.clone()));
    let [hop] = &hops[..] else { panic!("{} hops", hops.len()) };
    assert_eq!((hop.resets, hop.packets), (u32::from(restarts), 6 + 2 * u64::from(restarts)));
    assert_eq!((hop.expected, hop.lost()), (6 + 3 * u64::from(restarts), restarts.into()));
    assert_eq!(hop.parts.len(), MAX_PARTS);
    assert!(hop.samples.iter().all(|s| usize::from(s.part) < MAX_PARTS));
}

#[test]
fn every_path_that_is_held_is_in_use_and_no_other() {
    let mut paths = PathTable::new(1);
    let ways: Vec<_> = (0..7).map(|teid| paths.intern(0, &[Layer::Gtpu { teid }])).collect();
    let over = |way: usize, o: Observation<'static>| Observation { path: ways[way], ..o };
    let mut meter = Meter::new(PointId(0), Limits::default(), rate_of, 1);
    // Counted, then held until it is known whether the new way is another hop.
    (0..6).for_each(|n| meter.observe(&over(0, packet(n)), &paths));
    meter.observe(&over(1, packet(6)), &paths);
    let other = |n: u16| Observation { source_port: 1000, ..packet(n) };
    let request = [
        &[0x45, 0, 0, 48, 0, 1, 0, 0, 63, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2][..],
        &[0xC3, 0x50, 0x0D, 0x96, 0, 28, 0, 0],
        &[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42],
        &[9; 12],
    ]
    .concat();
    let frame = Frame {
        timestamp: Timestamp(120_000_000),
        data: &request,
        wire_len: 48,
        link: LinkType::RAW,
        interface: 0,
    };
    let hear = |o: &Observation<'_>, _: &PathTable| {
        assert!(matches!(o.message, Message::Stun(_)));
        meter.observe(&Observation { path: ways[2], ..*o }, &paths);
    };
    Decoder::new(1, Options::default()).decode(&frame, hear).unwrap();
    // What may become a stream; the last one still waits for its turn.
    (0..2).for_each(|n| meter.observe(&over(3 + usize::from(n), other(n)), &paths));
    let used = |meter: &mut Meter| -> Vec<PathId> {
        let mut used: Vec<_> = meter.paths_in_use(&paths).filter(|id| *id != PathId::OVERFLOW).collect();
        used.sort_unstable();
        used.dedup();
        used
    };
    assert_eq!(used(&mut meter), ways[..5]);
    meter.observe(&over(5, other(2)), &paths);
    assert_eq!(used(&mut meter), ways[..6]);
    // After the time-outs none of it is left.
    meter.advance(Timestamp(100_000_000_000), &paths);
    meter.end_silent(&paths);
    assert!(used(&mut meter).is_empty());
    let counters = meter.counters(&paths);
    assert_eq!((counters.unconfirmed_rtp_packets, counters.candidates_evicted), (3, 0));
    // Who comes again is new.
    (100..106).for_each(|n| meter.observe(&over(6, other(n)), &paths));
    assert_eq!(used(&mut meter), ways[6..]);
    assert_eq!(meter.table.streams(), 1);
}

#[test]
fn the_commonest_packets_count_as_observations_do() {
    let mut decoder = Decoder::new(1, Options::default());
    let mut meters = [1, 1].map(|seed| Meter::new(PointId(0), Limits::default(), rate_of, seed));
    // Two streams, one of them marked anew on the way; a loss, a copy, and payloads that a relay would keep.
    for number in (0..400_u16).filter(|number| *number != 70).chain([399]) {
        let client = [10, 0, 0, 1 + u8::from(number % 3 == 0)];
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(client, [10, 0, 0, 9], 61)
            .udp(5004, 5006);
        let header =
            [&[0x80, 0][..], &number.to_be_bytes(), &(u32::from(number) * 160).to_be_bytes(), &[7; 4]];
        let payload: Vec<u8> =
            (0..40_u32).map(|i| (u32::from(number) * 7919 + i * 31).to_be_bytes()[2]).collect();
        let mut data = Vec::new();
        builder.write(&mut data, &[&header.concat()[..], &payload].concat()).unwrap();
        data[15] = if number > 200 { 0 } else { 46 << 2 };
        let timestamp = Timestamp(i64::from(number) * 20_000_000);
        let wire_len = u32::try_from(data.len()).unwrap();
        let frame = Frame { timestamp, data: &data, wire_len, link: LinkType::ETHERNET, interface: 0 };
        let (packet, path) = decoder.decode_plain(&frame).unwrap();
        meters[0].observe_plain(&packet, path, decoder.paths());
        let [_, other] = &mut meters;
        decoder.decode_any(&frame, &mut |o, paths| other.observe(o, paths)).unwrap();
    }
    let [plain, any] = meters.map(|meter| {
        let mut streams = Vec::new();
        let rest = meter.finish(decoder.paths(), |record| streams.push(record.clone()));
        assert_eq!(streams.len(), 2);
        format!("{streams:?} {rest:?}")
    });
    assert_eq!(plain, any);
}
