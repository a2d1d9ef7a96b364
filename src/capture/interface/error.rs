//! What can go wrong with an interface, where, and how to mend it.

use nix::errno::Errno;

/// Why the kernel did not say, or do, what was asked of an interface.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// There is none of this name in this network namespace.
    #[error("interface {name:?} not found; interfaces here: {}", .present.join(", "))]
    NotFound {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        present: Vec<String>,
    },
    /// The kernel refused.
    #[error("interface {name:?}: {doing}: {reason}")]
    Refused {
        /// The interface, or nothing where all were asked for.
        name: String,
        /// What was asked of the kernel.
        doing: &'static str,
        /// Why not.
        #[source]
        reason: Errno,
    },
    /// The kernel took the request, but the offload is still on.
    #[error(
        "interface {name:?}: offload {offload} stays on, as the driver does not let it be switched off; mirror to an \
         interface of another kind"
    )]
    StaysOn {
        /// The interface.
        name: String,
        /// The offload, as `ethtool -k` calls it.
        offload: String,
    },
    /// No offload of this name merges packets, or this kernel does not have it.
    #[error(
        "interface {name:?}: no offload {offload:?} that merges packets; there are gro, lro, rx-gro-hw, \
         rx-udp-gro-forwarding and rx-gro-list"
    )]
    UnknownOffload {
        /// The interface.
        name: String,
        /// What was to be switched off.
        offload: String,
    },
}
