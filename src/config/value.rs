//! The forms of single values: codepoints, ports, networks, times.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use toml::de::DeValue;

use super::number;
use super::table::{At, Problems, Value};
use crate::policy::{Copies, Expectation, Media, PortRange};
use crate::terms::{ClockRate, Dscp, Transport};

impl Value<'_> {
    pub(super) fn text(&self, problems: &mut Problems) -> Option<At<String>> {
        match self.de {
            DeValue::String(text) => Some(self.at(text.to_string())),
            _ => self.wrong("a text", problems),
        }
    }

    pub(super) fn truth(&self, problems: &mut Problems) -> Option<bool> {
        match self.de {
            DeValue::Boolean(truth) => Some(*truth),
            _ => self.wrong("true or false", problems),
        }
    }

    /// A whole number of 0 or more; `wanted` is what it is called where it is not.
    pub(super) fn whole(&self, wanted: &str, problems: &mut Problems) -> Option<At<u64>> {
        match self.integer() {
            Some(number) => Some(self.at(number)),
            None => self.wrong(wanted, problems),
        }
    }

    fn integer(&self) -> Option<u64> {
        match self.de {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        }
    }

    fn decimal(&self) -> Option<f64> {
        match self.de {
            DeValue::Integer(_) => u32::try_from(self.integer()?).ok().map(f64::from),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        }
    }

    /// The text that it is, where it is one.
    pub(super) fn word(&self) -> Option<&str> {
        match self.de {
            DeValue::String(text) => Some(text.as_ref()),
            _ => None,
        }
    }

    /// Tries a form; where it does not fit, says what was wanted.
    fn form<T>(&self, wanted: &str, read: Option<T>, problems: &mut Problems) -> Option<At<T>> {
        match read {
            Some(value) => Some(self.at(value)),
            None => self.wrong(wanted, problems),
        }
    }

    pub(super) fn dscp(&self, problems: &mut Problems) -> Option<At<Dscp>> {
        let number = || u8::try_from(self.integer()?).ok().and_then(|n| Dscp::try_from(n).ok());
        let read = self.word().map_or_else(number, |text| text.trim().parse().ok());
        self.form("a DSCP", read, problems)
    }

    /// A length of time; `wanted` is what it is called where it is none.
    pub(super) fn length(&self, wanted: &str, problems: &mut Problems) -> Option<At<Duration>> {
        let read = match self.word() {
            Some(text) => number::length(text),
            None => self.decimal().and_then(number::length_of_seconds),
        };
        self.form(wanted, read, problems)
    }

    /// Whether it says that something never happens.
    pub(super) fn is_never(&self) -> bool {
        match self.word() {
            Some(text) => matches!(text.trim(), "never" | "0s"),
            None => self.decimal() == Some(0.0),
        }
    }

    /// By what Linux takes for a name (`dev_valid_name`), without the colon of an alias. libpcap has longer names, for
    /// what is no interface of the system.
    pub(super) fn interface(&self, is_pcap: bool, problems: &mut Problems) -> Option<At<String>> {
        let longest = if is_pcap { 64 } else { 15 };
        let is_name = |word: &&str| {
            (1..=longest).contains(&word.len())
                && !matches!(*word, "." | "..")
                && !word.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/')
                && (is_pcap || !word.contains(':'))
        };
        self.form("the name of an interface", self.word().filter(is_name).map(str::to_owned), problems)
    }

    pub(super) fn ratio(&self, problems: &mut Problems) -> Option<At<f64>> {
        let read = self.decimal().filter(|ratio| (0.0..=1.0).contains(ratio));
        // Minus zero is zero, and is written so.
        self.form("a ratio", read.map(f64::abs), problems)
    }

    pub(super) fn network(&self, problems: &mut Problems) -> Option<At<IpNet>> {
        let read = self.word().and_then(number::network);
        self.form("a network", read, problems)
    }

    pub(super) fn address(&self, problems: &mut Problems) -> Option<At<IpAddr>> {
        let read = self.word().and_then(|word| word.trim().parse().ok());
        self.form("an address", read, problems)
    }

    pub(super) fn socket_address(&self, problems: &mut Problems) -> Option<SocketAddr> {
        let read = self.word().and_then(|word| word.trim().parse().ok());
        self.form("an address with a port", read, problems).map(|at| at.value)
    }

    pub(super) fn path(&self, problems: &mut Problems) -> Option<PathBuf> {
        let read = self.word().filter(|word| !word.is_empty() && !word.contains('\0'));
        self.form("a path", read.map(PathBuf::from), problems).map(|at| at.value)
    }

    pub(super) fn user(&self, problems: &mut Problems) -> Option<String> {
        let is_name = |word: &&str| {
            (1..=32).contains(&word.len())
                && !word.starts_with('-')
                && !word
                    .contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | '/' | ','))
        };
        self.form("a user", self.word().filter(is_name).map(str::to_owned), problems).map(|at| at.value)
    }

    pub(super) fn copies(&self, problems: &mut Problems) -> Option<At<Copies>> {
        let read = self.word().and_then(|word| Copies::ALL.into_iter().find(|c| c.as_str() == word));
        self.form("a direction", read, problems)
    }

    pub(super) fn transport(&self, problems: &mut Problems) -> Option<At<Transport>> {
        let read = match self.word() {
            Some("udp") => Some(Transport::Udp),
            Some("tcp") => Some(Transport::Tcp),
            _ => None,
        };
        self.form("a transport", read, problems)
    }

    pub(super) fn expectation(&self, problems: &mut Problems) -> Option<At<Expectation>> {
        let read = self.word().and_then(|word| Expectation::ALL.into_iter().find(|e| e.as_str() == word));
        self.form("an expectation", read, problems)
    }

    pub(super) fn media(&self, problems: &mut Problems) -> Option<At<Option<Media>>> {
        let read = match self.word() {
            Some("audio") => Some(Some(Media::Audio)),
            Some("video") => Some(Some(Media::Video)),
            Some("none") => Some(None),
            _ => None,
        };
        self.form("a kind of media", read, problems)
    }

    pub(super) fn payload_type(&self, problems: &mut Problems) -> Option<At<u8>> {
        let read = self.integer().and_then(|n| u8::try_from(n).ok()).filter(|n| *n < 128);
        self.form("a payload type", read, problems)
    }

    pub(super) fn modality(&self, problems: &mut Problems) -> Option<At<u16>> {
        let read = self.integer().and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
        self.form("a modality", read, problems)
    }

    pub(super) fn clock_rate(&self, problems: &mut Problems) -> Option<At<ClockRate>> {
        let read = self.integer().and_then(|n| u32::try_from(n).ok()).and_then(ClockRate::from_hz);
        self.form("a clock rate", read, problems)
    }

    /// `"50000-50019"`, `3479` or `{ start = 50000, count = 20 }`.
    pub(super) fn ports(&self, problems: &mut Problems) -> Option<At<PortRange>> {
        if let DeValue::Table(_) = self.de {
            let table = self.table(problems)?;
            table.allow(&["start", "count"], problems);
            let part = |name| table.value(name).and_then(|value| value.integer());
            let read = part("start").zip(part("count")).and_then(|(start, count)| {
                let last = start.checked_add(count.checked_sub(1)?)?;
                PortRange::new(u16::try_from(start).ok()?, u16::try_from(last).ok()?)
            });
            if read.is_none() {
                let mend =
                    "give both, with start + count - 1 at most 65535, as { start = 50000, count = 20 }";
                problems.at(&self.at(()), "start and count are not a range of ports", mend);
            }
            return read.map(|range| self.at(range));
        }
        let single = || u16::try_from(self.integer()?).ok().and_then(|port| PortRange::new(port, port));
        let read = self.word().map_or_else(single, number::ports);
        self.form("a port or a range of ports", read, problems)
    }
}
