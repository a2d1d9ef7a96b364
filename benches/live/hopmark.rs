//! `hopmark run` as a receiver: what it counted, by its own metrics.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::network::HEARING;
use super::receiver::{Receiver, until};
use super::results::{Counted, Run, Used};
use super::sender::{Load, Sender};

/// Where it serves its metrics, in a network that it has for itself.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9847);

/// How it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settings {
    /// As it comes: with the kernel's filter, which cuts frames behind what is needed.
    Default,
    /// Every frame, whole.
    Everything,
    /// RTP in digests, which a program at the driver makes.
    Digests,
}

/// Sends to it, and holds what it counted against what was sent.
pub(crate) fn run(
    program: &str,
    settings: Settings,
    sender: &mut Sender,
    load: Load,
    folder: &Path,
) -> Result<Run, Box<dyn Error>> {
    let config = folder.join("hopmark.toml");
    let keys = match settings {
        Settings::Default => "",
        Settings::Everything => "filter = false\n",
        Settings::Digests => "backend = \"xdp\"\n",
    };
    std::fs::write(&config, format!("[[point]]\nname = \"mirror\"\ninterface = \"{HEARING}\"\n{keys}"))?;
    let log = folder.join("hopmark.log");
    let child = Command::new(program)
        .args(["run", "--config"])
        .arg(&config)
        .stdin(Stdio::null())
        .stderr(File::create(&log)?)
        .spawn()?;
    let mut receiver = Receiver::of(child)?;
    let outcome = receive(&mut receiver, sender, load);
    outcome.map_err(|error| {
        format!("hopmark run: {error}\n{}", std::fs::read_to_string(&log).unwrap_or_default()).into()
    })
}

fn receive(receiver: &mut Receiver, sender: &mut Sender, load: Load) -> Result<Run, Box<dyn Error>> {
    until("it hears", || {
        if let Some(status) = receiver.child.try_wait()? {
            return Err(format!("it ended with {status}").into());
        }
        Ok(scrape().ok().filter(|text| sum(text, "hopmark_capture_up") > 0).map(drop))
    })?;
    let threads = ["observer", "judge"];
    let (before, threads_before) = (receiver.used()?, threads.map(|name| receiver.used_by(name)));
    let begun = sum(&scrape()?, "hopmark_capture_packets_total");
    let sent = sender.send(load)?;
    let mut last = Counted::default();
    let is_through = until("it has counted everything that was sent", || {
        last = Counted::read(&scrape()?, begun);
        Ok((last.all() >= sent.packets).then_some(()))
    });
    is_through.map_err(|error| format!("{error}: sent {}, {last:?}", sent.packets))?;
    let used = receiver.used()? - before;
    let of_threads = threads.map(|name| receiver.used_by(name));
    let each = |n: usize| (of_threads[n] - threads_before[n]) / sent.packets as f64;
    let used = Used { all: used / sent.packets as f64, observer: each(0), judge: each(1) };
    receiver.end(Signal::SIGTERM)?;
    if last.all() == sent.packets {
        Ok(Run { sent: sent.packets, seconds: sent.seconds, counted: last, used })
    } else {
        Err(format!("sent {}, but counted {}: {last:?}", sent.packets, last.all()).into())
    }
}

impl Counted {
    fn read(text: &str, begun: u64) -> Self {
        Self {
            seen: sum(text, "hopmark_capture_packets_total") - begun,
            dropped: sum(text, "hopmark_capture_dropped_total"),
            filtered: sum(text, "hopmark_capture_filtered_total"),
            media: sum(text, "hopmark_rtp_packets_total"),
            streams: sum(text, "hopmark_streams_started_total"),
        }
    }
}

/// The sum of a family over all its labels.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counters")]
fn sum(text: &str, family: &str) -> u64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(family)?;
        let value = if rest.starts_with('{') { rest.rsplit_once(' ')?.1 } else { rest.strip_prefix(' ')? };
        value.parse::<f64>().ok()
    });
    values.sum::<f64>() as u64
}

fn scrape() -> Result<String, Box<dyn Error>> {
    let mut connection = TcpStream::connect(ADDRESS)?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    connection.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    if head.split(' ').nth(1) == Some("200") { Ok(body.to_owned()) } else { Err(head.to_owned().into()) }
}
