//! Two hundred slow scrapers cost nobody else anything.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]
#![allow(clippy::disallowed_methods, reason = "programs and senders are waited for by this machine's clock")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::appliance::ADDRESS;
use common::{Appliance, Calls, in_namespace, kernel_count};

const CONFIG: &str = "
[listen]
request_timeout = \"3s\"
[[point]]
name = \"tap\"
interface = \"right\"
";
const TAP: [(&str, &str); 1] = [("point", "tap")];

/// Octets that a process keeps in memory.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") << 10
}

/// One that asks, and takes an octet a second or none; every fourth one does not even finish asking.
fn slow(number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(SocketAddr::from(ADDRESS)).expect("a connection");
    let end = if number % 4 == 3 { "" } else { "\r\n" };
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: slow\r\n{end}").expect("a request");
    stream.set_nonblocking(true).expect("a socket");
    stream
}

/// Takes all that is there; whether the other end has hung up.
fn is_cut_off(stream: &mut TcpStream) -> bool {
    let mut octets = [0; 1 << 13];
    loop {
        match stream.read(&mut octets) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => return true,
        }
    }
}

#[test]
fn slow_scrapers_are_cut_off_and_hold_up_nobody() {
    in_namespace(|| {
        let appliance = Appliance::start(CONFIG);
        let talk = Calls::on(&["left"]).start();
        appliance.wait_for("streams run", || appliance.metrics().count("hopmark_streams_active", &[]) == 20);
        let before = resident(appliance.pid());

        let mut scrapers: Vec<TcpStream> = (0..200).map(slow).collect();
        let begun = Instant::now();
        let mut longest = Duration::ZERO;
        let mut last = appliance.metrics();
        while begun.elapsed() < Duration::from_secs(4) {
            let asked = Instant::now();
            let now = appliance.metrics();
            longest = longest.max(asked.elapsed());
            assert_eq!(now.fallen_since(&last), Vec::<String>::new());
            last = now;
            for stream in scrapers.iter_mut().step_by(2) {
                let _ = stream.read(&mut [0]);
            }
            thread::sleep(Duration::from_millis(250));
        }
        assert!(longest < Duration::from_secs(1), "a scrape took {longest:?}");
        let grown = resident(appliance.pid()).saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} octets for 200 scrapers");

        appliance.wait_for("all of them are cut off", || scrapers.iter_mut().all(is_cut_off));
        appliance.wait_for("nobody is connected but who asks", || {
            appliance.metrics().count("hopmark_http_connections", &[]) == 1
        });
        talk.hang_up();
        let sent = kernel_count("left", "tx_packets");
        appliance.wait_for_figure("hopmark_capture_packets_total", &TAP, sent);
        appliance.wait_for_figure("hopmark_rtp_packets_total", &TAP, sent);
        let metrics = appliance.metrics();
        assert_eq!(metrics.count("hopmark_capture_dropped_total", &[]), 0, "{}", metrics.with_values());
        assert_eq!(metrics.count("hopmark_rtp_lost_packets_total", &[]), 0, "{}", metrics.with_values());
    });
}
