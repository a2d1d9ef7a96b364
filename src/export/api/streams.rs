//! `/api/v1/streams`: found by notes, judged for one page only.

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

/// What streams are sorted by, the smallest first, as numbers that stand side by side in memory.
type Key = fn(&StreamStatus) -> u64;

const KEYS: [(&str, Key); 7] = [
    ("first", |stream| ascending(stream.first.0)),
    ("last", |stream| ascending(stream.last.0)),
    // Bits of numbers that are not negative are in the order of the numbers.
    ("loss", |stream| u64::from(stream.note.loss_ratio.max(0.0).to_bits())),
    ("jitter", |stream| u64::from(stream.note.jitter_seconds.max(0.0).to_bits())),
    ("packets", |stream| u64::from(stream.note.packets)),
    ("verdict", |stream| stream.note.worst as u64),
    ("id", |stream| stream.id.0),
];

/// A number that may be negative as one that is not, in the same order.
const fn ascending(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

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
    let (key, is_falling) = query.read_as("sort", sort_key, sort_keys)?.unwrap_or((KEYS[0].1, false));
    // Streams that are equal stay in the order of their numbers, so that pages do not overlap.
    let keyed = |(number, stream): (u32, &StreamStatus)| {
        let key = key(stream);
        (if is_falling { !key } else { key }, number)
    };
    let taken = (0..).zip(&picture.streams).filter(|(_, stream)| filter.takes(stream));
    let mut found: Vec<(u64, u32)> = taken.map(keyed).collect();
    let total = found.len();
    Ok((page.sorted(&mut found, Ord::cmp).iter().map(|(_, number)| *number).collect(), total))
}

fn item<'a>(picture: &'a Picture, options: &'a Options, names: &'a Names<'a>, number: u32) -> Item<'a> {
    let is_over = picture.streams.get(number as usize).is_some_and(|stream| stream.is_over);
    Item {
        state: if is_over { "over" } else { "running" },
        stream: OneStream { outcome: &picture.outcome, options, number, names },
    }
}

/// Octets of one stream as JSON, with room for a third hop.
const OCTETS: usize = 4_096;

/// Streams by filter, sorted, one page of them.
pub(in crate::export) fn streams(status: &Status, query: &str) -> Result<Answer, Problem> {
    let query = Query::read(query, PARAMETERS)?;
    let page = query.page()?;
    let picture = status.picture();
    let (numbers, total) = select(&picture, &query, page)?;
    let (options, names) = (Options::default(), Names(&picture.streams));
    let octets = numbers.len().saturating_mul(OCTETS);
    let page = StreamPage {
        at: picture.at.map(Text),
        page: page.page,
        per_page: page.per_page,
        pages: page.pages(total),
        total,
        streams: Each(|| numbers.iter().map(|&number| item(&picture, &options, &names, number))),
    };
    Ok(Answer::long_json(&page, octets))
}

/// One stream by its name, with its findings and what STUN was heard between its two ends.
pub(in crate::export) fn stream(status: &Status, name: &str, query: &str) -> Result<Answer, Problem> {
    Query::read(query, &[])?;
    let not_found =
        || Problem::new(StatusCode::NOT_FOUND, format!("no stream \"{name}\" runs, or ran shortly before"));
    let id: StreamId = name.parse().map_err(|_| not_found())?;
    let picture = status.picture();
    let (number, about) =
        (0..).zip(&picture.streams).find(|(_, stream)| stream.id == id).ok_or_else(not_found)?;
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
