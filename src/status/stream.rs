//! What a stream is found and sorted by.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::terms::{Ssrc, Timestamp};
use crate::verify::Note;

/// A stream's name for as long as the program runs, and the same in the next run over the same packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for StreamId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// One stream of a picture, in short.
#[derive(Debug, Clone)]
pub struct StreamStatus {
    /// Its name.
    pub id: StreamId,
    /// Counts and verdicts, in short.
    pub note: Note,
    /// Synchronisation source at the first hop.
    pub ssrc: Ssrc,
    /// Sender at the first hop.
    pub source: SocketAddr,
    /// Receiver at the first hop.
    pub destination: SocketAddr,
    /// Points that saw it: bit `n` for the point of place `n`.
    pub points: u64,
    /// Its first packet.
    pub first: Timestamp,
    /// Its last packet so far.
    pub last: Timestamp,
    /// Whether it is over.
    pub is_over: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back() {
        let id = StreamId(0x00ab_cdef_0123_4567);
        assert_eq!(id.to_string(), "00abcdef01234567");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("no".parse::<StreamId>().is_err());
    }
}
