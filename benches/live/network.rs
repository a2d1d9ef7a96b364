//! Two namespaces, the cable between them, and who runs where.
//!
//! The namespaces have no names: they vanish with the processes that are in them.

use std::error::Error;
use std::fs;
use std::process::Command;

use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::unistd::Pid;

use super::sender::Sender;

/// The end of the cable into which frames are sent.
pub(crate) const SENDING: &str = "hm-send";
/// The end at which they are heard.
pub(crate) const HEARING: &str = "hm-hear";

/// Moves this process, which has one thread, into a network of its own, and lays a cable to the sender.
pub(crate) fn build() -> Result<Sender, Box<dyn Error>> {
    leave()?;
    let sender = Sender::start()?;
    ip("link set lo up")?;
    ip(&format!("link add {HEARING} type veth peer name {SENDING} netns {}", sender.process()))?;
    ip(&format!("link set {HEARING} up"))?;
    pin(1)?;
    Ok(sender)
}

/// Moves this process into a new network, in which nobody speaks unasked.
pub(crate) fn leave() -> Result<(), Box<dyn Error>> {
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|error| format!("no network namespace can be made: {error}"))?;
    for which in ["all", "default"] {
        // Where there is no IPv6 there is nothing to switch off.
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
    }
    Ok(())
}

pub(crate) fn ip(arguments: &str) -> Result<(), Box<dyn Error>> {
    let out = Command::new("ip").args(arguments.split(' ')).output()?;
    if out.status.success() {
        return Ok(());
    }
    Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&out.stderr)).into())
}

/// Keeps this thread, and what it starts, on one processor, where there are two.
pub(crate) fn pin(processor: usize) -> Result<(), Box<dyn Error>> {
    if std::thread::available_parallelism().map_or(1, usize::from) > 1 {
        let mut one = CpuSet::new();
        one.set(processor)?;
        sched_setaffinity(Pid::from_raw(0), &one)?;
    }
    Ok(())
}

/// Has the hearing end take frames in turns, as it then also takes those that the kernel itself sends.
pub(crate) fn switch_gro_on() -> Result<(), Box<dyn Error>> {
    let out = Command::new("ethtool").args(["-K", HEARING, "gro", "on"]).output()?;
    if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).into()) }
}
