//! `/api/v1/paths`: the ways that streams take, and what happens on them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hyper::body::Bytes;
use serde::Serialize;
use smallvec::SmallVec;

use super::{Moment, Text};
use crate::export::answer::{Answer, JSON, Problem};
use crate::export::metrics::{direction, hop_names, no_class};
use crate::export::query::Query;
use crate::status::{Class, Figures, Picture, SegmentKey, Status};
use crate::terms::{Direction, PointId};
use crate::verify::WorstMarking;

/// The answer for the last picture: all who ask are told the same, and streams are looked through once.
#[derive(Debug, Default)]
pub(in crate::export) struct PathCache(Mutex<Option<(Weak<Picture>, Bytes)>>);

#[derive(Serialize)]
struct Paths<'a> {
    at: Option<Moment>,
    paths: Vec<Path<'a>>,
}

/// One sequence of hops in one direction, of one class.
#[derive(Serialize)]
struct Path<'a> {
    hops: Vec<String>,
    direction: &'static str,
    class: &'a str,
    streams: u64,
    running: u64,
    packets: u64,
    worst: &'static str,
    /// Streams by their marking over all hops.
    verdicts: BTreeMap<&'static str, u64>,
    /// Over all segments; none where one of them was not counted.
    lost: Option<u64>,
    remarked: u64,
    segments: Vec<Segment>,
}

/// What happened since the start between two hops, to all streams of the direction and class.
#[derive(Serialize)]
struct Segment {
    from: String,
    to: String,
    /// None where nothing was counted of it.
    packets: Option<u64>,
    lost: Option<u64>,
    suspect: Option<u64>,
    remarked: BTreeMap<String, u64>,
}

/// Points in the order of travel, one for each hop.
type Hops = SmallVec<[PointId; 4]>;

/// What is added up of the streams of one path.
#[derive(Default)]
struct Sum {
    streams: u64,
    running: u64,
    packets: u64,
    verdicts: BTreeMap<WorstMarking, u64>,
}

/// All paths, those of most streams first.
pub(in crate::export) fn paths(status: &Status, cache: &PathCache, query: &str) -> Result<Answer, Problem> {
    Query::read(query, &[])?;
    let picture = status.picture();
    let mut kept = cache.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, body)) = &*kept
        && std::ptr::eq(of.as_ptr(), Arc::as_ptr(&picture))
    {
        return Ok(Answer::new(JSON, body.clone()));
    }
    let answer = Answer::json(&Paths { at: picture.at.map(Text), paths: all(&picture) });
    *kept = Some((Arc::downgrade(&picture), answer.body.clone()));
    Ok(answer)
}

fn all(picture: &Picture) -> Vec<Path<'_>> {
    let mut sums: BTreeMap<(Hops, Direction, Class), Sum> = BTreeMap::new();
    for (number, stream) in (0..).zip(&picture.streams) {
        let hops = picture.outcome.streams.points(number);
        let sum = sums.entry((hops, stream.note.direction, stream.note.class)).or_default();
        sum.streams += 1;
        sum.running += u64::from(!stream.is_over);
        sum.packets += u64::from(stream.note.packets);
        *sum.verdicts.entry(stream.note.worst).or_default() += 1;
    }
    let outcome = &picture.outcome;
    let names: Vec<[String; NAMED]> =
        hop_names(&outcome.points.iter().map(String::as_str).collect::<Vec<_>>());
    let mut paths: Vec<Path<'_>> = sums
        .into_iter()
        .map(|((hops, way, class), sum)| {
            let hops = numbered(&hops);
            let segments: Vec<Segment> = hops
                .windows(2)
                .filter_map(|ends| match *ends {
                    [from, to] => {
                        let key = SegmentKey { from, to, direction: way, class };
                        Some(segment(key, &picture.figures, &names))
                    }
                    _ => None,
                })
                .collect();
            Path {
                hops: hops.iter().map(|hop| name(*hop, &names)).collect(),
                direction: direction(way),
                class: class
                    .and_then(|class| outcome.classes.get(usize::from(class)).map(String::as_str))
                    .unwrap_or(no_class(&outcome.classes)),
                streams: sum.streams,
                running: sum.running,
                packets: sum.packets,
                worst: sum.verdicts.keys().max().map_or("unclassified", |worst| worst.as_str()),
                verdicts: sum.verdicts.iter().map(|(verdict, count)| (verdict.as_str(), *count)).collect(),
                lost: segments.iter().map(|segment| segment.lost).sum(),
                remarked: segments.iter().flat_map(|segment| segment.remarked.values()).sum(),
                segments,
            }
        })
        .collect();
    // Those of equally many streams stay in the order of points.
    paths.sort_by_key(|path| std::cmp::Reverse(path.streams));
    paths
}

/// Hops at one point that have names of their own, as in the metrics.
const NAMED: usize = 4;

/// Each hop with its number at its point, from 1.
fn numbered(hops: &Hops) -> Vec<(u16, u8)> {
    let before =
        |at: usize, point: PointId| hops.iter().take(at + 1).filter(|other| **other == point).count();
    let number = |at: usize, point: PointId| u8::try_from(before(at, point).min(NAMED)).unwrap_or(1);
    hops.iter().enumerate().map(|(at, point)| (point.0, number(at, *point))).collect()
}

fn name((point, hop): (u16, u8), names: &[[String; NAMED]]) -> String {
    let known = names.get(usize::from(point)).and_then(|hops| hops.get(usize::from(hop).saturating_sub(1)));
    known.cloned().unwrap_or_else(|| format!("point {point}"))
}

fn segment(key: SegmentKey, figures: &Figures, names: &[[String; NAMED]]) -> Segment {
    let counted = figures.segments.get(&key);
    let remarked = figures.remarked.range((key, 0, 0)..=(key, u8::MAX, u8::MAX));
    Segment {
        from: name(key.from, names),
        to: name(key.to, names),
        packets: counted.map(|counted| counted.packets),
        lost: counted.map(|counted| counted.lost),
        suspect: counted.map(|counted| counted.suspect),
        remarked: remarked.map(|((_, from, to), packets)| (format!("{from}>{to}"), *packets)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_hop_at_a_point_is_its_second() {
        let hops: Hops = [0, 0, 1, 0].into_iter().map(PointId).collect();
        assert_eq!(numbered(&hops), [(0, 1), (0, 2), (1, 1), (0, 3)]);
        let names = hop_names(&["core", "edge"]);
        let named: Vec<String> = numbered(&hops).into_iter().map(|hop| name(hop, &names)).collect();
        assert_eq!(named, ["core", "core/2", "edge", "core/3"]);
    }
}
