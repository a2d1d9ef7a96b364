//! One key of the appliance: what may stand there, read and written.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::print::{length_text, quoted};
use super::table::{Problems, Table, Value};
use super::words::Word;
use crate::policy::PortRange;

/// A key of a table with its field. Reading, writing and comparing go by lists of these.
pub(super) struct Key<T> {
    pub(super) name: &'static str,
    pub(super) field: fn(&mut T) -> Field<'_>,
}

/// A field, with what it may be.
pub(super) enum Field<'a> {
    Count { value: &'a mut usize, min: usize, max: usize },
    PowerOfTwo { value: &'a mut usize, min: usize, max: usize },
    Octets { value: &'a mut u64, min: u64, max: u64 },
    Truth(&'a mut bool),
    Length { value: &'a mut Duration, min: Duration, max: Duration },
    LengthOrNever(&'a mut Option<Duration>),
    Address(&'a mut SocketAddr),
    Path(&'a mut PathBuf),
    OptionalPath(&'a mut Option<PathBuf>),
    User(&'a mut Option<String>),
    Ports(&'a mut Vec<PortRange>),
    Word(&'a mut dyn Word),
}

/// Most ranges of one list of ports: each costs the kernel's filter some steps a packet.
const MAX_PORT_RANGES: usize = 64;

/// Reads those of the keys that the table has into `values`.
pub(super) fn read_keys<T>(table: &Table<'_>, keys: &[Key<T>], values: &mut T, problems: &mut Problems) {
    for key in keys {
        if let Some(value) = table.value(key.name) {
            read_field(&value, (key.field)(values), problems);
        }
    }
}

fn read_field(value: &Value<'_>, field: Field<'_>, problems: &mut Problems) {
    match field {
        Field::Count { value: count, min, max } => {
            take(count, read_count(value, min, max, problems));
        }
        Field::PowerOfTwo { value: size, min, max } => {
            let Some(read) = read_count(value, min, max, problems) else { return };
            if read.is_power_of_two() {
                *size = read;
            } else {
                let what = format!("{read} is not a power of two");
                let near = read.next_power_of_two();
                problems.at(&value.at(()), what, format!("write {near} or {}", near / 2));
            }
        }
        Field::Octets { value: octets, min, max } => take(octets, read_octets(value, min, max, problems)),
        Field::Truth(truth) => take(truth, value.truth(problems)),
        Field::Length { value: length, min, max } => {
            let Some(read) = value.length("a length of time", problems) else { return };
            if (min..=max).contains(&read.value) {
                *length = read.value;
            } else {
                let [read_text, min, max] = [read.value, min, max].map(length_text);
                let what = format!("{read_text} is not from {min} to {max}");
                problems.at(&read, what, "write a length within these bounds");
            }
        }
        Field::LengthOrNever(length) if value.is_never() => *length = None,
        Field::LengthOrNever(length) => {
            let read = value.length("a length of time, or never", problems);
            take(length, read.map(|read| Some(read.value)));
        }
        Field::Address(address) => take(address, value.socket_address(problems)),
        Field::Path(path) => take(path, value.path(problems)),
        Field::OptionalPath(path) => take(path, value.path(problems).map(Some)),
        Field::User(user) => take(user, value.user(problems).map(Some)),
        Field::Ports(ports) => take(ports, read_ports(value, problems)),
        Field::Word(word) => {
            let read = value.word();
            if !read.is_some_and(|read| word.take(read)) {
                let _: Option<()> = value.wrong(word.wanted(), problems);
            }
        }
    }
}

fn take<T>(field: &mut T, read: Option<T>) {
    if let Some(read) = read {
        *field = read;
    }
}

fn read_octets(value: &Value<'_>, min: u64, max: u64, problems: &mut Problems) -> Option<u64> {
    let number = value.whole("a whole number", problems)?;
    if (min..=max).contains(&number.value) {
        return Some(number.value);
    }
    let what = format!("{} is not from {min} to {max}", number.value);
    problems.at(&number, what, "write a number within these bounds");
    None
}

fn read_count(value: &Value<'_>, min: usize, max: usize, problems: &mut Problems) -> Option<usize> {
    usize::try_from(read_octets(value, min as u64, max as u64, problems)?).ok()
}

fn read_ports(value: &Value<'_>, problems: &mut Problems) -> Option<Vec<PortRange>> {
    let all = value.one_or_more();
    if all.len() > MAX_PORT_RANGES {
        let what = format!("a list of {} ranges", all.len());
        problems.at(&value.at(()), what, format!("keep to {MAX_PORT_RANGES}: join those that touch"));
        return None;
    }
    let ranges: Vec<_> = all.iter().map(|value| value.ports(problems).map(|at| at.value)).collect();
    ranges.into_iter().collect()
}

impl Field<'_> {
    /// As people read it; none where nothing is set.
    pub(super) fn text(&self) -> Option<String> {
        Some(match self {
            Self::Count { value, .. } | Self::PowerOfTwo { value, .. } => value.to_string(),
            Self::Octets { value, .. } => value.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::Length { value, .. } => length_text(**value),
            Self::LengthOrNever(length) => length.map_or_else(|| "never".to_owned(), length_text),
            Self::Address(address) => address.to_string(),
            Self::Path(path) => path.display().to_string(),
            Self::OptionalPath(path) => path.as_ref()?.display().to_string(),
            Self::User(user) => user.as_ref()?.clone(),
            Self::Ports(ports) => {
                let ports: Vec<String> = ports.iter().map(PortRange::to_string).collect();
                if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
            }
            Self::Word(word) => word.word().to_owned(),
        })
    }

    /// As the operator's file writes it; none where nothing is set.
    pub(super) fn toml(&self) -> Option<String> {
        let text = self.text()?;
        Some(match self {
            Self::Count { .. } | Self::PowerOfTwo { .. } | Self::Octets { .. } | Self::Truth(_) => text,
            Self::Ports(ports) => {
                let ports: Vec<String> = ports.iter().map(|range| quoted(&range.to_string())).collect();
                format!("[{}]", ports.join(", "))
            }
            _ => quoted(&text),
        })
    }
}
