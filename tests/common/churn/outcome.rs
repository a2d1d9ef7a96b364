//! What a soak came to, and what must be true of it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::Scrape;
use super::traffic::Made;
use super::{PACKETS, Profile};

/// Memory may be so much above what it was when everything had settled: a part of it, or so many octets.
const GROWTH: f64 = 0.05;
const GROWTH_OCTETS: u64 = 4 << 20;
/// A scrape may take so many octets and so long.
const MOST_OCTETS: usize = 2_000_000;
const LONGEST: Duration = Duration::from_millis(50);

/// One look while it ran.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Packet time since the start.
    pub(crate) seconds: i64,
    /// Octets that are resident.
    pub(crate) memory: u64,
    /// Of a scrape.
    pub(crate) octets: usize,
    pub(crate) took: Duration,
    pub(crate) series: usize,
    /// Streams that the interface lists, and how long it took to list a thousand of them.
    pub(crate) streams: u64,
    pub(crate) streams_took: Duration,
}

/// A soak.
pub(crate) struct Outcome {
    pub(crate) profile: Profile,
    pub(crate) made: Made,
    pub(crate) samples: Vec<Sample>,
    /// Series that came when everything had settled.
    pub(super) late_series: BTreeSet<String>,
    /// After everything.
    pub(super) last: Scrape,
    /// Streams that are listed after everything.
    pub(super) streams: u64,
    /// Wall time until everything was read.
    pub(crate) fed: Duration,
    /// Of the program, by thread.
    pub(crate) processor: Vec<(String, f64)>,
    pub(super) peak: u64,
}

impl Outcome {
    /// Samples while streams began, before or after everything had settled.
    fn samples(&self, is_settled: bool) -> impl Iterator<Item = &Sample> {
        let (settled, end) = (self.profile.settled, self.profile.seconds);
        self.samples.iter().filter(move |s| s.seconds <= end && (s.seconds > settled) == is_settled)
    }

    fn total(&self, family: &str) -> u64 {
        self.last.sum(family, &[])
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.total("hopmark_streams_evicted_total")
    }

    /// Everything that is not as it must be, in a sentence each.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        let mut wrongs = Vec::new();
        let mut must = |is_so: bool, what: String| wrongs.extend((!is_so).then_some(what));
        let Made { frames, streams, packets, lost, requests, unanswered } = self.made;
        let expected = [packets[0] + lost[0], packets[1] + lost[1]];
        let by_hop = |family, hop| self.last.sum(family, &[("hop", hop)]);
        for (name, counted, made) in [
            ("frames", self.total("hopmark_capture_packets_total"), frames),
            ("streams that began", self.total("hopmark_streams_started_total"), streams),
            ("packets at the first hop", by_hop("hopmark_rtp_packets_total", "1"), packets[0]),
            ("packets at the second hop", by_hop("hopmark_rtp_packets_total", "2"), packets[1]),
            ("expected at the first hop", by_hop("hopmark_rtp_expected_packets_total", "1"), expected[0]),
            ("expected at the second hop", by_hop("hopmark_rtp_expected_packets_total", "2"), expected[1]),
            ("lost at the first hop", by_hop("hopmark_rtp_lost_packets_total", "1"), lost[0]),
            ("lost at the second hop", by_hop("hopmark_rtp_lost_packets_total", "2"), lost[1]),
            ("packets by codepoint", self.total("hopmark_marking_packets_total"), packets[0] + packets[1]),
            ("STUN requests", self.total("hopmark_stun_requests_total"), requests),
            ("STUN requests without answer", self.total("hopmark_stun_unanswered_total"), unanswered),
            ("series without room", self.total("hopmark_series_limited_total"), 0),
            ("streams that run after all", self.total("hopmark_streams_active"), 0),
            ("streams by verdict after all", self.total("hopmark_streams_by_verdict"), 0),
            ("streams listed after all", self.streams, 0),
            ("findings open after all", self.total("hopmark_findings_open"), 0),
        ] {
            must(counted == made, format!("{name}: {counted}, not {made}"));
        }
        match self.profile.burst {
            None => must(
                self.evicted() == 0,
                format!("{} streams made room where there was some", self.evicted()),
            ),
            Some(burst) => must(
                self.evicted() >= burst.streams.saturating_sub(self.profile.table),
                format!("{} streams made room", self.evicted()),
            ),
        }
        let before = self.samples(false).map(|s| s.memory).max().unwrap_or(0);
        let after = self.samples(true).map(|s| s.memory).max().unwrap_or(u64::MAX);
        let most = before + GROWTH_OCTETS.max((before as f64 * GROWTH) as u64);
        must(after <= most, format!("memory grew from {before} to {after} octets"));
        let late = &self.late_series;
        must(late.len() <= self.profile.late_series, format!("{} series came late: {late:?}", late.len()));
        let octets = self.samples.iter().map(|s| s.octets).max().unwrap_or(usize::MAX);
        must(octets < MOST_OCTETS, format!("a scrape of {octets} octets"));
        let took = self.median(|s| s.took);
        must(took < LONGEST, format!("scrapes took {took:?}"));
        wrongs
    }

    fn median(&self, of: impl Fn(&Sample) -> Duration) -> Duration {
        let mut all: Vec<Duration> = self.samples.iter().map(of).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    }

    fn longest(&self, of: impl Fn(&Sample) -> Duration) -> Duration {
        self.samples.iter().map(of).max().unwrap_or_default()
    }

    /// A table with a line for each part of the time, and what it came to.
    pub(crate) fn table(&self, part: i64) -> String {
        use std::fmt::Write as _;
        let mut text = String::from(
            "| packet time | memory MiB | series | /metrics octets | /metrics ms | streams listed | 1000 streams ms |\n\
             |---:|---:|---:|---:|---:|---:|---:|\n",
        );
        let parts = self.samples.chunk_by(|a, b| (a.seconds - 1) / part == (b.seconds - 1) / part);
        for samples in parts {
            let most = |of: fn(&Sample) -> f64| samples.iter().map(of).fold(0.0, f64::max);
            let _ = writeln!(
                text,
                "| {} | {:.1} | {} | {} | {:.1} | {} | {:.1} |",
                clock(samples.last().map_or(0, |s| s.seconds)),
                most(|s| s.memory as f64) / 1_048_576.0,
                most(|s| s.series as f64),
                most(|s| s.octets as f64),
                most(|s| s.took.as_secs_f64()) * 1e3,
                most(|s| s.streams as f64),
                most(|s| s.streams_took.as_secs_f64()) * 1e3,
            );
        }
        let processor: Vec<String> =
            self.processor.iter().take(3).map(|(name, seconds)| format!("{name} {seconds:.1} s")).collect();
        let _ = write!(
            text,
            "\n{} streams of {PACKETS} packets, {} frames, {:.0} s of wall time; processor: {}.\n\
             Peak memory {:.1} MiB. {} streams made room. /metrics: median {:.1} ms, longest {:.1} ms. A page of 1000 \
             streams: median {:.1} ms, longest {:.1} ms.\n",
            self.made.streams,
            self.made.frames,
            self.fed.as_secs_f64(),
            processor.join(", "),
            self.peak as f64 / 1_048_576.0,
            self.evicted(),
            self.median(|s| s.took).as_secs_f64() * 1e3,
            self.longest(|s| s.took).as_secs_f64() * 1e3,
            self.median(|s| s.streams_took).as_secs_f64() * 1e3,
            self.longest(|s| s.streams_took).as_secs_f64() * 1e3,
        );
        text
    }

    /// Everything, for machines.
    pub(crate) fn json(&self) -> Value {
        let sample = |s: &Sample| {
            json!({
                "seconds": s.seconds, "memory_octets": s.memory, "series": s.series, "metrics_octets": s.octets,
                "metrics_seconds": s.took.as_secs_f64(), "streams": s.streams,
                "streams_seconds": s.streams_took.as_secs_f64(),
            })
        };
        json!({
            "profile": self.profile.name,
            "streams": self.made.streams,
            "frames": self.made.frames,
            "packets": self.made.packets,
            "lost": self.made.lost,
            "stun_requests": self.made.requests,
            "stun_unanswered": self.made.unanswered,
            "evicted": self.evicted(),
            "wall_seconds": self.fed.as_secs_f64(),
            "processor_seconds": self.processor,
            "peak_octets": self.peak,
            "intervals": self.total("hopmark_intervals_total"),
            "wrongs": self.wrongs(),
            "late_series": self.late_series,
            "samples": self.samples.iter().map(sample).collect::<Vec<_>>(),
        })
    }
}

fn clock(seconds: i64) -> String {
    format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60)
}
