//! A finding: what is wrong, where, since when, and what to look at.

use crate::terms::{Direction, Dscp, PointId, Timestamp};

/// One thing that is wrong or worth knowing.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// How bad.
    pub severity: Severity,
    /// The number of the stream it is about.
    pub stream: Option<u32>,
    /// The number of the call it is about.
    pub call: Option<u32>,
    /// Where.
    pub place: Place,
    /// Of which direction.
    pub direction: Option<Direction>,
    /// Codepoint before, or expected.
    pub from: Option<Dscp>,
    /// Codepoint after, or seen.
    pub to: Option<Dscp>,
    /// On how many packets.
    pub packets: u64,
    /// First moment.
    pub first: Timestamp,
    /// Last moment.
    pub last: Timestamp,
    /// What was found, in one sentence.
    pub message: String,
    /// What to look at, in one sentence.
    pub advice: &'static str,
}

/// Where a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nowhere in particular.
    Everywhere,
    /// At an observation point.
    Point(PointId),
    /// Between two hops of the stream: their places in its list.
    Between(u16, u16),
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth mending.
    Warning,
    /// Wrong.
    Error,
}

impl Severity {
    /// As the report writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kinds of finding. Names are a promise: more may come, none is renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FindingKind { $($(#[$doc])* $variant,)* }

        impl FindingKind {
            /// As the report writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

kinds! {
    /// The first hop already sees no marking.
    UnmarkedAtSource = "unmarked-at-source",
    /// A segment changes the codepoint to another one that is not zero.
    Remarked = "remarked",
    /// A segment sets the codepoint to zero.
    Bleached = "bleached",
    /// One direction of a call is marked right, the other is not.
    AsymmetricMarking = "asymmetric-marking",
    /// The codepoint changes at one hop while the stream runs.
    MarkingChangedMidCall = "marking-changed-mid-call",
    /// Marked, but not as expected.
    UnexpectedDscp = "unexpected-dscp",
    /// The priority of the link layer does not fit the codepoint.
    PcpMismatch = "pcp-mismatch",
    /// More packets lost than the limit.
    Loss = "loss",
    /// Losses come in runs.
    BurstLoss = "burst-loss",
    /// More jitter than the limit.
    Jitter = "jitter",
    /// The STUN round trip of a flow is long.
    RoundTrip = "round-trip",
    /// A segment loses packets.
    SegmentLoss = "segment-loss",
    /// A segment adds delay.
    SegmentDelay = "segment-delay",
    /// The mirror, not the network, lost packets.
    MirrorLoss = "mirror-loss",
    /// The mirror delivers packets more than once.
    MirrorDuplicates = "mirror-duplicates",
    /// The mirror delivers nothing at all.
    DeadMirror = "dead-mirror",
    /// The mirror delivers one direction only.
    OneWayMirror = "one-way-mirror",
    /// A tap missed frames, or may have.
    TapGap = "tap-gap",
    /// Media runs in one direction only.
    OneWayStream = "one-way-stream",
    /// The clock rate is not known, so there is no jitter figure.
    ClockUnknown = "clock-unknown",
    /// The way of a stream changed while it ran.
    PathChanged = "path-changed",
    /// Packets of a stream take several ways in turn.
    SeveralWays = "several-ways",
    /// Relay requests over UDP stay without an answer.
    UdpBlocked = "udp-blocked",
    /// Media runs over TCP.
    MediaOverTcp = "media-over-tcp",
    /// Media runs through an HTTP proxy.
    MediaThroughProxy = "media-through-proxy",
    /// Media leaves the site and comes back.
    Hairpin = "hairpin",
    /// Media runs inside a VPN.
    MediaOverVpn = "media-over-vpn",
    /// A relay that is in no known list.
    UnknownRelay = "unknown-relay",
}
