//! The report as one JSON object, `hopmark/report/v1`.
//!
//! Keys may be added; the meaning of none changes. Times are RFC 3339 in UTC with nine digits of a second,
//! durations seconds, ratios 0 to 1, addresses `ip:port` or `[v6]:port`; what was not measured is null or absent.
//! Every capture, stream, STUN record and finding stands on a line of its own, and is written while the outcome
//! is walked through.
//!
//! `between` and the places in `segments` count the stream's `hops` from 0. `truncated` is the text that says
//! where the file is damaged, or null. `conformant` in the summary means: right at every hop; of what comes in
//! from outside, at every hop from the edge on that marks it.

mod finding;
mod hop;
mod lines;
mod segment;
mod source;
mod stream;
mod stun;
mod summary;

use std::fmt;
use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Options;
use super::view::View;
use crate::meter::StunRecord;
use crate::verify::Outcome;

const SCHEMA: &str = "hopmark/report/v1";

/// Writes the report as one JSON object.
///
/// # Errors
///
/// When `out` does not take it.
pub fn write_json(outcome: &Outcome, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let view = View::new(outcome, options);
    Report(&view)
        .serialize(&mut serde_json::Serializer::with_formatter(&mut out, lines::OnePerLine::default()))?;
    out.write_all(b"\n")?;
    out.flush()
}

/// One stream of an outcome as an object: what stands in the report's `streams`, under names of the caller's.
///
/// The stream is judged when it is written. A number that is no stream's is written as nothing.
#[derive(Debug, Clone, Copy)]
pub struct OneStream<'a> {
    /// Where the stream is.
    pub outcome: &'a Outcome,
    /// How it is shown.
    pub options: &'a Options,
    /// Its number.
    pub number: u32,
    /// The names of streams; a stream without a name has the one it has in the report.
    pub names: &'a dyn StreamNames,
}

/// Names of streams that outlive one outcome.
pub trait StreamNames: fmt::Debug {
    /// The name of the stream of this number.
    fn name(&self, number: u32) -> Option<String>;
}

impl Serialize for OneStream<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view = View { outcome: self.outcome, options: self.options, names: Some(self.names) };
        stream::Numbered(self.number, &view).serialize(serializer)
    }
}

/// One STUN record of an outcome as an object: what stands in the report's `stun`.
#[derive(Debug, Clone, Copy)]
pub struct OneStun<'a> {
    /// Where the record is from.
    pub outcome: &'a Outcome,
    /// How it is shown.
    pub options: &'a Options,
    /// What is shown.
    pub record: &'a StunRecord,
}

impl Serialize for OneStun<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view = View::new(self.outcome, self.options);
        stun::Stun::of(self.record, &view).serialize(serializer)
    }
}

struct Report<'a>(&'a View<'a>);

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view = self.0;
        let outcome = view.outcome;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", SCHEMA)?;
        map.serialize_entry("version", &view.options.version)?;
        map.serialize_entry(
            "captures",
            &Each(|| outcome.captures.iter().map(|c| source::Capture::of(c, view))),
        )?;
        map.serialize_entry("gaps", &Each(|| outcome.gaps.iter().map(|g| source::Gap::of(g, view))))?;
        let streams = &outcome.streams;
        map.serialize_entry(
            "streams",
            &Each(|| streams.numbers().map(|number| stream::Numbered(number, view))),
        )?;
        map.serialize_entry("stun", &Each(|| outcome.stun.iter().map(|s| stun::Stun::of(s, view))))?;
        map.serialize_entry("joins", &Each(|| outcome.joins.iter().map(|j| segment::Apart::of(j, view))))?;
        map.serialize_entry(
            "findings",
            &Each(|| outcome.findings.iter().map(|f| finding::Found::of(f, view))),
        )?;
        map.serialize_entry("summary", &summary::InNumbers::of(view))?;
        map.serialize_entry("counters", &source::Counters(&outcome.counters))?;
        map.end()
    }
}

/// A list whose items are made one at a time, when they are written.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A value that is written as its text.
struct Text<T>(T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A histogram as an object: `{"0": 3, "46": 1200}`, in ascending order.
struct Counts<'a, K>(&'a [(K, u64)]);

impl<K> Counts<'_, K> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Copy + Ord + Serialize> Serialize for Counts<'_, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sorted: smallvec::SmallVec<[(K, u64); 8]> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        serializer.collect_map(sorted)
    }
}

#[cfg(test)]
mod tests;
