//! How interfaces are opened: what is asked, and what the opener does.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::digests::{OpenedDigestSizes, leave_tags_in, map_digests, open_digests};
use crate::capture::CaptureFile;
use crate::capture::interface::{InterfaceStatistics, Links, MergesWhat, merging_offloads, switch_off};
use crate::capture::kernel::{Filter, FilterCounters, FilterOptions, load_fanout};
use crate::capture::libpcap::LibpcapSource;
use crate::capture::ring::{Heard, OpenedRing, Ring, RingOptions, Trial, fanout_group, open, open_fanned};
use crate::config::{Backend, Capture, Interface, Source};
use crate::pipeline::live::{LivePoint, Lost, RingTap, Tap};
use crate::privilege::{OpenerClient, OpenerError, run};
use crate::terms::LinkType;

/// What the opener is asked.
#[derive(Debug, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "as the operator's file has them")]
pub(super) struct Wanted {
    interface: String,
    rings: usize,
    promiscuous: bool,
    ignore_outgoing: bool,
    hardware_timestamps: bool,
    mend_offloads: bool,
    blocks: u32,
    block_octets: u32,
    retire_ms: u64,
    /// Octets of the ring for digests of RTP; none: RTP comes in frames.
    digests: Option<u32>,
    /// None: everything is passed.
    filter: Option<WantedFilter>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WantedFilter {
    excluded_udp_ports: Vec<(u16, u16)>,
    relay_tcp_ports: Vec<(u16, u16)>,
    whole: bool,
}

/// What it answers; descriptors of the rings come with it, in order, then that of the filter's counters, then the three
/// of the digests.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Opened {
    rings: Vec<OpenedSizes>,
    has_counters: bool,
    digests: Option<OpenedDigestSizes>,
    /// What is worth a line of the log.
    notes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OpenedSizes {
    blocks: u32,
    block_octets: u32,
    interface_index: u32,
    link: u16,
}

impl Wanted {
    fn of(interface: &Interface, capture: &Capture) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let ports =
            |ranges: &[crate::policy::PortRange]| ranges.iter().map(|r| (r.first(), r.last())).collect();
        Self {
            interface: interface.name.clone(),
            rings: interface.rings,
            promiscuous: interface.promiscuous,
            ignore_outgoing: interface.ignore_outgoing,
            hardware_timestamps: interface.hardware_timestamps,
            mend_offloads: interface.mend_offloads,
            blocks: number(capture.blocks),
            block_octets: number(capture.block_octets),
            retire_ms: u64::try_from(capture.retire.as_millis()).unwrap_or(u64::MAX),
            digests: (interface.backend == Backend::Xdp)
                .then(|| number(capture.blocks.saturating_mul(capture.block_octets))),
            filter: interface.filter.then(|| WantedFilter {
                excluded_udp_ports: ports(&interface.exclude_ports),
                relay_tcp_ports: ports(&interface.relay_ports),
                whole: interface.whole_frames,
            }),
        }
    }
}

/// The hidden command `opener`: a process that opens what it is asked to, and never reads a packet.
pub(in crate::cli) fn serve() -> ExitCode {
    run(|wanted: Wanted| match open_rings(&wanted) {
        Ok((opened, descriptors)) => (Ok(opened), descriptors),
        Err(problem) => (Err(problem), Vec::new()),
    })
}

/// Opens the rings of an interface, filtered. Takes `CAP_NET_RAW`, and `CAP_BPF` for the better filter.
fn open_rings(wanted: &Wanted) -> Result<(Opened, Vec<OwnedFd>), String> {
    let mut notes = Vec::new();
    let filter = wanted.filter.as_ref().map(|filter| {
        let ranges = |ports: &[(u16, u16)]| ports.iter().map(|&(first, last)| first..=last).collect();
        let options = FilterOptions {
            excluded_udp_ports: ranges(&filter.excluded_udp_ports),
            relay_tcp_ports: ranges(&filter.relay_tcp_ports),
            whole: filter.whole,
            ..FilterOptions::default()
        };
        Filter::load(&options).map_err(|error| error.to_string())
    });
    let filter = filter.transpose()?;
    if let Some(reason) = filter.as_ref().and_then(Filter::reason) {
        notes.push(format!("the kernel's filter is classic, which counts nothing: {reason}"));
    }
    let options = RingOptions {
        blocks: wanted.blocks,
        block_octets: wanted.block_octets,
        retire: Duration::from_millis(wanted.retire_ms),
        promiscuous: wanted.promiscuous,
        ignore_outgoing: wanted.ignore_outgoing,
        hardware_timestamps: wanted.hardware_timestamps,
        fanout: None,
    };
    let mut attach = |socket: BorrowedFd<'_>| match &filter {
        Some(filter) => filter.attach(socket),
        None => Ok(()),
    };
    mend_offloads(&wanted.interface, wanted.mend_offloads, &mut notes);
    if wanted.digests.is_some() {
        leave_tags_in(&wanted.interface, wanted.mend_offloads, &mut notes);
    }
    let rings = if wanted.rings > 1 {
        let program = load_fanout().map_err(|reason| {
            notes.push(format!("packets are shared among rings by outer addresses and ports: {reason}"));
        });
        let program = program.ok();
        try_sharing(wanted.rings, program.as_ref(), &mut notes)?;
        open_fanned(&wanted.interface, &options, wanted.rings, program, &mut attach)
    } else {
        open(&wanted.interface, &options, &mut attach).map(|ring| vec![ring])
    };
    let rings = rings.map_err(|error| error.to_string())?;
    share_packets(&wanted.interface, &rings)?;
    for ring in &rings {
        if ring.blocks < wanted.blocks {
            notes.push(format!("memory is short: {} blocks in place of {}", ring.blocks, wanted.blocks));
        }
    }
    let counters = filter.as_ref().map(Filter::counters_fd).transpose().map_err(|error| error.to_string())?;
    let counters = counters.flatten();
    let sizes = |ring: &OpenedRing| OpenedSizes {
        blocks: ring.blocks,
        block_octets: ring.block_octets,
        interface_index: ring.interface_index,
        link: ring.link.0,
    };
    // Last, as frames of RTP are dropped from now on.
    let digests = wanted.digests.zip(rings.first()).and_then(|(octets, ring)| {
        let excluded = wanted.filter.as_ref().map_or(&[][..], |filter| &filter.excluded_udp_ports);
        open_digests(&wanted.interface, ring.interface_index, (octets, excluded), &mut notes)
    });
    let opened = Opened {
        rings: rings.iter().map(sizes).collect(),
        has_counters: counters.is_some(),
        digests: digests.as_ref().map(OpenedDigestSizes::of),
        notes,
    };
    let digests = digests.map(|opened| [opened.ring, opened.counters, opened.link]);
    let sockets = rings.into_iter().map(|ring| ring.socket);
    let descriptors = sockets.chain(counters).chain(digests.into_iter().flatten()).collect();
    Ok((opened, descriptors))
}

/// Whether rings that are to share packets are in one group: else each would hear every packet.
fn share_packets(interface: &str, rings: &[OpenedRing]) -> Result<(), String> {
    if rings.len() < 2 {
        return Ok(());
    }
    let groups: Result<Vec<u16>, io::Error> =
        rings.iter().map(|ring| fanout_group(ring.socket.as_fd())).collect();
    let groups = groups.map_err(|error| format!("{interface}: whether rings share is not told: {error}"))?;
    if groups.windows(2).any(|two| two[0] != two[1]) {
        return Err(format!(
            "{interface}: rings are in different groups ({groups:?}), each would hear everything"
        ));
    }
    Ok(())
}

/// Whether as many rings, sharing in the same way, hear each packet once: tried on the loopback, as nothing may be sent on
/// a mirror port. Where that cannot be tried it is noted.
fn try_sharing(rings: usize, program: Option<&OwnedFd>, notes: &mut Vec<String>) -> Result<(), String> {
    let heard = Trial::new().and_then(|trial| {
        let options =
            RingOptions { blocks: 1, block_octets: 1 << 16, promiscuous: false, ..RingOptions::default() };
        let program = program.map(OwnedFd::try_clone).transpose()?;
        let opened = open_fanned("lo", &options, rings, program, &mut |socket| trial.attach(socket));
        trial.run(&opened.map_err(io::Error::other)?)
    });
    match heard {
        Ok(Heard { sent, heard }) if heard == sent => Ok(()),
        Ok(Heard { heard: 0, .. }) => {
            notes.push("whether rings share was not tried: the loopback brings nothing".to_owned());
            Ok(())
        }
        Ok(Heard { sent, heard }) => Err(format!(
            "{rings} rings do not share: {sent} datagrams on the loopback came to them {heard} times; set rings = 1"
        )),
        Err(error) => {
            notes.push(format!("whether rings share was not tried: {error}"));
            Ok(())
        }
    }
}

/// Opens the sources of points, by the opener where that takes a capability.
pub(super) struct Openings {
    pub(super) client: Option<Arc<OpenerClient>>,
    /// Set when it was asked after it had ended.
    pub(super) is_missed: Arc<AtomicBool>,
    /// Says what interfaces count; opened while that was allowed.
    pub(super) links: Arc<Mutex<Links>>,
    pub(super) capture: Capture,
    pub(super) sources: Arc<Mutex<Vec<(String, Source)>>>,
    /// What libpcap opened while that was allowed, by point.
    pub(super) prepared: Vec<(String, Tap)>,
}

impl Openings {
    /// Opens all taps of a point.
    pub(super) fn open(&mut self, point: &LivePoint) -> Result<Vec<Tap>, String> {
        if let Some(place) = self.prepared.iter().position(|(name, _)| *name == point.name) {
            return Ok(vec![self.prepared.swap_remove(place).1]);
        }
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let source = sources.into_iter().find(|(name, _)| *name == point.name).map(|(_, source)| source);
        match &source {
            None => Err("the configuration names no source".to_owned()),
            Some(Source::StandardInput) => file(Path::new("-")),
            Some(Source::File(path)) => file(path),
            Some(Source::Interface(interface)) if interface.backend != Backend::Pcap => self.rings(interface),
            Some(Source::Interface(interface)) => Err(format!(
                "libpcap cannot open {} any more, as this process has given up the right to: start it again, or set \
                 backend = \"ring\"",
                interface.name
            )),
        }
    }

    /// Opens what libpcap reads: it hands nothing over between processes, so this must come before the lock.
    pub(super) fn prepare(&mut self) -> anyhow::Result<()> {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, source) in sources {
            if let Source::Interface(interface) = source
                && interface.backend == Backend::Pcap
            {
                self.prepared.push((name, libpcap(&interface)?));
            }
        }
        Ok(())
    }

    fn rings(&self, interface: &Interface) -> Result<Vec<Tap>, String> {
        let client = self.client.as_ref().ok_or("there is no opener")?;
        let wanted = Wanted::of(interface, &self.capture);
        let called = client.call(&wanted).inspect_err(|error| {
            if matches!(error, OpenerError::Ended { .. }) {
                self.is_missed.store(true, Ordering::Relaxed);
            }
        });
        let (answer, mut descriptors): (Result<Opened, String>, _) =
            called.map_err(|error| error.to_string())?;
        let opened = answer?;
        for note in &opened.notes {
            tracing::warn!(interface = interface.name, "{note}");
        }
        let mut digests = match opened.digests {
            None => None,
            Some(sizes) => Some(map_digests(&sizes, &mut descriptors)?),
        };
        let mut counters = opened.has_counters.then(|| descriptors.pop()).flatten();
        if descriptors.len() != opened.rings.len() {
            return Err("the opener handed over another number of rings than it says".to_owned());
        }
        let mut taps = Vec::with_capacity(descriptors.len());
        for (socket, sizes) in descriptors.into_iter().zip(opened.rings) {
            let opened = OpenedRing {
                socket,
                blocks: sizes.blocks,
                block_octets: sizes.block_octets,
                interface_index: sizes.interface_index,
                link: LinkType(sizes.link),
            };
            let ring = Ring::map(opened).map_err(|error| error.to_string())?;
            // One filter serves all rings of the interface: its counters belong to the first.
            let filter = counters.take().map(FilterCounters::map).transpose();
            let filter = filter.map_err(|error: io::Error| error.to_string())?;
            let (digests, lost) = (digests.take(), self.lost(&interface.name));
            taps.push(Tap::Ring(Box::new(RingTap { ring, filter, digests, lost })));
        }
        Ok(taps)
    }
}

fn libpcap(interface: &Interface) -> anyhow::Result<Tap> {
    let source = LibpcapSource::open(&interface.name, SNAP_LENGTH, BUFFER, interface.promiscuous, None)?;
    Ok(Tap::Libpcap(Box::new(source)))
}

/// Octets of a frame that libpcap keeps: all of it.
const SNAP_LENGTH: u32 = 65_535;
/// Octets of its buffer in the kernel.
const BUFFER: u32 = 64 << 20;

/// Between two looks at what an interface counts.
const LOOK: Duration = Duration::from_millis(500);

impl Openings {
    /// What an interface loses from now on.
    #[allow(clippy::disallowed_methods, reason = "how often the kernel is asked is of this machine's time")]
    fn lost(&self, interface: &str) -> Lost {
        let (links, name) = (Arc::clone(&self.links), interface.to_owned());
        let ask = move || links.lock().unwrap_or_else(PoisonError::into_inner).statistics(&name).ok();
        let before = ask();
        let mut looked: Option<Instant> = None;
        let mut last = InterfaceStatistics::default();
        Box::new(move || {
            if looked.is_none_or(|then| then.elapsed() >= LOOK) {
                looked = Some(Instant::now());
                if let (Some(before), Some(now)) = (&before, ask()) {
                    last = now.since(before);
                }
            }
            let reasons = [
                ("interface-missed", last.rx_missed),
                ("interface-fifo", last.rx_fifo),
                ("interface-over", last.rx_over),
            ];
            reasons.into_iter().filter_map(|(reason, n)| Some((reason, n?))).collect()
        })
    }
}

/// Offloads that put packets together before anybody sees them: named, and switched off where that is asked for.
fn mend_offloads(interface: &str, mends: bool, notes: &mut Vec<String>) {
    let offloads = match merging_offloads(interface) {
        Ok(offloads) => offloads,
        Err(error) => return notes.push(format!("whether packets are merged is not known: {error}")),
    };
    for offload in offloads.into_iter().filter(|offload| offload.is_on) {
        let name = offload.name;
        if !mends {
            // TCP that is merged still carries its media.
            let is_harmful = offload.merges == MergesWhat::Udp;
            if is_harmful {
                notes.push(format!("{name} merges datagrams of media: ethtool -K {interface} {name} off"));
            }
            continue;
        }
        match switch_off(interface, name) {
            Ok(()) => notes.push(format!("{name} merged packets and was switched off")),
            Err(error) => notes.push(format!("{name} merges packets and stays on: {error}")),
        }
    }
}

fn file(path: &Path) -> Result<Vec<Tap>, String> {
    let file = CaptureFile::open(path).map_err(|error| error.to_string())?;
    Ok(vec![Tap::File(Box::new(file))])
}
