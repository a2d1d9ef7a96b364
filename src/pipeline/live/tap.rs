//! Where the frames of a live point come from.

use std::time::Duration;

use crate::capture::CaptureFile;
use crate::capture::digest::{DigestCounters, Digests};
use crate::capture::kernel::FilterCounters;
use crate::capture::libpcap::LibpcapSource;
use crate::capture::ring::{Ring, RingCounters, RingError, Stamps};
use crate::pipeline::interfaces::Interfaces;
use crate::terms::{Frame, TimedDigest};

/// A source of frames that is open.
pub enum Tap {
    /// A capture that is written while it is read, on packet time.
    File(Box<CaptureFile>),
    /// A ring of the kernel on an interface.
    Ring(Box<RingTap>),
    /// An interface by libpcap.
    Libpcap(Box<LibpcapSource>),
}

/// A ring with what else is counted of its interface.
pub struct RingTap {
    /// The ring.
    pub ring: Ring,
    /// What the kernel's filter counts, where it counts.
    pub filter: Option<FilterCounters>,
    /// What is told in place of frames, where that was asked for.
    pub digests: Option<Digests>,
    /// What the interface lost since the ring was opened, by where.
    pub lost: Lost,
}

/// Says what an interface lost since a ring was opened, by where. Asked for a few times a second.
pub type Lost = Box<dyn FnMut() -> Vec<(&'static str, u64)> + Send>;

/// Why a tap gives nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TapError {
    /// The interface is down; frames come again when it is up.
    #[error("{0}")]
    Down(String),
    /// The interface is gone: another tap is needed.
    #[error("{0}")]
    Gone(String),
}

/// How reading went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Frames came.
    Busy,
    /// Nothing came in time.
    Idle,
    /// Nothing will come any more.
    End,
}

/// What a tap counted since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TapCounters {
    pub(super) packets: u64,
    pub(super) octets: u64,
    /// Lost on the way to the program, by where.
    pub(super) dropped: Vec<(&'static str, u64)>,
    pub(super) freezes: Option<u64>,
    /// Kept away by the kernel's filter, by reason.
    pub(super) filtered: Vec<(&'static str, u64)>,
    pub(super) snapped: u64,
    pub(super) time_source: Option<&'static str>,
    /// Whether the driver itself tells packets in place of frames; absent where nobody does.
    pub(super) is_xdp_native: Option<bool>,
}

impl Progress {
    const fn of(was_idle: bool) -> Self {
        if was_idle { Self::Idle } else { Self::Busy }
    }
}

impl TapCounters {
    fn of(ring: &RingCounters) -> Self {
        let by_interface = ring.dropped_by_interface.map(|dropped| ("interface", dropped));
        let damaged =
            ring.damaged_blocks.filter(|&blocks| blocks > 0).map(|blocks| ("damaged-block", blocks));
        let source =
            ring.stamps.map(|Stamps { hardware, software, ring }| match (hardware, software, ring) {
                (1.., 0, 0) => "hardware",
                (0, _, 0) => "software",
                (0, 0, _) => "ring",
                _ => "mixed",
            });
        Self {
            packets: ring.packets,
            octets: ring.octets,
            dropped: [("ring", ring.dropped)].into_iter().chain(by_interface).chain(damaged).collect(),
            freezes: ring.freezes,
            filtered: Vec::new(),
            snapped: ring.truncated,
            time_source: source.or(Some("libpcap")),
            is_xdp_native: None,
        }
    }
}

impl TapCounters {
    fn add_digests(&mut self, digests: &Digests) {
        let DigestCounters { packets, octets, dropped, damaged } = digests.counters();
        self.packets += packets;
        self.octets += octets;
        self.dropped.push(("digest-ring", dropped));
        if damaged > 0 {
            self.dropped.push(("damaged-digest", damaged));
        }
        self.time_source = Some("xdp");
        self.is_xdp_native = Some(digests.is_native());
    }
}

/// Where fewer come in one look, the next may be later.
const FEW_DIGESTS: u64 = 256;
/// Where more come, there may be as many already.
const MANY_DIGESTS: u64 = 16_384;

/// How long digests are let come after so many: nobody is woken for them. The shorter it is, the more of them are in the
/// processor's caches still.
const fn pause(told: u64) -> Duration {
    match told {
        0..FEW_DIGESTS => Duration::from_millis(10),
        FEW_DIGESTS..=MANY_DIGESTS => Duration::from_millis(1),
        _ => Duration::ZERO,
    }
}

impl RingTap {
    /// Packets that were told come first, then frames, for which it waits.
    fn read(
        &mut self,
        timeout: Duration,
        interfaces: &Interfaces,
        taker: &mut impl Taker,
    ) -> Result<Progress, TapError> {
        let told = self.digests.as_mut().map(|digests| digests.read(|digest| taker.take_digest(digest)));
        let nap = self.digests.as_ref().map_or(timeout, Digests::nap);
        let timeout = told.map_or(timeout, |told| pause(told).min(nap).min(timeout));
        match self.ring.read(timeout, |frames| taker.take(frames, interfaces)) {
            Ok(progress) => Ok(Progress::of(progress.was_idle && told.unwrap_or(0) == 0)),
            Err(error @ RingError::Down { .. }) => Err(TapError::Down(error.to_string())),
            Err(error) => Err(TapError::Gone(error.to_string())),
        }
    }
}

/// What frames are handed to.
///
/// A function that is handed over would be called for each frame, as there are several taps: measured.
pub(super) trait Taker {
    /// Takes in frames of the interfaces known so far. Per frame.
    fn take(&mut self, frames: &[Frame<'_>], interfaces: &Interfaces);

    /// Takes in a packet that was told in place of its frame. Per packet.
    fn take_digest(&mut self, digest: &TimedDigest<'_>);
}

/// Frames of a file between two looks at whether to stop.
const TURN: usize = 4096;

impl Tap {
    /// Waits for frames, for at most so long, and hands over those that are there.
    pub(super) fn read(
        &mut self,
        timeout: Duration,
        (interfaces, numbers): (&mut Interfaces, &mut Vec<u16>),
        taker: &mut impl Taker,
    ) -> Result<Progress, TapError> {
        match self {
            Self::File(file) => {
                let may_add_interfaces = file.summary().format.starts_with("pcapng");
                for _ in 0..TURN {
                    if numbers.is_empty() || may_add_interfaces && file.peek_timestamp().is_some() {
                        interfaces.learn(file, numbers);
                    }
                    let Some(frame) = file.next_frame() else { return Ok(Progress::End) };
                    let number = numbers.get(usize::from(frame.interface)).copied();
                    let interface = number.unwrap_or(frame.interface);
                    taker.take(&[Frame { interface, ..frame }], interfaces);
                }
                Ok(Progress::Busy)
            }
            Self::Ring(tap) => tap.read(timeout, interfaces, taker),
            Self::Libpcap(source) => {
                let take = |frame: &Frame<'_>| taker.take(std::slice::from_ref(frame), interfaces);
                match source.read(timeout, take) {
                    Ok(progress) => Ok(Progress::of(progress.was_idle)),
                    Err(error) => Err(TapError::Gone(error.to_string())),
                }
            }
        }
    }

    /// What was counted since it was opened.
    pub(super) fn counters(&mut self) -> TapCounters {
        match self {
            Self::File(file) => {
                let summary = file.summary();
                let dropped = summary.dropped.map(|dropped| ("capture", dropped));
                TapCounters {
                    packets: summary.frames,
                    octets: summary.bytes,
                    dropped: dropped.into_iter().collect(),
                    time_source: Some("file"),
                    ..TapCounters::default()
                }
            }
            Self::Ring(tap) => {
                let mut counters = TapCounters::of(&tap.ring.counters());
                counters.dropped.extend((tap.lost)());
                if let Some(digests) = &tap.digests {
                    counters.add_digests(digests);
                }
                if let Some(filter) = &tap.filter {
                    let filtered = filter.read().filtered;
                    counters.filtered = vec![
                        ("excluded-port", filtered.excluded_port),
                        ("tcp", filtered.tcp),
                        ("not-ip", filtered.not_ip),
                        ("other-protocol", filtered.other_protocol),
                    ];
                }
                counters
            }
            Self::Libpcap(source) => TapCounters::of(&source.counters()),
        }
    }

    /// Whether packets come by two ways, so that the last one of the one says nothing of the other.
    pub(super) fn has_two_ways(&self) -> bool {
        matches!(self, Self::Ring(tap) if tap.digests.is_some())
    }

    /// What kind of tap it is, in a word.
    pub(super) fn format(&self) -> String {
        match self {
            Self::File(file) => file.summary().format.to_owned(),
            Self::Ring(tap) => if tap.digests.is_some() { "xdp" } else { "ring" }.to_owned(),
            Self::Libpcap(_) => "libpcap".to_owned(),
        }
    }

    /// Where a capture broke, in words.
    pub(super) fn damage(&self) -> Option<String> {
        match self {
            Self::File(file) => file.summary().damage.map(|damage| damage.to_string()),
            Self::Ring(_) | Self::Libpcap(_) => None,
        }
    }
}
