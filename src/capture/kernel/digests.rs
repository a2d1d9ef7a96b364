//! The program that tells RTP in few octets, put on an interface.

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, OwnedFd};

use aya::maps::Map;
use aya::programs::{ProgramError, Xdp};

use super::ebpf::{EbpfError, loader, port_words};
use super::sys;
use crate::capture::digest::OpenedDigests;
use crate::terms::PayloadChoice;

/// Which packets are told, and how many wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestOptions {
    /// Datagrams from or to these ports go up as frames.
    pub excluded_udp_ports: Vec<RangeInclusive<u16>>,
    /// Of which packets the payload is told too.
    pub payloads: PayloadChoice,
    /// Octets of the ring; the next power of two.
    pub octets: u32,
}

impl DigestOptions {
    /// Octets of the shortest and of the longest ring.
    const OCTETS: RangeInclusive<u32> = 1 << 16..=1 << 30;

    fn ring_octets(&self) -> u32 {
        self.octets.clamp(*Self::OCTETS.start(), *Self::OCTETS.end()).next_power_of_two()
    }
}

/// The program, loaded, with its ring.
#[derive(Debug)]
pub struct DigestProgram {
    program: OwnedFd,
    ring: OwnedFd,
    octets: u32,
    counters: OwnedFd,
}

/// Why the program is not on the interface.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Another program is.
    #[error("another XDP program is on the interface; take it off: ip link set dev NAME xdp off")]
    Taken,
    /// Neither the driver nor the kernel takes it.
    #[error("neither the driver takes it ({native}) nor the kernel ({generic})")]
    Refused {
        /// What the driver says.
        native: io::Error,
        /// What the kernel says.
        generic: io::Error,
    },
}

/// The kernel runs it on what it has made of a frame; the driver runs it on frames.
const GENERIC: u32 = 1 << 1;
const NATIVE: u32 = 1 << 2;

impl DigestProgram {
    /// Loads it, which takes `CAP_BPF` and `CAP_NET_ADMIN`, and Linux 5.18.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or has no memory for the ring.
    pub fn load(options: &DigestOptions) -> Result<Self, EbpfError> {
        let octets = options.ring_octets();
        let excluded = port_words(&options.excluded_udp_ports);
        let has_excluded = u32::from(!options.excluded_udp_ports.is_empty());
        let mut object = loader()
            .override_global("EXCLUDED_UDP", excluded.as_slice(), true)
            .override_global("HAS_EXCLUDED", &has_excluded, true)
            .override_global("CHOICE_PLUS", &options.payloads.plus, true)
            .override_global("CHOICE_TIMES", &options.payloads.times, true)
            .override_global("CHOICE_BELOW", &options.payloads.below, true)
            .map_max_entries("DIGESTS", octets)
            .load(aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/digests.o")))
            .map_err(|error| EbpfError::refused(&error))?;
        let program = object.program_mut("digests").ok_or(EbpfError::Missing("digests"))?;
        let program: &mut Xdp =
            program.try_into().map_err(|error: ProgramError| EbpfError::refused(&error))?;
        program.load().map_err(|error| EbpfError::refused(&error))?;
        let program = program.fd().map_err(|error| EbpfError::refused(&error))?;
        let program = program.as_fd().try_clone_to_owned()?;
        let Some(Map::RingBuf(ring)) = object.map("DIGESTS") else {
            return Err(EbpfError::Missing("DIGESTS"));
        };
        let Some(Map::Array(counters)) = object.map("COUNTERS") else {
            return Err(EbpfError::Missing("COUNTERS"));
        };
        Ok(Self {
            program,
            ring: ring.fd().as_fd().try_clone_to_owned()?,
            octets,
            counters: counters.fd().as_fd().try_clone_to_owned()?,
        })
    }

    /// Puts it on an interface: run by the driver, or where that cannot, by the kernel; then what the driver says is
    /// given too. As long as any process has the link open it stays there.
    ///
    /// # Errors
    ///
    /// Another program is there, or neither takes it.
    pub fn attach(self, interface_index: u32) -> Result<(OpenedDigests, Option<io::Error>), AttachError> {
        let attach = |flags| sys::attach_xdp(self.program.as_fd(), interface_index, flags);
        let is_taken = |error: &io::Error| matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EEXIST));
        let (link, reason) = match attach(NATIVE) {
            Ok(link) => (link, None),
            Err(native) if is_taken(&native) => return Err(AttachError::Taken),
            Err(native) => match attach(GENERIC) {
                Ok(link) => (link, Some(native)),
                Err(generic) if is_taken(&generic) => return Err(AttachError::Taken),
                Err(generic) => return Err(AttachError::Refused { native, generic }),
            },
        };
        let Self { ring, octets, counters, .. } = self;
        let is_native = reason.is_none();
        Ok((OpenedDigests { ring, octets, counters, link, is_native }, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_are_as_long_as_rings_can_be() {
        for (wanted, octets) in [(0, 1 << 16), (100_000, 1 << 17), (1 << 26, 1 << 26), (u32::MAX, 1 << 30)] {
            let payloads = PayloadChoice { plus: 0, times: 0, below: 0 };
            let options = DigestOptions { excluded_udp_ports: Vec::new(), payloads, octets: wanted };
            assert_eq!(options.ring_octets(), octets);
        }
    }
}
