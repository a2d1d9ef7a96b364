//! What a scenario must keep to, so that what it makes can be told apart.
//!
//! The truth is only worth comparing where the rules of the report decide every packet: so restarts, outages
//! and strays stand clear of each other and of a stream's start, and one mirror's two places differ in what is
//! heard.

use super::error::{SynthError, refuse};
use super::plan::frame_packets;
use super::scenario::{
    Directions, DropCounts, Encapsulation, Interval, Point, Rewrite, Scenario, Segment, Stream, Stun,
};

/// Packets at the start of a stream in which nothing happens: it has to be found first.
pub(super) const OPENING: u64 = 12;
/// Packets before a restart, an outage or a stray in which nothing happens.
pub(super) const BEFORE: u64 = 24;
/// Packets after it.
pub(super) const AFTER: u64 = 12;
/// Packets lost in a run that is still plainly a loss (RFC 3550, A.1: 3,000).
const LONGEST_RUN: u64 = 2_000;
/// Seconds of nothing after which a stream has ended.
const LONGEST_PAUSE: f64 = 50.0;

/// Refuses what cannot be played or not be decided.
pub(super) fn scenario(scenario: &Scenario) -> Result<(), SynthError> {
    for point in &scenario.points {
        check_point(scenario, point)?;
    }
    check_twice_heard(&scenario.points)?;
    if scenario.one_collector {
        check_collector(scenario)?;
    }
    let drops: u32 = scenario.points.iter().map(|p| u32::from(p.ttl_drop.unwrap_or(1)) + 4).sum();
    for stream in &scenario.streams {
        check_stream(stream, drops)?;
    }
    for stun in &scenario.stun {
        check_stun(stun)?;
    }
    if let Some(background) = &scenario.background
        && !(0.0..1.0).contains(&background.share)
    {
        return Err(refuse(
            "background, share",
            "a share is 0 to below 1",
            "write 0.2 for a fifth of all packets",
        ));
    }
    Ok(())
}

fn check_point(scenario: &Scenario, point: &Point) -> Result<(), SynthError> {
    let place = |key: &str| format!("point {:?}, {key}", point.name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if point.name.is_empty() || point.name.starts_with('.') || !point.name.chars().all(is_plain) {
        return Err(refuse(
            place("name"),
            "the name becomes a file name",
            "use letters, digits, '-', '_' and '.'",
        ));
    }
    let tags = point.vlan.iter().chain(point.after_router_vlan.iter().flatten());
    if tags.clone().any(|&vid| vid > 4095) || point.vlan.len() > 3 {
        return Err(refuse(place("vlan"), "no such tags", "give at most three numbers from 0 to 4095"));
    }
    if point.pcp.is_some_and(|pcp| pcp > 7) {
        return Err(refuse(place("pcp"), "no such priority", "give a number from 0 to 7"));
    }
    if point.snap.is_some_and(|snap| snap < 60) {
        return Err(refuse(place("snap"), "too short for an RTP header", "keep at least 60 octets"));
    }
    if !(0.0..=60.0).contains(&point.delay) {
        return Err(refuse(place("delay"), "no such delay", "give 0 to 60 seconds"));
    }
    if !(-86_400.0..=86_400.0).contains(&point.clock_offset) {
        return Err(refuse(
            place("clock_offset"),
            "no such clock",
            "give at most a day, -86400 to 86400 seconds",
        ));
    }
    if !(-1_000.0..=1_000.0).contains(&point.clock_drift) {
        return Err(refuse(place("clock_drift"), "no such clock", "give -1000 to 1000 millionths"));
    }
    share(&place("mirror_loss"), point.mirror_loss)?;
    share(&place("mirror_duplicates"), point.mirror_duplicates)?;
    for gap in &point.mirror_gaps {
        check_interval(&place("mirror_gaps"), *gap)?;
    }
    for down in point.segments.iter().flat_map(|segment| &segment.down) {
        check_interval(&place("segment, down"), *down)?;
    }
    for segment in &point.segments {
        check_segment(&place("segment"), segment)?;
        for name in &segment.streams {
            if !scenario.streams.iter().any(|stream| stream.name.as_ref() == Some(name)) {
                let problem = format!("there is no stream {name:?}");
                return Err(refuse(place("segment, streams"), problem, "give that [[stream]] a `name`"));
            }
        }
    }
    if let Some(rewrite) = &point.rewrite {
        check_rewrite(scenario, &place("rewrite"), rewrite)?;
    }
    for stream in scenario.streams.iter().filter(|stream| stream.is_block()) {
        check_block_crossing(point, stream)?;
    }
    Ok(())
}

/// What is numbered anew has no restarts, outages or strays behind the relay, where the truth would have them.
fn check_rewrite(scenario: &Scenario, place: &str, rewrite: &Rewrite) -> Result<(), SynthError> {
    let breaks = |s: &Stream| !(s.restart.is_empty() && s.outage.is_empty() && s.stray.is_empty());
    if rewrite.renumber && scenario.streams.iter().any(breaks) {
        let problem = "a stream has restarts, outages or strays, which the relay would number away";
        return Err(refuse(place, problem, "leave `renumber` out, or those"));
    }
    if rewrite.payload_type.is_some_and(|number| number > 127 || (64..96).contains(&number)) {
        let problem = "it cannot be told from RTCP (RFC 5761)";
        return Err(refuse(format!("{place}, payload_type"), problem, "give 0 to 63 or 96 to 127"));
    }
    Ok(())
}

/// A block of streams is the same packets at every tap, so nothing but `remark` may happen to it on the way.
fn check_block_crossing(point: &Point, stream: &Stream) -> Result<(), SynthError> {
    let meant = |segment: &&Segment| {
        segment.streams.is_empty() || stream.name.as_ref().is_some_and(|name| segment.streams.contains(name))
    };
    let harmed = point.segments.iter().filter(meant).any(harms)
        || point.mirror_loss + point.mirror_duplicates > 0.0
        || !point.mirror_gaps.is_empty()
        || point.mirror_direction != Directions::Both
        || point.segments.iter().any(|segment| !segment.down.is_empty())
        || point.nat.is_some()
        || point.rewrite.is_some()
        || point.ecmp
        || point.reroute_at.is_some();
    let counts = |tunnel: &Encapsulation| matches!(tunnel, Encapsulation::Erspan2 | Encapsulation::Erspan3);
    let counts_inside = point.encapsulation.len() > 1 && point.encapsulation.iter().any(counts);
    if !harmed && !counts_inside {
        return Ok(());
    }
    let (what, mend) = if harmed {
        (
            "a block of streams (one with `order` or `spread`) crosses it unharmed but for `remark`",
            "name other `streams`",
        )
    } else {
        (
            "a block of streams (one with `order` or `spread`) cannot be counted by a tunnel in a tunnel",
            "keep one tunnel",
        )
    };
    Err(refuse(format!("point {:?}", point.name), what, format!("{mend}, or leave the key out")))
}

/// Whether a segment does more than to re-mark.
fn harms(segment: &Segment) -> bool {
    let shares = [segment.loss, segment.duplicates, segment.reorder, segment.jitter, segment.congestion];
    shares.iter().any(|&share| share > 0.0) || !segment.lose.is_empty() || !segment.bursts.is_empty()
}

fn check_segment(place: &str, segment: &Segment) -> Result<(), SynthError> {
    for (key, value) in [
        ("loss", segment.loss),
        ("duplicates", segment.duplicates),
        ("reorder", segment.reorder),
        ("congestion", segment.congestion),
    ] {
        share(&format!("{place}, {key}"), value)?;
    }
    if segment.reorder_by.is_some_and(|by| !(1..=10).contains(&by)) {
        return Err(refuse(
            format!("{place}, reorder_by"),
            "too far to be told from a restart",
            "give 1 to 10",
        ));
    }
    if segment.bursts.iter().any(|run| run.packets > LONGEST_RUN) {
        let mend = format!("give at most {LONGEST_RUN} packets, or a stream an `outage`");
        return Err(refuse(format!("{place}, bursts"), "a run so long cannot be told from a restart", mend));
    }
    if !(0.0..=5.0).contains(&segment.jitter) {
        return Err(refuse(format!("{place}, jitter"), "no such deviation", "give 0 to 5 seconds"));
    }
    Ok(())
}

fn check_interval(place: &str, interval: Interval) -> Result<(), SynthError> {
    const LONGEST: f64 = 1e6;
    if (0.0..=LONGEST).contains(&interval.at) && (0.0..=LONGEST).contains(&interval.lasting) {
        return Ok(());
    }
    Err(refuse(place, "no such time", "give seconds of the scenario, 0 to 1000000"))
}

fn share(place: &str, value: f64) -> Result<(), SynthError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(refuse(place, format!("{value} is no share"), "write 0.01 for one in a hundred"))
}

/// Where one file has all points, each must be a session of its own.
fn check_collector(scenario: &Scenario) -> Result<(), SynthError> {
    if scenario.one_file {
        return Err(refuse(
            "one_collector",
            "`one_file` lays the points out otherwise",
            "leave one of them out",
        ));
    }
    if scenario.points.iter().any(|point| point.drop_counts != DropCounts::None) {
        let problem = "the points share one machine, and so its drop counts";
        return Err(refuse("drop_counts, one_collector", problem, "leave one of them out"));
    }
    let is_mirror = |point: &Point| point.encapsulation.first().is_some_and(|e| e.carries_ethernet());
    for (i, point) in scenario.points.iter().enumerate() {
        let others = || scenario.points.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| other);
        let problem = if is_mirror(point) {
            let is_twice = point.also_after_router || others().any(|other| other.name == point.name);
            is_twice.then_some("its two places are two sessions of two mirrors")
        } else if point.vlan.is_empty() || !point.encapsulation.is_empty() {
            Some("nothing tells its frames from those of others at the collector")
        } else {
            let is_same =
                |other: &Point| other.name != point.name && other.vlan.first() == point.vlan.first();
            let is_taken = others().any(|other| !is_mirror(other) && is_same(other));
            is_taken.then_some("another point has the same outermost tag")
        };
        if let Some(problem) = problem {
            let mend = "give each point a mirror's tunnel (`encapsulation`), or a `vlan` of its own, and list it once";
            return Err(refuse(format!("point {:?}, one_collector", point.name), problem, mend));
        }
    }
    Ok(())
}

/// A mirror that hears a packet twice must hear a difference; and over several ways that cannot be decided.
fn check_twice_heard(points: &[Point]) -> Result<(), SynthError> {
    let mut twice = None;
    for (i, point) in points.iter().enumerate() {
        let same = |other: &&Point| {
            let drop: u32 = points[..=i]
                .iter()
                .rev()
                .take_while(|p| !std::ptr::eq(*p, *other))
                .map(|p| u32::from(p.ttl_drop.unwrap_or(1)))
                .sum();
            other.name == point.name
                && drop == 0
                && other.vlan == point.vlan
                && other.encapsulation == point.encapsulation
        };
        if points[..i].iter().any(|other| same(&other)) {
            return Err(refuse(
                format!("point {:?}", point.name),
                "it is listed twice and nothing tells its two places apart",
                "give the second a `ttl_drop` or another `vlan`",
            ));
        }
        let one_clock = |other: &&Point| {
            (other.clock_offset, other.clock_drift) == (point.clock_offset, point.clock_drift)
        };
        if points[..i].iter().any(|other| other.name == point.name && !one_clock(&other)) {
            return Err(refuse(
                format!("point {:?}", point.name),
                "it is listed twice with different clocks",
                "give both the same `clock_offset` and `clock_drift`",
            ));
        }
        if point.also_after_router || points[..i].iter().any(|other| other.name == point.name) {
            twice = Some(&point.name);
        }
    }
    match (twice, points.iter().find(|point| point.ecmp || point.reroute_at.is_some())) {
        (Some(twice), Some(ways)) => Err(refuse(
            format!("point {:?}, ecmp or reroute_at", ways.name),
            format!("several ways cannot be told from the two places at which {twice:?} hears a packet"),
            "drop one of the two",
        )),
        _ => Ok(()),
    }
}

fn check_stream(stream: &Stream, drops: u32) -> Result<(), SynthError> {
    let name = stream.name.clone().unwrap_or_else(|| stream.source.address.to_string());
    let place = |key: &str| format!("stream {name:?}, {key}");
    if let Some(segment) = &stream.first_mile {
        check_segment(&place("first_mile"), segment)?;
    }
    if u32::from(stream.ttl.unwrap_or(128)) <= drops {
        return Err(refuse(
            place("ttl"),
            "it does not reach the last point",
            "raise it, or lower `ttl_drop`",
        ));
    }
    if stream.ecn > 2 {
        return Err(refuse(place("ecn"), "a source sends 0, 1 or 2", "let a segment's `congestion` set CE"));
    }
    if stream.payload_type.is_some_and(|number| number > 127 || (64..96).contains(&number)) {
        return Err(refuse(
            place("payload_type"),
            "it cannot be told from RTCP (RFC 5761)",
            "give 0 to 63 or 96 to 127",
        ));
    }
    if stream.clock_rate == Some(0)
        || stream.frame_rate == Some(0)
        || stream.frame_packets.is_some_and(|(least, most)| least == 0 || most < least || most > 50)
    {
        return Err(refuse(
            place("clock_rate, frame_rate, frame_packets"),
            "a rate is zero or a range is empty",
            "give 1 or more",
        ));
    }
    if stream.packet_interval.is_some_and(|interval| !(0.0001..=1.0).contains(&interval)) {
        return Err(refuse(place("packet_interval"), "no such interval", "give 0.0001 to 1 seconds"));
    }
    for silence in &stream.silence {
        if !(0.0..=LONGEST_PAUSE).contains(&silence.seconds) {
            let problem = format!("a pause of {} s ends the stream", silence.seconds);
            return Err(refuse(place("silence"), problem, format!("give at most {LONGEST_PAUSE} s")));
        }
    }
    if stream.outage.iter().any(|run| run.packets > 30_000) {
        return Err(refuse(place("outage"), "the sequence number wraps in it", "give at most 30000 packets"));
    }
    if let Some(run) = stream.outage.iter().find(|run| seconds_of(stream, run.packets) > LONGEST_PAUSE) {
        let problem = format!("an outage of {} s ends the stream", seconds_of(stream, run.packets));
        return Err(refuse(place("outage"), problem, format!("give packets of at most {LONGEST_PAUSE} s")));
    }
    let mut breaks: Vec<u64> = stream.restart.iter().chain(&stream.stray).copied().collect();
    breaks.extend(stream.outage.iter().map(|run| run.at));
    breaks.sort_unstable();
    let crowded = breaks.windows(2).any(|pair| pair[1] - pair[0] < BEFORE + AFTER);
    if crowded || breaks.first().is_some_and(|&first| first < OPENING + 3) {
        return Err(refuse(
            place("restart, outage, stray"),
            "they stand too close to each other or to the start to be told apart",
            format!("keep {} packets between them and {} before the first", BEFORE + AFTER, OPENING + 3),
        ));
    }
    let is_plain = breaks.is_empty()
        && stream.first_mile.is_none()
        && stream.relay.is_none()
        && !(stream.rtcp || stream.dtls || stream.header_extension)
        && stream.silence.is_empty()
        && stream.event.is_empty()
        && stream.codec_change.is_empty()
        && stream.dscp_change.is_empty()
        && stream.codec.unwrap_or(stream.class.codec()).coding().frame_rate.is_none()
        && stream.direction != Some(Directions::Both);
    if stream.order.is_some() && stream.spread.is_some() {
        let problem = "packets of streams that start at different times have no order in an interval";
        return Err(refuse(place("order, spread"), problem, "leave one of the two out"));
    }
    if stream.spread.is_some_and(|spread| !(0.0..=86_400.0).contains(&spread)) {
        return Err(refuse(place("spread"), "no such time", "give 0 to 86400 seconds"));
    }
    if stream.is_block() && !is_plain {
        let mend = "leave `order` or `spread` out, or the rest";
        return Err(refuse(
            place("order, spread"),
            "a block's streams are plain audio in one direction",
            mend,
        ));
    }
    Ok(())
}

/// Seconds that a run of packets takes in the mean.
#[allow(clippy::cast_precision_loss, reason = "at most 30000 packets")]
fn seconds_of(stream: &Stream, packets: u64) -> f64 {
    let (least, most) = frame_packets(stream);
    let rate = stream.codec.unwrap_or(stream.class.codec()).coding().frame_rate;
    let each = match rate {
        Some(rate) => 2.0 / f64::from(least + most) / f64::from(stream.frame_rate.unwrap_or(rate)),
        None => stream.packet_interval.unwrap_or(0.02),
    };
    packets as f64 * each
}

fn check_stun(stun: &Stun) -> Result<(), SynthError> {
    let total = stun.checks.saturating_add(stun.retransmitted).saturating_add(stun.unanswered);
    if total > 100_000 || !(0.0..=86_400.0).contains(&stun.consent_seconds) {
        let place = format!("stun {}", stun.client.address);
        return Err(refuse(place, "too many checks", "give at most 100000 and a day"));
    }
    Ok(())
}
