//! The one system call that asks a driver: the ethtool ioctl.
//!
//! Requests and answers are structures of 32-bit words that begin with the command (include/uapi/linux/ethtool.h). The
//! kernel trusts its caller to have room for the answer, so the room of every command is decided here and nowhere else.

#![allow(unsafe_code, reason = "the ethtool ioctl takes a pointer; the safe face is `exchange`")]

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;

/// What can be asked, with the kernel's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Command {
    /// `ETHTOOL_GSET`: speed.
    Settings = 0x01,
    /// `ETHTOOL_GDRVINFO`: name of the driver.
    Driver = 0x03,
    /// `ETHTOOL_GCOALESCE`: how long interrupts wait.
    Coalescing = 0x0E,
    /// `ETHTOOL_GRINGPARAM`: sizes of rings.
    Rings = 0x10,
    /// `ETHTOOL_GSTRINGS`: names, of the set in word 1, of which there are word 2.
    Names = 0x1B,
    /// `ETHTOOL_GRXFH`: which fields of a kind of flow the hash covers.
    HashFields = 0x29,
    /// `ETHTOOL_GSSET_INFO`: how many names the sets of the mask in words 2 and 3 have.
    NameCount = 0x37,
    /// `ETHTOOL_GFEATURES`: the state of offloads, word 1 blocks of them.
    Features = 0x3A,
    /// `ETHTOOL_SFEATURES`: changes offloads, word 1 blocks of them.
    ChangeFeatures = 0x3B,
    /// `ETHTOOL_GCHANNELS`: queues.
    Channels = 0x3C,
    /// `ETHTOOL_GET_TS_INFO`: what can time packets.
    TimeStamping = 0x41,
    /// `ETHTOOL_GRSSH`: the hash's table of word 2 words and key of word 3 octets.
    HashKey = 0x46,
}

/// The largest structure of fixed size that is asked for here, `ethtool_drvinfo`, has 49 words.
const FIXED_WORDS: usize = 64;
/// Names of offloads that there is room for at least; kernels have below 100.
const MOST_NAMES: usize = 1024;
/// Words that one name takes (`ETH_GSTRING_LEN` octets).
const NAME_WORDS: usize = 8;
/// No request that is made here is near to this.
const MOST_WORDS: usize = 1 << 16;

impl Command {
    /// Words that the kernel reads or writes at most for this request.
    fn room(self, request: &[u32]) -> usize {
        let word = |at: usize| request.get(at).map_or(0, |word| *word as usize);
        match self {
            Self::Names => 3 + word(2).max(MOST_NAMES) * NAME_WORDS,
            Self::Features => 2 + word(1) * 4,
            Self::ChangeFeatures => 2 + word(1) * 2,
            Self::HashKey => 6 + word(2) + word(3).div_ceil(4),
            _ => 0,
        }
        .max(FIXED_WORDS)
    }
}

/// Hands a request to the driver of the interface, and gives the answer in its place.
///
/// `request` is the kernel's structure; its first word is overwritten with the command.
///
/// # Errors
///
/// As the kernel says: `EOPNOTSUPP` where the driver knows nothing of it, `ENODEV` where there is no such interface,
/// `EPERM` without the capability to change it; `EINVAL` for a name that is none, or a request beyond all bounds.
pub(super) fn exchange(
    socket: &OwnedFd,
    interface: &str,
    command: Command,
    mut request: Vec<u32>,
) -> nix::Result<Vec<u32>> {
    let mut name = [0; libc::IFNAMSIZ];
    let octets = interface.as_bytes();
    if octets.is_empty() || octets.len() >= name.len() || octets.contains(&0) {
        return Err(Errno::EINVAL);
    }
    for (place, octet) in name.iter_mut().zip(octets) {
        *place = octet.cast_signed();
    }
    let room = command.room(&request);
    if room > MOST_WORDS {
        return Err(Errno::EINVAL);
    }
    request.resize(room.max(request.len()).max(1), 0);
    if let Some(first) = request.first_mut() {
        *first = command as u32;
    }
    let ifru_data = request.as_mut_ptr().cast();
    let mut ask = libc::ifreq { ifr_name: name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data } };
    // SAFETY: `ask` is the structure that SIOCETHTOOL takes, its name ends in a zero octet, and `ifru_data` points
    // to `request`, which lives until behind the call, is used by nobody else, is aligned for words, and has the
    // room that the kernel uses for this command (`Command::room`).
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut ask) };
    Errno::result(result).map(|_| request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_each_command_writes() {
        for (command, request, least) in [
            (Command::Driver, vec![0], 49),
            (Command::Names, vec![0, 4, 64], 3 + 64 * 8),
            (Command::Names, vec![0, 4, 5000], 3 + 5000 * 8),
            (Command::Features, vec![0, 40], 2 + 160),
            (Command::ChangeFeatures, vec![0, 40], 2 + 80),
            (Command::HashKey, vec![0, 0, 128, 53], 6 + 128 + 14),
            (Command::NameCount, vec![0], 4 + 32),
        ] {
            assert!(command.room(&request) >= least, "{command:?} {request:?}");
        }
    }

    #[test]
    fn a_name_that_no_interface_can_have_is_refused_before_the_kernel_is_asked() {
        let socket = std::fs::File::open("/dev/null").unwrap().into();
        for name in ["", "a-name-of-sixteen", "a\0b"] {
            let answer = exchange(&socket, name, Command::Driver, Vec::new());
            assert_eq!(answer, Err(Errno::EINVAL), "{name:?}");
        }
    }
}
