//! `/api/v1/points`: what each observation point hears and misses.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Moment, Text};
use crate::export::answer::{Answer, Problem};
use crate::export::query::Query;
use crate::meter::TapGap;
use crate::status::{Picture, PointFigures, Status};

/// All points.
#[derive(Serialize)]
struct Points<'a> {
    at: Option<Moment>,
    points: Vec<Point<'a>>,
}

#[derive(Serialize)]
struct Point<'a> {
    name: &'a str,
    up: bool,
    interfaces: Vec<&'a str>,
    time_source: Option<&'static str>,
    last_packet: Option<Moment>,
    packets: u64,
    bytes: u64,
    dropped: BTreeMap<&'static str, u64>,
    freezes: Option<u64>,
    filtered: BTreeMap<&'static str, u64>,
    snapped: u64,
    undecoded: BTreeMap<&'static str, u64>,
    streams_started: u64,
    streams_evicted: u64,
    stun_requests: u64,
    stun_unanswered: u64,
    /// Intervals in which frames were missed, by what tells so.
    suspect_intervals: BTreeMap<&'static str, u64>,
    /// The last of the times in which frames were missed.
    suspect: Vec<Suspect>,
}

#[derive(Serialize)]
struct Suspect {
    from: Moment,
    to: Moment,
    frames: Option<u64>,
    evidence: &'static str,
}

/// Times in which frames were missed that are listed of a point.
const SUSPECT_TIMES: usize = 100;

impl<'a> Point<'a> {
    fn of(number: usize, figures: &'a PointFigures, picture: &'a Picture) -> Self {
        let outcome = &picture.outcome;
        let place = outcome.points.iter().position(|name| *name == figures.name);
        let interfaces =
            place.and_then(|place| outcome.interfaces.get(place)).into_iter().flatten().flatten();
        let is_its_own = |gap: &&TapGap| place == Some(usize::from(gap.point.0));
        // By time within each point, so the last ones stand last.
        let mut suspect: Vec<Suspect> =
            outcome.gaps.iter().rev().filter(is_its_own).take(SUSPECT_TIMES).map(Suspect::of).collect();
        suspect.reverse();
        let intervals = picture.figures.suspect_intervals.iter();
        Self {
            name: &figures.name,
            up: figures.is_up,
            interfaces: interfaces.map(String::as_str).collect(),
            time_source: figures.time_source,
            last_packet: figures.last_packet_seconds.map(moment).map(Text),
            packets: figures.packets,
            bytes: figures.octets,
            dropped: figures.dropped.iter().copied().collect(),
            freezes: figures.freezes,
            filtered: figures.filtered.iter().copied().collect(),
            snapped: figures.snapped,
            undecoded: figures.undecoded.iter().copied().collect(),
            streams_started: figures.streams_started,
            streams_evicted: figures.streams_evicted,
            stun_requests: figures.stun_requests,
            stun_unanswered: figures.stun_unanswered,
            suspect_intervals: intervals
                .filter(|((point, _), _)| usize::from(*point) == number)
                .map(|((_, reason), count)| (*reason, *count))
                .collect(),
            suspect,
        }
    }
}

impl Suspect {
    fn of(gap: &TapGap) -> Self {
        Self { from: Text(gap.from), to: Text(gap.to), frames: gap.frames, evidence: gap.evidence.as_str() }
    }
}

/// A moment that is given in seconds since 1970.
#[allow(clippy::cast_possible_truncation, reason = "a time that cannot be becomes the last one that can")]
fn moment(seconds: f64) -> crate::terms::Timestamp {
    crate::terms::Timestamp((seconds * 1e9) as i64)
}

/// All points, in the order of the configuration.
pub(in crate::export) fn points(status: &Status, query: &str) -> Result<Answer, Problem> {
    Query::read(query, &[])?;
    let picture = status.picture();
    let points = picture.figures.points.iter().enumerate().filter(|(_, figures)| !figures.is_gone);
    Ok(Answer::json(&Points {
        at: picture.at.map(Text),
        points: points.map(|(number, figures)| Point::of(number, figures, &picture)).collect(),
    }))
}
