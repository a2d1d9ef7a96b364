//! What the kernel's routing socket says of interfaces (rtnetlink).
//!
//! A routing socket needs no privilege and no file system, answers for the network namespace in which it was opened,
//! and goes on doing so in a process that has been locked: sysfs would show the namespace of whoever mounted it.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::message::{self, Link};
use super::{Interface, InterfaceError, InterfaceStatistics};

/// A routing socket: interfaces and their counters, read as often as one likes.
///
/// `hopmark run` opens one before it gives up its privileges and asks it every second.
///
/// ```
/// let mut links = hopmark::capture::interface::Links::open()?;
/// let names = links.names()?;
/// for name in &names {
///     assert_eq!(links.interface(name)?.name, *name);
/// }
/// # Ok::<(), hopmark::capture::interface::InterfaceError>(())
/// ```
#[derive(Debug)]
pub struct Links {
    socket: OwnedFd,
    answer: Vec<u8>,
    sequence: u32,
}

/// The kernel sends no part of an answer that is longer.
const LONGEST_PART: usize = 32 << 10;
/// More interfaces than a mirror box has; the rest of an answer is left.
const MOST_LINKS: usize = 4096;

impl Links {
    /// Opens the socket. It belongs to the network namespace of the caller.
    ///
    /// # Errors
    ///
    /// The process has no descriptor left, or may not open sockets of this family.
    pub fn open() -> Result<Self, InterfaceError> {
        let opened = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            Some(SockProtocol::NetlinkRoute),
        );
        let socket = opened.map_err(|reason| refused("", "open a routing socket", reason))?;
        // The kernel answers at once; a process must not hang if it ever did not.
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(2))
            .map_err(|reason| refused("", "limit the wait of a routing socket", reason))?;
        Ok(Self { socket, answer: vec![0; LONGEST_PART], sequence: 0 })
    }

    /// The names of all interfaces, in the kernel's order.
    ///
    /// # Errors
    ///
    /// The kernel does not answer.
    pub fn names(&mut self) -> Result<Vec<String>, InterfaceError> {
        let links = self.ask(None).map_err(|reason| refused("", "list interfaces", reason))?;
        Ok(links.into_iter().map(|link| link.interface.name).collect())
    }

    /// What an interface is and how it stands; without what only its driver knows.
    ///
    /// # Errors
    ///
    /// There is no such interface, or the kernel does not answer.
    pub fn interface(&mut self, name: &str) -> Result<Interface, InterfaceError> {
        self.link(name).map(|link| link.interface)
    }

    /// What an interface has counted since it was made.
    ///
    /// # Errors
    ///
    /// There is no such interface, or the kernel does not answer.
    pub fn statistics(&mut self, name: &str) -> Result<InterfaceStatistics, InterfaceError> {
        self.link(name).map(|link| link.statistics)
    }

    fn link(&mut self, name: &str) -> Result<Link, InterfaceError> {
        let answer = if message::is_name(name) { self.ask(Some(name)) } else { Err(Errno::ENODEV) };
        match answer {
            // The kernel also answers to an interface's alternative names.
            Ok(mut links) if !links.is_empty() => Ok(links.swap_remove(0)),
            Ok(_) | Err(Errno::ENODEV) => {
                Err(InterfaceError::NotFound { name: name.to_owned(), present: self.names()? })
            }
            Err(reason) => Err(refused(name, "read its state", reason)),
        }
    }

    fn ask(&mut self, name: Option<&str>) -> nix::Result<Vec<Link>> {
        // Numbers the questions, so that an answer that came too late is told from the one awaited; wraps.
        self.sequence = self.sequence.wrapping_add(1);
        let request = message::request(self.sequence, name);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.socket.as_raw_fd(), &request, &kernel, MsgFlags::empty())?;
        let mut links = Vec::new();
        loop {
            let octets = match recv(self.socket.as_raw_fd(), &mut self.answer, MsgFlags::empty()) {
                Ok(octets) => octets,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => return Err(Errno::ETIMEDOUT),
                Err(reason) => return Err(reason),
            };
            let part = self.answer.get(..octets).unwrap_or_default();
            if message::read(part, self.sequence, MOST_LINKS, &mut links)? {
                return Ok(links);
            }
        }
    }
}

fn refused(name: &str, doing: &'static str, reason: Errno) -> InterfaceError {
    InterfaceError::Refused { name: name.to_owned(), doing, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_that_is_listed_can_be_asked_for() {
        let mut links = Links::open().unwrap();
        for name in links.names().unwrap() {
            let interface = links.interface(&name).unwrap();
            assert_eq!(interface.name, name);
            assert!(interface.index > 0 && interface.mtu > 0, "{interface:?}");
            assert!(links.statistics(&name).unwrap().rx_packets.is_some());
        }
    }

    #[test]
    fn an_unknown_interface_is_refused_with_those_that_there_are() {
        let mut links = Links::open().unwrap();
        let present = links.names().unwrap();
        for unknown in ["hopmark-none", "a-name-longer-than-any-interface-has", "", "a/b"] {
            let error = links.interface(unknown).unwrap_err();
            match error {
                InterfaceError::NotFound { name, present: told } => {
                    assert_eq!((name.as_str(), &told), (unknown, &present));
                }
                other => panic!("{unknown:?}: {other}"),
            }
        }
    }
}
