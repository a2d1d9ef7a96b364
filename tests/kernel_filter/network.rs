//! A network of one cable in its own namespace, and who listens there.

#![allow(dead_code, reason = "each test uses its own part")]

use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, socket};

/// Runs something in a thread that has a network of its own: a cable from `near` to `far`. It is gone with the thread.
/// Says whether such a network could be made; root may.
pub(crate) fn on_a_cable(play: impl FnOnce() + Send + 'static) -> bool {
    let played = thread::spawn(|| {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            eprintln!("skipped: no namespace can be made ({error})");
            return false;
        }
        // Nothing but what is sent here is to be on the cable.
        for name in ["all", "default"] {
            let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
        }
        // As long as MTU-size media in two tags and two tunnels; some kernels need more room for jumbo frames.
        for words in
            ["link add near mtu 9500 type veth peer name far mtu 9500", "link set near up", "link set far up"]
        {
            match Command::new("ip").args(words.split(' ')).status() {
                Ok(status) if status.success() => {}
                other => {
                    eprintln!("skipped: ip {words}: {other:?}");
                    return false;
                }
            }
        }
        play();
        true
    })
    .join();
    played.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sends frames into the cable.
pub(crate) fn sender() -> pcap::Capture<pcap::Active> {
    pcap::Capture::from_device("near").unwrap().open().unwrap()
}

/// A packet socket that hears both ends of the cable.
pub(crate) struct Ear {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// One frame as a socket was given it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Whether it was heard as it left, so before the kernel took its tag off.
    pub(crate) leaves: bool,
    pub(crate) octets: Vec<u8>,
}

impl Ear {
    pub(crate) fn new() -> Self {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap();
        Self { socket, buffer: vec![0; 20_000] }
    }

    pub(crate) fn socket(&self) -> impl AsFd + '_ {
        self.socket.as_fd()
    }

    /// The next frame, if one is there: a cable between two ends of one machine delivers at once.
    pub(crate) fn next(&mut self) -> Option<Heard> {
        use std::os::fd::AsRawFd;
        match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut self.buffer) {
            Ok((octets, from)) => {
                let leaves = from.unwrap().pkttype() == libc::PACKET_OUTGOING;
                Some(Heard { leaves, octets: self.buffer[..octets].to_vec() })
            }
            Err(Errno::EAGAIN) => None,
            Err(error) => panic!("{error}"),
        }
    }
}
