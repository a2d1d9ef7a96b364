//! The programs of `bpf/`, which the kernel runs over each packet.
//!
//! [`Filter`] says which frames a socket is given and how many octets of each: what no media can be in is not copied
//! at all, and of media only headers and what streams are joined by. [`load_fanout`] gives the program that shares
//! packets among the rings of one interface.

mod assembler;
mod classic;
mod counters;
mod digests;
mod ebpf;
mod options;
mod sys;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) use self::counters::DigestsDropped;
pub use self::counters::{FilterCounters, FilterCounts, Filtered};
pub use self::digests::{AttachError, DigestOptions, DigestProgram};
pub use self::ebpf::EbpfError;
pub use self::options::{FilterError, FilterOptions};

/// Which language of the kernel a filter is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterKind {
    /// Looks into tunnels, and counts what it does.
    Ebpf,
    /// Keeps whole what is in a tunnel, and counts nothing: for where the other is not allowed.
    Classic,
}

impl FilterKind {
    /// As a log or an answer prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ebpf => "ebpf",
            Self::Classic => "classic",
        }
    }
}

/// A socket filter, ready to be attached to any number of sockets.
#[derive(Debug)]
pub struct Filter {
    program: Program,
}

#[derive(Debug)]
enum Program {
    Ebpf(ebpf::MediaFilter),
    Classic { instructions: Vec<libc::sock_filter>, reason: EbpfError },
}

impl Filter {
    /// Loads the eBPF program, which takes `CAP_BPF` or root; where the kernel refuses, writes the classic one.
    ///
    /// # Errors
    ///
    /// The options cannot be made into a filter.
    pub fn load(options: &FilterOptions) -> Result<Self, FilterError> {
        options.check()?;
        Ok(match ebpf::MediaFilter::load(options) {
            Ok(loaded) => Self { program: Program::Ebpf(loaded) },
            Err(reason) => {
                Self { program: Program::Classic { instructions: classic::program(options), reason } }
            }
        })
    }

    /// The classic program, which any user may attach and no kernel refuses.
    ///
    /// # Errors
    ///
    /// The options cannot be made into a filter.
    pub fn classic(options: &FilterOptions) -> Result<Self, FilterError> {
        options.check()?;
        let instructions = classic::program(options);
        Ok(Self { program: Program::Classic { instructions, reason: EbpfError::NotAsked } })
    }

    /// Which of the two it is.
    #[must_use]
    pub const fn kind(&self) -> FilterKind {
        match self.program {
            Program::Ebpf(_) => FilterKind::Ebpf,
            Program::Classic { .. } => FilterKind::Classic,
        }
    }

    /// Why it is not the eBPF program.
    #[must_use]
    pub const fn reason(&self) -> Option<&EbpfError> {
        match &self.program {
            Program::Ebpf(_) => None,
            Program::Classic { reason, .. } => Some(reason),
        }
    }

    /// Attaches it to a packet socket, in place of what was attached. It stays when this value is gone.
    ///
    /// # Errors
    ///
    /// The kernel refuses; of the classic program above all by its limit on memory, `net.core.optmem_max`.
    pub fn attach(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        match &self.program {
            Program::Ebpf(loaded) => sys::attach_ebpf(socket, loaded.program.as_fd()),
            Program::Classic { instructions, .. } => sys::attach_classic(socket, instructions),
        }
    }

    /// The counters of all sockets that it is attached to, for [`FilterCounters::map`], in this process or another;
    /// the classic program has none.
    ///
    /// # Errors
    ///
    /// No more descriptors may be opened.
    pub fn counters_fd(&self) -> io::Result<Option<OwnedFd>> {
        match &self.program {
            Program::Ebpf(loaded) => loaded.counters.try_clone().map(Some),
            Program::Classic { .. } => Ok(None),
        }
    }
}

/// Loads the fan-out program, for `PACKET_FANOUT_EBPF`, which takes `CAP_BPF` or root. It brings both directions of a
/// flow to the same ring, told by the innermost addresses.
///
/// # Errors
///
/// The kernel refuses: then `PACKET_FANOUT_HASH` is what is left, which sees a tunnel as one flow.
pub fn load_fanout() -> Result<OwnedFd, EbpfError> {
    ebpf::fanout()
}
