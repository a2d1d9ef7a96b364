//! The exposition formats: text 0.0.4 and `OpenMetrics` 1.0.0.
//!
//! Everything goes straight into one text that is used again for the next scrape. Sources: the exposition formats of
//! Prometheus, and `OpenMetrics` 1.0.0.

use std::fmt::Write;

use super::family::{Family, Kind};
use super::source::Source;
use crate::status::{BOUNDS, Distribution};

/// An exposition format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) enum Format {
    /// Prometheus text, 0.0.4.
    Text,
    /// `OpenMetrics` text, 1.0.0.
    OpenMetrics,
}

impl Format {
    /// What it is called in `Content-Type`.
    pub(in crate::export) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The value of a label.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label<'a> {
    Text(&'a str),
    Number(u64),
}

impl<'a> From<&'a str> for Label<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<u8> for Label<'_> {
    fn from(number: u8) -> Self {
        Self::Number(u64::from(number))
    }
}

/// The upper bound of a bucket.
#[derive(Debug, Clone, Copy)]
enum Bound<'a> {
    To(&'a f64),
    Infinite,
}

/// What one scrape is written into.
#[derive(Debug)]
pub(super) struct Writer<'t> {
    out: &'t mut String,
    format: Format,
    /// The family that is being written.
    name: &'static str,
    labels: &'static [&'static str],
    /// Series that still find room.
    room: usize,
    limited: u64,
}

impl<'t> Writer<'t> {
    /// Begins a text of at most so many series.
    pub(super) fn new(out: &'t mut String, format: Format, max_series: usize) -> Self {
        out.clear();
        Self { out, format, name: "", labels: &[], room: max_series, limited: 0 }
    }

    /// Writes a family with its samples; one without samples is not written.
    pub(super) fn family(&mut self, family: &Family, source: &Source<'_>) {
        let before = self.out.len();
        self.head(family);
        let head_ends = self.out.len();
        (self.name, self.labels) = (family.name, family.labels);
        (family.samples)(source, self);
        if self.out.len() == head_ends {
            self.out.truncate(before);
        }
    }

    /// Label sets that found no room so far.
    pub(super) const fn limited(&self) -> u64 {
        self.limited
    }

    /// Writes a family of one sample, whatever room is left.
    pub(super) fn always(&mut self, family: &Family, value: u64) {
        self.head(family);
        let _ = writeln!(self.out, "{} {value}", family.name);
    }

    /// Ends the text.
    pub(super) fn end(self) {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
    }

    fn head(&mut self, family: &Family) {
        let (name, kind) = match (self.format, family.kind) {
            (Format::Text, Kind::Info) => (family.name, Kind::Gauge),
            (Format::Text, kind) => (family.name, kind),
            (Format::OpenMetrics, kind) => (family.base_name(), kind),
        };
        let _ = writeln!(self.out, "# HELP {name} {}", family.help);
        let _ = writeln!(self.out, "# TYPE {name} {}", kind.as_str());
        if self.format == Format::OpenMetrics
            && let Some(unit) = family.named_unit()
        {
            let _ = writeln!(self.out, "# UNIT {name} {unit}");
        }
    }

    /// Writes a sample that counts.
    pub(super) fn number(&mut self, labels: &[Label<'_>], value: u64) {
        if self.takes(1) {
            self.series("", labels, None);
            let _ = writeln!(self.out, " {value}");
        }
    }

    /// Writes a sample that measures.
    pub(super) fn real(&mut self, labels: &[Label<'_>], value: f64) {
        if self.takes(1) {
            self.series("", labels, None);
            let _ = writeln!(self.out, " {value}");
        }
    }

    /// Writes the series of a histogram.
    pub(super) fn histogram(&mut self, labels: &[Label<'_>], distribution: &Distribution) {
        if !self.takes(distribution.counts.len() + 2) {
            return;
        }
        let mut count = 0;
        let bounds = BOUNDS.iter().map(Bound::To).chain(std::iter::once(Bound::Infinite));
        for (bound, observed) in bounds.zip(distribution.counts) {
            count += observed;
            self.series("_bucket", labels, Some(bound));
            let _ = writeln!(self.out, " {count}");
        }
        self.series("_sum", labels, None);
        let _ = writeln!(self.out, " {}", distribution.sum);
        self.series("_count", labels, None);
        let _ = writeln!(self.out, " {count}");
    }

    /// Whether so many series find room; if not, one label set more found none.
    fn takes(&mut self, series: usize) -> bool {
        let room = self.room.checked_sub(series);
        match room {
            Some(room) => self.room = room,
            None => self.limited += 1,
        }
        room.is_some()
    }

    /// Name and labels; a bucket has the bound as its last label.
    fn series(&mut self, suffix: &str, labels: &[Label<'_>], bucket: Option<Bound<'_>>) {
        debug_assert_eq!(labels.len(), self.labels.len(), "labels of {}", self.name);
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        let mut opening = '{';
        for (name, value) in self.labels.iter().zip(labels) {
            self.out.push(opening);
            opening = ',';
            self.out.push_str(name);
            self.out.push_str("=\"");
            match *value {
                Label::Text(text) => escape(text, self.out),
                Label::Number(number) => drop(write!(self.out, "{number}")),
            }
            self.out.push('"');
        }
        if let Some(bound) = bucket {
            self.out.push(opening);
            opening = ',';
            // With a point always, as OpenMetrics has it: `1.0` and not `1`.
            let _ = match bound {
                Bound::To(bound) => write!(self.out, "le=\"{bound:?}\""),
                Bound::Infinite => write!(self.out, "le=\"+Inf\""),
            };
        }
        if opening == ',' {
            self.out.push('}');
        }
    }
}

/// Writes the value of a label as both formats have it.
fn escape(value: &str, out: &mut String) {
    for part in value.split_inclusive(['\\', '"', '\n']) {
        let mut characters = part.chars();
        let last = characters.next_back();
        out.push_str(match last {
            Some('\\' | '"' | '\n') => characters.as_str(),
            _ => part,
        });
        out.push_str(match last {
            Some('\\') => "\\\\",
            Some('"') => "\\\"",
            Some('\n') => "\\n",
            _ => "",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(value: &str) -> String {
        let mut out = String::new();
        let mut writer = Writer::new(&mut out, Format::Text, 10);
        (writer.name, writer.labels) = ("n", &["a", "b"]);
        writer.number(&[value.into(), 7_u8.into()], 3);
        writer.end();
        out
    }

    #[test]
    fn labels_are_escaped() {
        for (value, written) in [
            ("plain", "plain"),
            ("", ""),
            ("a\\b", "a\\\\b"),
            ("say \"hi\"", "say \\\"hi\\\""),
            ("two\nlines\n", "two\\nlines\\n"),
            ("ÿ→\"", "ÿ→\\\""),
        ] {
            assert_eq!(labelled(value), format!("n{{a=\"{written}\",b=\"7\"}} 3\n"));
        }
    }

    #[test]
    fn a_histogram_is_cumulative() {
        let mut distribution = Distribution::default();
        for seconds in [0.000_05, 0.004, 0.5, 7.0] {
            distribution.observe(seconds);
        }
        let mut out = String::new();
        let mut writer = Writer::new(&mut out, Format::Text, 15);
        (writer.name, writer.labels) = ("d", &[]);
        writer.histogram(&[], &distribution);
        writer.histogram(&[], &distribution);
        assert_eq!(writer.limited(), 1);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 15);
        assert_eq!(lines[0], "d_bucket{le=\"0.0001\"} 1");
        assert_eq!(lines[4], "d_bucket{le=\"0.005\"} 2");
        assert_eq!(lines[11], "d_bucket{le=\"1.0\"} 3");
        assert_eq!(lines[12], "d_bucket{le=\"+Inf\"} 4");
        assert_eq!(lines[13], "d_sum 7.50405");
        assert_eq!(lines[14], "d_count 4");
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut out = String::new();
        let mut writer = Writer::new(&mut out, Format::Text, 2);
        (writer.name, writer.labels) = ("n", &["a"]);
        for number in 0..5_u8 {
            writer.number(&[number.into()], 1);
        }
        assert_eq!(writer.limited(), 3);
        assert_eq!(out.lines().count(), 2);
    }
}
