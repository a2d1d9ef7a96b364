//! A cable between two interfaces, in a network namespace of its own.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, bind, send, socket};

/// Runs in a thread with a network of its own: `left` and `right`, which are the ends of one cable.
pub(crate) fn in_namespace(test: impl FnOnce() + Send + 'static) {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root, for a network namespace and packet sockets");
        return;
    }
    let run = move || {
        if let Err(reason) = unshare(CloneFlags::CLONE_NEWNET) {
            eprintln!("skipped: no network namespace can be made here: {reason}");
            return;
        }
        ip("link set lo up");
        add_cable("left", "right");
        test();
    };
    if let Err(panic) = thread::spawn(run).join() {
        std::panic::resume_unwind(panic);
    }
}

/// Another cable in the network of this thread.
pub(crate) fn add_cable(one: &str, other: &str) {
    ip(&format!("link add {one} type veth peer name {other}"));
    for end in [one, other] {
        // Nothing is to be on the cable but what a test sends.
        ip(&format!("link set {end} addrgenmode none"));
        ip(&format!("link set {end} up"));
    }
}

pub(crate) fn ip(arguments: &str) -> String {
    let out = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(out.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A socket that sends frames as they are.
pub(crate) struct Sender(OwnedFd);

impl Sender {
    pub(crate) fn on(interface: &str) -> Self {
        let raw = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).unwrap();
        let mut addresses = nix::ifaddrs::getifaddrs().unwrap().filter(|a| a.interface_name == interface);
        let address = addresses.find_map(|a| a.address?.as_link_addr().copied()).unwrap();
        bind(raw.as_raw_fd(), &address).unwrap();
        Self(raw)
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        assert_eq!(self.try_send(frame), Ok(frame.len()));
    }

    /// Sends where the interface takes it.
    pub(crate) fn try_send(&self, frame: &[u8]) -> nix::Result<usize> {
        send(self.0.as_raw_fd(), frame, MsgFlags::empty())
    }

    pub(crate) fn send_all(&self, frames: &[Vec<u8>]) {
        for frame in frames {
            self.send(frame);
        }
    }
}
