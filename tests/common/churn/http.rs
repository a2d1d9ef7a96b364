//! Requests to the running program, and what its metrics say.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The body of an answer, and how long it took from the first octet sent to the last one heard.
pub(super) fn get(address: SocketAddr, path: &str) -> Option<(String, Duration)> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: churn\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let took = begun.elapsed();
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
    Some((body.to_owned(), took))
}

/// One scrape.
#[derive(Debug, Clone, Default)]
pub(super) struct Scrape {
    /// Values by series: a family's name with its labels.
    pub(super) series: BTreeMap<String, f64>,
    pub(super) octets: usize,
    pub(super) took: Duration,
}

impl Scrape {
    pub(super) fn of(address: SocketAddr) -> Option<Self> {
        let (text, took) = get(address, "/metrics")?;
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        };
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let series =
            samples.map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect();
        Some(Self { series, octets: text.len(), took })
    }

    /// The sum of a family over all series that have each of these labels.
    pub(super) fn sum(&self, family: &str, labels: &[(&str, &str)]) -> u64 {
        let has = |series: &str| {
            let wanted = |(name, value): &(&str, &str)| series.contains(&format!("{name}=\"{value}\""));
            series.split_once('{').map_or(series, |(name, _)| name) == family && labels.iter().all(wanted)
        };
        self.series.iter().filter(|(series, _)| has(series)).map(|(_, value)| *value as u64).sum()
    }
}
