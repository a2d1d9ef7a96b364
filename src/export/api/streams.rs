//! `/api/v1/streams`: found by notes, judged for one page only.

use std::cmp::Ordering;
use std::net::IpAddr;

use hyper::StatusCode;
use ipnet::IpNet;
use serde::Serialize;

use super::findings::Found;
use super::{Each, Moment, Text, direction_named};
use crate::export::answer::{Answer, Problem};
use crate::export::metrics::no_class;
use crate::export::query::{Page, Query};
use crate::report::{OneStream, OneStun, Options, StreamNames};
use crate::status::{Class, Picture, Status, StreamId, StreamStatus};
use crate::terms::Direction;
use crate::verify::WorstMarking;

const PARAMETERS: &[&str] =
    &["class", "point", "verdict", "address", "direction", "state", "sort", "page", "per_page"];

/// One page of streams.
#[derive(Serialize)]
struct StreamPage<L> {
    at: Option<Moment>,
    page: usize,
    per_page: usize,
    pages: usize,
    total: usize,
    streams: L,
}

/// The figures of the report, with the stream's lasting name, and whether it still runs.
#[derive(Serialize)]
struct Item<'a> {
    state: &'static str,
    #[serde(flatten)]
    stream: OneStream<'a>,
}

/// One stream with what belongs to it.
#[derive(Serialize)]
struct Whole<'a, F, S> {
    at: Option<Moment>,
    stream: Item<'a>,
    findings: F,
    stun: S,
}

/// The lasting names of the streams of a picture.
#[derive(Debug)]
struct Names<'a>(&'a [StreamStatus]);

impl StreamNames for Names<'_> {
    fn name(&self, number: u32) -> Option<String> {
        self.0.get(number as usize).map(|stream| stream.id.to_string())
    }
}

/// What a stream must be to be listed.
#[derive(Debug, Default)]
struct Filter {
    class: Option<Class>,
    /// A bit of [`StreamStatus::points`].
    point: Option<u64>,
    verdict: Option<WorstMarking>,
    address: Option<IpNet>,
    direction: Option<Direction>,
    is_over: Option<bool>,
}

impl Filter {
    fn read(query: &Query, picture: &Picture) -> Result<Self, Problem> {
        let classes = &picture.outcome.classes;
        let points = &picture.outcome.points;
        let class_named = |name: &str| {
            let place = classes.iter().position(|class| class == name).map(|place| u8::try_from(place).ok());
            place.or_else(|| (name == no_class(classes)).then_some(None))
        };
        let point_named = |name: &str| {
            let place = points.iter().position(|point| point == name)?;
            1_u64.checked_shl(u32::try_from(place).ok()?)
        };
        let state = |name: &str| match name {
            "running" => Some(false),
            "over" => Some(true),
            _ => None,
        };
        Ok(Self {
            class: query
                .read_as("class", class_named, || format!("{}, {}", classes.join(", "), no_class(classes)))?,
            point: query.read_as("point", point_named, || points.join(", "))?,
            verdict: query
                .read_as("verdict", verdict_named, || VERDICTS.map(WorstMarking::as_str).join(", "))?,
            address: query
                .read_as("address", network, || "an address or a network, 10.1.0.0/16".to_owned())?,
            direction: query.read_as("direction", direction_named, || "forward or reverse".to_owned())?,
            is_over: query.read_as("state", state, || "running or over".to_owned())?,
        })
    }

    fn takes(&self, stream: &StreamStatus) -> bool {
        let is = |network: &IpNet, address: IpAddr| network.contains(&address.to_canonical());
        self.class.is_none_or(|class| class == stream.note.class)
            && self.point.is_none_or(|point| stream.points & point != 0)
            && self.verdict.is_none_or(|verdict| verdict == stream.note.worst)
            && self.direction.is_none_or(|direction| direction == stream.note.direction)
            && self.is_over.is_none_or(|is_over| is_over == stream.is_over)
            && self
                .address
                .is_none_or(|net| is(&net, stream.source.ip()) || is(&net, stream.destination.ip()))
    }
}

const VERDICTS: [WorstMarking; 8] = [
    WorstMarking::Conformant,
    WorstMarking::Unclassified,
    WorstMarking::Inherited,
    WorstMarking::Unexpected,
    WorstMarking::Unmarked,
    WorstMarking::Mixed,
    WorstMarking::Remarked,
    WorstMarking::Bleached,
];

fn verdict_named(name: &str) -> Option<WorstMarking> {
    VERDICTS.into_iter().find(|verdict| verdict.as_str() == name)
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// What streams are sorted by, the smallest first.
type Key = fn(&StreamStatus, &StreamStatus) -> Ordering;

const KEYS: [(&str, Key); 7] = [
    ("first", |a, b| a.first.cmp(&b.first)),
    ("last", |a, b| a.last.cmp(&b.last)),
    ("loss", |a, b| a.note.loss_ratio.total_cmp(&b.note.loss_ratio)),
    ("jitter", |a, b| a.note.jitter_seconds.total_cmp(&b.note.jitter_seconds)),
    ("packets", |a, b| a.note.packets.cmp(&b.note.packets)),
    ("verdict", |a, b| a.note.worst.cmp(&b.note.worst)),
    ("id", |a, b| a.id.cmp(&b.id)),
];

fn sort_key(text: &str) -> Option<(Key, bool)> {
    let (name, is_falling) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    KEYS.into_iter().find(|(known, _)| *known == name).map(|(_, key)| (key, is_falling))
}

fn sort_keys() -> String {
    format!("{}, each with a minus in front for the greatest first", KEYS.map(|(name, _)| name).join(", "))
}

/// The numbers of the streams on a page, and how many there are on all pages.
fn select(picture: &Picture, query: &Query, page: Page) -> Result<(Vec<u32>, usize), Problem> {
    let filter = Filter::read(query, picture)?;
    let (key, is_falling) =
        query.read_as("sort", sort_key, sort_keys)?.unwrap_or((|a, b| a.first.cmp(&b.first), false));
    let mut found: Vec<(u32, &StreamStatus)> =
        (0..).zip(&picture.streams).filter(|(_, stream)| filter.takes(stream)).collect();
    let total = found.len();
    // Streams that are equal stay in the order of their numbers, so that pages do not overlap.
    let by = |a: &(u32, &StreamStatus), b: &(u32, &StreamStatus)| {
        let order = if is_falling { key(b.1, a.1) } else { key(a.1, b.1) };
        order.then(a.0.cmp(&b.0))
    };
    Ok((page.sorted(&mut found, by).iter().map(|(number, _)| *number).collect(), total))
}

fn item<'a>(picture: &'a Picture, options: &'a Options, names: &'a Names<'a>, number: u32) -> Item<'a> {
    let is_over = picture.streams.get(number as usize).is_some_and(|stream| stream.is_over);
    Item {
        state: if is_over { "over" } else { "running" },
        stream: OneStream { outcome: &picture.outcome, options, number, names },
    }
}

/// Streams by filter, sorted, one page of them.
pub(in crate::export) fn streams(status: &Status, query: &str) -> Result<Answer, Problem> {
    let query = Query::read(query, PARAMETERS)?;
    let page = query.page()?;
    let picture = status.picture();
    let (numbers, total) = select(&picture, &query, page)?;
    let (options, names) = (Options::default(), Names(&picture.streams));
    Ok(Answer::json(&StreamPage {
        at: picture.at.map(Text),
        page: page.page,
        per_page: page.per_page,
        pages: page.pages(total),
        total,
        streams: Each(|| numbers.iter().map(|&number| item(&picture, &options, &names, number))),
    }))
}

/// One stream by its name, with its findings and what STUN was heard between its two ends.
pub(in crate::export) fn stream(status: &Status, name: &str, query: &str) -> Result<Answer, Problem> {
    Query::read(query, &[])?;
    let not_found =
        || Problem::new(StatusCode::NOT_FOUND, format!("no stream \"{name}\" runs, or ran shortly before"));
    let id: StreamId = name.parse().map_err(|_| not_found())?;
    let picture = status.picture();
    let is_it = |number: &u32| picture.streams.get(*number as usize).is_some_and(|stream| stream.id == id);
    let noted = status.places.get(&id).map(|place| *place);
    // What is noted may be of the picture after this one.
    let number =
        noted.filter(is_it).or_else(|| (0..).zip(&picture.streams).find(|s| s.1.id == id).map(|s| s.0));
    let number = number.ok_or_else(not_found)?;
    let about = picture.streams.get(number as usize).ok_or_else(not_found)?;
    let (options, names) = (Options::default(), Names(&picture.streams));
    let ends = [about.source, about.destination];
    let between = |a, b| ends == [a, b] || ends == [b, a];
    let stun = || {
        let records = picture.outcome.stun.iter().filter(|record| between(record.client, record.server));
        records.map(|record| OneStun { outcome: &picture.outcome, options: &options, record })
    };
    let findings = Found::of_stream(status, id);
    Ok(Answer::json(&Whole {
        at: picture.at.map(Text),
        stream: item(&picture, &options, &names, number),
        findings: Each(|| &findings),
        stun: Each(stun),
    }))
}
