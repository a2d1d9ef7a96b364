//! STUN in brief: who does not answer, and how long answers take.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;

use hashbrown::{HashMap, HashSet};

use super::numbers::{NOT_KNOWN, count, counted, millis, share};
use super::page::{Look, Page, left, right};
use crate::meter::{RoundTrip, StunRecord};
use crate::report::view::View;
use crate::terms::{PointId, Transport};

/// More than anybody reads; the JSON report has them all.
const MOST: usize = 10;

/// Width of an IPv4 address with its port.
const SERVER: usize = 21;

/// Requests of one kind to one server, seen at one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Whom {
    server: SocketAddr,
    kind: &'static str,
    transport: Transport,
    point: PointId,
}

#[derive(Debug, Default)]
struct Figures {
    clients: u64,
    requests: u64,
    responses: u64,
    unanswered: u64,
    errors: u64,
    round_trip: Times,
}

/// Round trips of several records.
#[derive(Debug, Default, Clone, Copy)]
struct Times {
    min: Option<f64>,
    max: Option<f64>,
    sum: f64,
    samples: u64,
}

impl Times {
    #[allow(clippy::cast_precision_loss, reason = "one decimal place of a millisecond is shown")]
    fn add(&mut self, one: RoundTrip) {
        self.min = Some(self.min.map_or(one.min, |m| m.min(one.min)));
        self.max = Some(self.max.map_or(one.max, |m| m.max(one.max)));
        self.sum += one.mean * one.samples as f64;
        self.samples += one.samples;
    }

    #[allow(clippy::cast_precision_loss, reason = "one decimal place of a millisecond is shown")]
    fn mean(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.sum / self.samples as f64)
    }
}

impl Figures {
    fn add(&mut self, record: &StunRecord) {
        self.clients += 1;
        self.requests += record.requests;
        self.responses += record.responses;
        self.unanswered += record.unanswered;
        self.errors += record.errors;
        if let Some(round_trip) = record.round_trip {
            self.round_trip.add(round_trip);
        }
    }

    const fn is_silent(&self) -> bool {
        self.responses == 0 && self.unanswered > 0
    }
}

/// Writes the section; nothing where there was no STUN.
pub(super) fn write(view: &View<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let records = &view.outcome.stun;
    if records.is_empty() {
        return Ok(());
    }
    page.heading("STUN AND TURN")?;
    let points: BTreeSet<PointId> = records.iter().map(|r| r.point).collect();
    for &point in points.iter().take(MOST) {
        // One transaction may pass several points: each is counted by itself.
        let at = if points.len() > 1 { format!("{}: ", view.point(point)) } else { String::new() };
        let totals = totals(records.iter().filter(|r| r.point == point));
        page.sentence(&format!("{at}{totals}"))?;
    }
    if points.len() > MOST {
        page.sentence(&format!("And {} more points.", count((points.len() - MOST) as u64)))?;
    }
    let mut figures: HashMap<Whom, Figures> = HashMap::new();
    for record in records {
        let StunRecord { server, kind, transport, point, .. } = *record;
        figures.entry(Whom { server, kind, transport, point }).or_default().add(record);
    }
    let mut rows: Vec<(Whom, Figures)> = figures.into_iter().collect();
    rows.sort_by_key(|(whom, f)| (Reverse((f.is_silent(), f.unanswered, f.errors, f.requests)), *whom));
    page.blank()?;
    write_rows(view, rows.get(..MOST).unwrap_or(&rows), points.len() > 1, page)?;
    if rows.len() > MOST {
        page.sentence(&format!(
            "And {} more: the JSON report has them all.",
            count((rows.len() - MOST) as u64)
        ))?;
    }
    Ok(())
}

fn totals<'a>(records: impl Iterator<Item = &'a StunRecord>) -> String {
    let (mut all, mut clients, mut servers) = (Figures::default(), HashSet::new(), HashSet::new());
    let mut codes: BTreeMap<u16, u64> = BTreeMap::new();
    for record in records {
        all.add(record);
        clients.insert(record.client);
        servers.insert(record.server);
        for &(code, times) in &record.error_codes {
            *codes.entry(code).or_default() += times;
        }
    }
    let mut out = format!(
        "{} from {} to {}: {} answered, {} not ({})",
        counted(all.requests, "request"),
        counted(clients.len() as u64, "client"),
        counted(servers.len() as u64, "server"),
        count(all.responses),
        count(all.unanswered),
        share(all.unanswered, all.requests),
    );
    if all.errors > 0 {
        let codes: Vec<String> =
            codes.iter().take(5).map(|(code, times)| format!("{code} ×{}", count(*times))).collect();
        let _ = write!(out, ", {} ({})", counted(all.errors, "error"), codes.join(", "));
    }
    let times = all.round_trip;
    if let (Some(min), Some(mean), Some(max)) = (times.min, times.mean(), times.max) {
        let (min, mean, max) = (millis(min), millis(mean), millis(max));
        let _ = write!(out, "; round trip {min} ms at best, {mean} on average, {max} at worst");
    }
    out + "."
}

fn write_rows(
    view: &View<'_>,
    rows: &[(Whom, Figures)],
    with_point: bool,
    page: &mut Page<'_>,
) -> io::Result<()> {
    const HEADS: [&str; 6] = ["clients", "requests", "no answer", "errors", "RTT ms", "max ms"];
    let kind_of = |whom: &Whom| match whom.transport {
        Transport::Udp => whom.kind.to_owned(),
        Transport::Tcp => format!("{} tcp", whom.kind),
    };
    let kind = rows.iter().map(|(whom, _)| kind_of(whom).chars().count()).max().unwrap_or(0);
    let numbers: usize = HEADS.iter().map(|head| head.len().max(7) + 1).sum();
    // On a narrow page servers have lines of their own.
    let server = if 2 + SERVER + 1 + kind + numbers <= page.width() { SERVER } else { 0 };
    let line = |whom: &str, what: &str, figures: [&str; 6]| {
        let figures = figures.iter().zip(HEADS).map(|(figure, head)| right(figure, head.len().max(7)));
        let cells = [left(whom, server), left(what, kind)].into_iter().chain(figures);
        format!("  {}", cells.collect::<Vec<_>>().join(" "))
    };
    page.line(&[(Look::Faint, &line("server", "", HEADS))])?;
    for (whom, figures) in rows {
        let mut name = view.address(whom.server).to_string();
        if with_point {
            name = format!("{name} at {}", view.point(whom.point));
        }
        if name.chars().count() > server {
            page.sentence(&name)?;
            name.clear();
        }
        let silent = figures.is_silent();
        let unanswered = count(figures.unanswered);
        let times = |seconds: Option<f64>| seconds.map_or_else(|| NOT_KNOWN.into(), millis);
        let figures = [
            &count(figures.clients),
            &count(figures.requests),
            &if silent { format!("all {unanswered}") } else { unanswered },
            &count(figures.errors),
            &times(figures.round_trip.mean()),
            &times(figures.round_trip.max),
        ];
        let look = if silent { Look::Bad } else { Look::Plain };
        page.line(&[(look, &line(&name, &kind_of(whom), figures.map(String::as_str)))])?;
    }
    Ok(())
}
