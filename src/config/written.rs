//! The operator's file as written: every value with its place.

use ipnet::IpNet;
use toml::de::{DeTable, DeValue};

use super::appliance::{Appliance, LivePoint};
use super::live::{self, WrittenSource};
use super::mirror;
use super::sections;
use super::table::{At, Problems, Span, Table, Value};
use crate::policy::{
    Accepted, BURST_LENGTHS, Expectation, Media, MeterLimits, MirrorSession, PortRange, PortSide, Quantity,
    Setting, Thresholds,
};
use crate::terms::{ClockRate, Dscp, Transport};

/// Everything that a file says. What it does not say is absent.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) profile: Option<At<String>>,
    pub(super) inherit: Option<Vec<At<Section>>>,
    pub(super) managed: Option<Vec<IpNet>>,
    pub(super) classes: Vec<WrittenClass>,
    pub(super) rules: Vec<WrittenRule>,
    pub(super) payload_types: Vec<WrittenPayloadType>,
    pub(super) thresholds: Vec<Amount<Thresholds>>,
    pub(super) limits: Vec<Amount<MeterLimits>>,
    pub(super) points: Vec<WrittenPoint>,
    pub(super) paths: Vec<WrittenPath>,
    /// But for its points.
    pub(super) appliance: Appliance,
}

/// A part of a profile that can be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Classes,
    Rules,
    PayloadTypes,
    Thresholds,
}

impl Section {
    pub(super) const ALL: [Self; 4] = [Self::Classes, Self::Rules, Self::PayloadTypes, Self::Thresholds];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Classes => "classes",
            Self::Rules => "rules",
            Self::PayloadTypes => "payload_types",
            Self::Thresholds => "thresholds",
        }
    }
}

/// A `[class.NAME]` table.
#[derive(Debug)]
pub(super) struct WrittenClass {
    pub(super) name: At<String>,
    pub(super) dscp: Option<At<Dscp>>,
    pub(super) also: Option<Vec<At<Accepted>>>,
    pub(super) media: Option<At<Option<Media>>>,
    pub(super) turn_modality: Option<Vec<At<u16>>>,
}

/// A `[[rule]]` table.
#[derive(Debug)]
pub(super) struct WrittenRule {
    pub(super) class: At<String>,
    pub(super) side: PortSide,
    pub(super) ports: At<Vec<PortRange>>,
    pub(super) transport: Option<Transport>,
    pub(super) client_networks: Vec<IpNet>,
}

/// A `[[payload_type]]` table.
#[derive(Debug)]
pub(super) struct WrittenPayloadType {
    pub(super) number: At<u8>,
    pub(super) codec: Option<String>,
    pub(super) clock_rate: Option<ClockRate>,
    pub(super) class: Option<At<String>>,
    pub(super) hint: bool,
}

/// A key of `[thresholds]` or `[limits]` with its value.
pub(super) struct Amount<T: 'static> {
    setting: &'static Setting<T>,
    number: Number,
}

enum Number {
    Whole(u64),
    Ratio(f64),
    Length(std::time::Duration),
}

impl<T> Amount<T> {
    /// Puts the value into its field.
    pub(super) fn apply(&self, values: &mut T) {
        match ((self.setting.field)(values), &self.number) {
            (Quantity::Count { value, .. } | Quantity::Burst(value), Number::Whole(number)) => {
                *value = *number;
            }
            (Quantity::Ratio(value), Number::Ratio(number)) => *value = *number,
            (Quantity::Length(value), Number::Length(number)) => *value = *number,
            // A number is read by the kind of its own field.
            _ => {}
        }
    }
}

impl<T> std::fmt::Debug for Amount<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.setting.key)
    }
}

/// A `[[point]]` table.
#[derive(Debug)]
pub(super) struct WrittenPoint {
    pub(super) name: At<String>,
    pub(super) clock: Option<String>,
    pub(super) mirror: Option<At<MirrorSession>>,
    pub(super) forward: Option<Expectation>,
    pub(super) reverse: Option<Expectation>,
    /// But for its name, source and mirror.
    pub(super) live: LivePoint,
    pub(super) source: Option<WrittenSource>,
}

/// A `[[path]]` table.
#[derive(Debug)]
pub(super) struct WrittenPath {
    pub(super) name: At<String>,
    pub(super) points: At<Vec<At<String>>>,
}

/// Reads a text; what is wrong goes to `problems`, and then the result is of no use.
pub(super) fn read(text: &str, problems: &mut Problems) -> Written {
    match DeTable::parse(text) {
        Ok(table) => read_file(&Table::root(&table), problems),
        Err(error) => {
            let span = error.span().unwrap_or(text.len()..text.len());
            let what = format!("not TOML: {}", error.message().replace('\n', " "));
            problems.add(
                span,
                "",
                what,
                "mend the line; texts stand in quotes, lists in brackets (https://toml.io)",
            );
            Written::default()
        }
    }
}

const FILE_KEYS: &[&str] = &[
    "profile",
    "inherit",
    "managed",
    "class",
    "rule",
    "payload_type",
    "thresholds",
    "limits",
    "point",
    "path",
    "capture",
    "listen",
    "run",
    "log",
    "evidence",
];

fn read_file(file: &Table<'_>, problems: &mut Problems) -> Written {
    file.allow(FILE_KEYS, problems);
    Written {
        profile: file.value("profile").and_then(|v| v.text(problems)),
        inherit: file.value("inherit").and_then(|v| each(&v.list(problems)?, problems, read_section)),
        managed: file.value("managed").and_then(|v| each(&v.list(problems)?, problems, read_network)),
        classes: read_classes(file, problems),
        rules: read_tables(file, "rule", problems, read_rule),
        payload_types: read_tables(file, "payload_type", problems, read_payload_type),
        thresholds: read_settings(file, "thresholds", Thresholds::SETTINGS, problems),
        limits: read_settings(file, "limits", MeterLimits::SETTINGS, problems),
        points: read_tables(file, "point", problems, read_point),
        paths: read_tables(file, "path", problems, read_path),
        appliance: sections::read(file, problems),
    }
}

/// Reads every value; none as soon as one is wrong, but not before all are read.
fn each<'v, T>(
    values: &[Value<'v>],
    problems: &mut Problems,
    read: impl Fn(&Value<'v>, &mut Problems) -> Option<T>,
) -> Option<Vec<T>> {
    let all: Vec<Option<T>> = values.iter().map(|value| read(value, problems)).collect();
    all.into_iter().collect()
}

/// Reads the `[[name]]` tables.
fn read_tables<T>(
    file: &Table<'_>,
    name: &str,
    problems: &mut Problems,
    read: impl Fn(&Table<'_>, &mut Problems) -> Option<T>,
) -> Vec<T> {
    let Some(value) = file.value(name) else { return Vec::new() };
    if matches!(value.de, DeValue::Table(_)) {
        let mend = format!("write [[{name}]]: there can be several");
        problems.add(value.span, name, "a single table", mend);
        return Vec::new();
    }
    let tables = value.list(problems).unwrap_or_default();
    each(&tables, problems, |value, problems| read(&value.table(problems)?, problems)).unwrap_or_default()
}

/// The value of a key that must be there.
pub(super) fn needed<'t>(
    table: &Table<'t>,
    name: &str,
    example: &str,
    problems: &mut Problems,
) -> Option<Value<'t>> {
    let value = table.value(name);
    if value.is_none() {
        let start: Span = table.span.start..table.span.start;
        problems.add(start, &table.key, format!("{name} is missing"), format!("add {name} = {example}"));
    }
    value
}

fn read_section(value: &Value<'_>, problems: &mut Problems) -> Option<At<Section>> {
    let word = value.text(problems)?;
    match Section::ALL.into_iter().find(|section| section.as_str() == word.value) {
        Some(section) => Some(value.at(section)),
        None => value.wrong("a part of a profile", problems),
    }
}

fn read_network(value: &Value<'_>, problems: &mut Problems) -> Option<IpNet> {
    value.network(problems).map(|at| at.value)
}

fn read_classes(file: &Table<'_>, problems: &mut Problems) -> Vec<WrittenClass> {
    let Some(table) = file.value("class").and_then(|v| v.table(problems)) else { return Vec::new() };
    table
        .entries()
        .into_iter()
        .filter_map(|(name, value)| {
            let class = value.table(problems)?;
            class.allow(&["dscp", "also", "media", "turn_modality"], problems);
            Some(WrittenClass {
                name,
                dscp: class.value("dscp").and_then(|v| v.dscp(problems)),
                also: class.value("also").and_then(|v| each(&v.list(problems)?, problems, read_accepted)),
                media: class.value("media").and_then(|v| v.media(problems)),
                turn_modality: class
                    .value("turn_modality")
                    .and_then(|v| each(&v.list(problems)?, problems, Value::modality)),
            })
        })
        .collect()
}

/// A codepoint, or a table of a codepoint and why it is accepted.
fn read_accepted(value: &Value<'_>, problems: &mut Problems) -> Option<At<Accepted>> {
    if !matches!(value.de, DeValue::Table(_)) {
        let dscp = value.dscp(problems)?.value;
        return Some(value.at(Accepted { dscp, note: None }));
    }
    let table = value.table(problems)?;
    table.allow(&["dscp", "note"], problems);
    let dscp = needed(&table, "dscp", "\"AF41\"", problems).and_then(|v| v.dscp(problems));
    let note = table.value("note").and_then(|v| v.text(problems)).map(|at| at.value);
    dscp.map(|dscp| At { value: Accepted { dscp: dscp.value, note }, ..dscp_place(dscp) })
}

/// The place of a codepoint, for what is made of it.
fn dscp_place(at: At<Dscp>) -> At<Accepted> {
    At { value: Accepted { dscp: at.value, note: None }, span: at.span, key: at.key }
}

fn read_rule(table: &Table<'_>, problems: &mut Problems) -> Option<WrittenRule> {
    table.allow(&["class", "client_ports", "service_ports", "transport", "client_networks"], problems);
    let class = needed(table, "class", "\"audio\"", problems).and_then(|v| v.text(problems));
    let transport = table.value("transport").map(|v| v.transport(problems));
    let networks = table.value("client_networks").map(|v| each(&v.list(problems)?, problems, read_network));
    let (side, ports) = match (table.value("client_ports"), table.value("service_ports")) {
        (Some(ports), None) => (PortSide::Client, ports),
        (None, Some(ports)) => (PortSide::Service, ports),
        (client, _) => {
            let what = if client.is_some() {
                "client_ports and service_ports are both given"
            } else {
                "client_ports or service_ports is missing"
            };
            let mend = "give one of them; a class that needs both has two rules";
            problems.add(table.span.start..table.span.start, &table.key, what, mend);
            return None;
        }
    };
    let ranges = each(&ports.one_or_more(), problems, |v, p| v.ports(p).map(|at| at.value))?;
    if ranges.is_empty() {
        problems.at(&ports.at(()), "an empty list", "write at least one port, or take the rule out");
        return None;
    }
    Some(WrittenRule {
        class: class?,
        side,
        ports: ports.at(ranges),
        transport: transport.flatten().map(|at| at.value),
        client_networks: networks.flatten().unwrap_or_default(),
    })
}

fn read_payload_type(table: &Table<'_>, problems: &mut Problems) -> Option<WrittenPayloadType> {
    table.allow(&["number", "codec", "clock_rate", "class", "hint"], problems);
    let number = needed(table, "number", "111", problems).and_then(|v| v.payload_type(problems));
    let codec = table.value("codec").and_then(|v| v.text(problems)).map(|at| at.value);
    let clock_rate = table.value("clock_rate").and_then(|v| v.clock_rate(problems)).map(|at| at.value);
    let class = table.value("class").and_then(|v| v.text(problems));
    let hint = table.value("hint").and_then(|v| v.truth(problems)).unwrap_or(false);
    Some(WrittenPayloadType { number: number?, codec, clock_rate, class, hint })
}

fn read_point(table: &Table<'_>, problems: &mut Problems) -> Option<WrittenPoint> {
    let keys: Vec<&str> = ["name", "clock", "mirror", "expect"].into_iter().chain(live::keys()).collect();
    table.allow(&keys, problems);
    let name = needed(table, "name", "\"access\"", problems).and_then(|v| v.text(problems));
    let clock = table.value("clock").and_then(|v| v.text(problems)).map(|at| at.value);
    let mirror = table.value("mirror").and_then(|v| mirror::read(&v, problems));
    let expect = table.value("expect").and_then(|v| v.table(problems));
    let mut expected = |direction| {
        let expect = expect.as_ref()?;
        expect.value(direction).and_then(|v| v.expectation(problems)).map(|at| at.value)
    };
    let (forward, reverse) = (expected("forward"), expected("reverse"));
    if let Some(expect) = &expect {
        expect.allow(&["forward", "reverse"], problems);
    }
    let (live, source) = (live::read_point(table, problems), live::read_source(table, problems));
    Some(WrittenPoint { name: name?, clock, mirror, forward, reverse, live, source })
}

fn read_path(table: &Table<'_>, problems: &mut Problems) -> Option<WrittenPath> {
    table.allow(&["name", "points"], problems);
    let name = needed(table, "name", "\"hq\"", problems).and_then(|v| v.text(problems));
    let list = needed(table, "points", "[\"access\", \"core\"]", problems)?;
    let points = each(&list.list(problems)?, problems, Value::text);
    Some(WrittenPath { name: name?, points: list.at(points?) })
}

fn read_settings<T>(
    file: &Table<'_>,
    name: &str,
    settings: &'static [Setting<T>],
    problems: &mut Problems,
) -> Vec<Amount<T>>
where
    T: Default,
{
    let Some(table) = file.value(name).and_then(|v| v.table(problems)) else { return Vec::new() };
    let keys: Vec<&str> = settings.iter().map(|setting| setting.key).collect();
    table.allow(&keys, problems);
    // Only asked which kind each field is.
    let mut values = T::default();
    settings
        .iter()
        .filter_map(|setting| {
            let value = table.value(setting.key)?;
            let number = read_number(&value, &(setting.field)(&mut values), problems)?;
            Some(Amount { setting, number })
        })
        .collect()
}

fn read_number(value: &Value<'_>, kind: &Quantity<'_>, problems: &mut Problems) -> Option<Number> {
    match kind {
        Quantity::Count { min, max, .. } => {
            let number = value.whole("a whole number", problems)?;
            if !(*min..=*max).contains(&number.value) {
                let what = format!("{} is not from {min} to {max}", number.value);
                problems.at(&number, what, "write a number within these bounds");
                return None;
            }
            Some(Number::Whole(number.value))
        }
        Quantity::Burst(_) => {
            let number = value.whole("a whole number", problems)?;
            if !BURST_LENGTHS.contains(&number.value) {
                let what = format!("runs of {} packets are not counted by themselves", number.value);
                problems.at(&number, what, "write where a group begins: 1, 2, 3, 5, 10 or 20");
                return None;
            }
            Some(Number::Whole(number.value))
        }
        Quantity::Ratio(_) => value.ratio(problems).map(|at| Number::Ratio(at.value)),
        Quantity::Length(_) => value.length("a length of time", problems).map(|at| Number::Length(at.value)),
    }
}
