//! Flow keys and directions.

use std::fmt;
use std::net::SocketAddr;

/// What carries the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// User Datagram Protocol.
    Udp,
    /// Transmission Control Protocol.
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

/// A 5-tuple in one direction (RFC 7011, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    /// Who sends.
    pub source: SocketAddr,
    /// Who receives.
    pub destination: SocketAddr,
    /// UDP or TCP.
    pub transport: Transport,
}

impl FlowKey {
    /// The same flow in the other direction.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source, transport: self.transport }
    }

    /// One key for both directions (RFC 5103): the smaller end stands first.
    #[must_use]
    pub fn biflow(self) -> Self {
        if self.source <= self.destination { self } else { self.reversed() }
    }
}

/// The two directions of a biflow (RFC 5103): forward is from the managed side to the far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From the managed side (or, where both or neither are, from who sent first).
    Forward,
    /// The way back.
    Reverse,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
        })
    }
}
