//! One interface's driver, asked with ethtool's requests.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::InterfaceError;
use super::ioctl::{Command, exchange};

/// A way to the driver of one interface.
pub(super) struct Ethtool {
    socket: OwnedFd,
    name: String,
}

impl Ethtool {
    /// Opens the way; says nothing of whether there is such an interface.
    pub(super) fn open(name: &str) -> Result<Self, InterfaceError> {
        let opened = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
            // A machine without IPv4 has routing sockets still, and these take the ioctl as well.
            .or_else(|_| socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, None));
        let name = name.to_owned();
        match opened {
            Ok(socket) => Ok(Self { socket, name }),
            Err(reason) => {
                Err(InterfaceError::Refused { name, doing: "open a socket to ask its driver", reason })
            }
        }
    }

    /// The answer to a request. `request` is what follows the command, the answer begins with the command.
    pub(super) fn ask(&self, command: Command, request: &[u32]) -> nix::Result<Vec<u32>> {
        exchange(&self.socket, &self.name, command, [&[0], request].concat())
    }

    /// The same, with the interface and what was tried in the error.
    pub(super) fn demand(
        &self,
        doing: &'static str,
        command: Command,
        request: &[u32],
    ) -> Result<Vec<u32>, InterfaceError> {
        self.ask(command, request).map_err(|reason| self.refused(doing, reason))
    }

    fn refused(&self, doing: &'static str, reason: Errno) -> InterfaceError {
        match (reason, super::list()) {
            (Errno::ENODEV | Errno::EINVAL, Ok(present)) if !present.contains(&self.name) => {
                InterfaceError::NotFound { name: self.name.clone(), present }
            }
            _ => InterfaceError::Refused { name: self.name.clone(), doing, reason },
        }
    }
}

/// The text that stands in these words, up to the first zero.
pub(super) fn text(words: &[u32]) -> String {
    let octets: Vec<u8> = octets(words).take_while(|octet| *octet != 0).collect();
    String::from_utf8_lossy(&octets).into_owned()
}

/// The octets of these words as they lie in memory.
pub(super) fn octets(words: &[u32]) -> impl Iterator<Item = u8> {
    words.iter().flat_map(|word| word.to_ne_bytes())
}

/// The two numbers of 16 bits of a word as they lie in memory.
pub(super) const fn halves(word: u32) -> [u16; 2] {
    let [a, b, c, d] = word.to_ne_bytes();
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_the_first_zero_or_with_the_words() {
        let words = |text: &[u8; 8]| -> Vec<u32> {
            text.chunks_exact(4).map(|four| u32::from_ne_bytes(four.try_into().unwrap())).collect()
        };
        assert_eq!(text(&words(b"rx-gro\0x")), "rx-gro");
        assert_eq!(text(&words(b"rx-vlan-")), "rx-vlan-");
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn halves_lie_as_in_memory() {
        let [a, b] = [1000_u16.to_ne_bytes(), 7_u16.to_ne_bytes()];
        assert_eq!(halves(u32::from_ne_bytes([a[0], a[1], b[0], b[1]])), [1000, 7]);
    }
}
