//! Walks a TOML table; keeps the place and the name of all it finds.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where something stands in the text, in octets.
pub(super) type Span = Range<usize>;

/// A value with its place in the text.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Span,
    /// Its key, as errors print it.
    pub(super) key: String,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) span: Span,
    pub(super) key: String,
    pub(super) what: String,
    pub(super) mend: String,
}

/// Everything that is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Found>);

impl Problems {
    pub(super) fn add(&mut self, span: Span, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Found { span, key: key.to_owned(), what: what.into(), mend: mend.into() });
    }

    pub(super) fn at<T>(&mut self, at: &At<T>, what: impl Into<String>, mend: impl Into<String>) {
        self.add(at.span.clone(), &at.key, what, mend);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_list(self) -> Vec<Found> {
        self.0
    }
}

/// A table of the file.
#[derive(Debug, Clone)]
pub(super) struct Table<'t> {
    entries: &'t DeTable<'t>,
    pub(super) span: Span,
    /// Its key; empty for the whole file.
    pub(super) key: String,
}

/// A value of the file.
#[derive(Debug, Clone)]
pub(super) struct Value<'t> {
    pub(super) de: &'t DeValue<'t>,
    pub(super) span: Span,
    pub(super) key: String,
}

impl<'t> Table<'t> {
    pub(super) fn root(table: &'t Spanned<DeTable<'t>>) -> Self {
        Self { entries: table.get_ref(), span: table.span(), key: String::new() }
    }

    /// Reports every key that is none of these.
    pub(super) fn allow(&self, keys: &[&str], problems: &mut Problems) {
        for key in self.entries.keys() {
            let name = key.get_ref().as_ref();
            if !keys.contains(&name) {
                let mend = match nearest(name, keys.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("keys here are {}", keys.join(", ")),
                };
                problems.add(key.span(), &self.path(name), "unknown key", mend);
            }
        }
    }

    /// The value of a key, where there is one.
    pub(super) fn value(&self, name: &str) -> Option<Value<'t>> {
        let value = self.entries.get(name)?;
        Some(Value { de: value.get_ref(), span: value.span(), key: self.path(name) })
    }

    /// All entries in the order of the file, as (name with the place of the key, value).
    pub(super) fn entries(&self) -> Vec<(At<String>, Value<'t>)> {
        let mut all: Vec<_> = self
            .entries
            .iter()
            .map(|(key, value)| {
                let name = key.get_ref().to_string();
                let path = self.path(&name);
                let value = Value { de: value.get_ref(), span: value.span(), key: path.clone() };
                (At { value: name, span: key.span(), key: path }, value)
            })
            .collect();
        // TOML tables have no order, but the operator's file does.
        all.sort_by_key(|(name, _)| name.span.start);
        all
    }

    fn path(&self, name: &str) -> String {
        if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) }
    }
}

impl<'t> Value<'t> {
    /// The value in another form, in the same place.
    pub(super) fn at<T>(&self, value: T) -> At<T> {
        At { value, span: self.span.clone(), key: self.key.clone() }
    }

    /// Says that it is not what it must be.
    pub(super) fn wrong<T>(&self, wanted: &str, problems: &mut Problems) -> Option<T> {
        let what = match self.de {
            DeValue::String(text) => format!("\"{}\" is not {wanted}", shortened(text)),
            DeValue::Integer(number) => format!("{number} is not {wanted}"),
            DeValue::Float(number) => format!("{number} is not {wanted}"),
            DeValue::Boolean(truth) => format!("{truth} is not {wanted}"),
            DeValue::Datetime(_) => format!("a date is not {wanted}"),
            DeValue::Array(_) => format!("a list is not {wanted}"),
            DeValue::Table(_) => format!("a table is not {wanted}"),
        };
        problems.add(self.span.clone(), &self.key, what, format!("write {}", example(wanted)));
        None
    }

    /// The table that it is.
    pub(super) fn table(&self, problems: &mut Problems) -> Option<Table<'t>> {
        match self.de {
            DeValue::Table(entries) => {
                Some(Table { entries, span: self.span.clone(), key: self.key.clone() })
            }
            _ => self.wrong("a table", problems),
        }
    }

    /// The values of a list, counted from 1.
    pub(super) fn list(&self, problems: &mut Problems) -> Option<Vec<Self>> {
        match self.de {
            DeValue::Array(_) => Some(self.one_or_more()),
            _ => self.wrong("a list", problems),
        }
    }

    /// The values of a list, or the one value that it is.
    pub(super) fn one_or_more(&self) -> Vec<Self> {
        match self.de {
            DeValue::Array(items) => items
                .iter()
                .zip(1_usize..)
                .map(|(item, number)| Self {
                    de: item.get_ref(),
                    span: item.span(),
                    key: format!("{}[{number}]", self.key),
                })
                .collect(),
            _ => vec![self.clone()],
        }
    }
}

/// What a right value looks like, by the words that name it.
fn example(wanted: &str) -> &'static str {
    match wanted {
        "a table" => "it as a [table]",
        "a list" => "a list in brackets: [\"one\", \"two\"]",
        "a text" => "a text in quotes",
        "true or false" => "true or false",
        "a DSCP" => "a number from 0 to 63, or a name such as \"EF\", \"AF41\" or \"CS5\"",
        "a length of time" => {
            "a number of seconds above 0 and up to a day, or a text such as \"30ms\", \"5s\" or \"2m\""
        }
        "a length of time, or never" => {
            "\"never\", a number of seconds, or a text such as \"60s\" or \"2m\", up to a day"
        }
        "an address with a port" => "one as \"127.0.0.1:9847\" or \"[::1]:9847\"",
        "a path" => "the path of a file or folder in quotes",
        "a user" => "the name of a user of this system in quotes",
        "the name of an interface" => "one as \"eth1\": up to 15 characters without space, slash and colon",
        "a backend" => "\"ring\", \"xdp\" or \"pcap\"",
        "a form of log lines" => "\"text\" or \"json\"",
        "a level" => "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        "a severity" => "\"error\", \"warning\" or \"info\"",
        "a ratio" => "a number from 0 to 1; one percent is 0.01",
        "a network" => "an address and a prefix length, as \"10.0.0.0/8\" or \"2001:db8::/32\"",
        "an address" => "an address as \"10.0.0.1\" or \"2001:db8::1\"",
        "a direction" => "\"both\", \"ingress\" or \"egress\"",
        "a port or a range of ports" => "ports as \"50000-50019\", 3479 or { start = 50000, count = 20 }",
        "a transport" => "\"udp\" or \"tcp\"",
        "an expectation" => "\"class\", \"class-or-unmarked\", \"unmarked\" or \"any\"",
        "a kind of media" => "\"audio\", \"video\" or \"none\"",
        "a part of a profile" => "any of \"classes\", \"rules\", \"payload_types\", \"thresholds\"",
        "a payload type" => "a number from 0 to 127",
        "a modality" => "a number from 1 to 65535: 1 audio, 2 video, 3 supplemental video, 4 data",
        "a clock rate" => "a number of hertz, as 48000",
        _ => "a whole number",
    }
}

/// Text of the file as a message shows it: without control characters, and not longer than a line.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown: String =
        text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > LONGEST {
        shown.push_str("...");
    }
    shown
}

/// The known word that a wrong one most likely meant: one letter of a short one differs, two of
/// a longer one (as when two are swapped), a third of a long one.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.chars().count() > 64 {
        return None;
    }
    let (distance, near) = known.map(|word| (distance(wrong, word), word)).min_by_key(|(d, _)| *d)?;
    let length = wrong.chars().count().min(near.chars().count());
    let farthest = if length < 4 { 1 } else { 2.max(length / 3) };
    (distance <= farthest).then_some(near)
}

/// How many letters must be put in, taken out or replaced to make one word of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, letter_of_other) in row.iter_mut().skip(1).zip(&other) {
            let replaced = diagonal + usize::from(letter != *letter_of_other);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshtein() {
        for (one, other, expected) in
            [("", "", 0), ("", "abc", 3), ("rule", "rule", 0), ("rules", "rule", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        let keys = ["class", "rule", "payload_type"];
        assert_eq!(nearest("rules", keys.into_iter()), Some("rule"));
        assert_eq!(nearest("clas", keys.into_iter()), Some("class"));
        assert_eq!(nearest("payload-types", keys.into_iter()), Some("payload_type"));
        assert_eq!(nearest("sites", keys.into_iter()), None);
        assert_eq!(nearest("dcsp", ["dscp", "also", "media"].into_iter()), Some("dscp"));
        assert_eq!(nearest("any", ["udp", "tcp"].into_iter()), None);
        assert_eq!(nearest(&"x".repeat(100_000), keys.into_iter()), None);
    }
}
