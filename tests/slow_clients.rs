//! Clients that take their time take nobody else's, and no memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]
#![allow(clippy::disallowed_methods, reason = "how long an answer takes is what is tested")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::served::{Served, options};
use hopmark::export::ServerOptions;
use hopmark::status::{Figures, Picture, PointFigures, Reload, Status};

/// Figures that take a text of some megabytes.
fn many_points() -> Status {
    let point = |number: usize| PointFigures { name: format!("point-{number}"), ..PointFigures::default() };
    let figures = Figures {
        points: (0..64).map(point).collect(),
        classes: ["audio", "video", "sharing", "signaling"].map(str::to_owned).into(),
        ..Figures::default()
    };
    let status = Status::default();
    status.publish(Picture { figures, ..Picture::default() });
    status
}

/// Octets of memory that this process keeps.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// Asks and does not read.
fn slow(served: &Served, path: &str) -> TcpStream {
    let mut stream = served.connect();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    stream
}

#[test]
fn two_hundred_slow_scrapers_neither_starve_others_nor_grow_memory() {
    let served = Served::new(&options(), many_points());
    let length = served.get("/metrics").body.len();
    assert!(length > 1_000_000, "{length} octets would fit into the kernel's buffers");
    let before = resident();
    let slow: Vec<TcpStream> = (0..200).map(|_| slow(&served, "/metrics")).collect();
    for _ in 0..20 {
        let asked = Instant::now();
        // Counters of the server itself gain digits meanwhile.
        assert!(served.get("/metrics").body.len().abs_diff(length) < 1_000);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 60_000_000, "{grown} octets for 200 who share one answer of {length}");
    // What was written before is not told again.
    served.status.set_reload(Reload { success_seconds: 1.0, ..Reload::default() });
    let text = served.get("/metrics").text().to_owned();
    let connections = text.lines().find_map(|line| line.strip_prefix("hopmark_http_connections ")).unwrap();
    assert!(connections.parse::<u32>().unwrap() <= 128, "{connections}");
    assert!(!text.contains("hopmark_http_connections_refused_total{reason=\"displaced\"} 0\n"));
    drop(slow);
}

#[test]
fn who_does_not_take_the_answer_is_cut_off() {
    let patience = Duration::from_millis(400);
    let served = Served::new(&ServerOptions { request_timeout: patience, ..options() }, many_points());
    let length = served.get("/metrics").body.len();
    let mut slow = slow(&served, "/metrics");
    // One octet now and then does not help.
    let started = Instant::now();
    let mut octet = [0];
    while started.elapsed() < patience * 3 {
        let _ = slow.read(&mut octet);
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(rest.len() < length, "{} of {length} octets came", rest.len());
}

#[test]
fn whoever_is_new_is_answered_however_many_are_idle() {
    let served = Served::new(&ServerOptions { max_connections: 4, ..options() }, Status::default());
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(served.connect());
        assert_eq!(served.get("/-/healthy").status, 200);
    }
}
