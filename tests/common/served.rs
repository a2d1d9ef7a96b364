//! A server over what a replay of the demo found, and requests to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hopmark::export::{Server, ServerOptions, Stop};
use hopmark::pipeline::{PointFiles, PointsBy, Progress, Replay, replay};
use hopmark::status::{
    Figures, FindingId, FindingStatus, HopKey, MarkingVerdict, Picture, PointFigures, SegmentKey, Status,
    StreamId, StreamStatus,
};
use hopmark::terms::Timestamp;
use hopmark::verify::{FindingKind, JudgedStream, Marking, Outcome, Place, Severity};
use serde_json::Value;

/// A running server; stops when it goes.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) status: Arc<Status>,
    pub(crate) reloads: Arc<AtomicU64>,
    pub(crate) is_healthy: Arc<AtomicBool>,
    pub(crate) stop: Stop,
    thread: Option<JoinHandle<()>>,
}

/// Options for a test: any port, and little patience.
pub(crate) fn options() -> ServerOptions {
    ServerOptions { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServerOptions::default() }
}

impl Served {
    pub(crate) fn new(options: &ServerOptions, status: Status) -> Self {
        let (status, reloads) = (Arc::new(status), Arc::new(AtomicU64::new(0)));
        let is_healthy = Arc::new(AtomicBool::new(true));
        let (count, healthy) = (Arc::clone(&reloads), Arc::clone(&is_healthy));
        // Every third reading finds something wrong.
        let reload = move || match count.fetch_add(1, Ordering::SeqCst) % 3 {
            2 => Err("hopmark.toml: line 3: no such key".to_owned()),
            _ => Ok(()),
        };
        let health = move || healthy.load(Ordering::SeqCst);
        let server = Server::bind(options, Arc::clone(&status), reload, health).expect("a server");
        let (address, stop) = (server.local_address(), Stop::new());
        let handle = stop.clone();
        let run = move || server.run(&handle).expect("the server runs");
        let thread = std::thread::Builder::new().name("export".to_owned()).spawn(run).expect("a thread");
        Self { address, status, reloads, is_healthy, stop, thread: Some(thread) }
    }

    pub(crate) fn demo() -> Self {
        Self::new(&options(), demo())
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        Answer::of(&mut self.connect(), method, path, headers)
    }

    /// Stops the server and waits for its end.
    pub(crate) fn end(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends well");
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

/// What a server answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Asks over a connection that ends with the answer.
    pub(crate) fn of(
        stream: &mut (impl Read + Write),
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).expect("an answer");
        Self::read(&octets)
    }

    pub(crate) fn read(octets: &[u8]) -> Self {
        let end = octets.windows(4).position(|w| w == b"\r\n\r\n").expect("the end of the head");
        let head = std::str::from_utf8(&octets[..end]).expect("a head");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Self {
            status: status.parse().expect("a number"),
            headers: lines.map(header).collect(),
            body: octets[end + 4..].to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// What a replay of the demo finds, each interface a point.
pub(crate) fn demo_outcome() -> Outcome {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/demo/capture.pcapng");
    let points = vec![PointFiles { name: String::new(), files: vec![file.into()] }];
    let policy = hopmark::config::builtin(hopmark::config::default_profile()).expect("a profile");
    let run = Replay { points, points_by: PointsBy::Interface, threads: 1 };
    replay(&run, &Arc::new(policy), &Progress::default()).expect("a replay")
}

/// The demo as the judge would publish it.
pub(crate) fn demo() -> Status {
    let outcome = demo_outcome();
    let status = Status::default();
    for (number, finding) in (0..).zip(&outcome.findings) {
        let stream = finding.stream.and_then(|number| outcome.streams.get(number));
        let point = |place: usize| {
            stream.as_ref().map(|s| outcome.points[usize::from(s.record.hops[place].point.0)].clone())
        };
        let (points, is_between) = match finding.place {
            Place::Everywhere => (Vec::new(), false),
            Place::Point(point) => (vec![outcome.points[usize::from(point.0)].clone()], false),
            Place::Between(a, b) => {
                ([a, b].into_iter().filter_map(|place| point(usize::from(place))).collect(), true)
            }
        };
        let found = FindingStatus {
            kind: finding.kind,
            severity: finding.severity,
            stream: finding.stream.map(name_of),
            points,
            is_between,
            direction: finding.direction,
            class: stream.as_ref().and_then(|s| Some(outcome.classes[usize::from(s.class?)].clone())),
            from: finding.from,
            to: finding.to,
            packets: finding.packets,
            first: finding.first,
            last: finding.last,
            opened: finding.last,
            is_open: number % 2 == 0,
            message: finding.message.clone(),
            advice: finding.advice,
        };
        status.findings.insert(FindingId(number), Box::new(found));
    }
    status.publish(picture(outcome));
    status
}

/// The name that a stream has in these tests.
pub(crate) fn name_of(number: u32) -> StreamId {
    StreamId(0xab00_0000_0000_0000 + u64::from(number))
}

/// A picture of an outcome, with figures added up over its streams.
pub(crate) fn picture(outcome: Outcome) -> Picture {
    let streams = (0..).zip(outcome.streams.iter()).map(|(number, stream)| noted(number, &stream, &outcome));
    let streams = streams.collect();
    Picture { at: outcome.span.map(|(_, last)| last), figures: figures(&outcome), streams, outcome }
}

fn noted(number: u32, stream: &JudgedStream, outcome: &Outcome) -> StreamStatus {
    let record = &stream.record;
    StreamStatus {
        id: name_of(number),
        note: outcome.streams.note(number).expect("a note"),
        ssrc: record.ssrc,
        source: record.flow.source,
        destination: record.flow.destination,
        points: record.hops.iter().map(|hop| 1 << hop.point.0).fold(0, |all, bit| all | bit),
        first: record.first,
        last: record.last,
        is_over: number % 5 == 4,
    }
}

/// Figures of streams that all ran in one interval.
fn figures(outcome: &Outcome) -> Figures {
    let mut figures = Figures {
        classes: outcome.classes.clone(),
        intervals: 1,
        judge_seconds: 0.001,
        ..Figures::default()
    };
    let capture = outcome.captures.first().expect("a capture");
    figures.points = outcome
        .points
        .iter()
        .map(|name| PointFigures {
            name: name.clone(),
            packets: capture.packets,
            octets: capture.bytes,
            dropped: vec![("ring", 3), ("interface", 0)],
            freezes: Some(1),
            undecoded: capture.undecoded.clone(),
            is_up: true,
            has_been_up: true,
            time_source: Some("file"),
            last_packet_seconds: capture.last.map(|last| last.seconds_since(Timestamp(0))),
            ..PointFigures::default()
        })
        .collect();
    figures.suspect_intervals.insert((0, "drop-count"), 2);
    figures.judge_last_seconds = 0.25;
    for finding in &outcome.findings {
        *figures.findings.entry((finding.kind, finding.severity)).or_default() += 1;
    }
    figures.findings_open.insert((FindingKind::Bleached, Severity::Error), 1);
    for (number, stream) in (0..).zip(outcome.streams.iter()) {
        let worst = outcome.streams.note(number).expect("a note").worst;
        *figures.verdicts.entry((stream.direction, stream.class, worst)).or_default() += 1;
        let mut places: Vec<(u16, u8)> = Vec::new();
        for (hop, marking) in stream.record.hops.iter().zip(&stream.markings) {
            let before = places.iter().filter(|(point, _)| *point == hop.point.0).count();
            places.push((hop.point.0, u8::try_from(before + 1).expect("few hops")));
            let key = HopKey {
                point: hop.point.0,
                hop: places[places.len() - 1].1,
                direction: stream.direction,
                class: stream.class,
            };
            let counted = figures.hops.entry(key).or_default();
            counted.packets += hop.packets;
            counted.expected += hop.expected;
            counted.lost += hop.lost();
            counted.active += 1;
            counted.jitter.observe(hop.jitter.map_or(f64::NAN, |jitter| jitter.mean));
            let verdict = match marking {
                Marking::Conformant => MarkingVerdict::Conformant,
                Marking::Remarked => MarkingVerdict::Remarked,
                _ => MarkingVerdict::Unclassified,
            };
            for (dscp, packets) in &hop.dscp {
                *figures.marking.entry((key, *dscp, verdict)).or_default() += packets;
            }
        }
        for (ends, segment) in places.windows(2).zip(&stream.segments) {
            let key =
                SegmentKey { from: ends[0], to: ends[1], direction: stream.direction, class: stream.class };
            let counted = figures.segments.entry(key).or_default();
            counted.packets += segment.packets_in;
            counted.lost += segment.lost_certain.unwrap_or(0);
            counted.suspect += segment.lost_suspect.unwrap_or(0);
            if let Some(delay) = segment.delay {
                counted.delay.observe(delay.mean);
            }
            for change in &segment.remarked {
                let key = (key, change.from.value(), change.to.value());
                *figures.remarked.entry(key).or_default() += change.packets;
            }
        }
    }
    for record in &outcome.stun {
        let point = &mut figures.points[usize::from(record.point.0)];
        point.stun_requests += record.requests;
        point.stun_unanswered += record.unanswered;
        point.stun_round_trip.observe(record.round_trip.map_or(f64::NAN, |r| r.mean));
    }
    figures
}
