//! What `hopmark run` takes from the operator's file, as plain data.
//!
//! Every value has its default here. What may stand in the file for each is told by the lists of `keys`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::policy::PortRange;

/// Everything in the operator's file that is about running live. What is expected of streams is in the policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appliance {
    /// Every `[[point]]`, in the order of the file and of [`crate::policy::Policy::points`].
    pub points: Vec<LivePoint>,
    /// `[capture]`: the rings.
    pub capture: Capture,
    /// `[listen]`: metrics and the HTTP interface.
    pub listen: Listen,
    /// `[run]`: the process.
    pub run: Run,
    /// `[log]`: what is logged, and how.
    pub log: Log,
    /// `[evidence]`: packets kept for findings; none: off.
    pub evidence: Option<Evidence>,
}

/// Most points of a file in which one is live: their names are labels of metrics.
pub const MAX_POINTS: usize = 64;

/// An observation point as `hopmark run` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePoint {
    /// The point's name, unique.
    pub name: String,
    /// Where its packets come from. None: it is a mirror session in the source of another point, or only for replay.
    pub source: Option<Source>,
    /// Whether it is one session of a mirror (`mirror` in the policy). Several points may share an interface; at
    /// most one of them is no session, and has what belongs to none of the others.
    pub is_session: bool,
    /// After this long without a packet its mirror is dead; none: that is no finding.
    pub silent_after: Option<Duration>,
}

/// Where the packets of a point come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A network interface.
    Interface(Interface),
    /// Standard input (`file = "-"`): a capture that is written while it is read. Time is that of its packets.
    StandardInput,
    /// A named pipe or a file, read as a capture that is still written.
    File(PathBuf),
}

/// A network interface to listen on, and how. Points that share one have the same values here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a key of the file, and none excludes another")]
pub struct Interface {
    /// As the system calls it; `any` with libpcap.
    pub name: String,
    /// What reads it.
    pub backend: Backend,
    /// Rings that share its packets by `PACKET_FANOUT`, 1 to [`MAX_RINGS`]; 1 with libpcap.
    pub rings: usize,
    /// Whether it is made to hear what is not addressed to it.
    pub promiscuous: bool,
    /// Whether the kernel passes on only what can matter.
    pub filter: bool,
    /// UDP ports that the kernel's filter drops.
    pub exclude_ports: Vec<PortRange>,
    /// TCP ports on which relays are looked for; the filter drops all other TCP.
    pub relay_ports: Vec<PortRange>,
    /// Whether whole frames are taken, not only headers and the first octets of media.
    pub whole_frames: bool,
    /// Whether frames are left out that this machine sends.
    pub ignore_outgoing: bool,
    /// Whether offloads that merge packets (GRO, LRO) are switched off; else they are only reported.
    pub mend_offloads: bool,
    /// Whether the card's own timestamps are taken where it has them.
    pub hardware_timestamps: bool,
}

/// Most rings of one interface.
pub const MAX_RINGS: usize = 16;

impl Interface {
    /// An interface with everything else at its default.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            backend: Backend::Ring,
            rings: 1,
            promiscuous: true,
            filter: true,
            exclude_ports: Vec::new(),
            // TURN over TCP and TLS: 443 (Teams, Zoom, Webex), 3478-3481 (RFC 8656 and Teams), 5349 (TLS).
            relay_ports: [(443, 443), (3478, 3481), (5349, 5349)]
                .into_iter()
                .filter_map(|(first, last)| PortRange::new(first, last))
                .collect(),
            whole_frames: false,
            ignore_outgoing: true,
            mend_offloads: false,
            hardware_timestamps: true,
        }
    }
}

/// What reads an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// Memory-mapped rings of `AF_PACKET`.
    #[default]
    Ring,
    /// Digests of RTP from a program at the driver, which drops the frames, and rings for all else: for an interface
    /// that has no other use.
    Xdp,
    /// libpcap: for `any`, and for what is not Ethernet.
    Pcap,
}

/// The rings of `AF_PACKET`. Each ring of each interface has this much memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Blocks of one ring; halved while the kernel has no memory for them.
    pub blocks: usize,
    /// Octets of one block: a power of two, and so a multiple of the page.
    pub block_octets: usize,
    /// After this long the kernel hands over a block that is not full.
    pub retire: Duration,
}

impl Default for Capture {
    fn default() -> Self {
        Self { blocks: 64, block_octets: 1 << 20, retire: Duration::from_millis(60) }
    }
}

/// Where metrics and the HTTP interface are served, and their limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Address and port.
    pub address: SocketAddr,
    /// A web configuration file as Prometheus exporters take it: TLS, basic authentication. None: neither.
    pub web_config: Option<PathBuf>,
    /// Connections at once.
    pub max_connections: usize,
    /// How long a request may take, from its first octet to the last of its answer.
    pub request_timeout: Duration,
    /// Series of one scrape; more are left out and counted.
    pub max_series: usize,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9847)),
            web_config: None,
            max_connections: 64,
            request_timeout: Duration::from_secs(10),
            max_series: 50_000,
        }
    }
}

/// The process, and what it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// User that captures and parses; none: the one who started it, or `nobody` where that is root.
    pub user: Option<String>,
    /// How often figures are taken.
    pub interval: Duration,
    /// Findings that are kept for the interface; the oldest make room.
    pub keep_findings: usize,
    /// How long streams that ended stay visible in the interface.
    pub keep_ended: Duration,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            user: None,
            interval: Duration::from_secs(1),
            keep_findings: 10_000,
            keep_ended: Duration::from_secs(60),
        }
    }
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    /// In which form lines are written.
    pub format: LogFormat,
    /// The least level that is written.
    pub level: LogLevel,
}

/// In which form log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// What keeps a part from working.
    Error,
    /// And what may mislead.
    Warn,
    /// And what changes: start, reload, interfaces, findings.
    #[default]
    Info,
    /// And why.
    Debug,
    /// And every step.
    Trace,
}

/// Packets that are kept for findings: the headers of the last moments of every stream, written when a finding opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Folder for the files.
    pub directory: PathBuf,
    /// How much of a stream is kept.
    pub keep: Duration,
    /// From which severity on a finding is worth a file.
    pub severity: LeastSeverity,
    /// Octets kept of each packet.
    pub octets_per_packet: usize,
    /// Octets of memory for packets, for each point.
    pub memory_octets: usize,
    /// Octets of all files together; the oldest make room.
    pub max_octets: u64,
    /// Files in all; the oldest make room.
    pub max_files: usize,
}

impl Evidence {
    /// Evidence in this folder, with everything else at its default.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            keep: Duration::from_secs(30),
            severity: LeastSeverity::Error,
            octets_per_packet: 128,
            memory_octets: 64 << 20,
            max_octets: 1 << 30,
            max_files: 1000,
        }
    }
}

/// From which severity on a finding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeastSeverity {
    /// Errors only.
    #[default]
    Error,
    /// Errors and warnings.
    Warning,
    /// All findings.
    Info,
}

impl Default for LivePoint {
    fn default() -> Self {
        Self {
            name: String::new(),
            source: None,
            is_session: false,
            silent_after: Some(Duration::from_secs(60)),
        }
    }
}

impl Source {
    /// Whether the same thing would be opened, however it is read.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Interface(one), Self::Interface(other)) => one.name == other.name,
            _ => self == other,
        }
    }
}

impl fmt::Display for Source {
    /// `interface eth1`, `standard input` or `file /run/feed`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(interface) => write!(f, "interface {}", interface.name),
            Self::StandardInput => f.write_str("standard input"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

impl Appliance {
    /// What is to be opened, once each: the source, and the point that it is named by. Where points share an
    /// interface that is the one which is no mirror session, else the first. In the order of the file.
    #[must_use]
    pub fn sources(&self) -> Vec<(&LivePoint, &Source)> {
        opened(&self.points)
    }
}

/// What these points open, as [`Appliance::sources`].
pub(super) fn opened(points: &[LivePoint]) -> Vec<(&LivePoint, &Source)> {
    let mut opened: Vec<(&LivePoint, &Source)> = Vec::new();
    for point in points {
        let Some(source) = &point.source else { continue };
        match opened.iter_mut().find(|(_, other)| other.is_same(source)) {
            Some(known) if known.0.is_session && !point.is_session => *known = (point, source),
            Some(_) => {}
            None => opened.push((point, source)),
        }
    }
    opened
}
