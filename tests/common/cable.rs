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
        ip("link add left type veth peer name right");
        for end in ["left", "right"] {
            // Nothing is to be on the cable but what a test sends.
            ip(&format!("link set {end} addrgenmode none"));
            ip(&format!("link set {end} up"));
        }
        test();
    };
    if let Err(panic) = thread::spawn(run).join() {
        std::panic::resume_unwind(panic);
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
        assert_eq!(send(self.0.as_raw_fd(), frame, MsgFlags::empty()), Ok(frame.len()));
    }

    pub(crate) fn send_all(&self, frames: &[Vec<u8>]) {
        for frame in frames {
            self.send(frame);
        }
    }
}
