//! tcpdump as a receiver: what it counted, by its closing lines.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::network::HEARING;
use super::receiver::{Receiver, until};
use super::results::{Counted, Run, Used};
use super::sender::{Load, Sender};

/// Its ring, in KiB: as large as Hopmark's.
const BUFFER: &str = "65536";
/// The kernel hands it a block that is not full after a second.
const LAST_BLOCK: Duration = Duration::from_millis(1500);

/// Sends to it.
pub(crate) fn run(sender: &mut Sender, load: Load, folder: &Path) -> Result<Run, Box<dyn Error>> {
    let said = folder.join("tcpdump.log");
    let child = Command::new("tcpdump")
        .args(["-n", "-i", HEARING, "-B", BUFFER, "-w", "/dev/null"])
        .stdin(Stdio::null())
        .stderr(File::create(&said)?)
        .spawn()?;
    let mut receiver = Receiver::of(child)?;
    let read = || std::fs::read_to_string(&said).unwrap_or_default();
    until("tcpdump listens", || {
        if let Some(status) = receiver.child.try_wait()? {
            return Err(format!("tcpdump ended with {status}: {}", read()).into());
        }
        Ok(read().contains("listening on").then_some(()))
    })?;
    let before = receiver.used()?;
    let sent = sender.send(load)?;
    sleep(LAST_BLOCK);
    let used = receiver.used()? - before;
    receiver.end(Signal::SIGINT)?;
    let text = read();
    let count = |what: &str| {
        let line = text.lines().find_map(|line| line.strip_suffix(what));
        line.and_then(|n| n.trim().parse().ok()).ok_or_else(|| format!("tcpdump did not say{what}: {text}"))
    };
    let counted = Counted {
        seen: count(" packets captured")?,
        dropped: count(" packets dropped by kernel")?,
        ..Counted::default()
    };
    let each = used / sent.packets as f64;
    let used = Used { all: each, observer: each, judge: 0.0 };
    Ok(Run { sent: sent.packets, seconds: sent.seconds, counted, used })
}
