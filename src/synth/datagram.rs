//! One UDP datagram as it was sent, and what the truth needs of it.

/// A datagram before the network does anything to it.
#[derive(Debug, Clone)]
pub(super) struct Datagram {
    /// When it is sent, in nanoseconds since 1970.
    pub at: i64,
    pub flow: usize,
    /// Whether it runs from the far end to the near end.
    pub reverse: bool,
    /// Whether it runs between the near end and its relay only.
    pub to_relay: bool,
    /// Which sender's state on the segments it uses.
    pub carrier: usize,
    pub dscp: u8,
    pub ecn: u8,
    pub ttl: u8,
    /// Number of the packet in its stream; none on what no list of packets means.
    pub number: Option<u64>,
    pub identification: u16,
    /// Nanoseconds to the next packet of the stream.
    pub spacing: i64,
    /// Set where nothing may be lost, doubled or overtaken by chance.
    pub calm: bool,
    pub payload: Vec<u8>,
    pub tally: Tally,
}

/// What the truth must know of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tally {
    /// Nothing: it is in no figure.
    Nothing,
    /// An RTP packet.
    Rtp(RtpTally),
    /// A STUN message.
    Stun(StunTally),
}

/// An RTP packet as it is numbered where it is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RtpTally {
    /// Number of the stream.
    pub stream: usize,
    /// 0, and one more after every restart.
    pub part: u32,
    /// Sequence number that never wraps.
    pub sequence: u64,
    /// The one that its sender gave it: another where a relay has numbered it anew.
    pub sent_as: u64,
    /// Timestamp that never wraps.
    pub timestamp: i64,
    pub clock_rate: u32,
    pub payload_type: u8,
    /// A wild sequence number that nothing follows.
    pub stray: bool,
}

/// A STUN message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StunTally {
    /// `binding`, `allocate`, ...
    pub kind: &'static str,
    /// Number of the transaction in this scenario.
    pub transaction: u64,
    pub phase: Phase,
}

/// Which message of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Request,
    Success,
    Error(u16),
}

/// A packet as one tap heard it.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    /// True time; the capture's clock may differ.
    pub at: i64,
    pub tap: usize,
    pub flow: usize,
    pub reverse: bool,
    pub ttl: u8,
    pub dscp: u8,
    pub ecn: u8,
    /// The whole IP packet; empty where the mirror missed it.
    pub packet: Vec<u8>,
    pub tally: Tally,
}
