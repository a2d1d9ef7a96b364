//! Plays a scenario: from senders, past taps, into files.
//!
//! Memory does not grow with the length: a sender readies one packet (or frame) at a time, what is under way
//! waits in a heap until nothing earlier can come, and blocks and background make their packets at the tap.
//! Only the truth keeps every packet, and can be left out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

use super::background::Noise;
use super::block::Block;
use super::datagram::{Arrival, Datagram};
use super::error::SynthError;
use super::frame::{Hearing, frame, priority};
use super::network::Network;
use super::plan::{Plan, Tap};
use super::scenario::{DropCounts, Format, Scenario};
use super::sender::Sender;
use super::talk::Talk;
use super::truth::{Capture, Mirror, Naming, Notes, tunnels};
use super::writer::{CaptureWriter, Interface};
use crate::terms::Timestamp;

/// How captures are written.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder they are written to; it is made where there is none.
    pub out: PathBuf,
    /// Their format.
    pub format: Format,
    /// All points as interfaces of one file, `capture.pcapng`.
    pub one_file: bool,
    /// Whether `truth.json` is written.
    pub truth: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// All files, captures first.
    pub files: Vec<PathBuf>,
    /// Frames in all captures.
    pub packets: u64,
    /// Octets of frames kept in all captures.
    pub bytes: u64,
}

/// Plays a scenario and writes its captures and its truth.
///
/// # Errors
///
/// When the scenario cannot be played, or a file cannot be written.
pub fn generate(scenario: &Scenario, options: &Options) -> Result<Written, SynthError> {
    let plan = Plan::new(scenario)?;
    let failed = |source| SynthError::Write { path: options.out.clone(), source };
    std::fs::create_dir_all(&options.out).map_err(failed)?;
    let mut files = Files::create(&plan, scenario, options)?;
    play(&plan, &mut files)?;
    files.finish(options)
}

/// Who has a packet to send.
enum Source<'a> {
    Sender(Box<Sender<'a>>),
    Talk(Talk),
}

impl Source<'_> {
    fn next_at(&mut self) -> Option<i64> {
        match self {
            Self::Sender(sender) => sender.next_at(),
            Self::Talk(talk) => talk.next_at(),
        }
    }

    fn take(&mut self) -> Option<Datagram> {
        match self {
            Self::Sender(sender) => sender.take(),
            Self::Talk(talk) => talk.take(),
        }
    }
}

/// A packet that waits for its time; of two at the same time, the one made first.
struct Waiting {
    due: (i64, u64),
    arrival: Arrival,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

fn play(plan: &Plan, files: &mut Files<'_>) -> Result<(), SynthError> {
    let streams = plan.senders.len() + plan.blocks.len();
    let mut sources: Vec<Source<'_>> = Vec::new();
    sources.extend(plan.senders.iter().enumerate().map(|(i, s)| Source::Sender(Box::new(Sender::new(s, i)))));
    sources.extend(Talk::all(plan, streams).into_iter().map(Source::Talk));
    let mut network = Network::new(plan, streams + sources.len());
    let mut blocks = blocks(plan, &mut network)?;
    let mut noises: Vec<Noise<'_>> = (0..plan.taps.len()).filter_map(|tap| Noise::new(plan, tap)).collect();

    let mut agenda: BinaryHeap<Reverse<(i64, usize)>> = BinaryHeap::new();
    for (i, source) in sources.iter_mut().enumerate() {
        agenda.extend(source.next_at().map(|at| Reverse((at, i))));
    }
    let mut waiting: BinaryHeap<Reverse<Waiting>> = BinaryHeap::new();
    let mut heard = Vec::new();
    let mut made = 0;
    loop {
        let to_send = agenda.peek().map(|Reverse((at, _))| *at);
        let to_hear = waiting.peek().map(|Reverse(next)| next.due.0);
        let block = earliest(blocks.iter().map(Block::next_at));
        let noise = earliest(noises.iter().map(Noise::next_at));
        let times = [to_send, to_hear, block.map(|(at, _)| at), noise.map(|(at, _)| at)];
        // A packet under way is heard after it was sent: so sending goes first.
        let Some(now) = times.into_iter().flatten().min() else { return Ok(()) };
        if to_send == Some(now) {
            let Some(Reverse((_, number))) = agenda.pop() else { continue };
            let Some(source) = sources.get_mut(number) else { continue };
            if let Some(datagram) = source.take() {
                network.carry(&datagram, &mut heard)?;
            }
            agenda.extend(source.next_at().map(|at| Reverse((at, number))));
            for arrival in heard.drain(..) {
                made += 1;
                waiting.push(Reverse(Waiting { due: (arrival.at, made), arrival }));
            }
        } else if to_hear == Some(now) {
            let Some(Reverse(next)) = waiting.pop() else { continue };
            files.hear(&next.arrival)?;
        } else if let Some((at, i)) = block.filter(|(at, _)| *at == now) {
            files.hear_block(&mut blocks[i], at)?;
        } else if let Some((at, i)) = noise {
            files.hear_noise(&mut noises[i], at)?;
        }
    }
}

/// The earliest of several times and whose it is; of equal ones the first.
fn earliest(times: impl Iterator<Item = Option<i64>>) -> Option<(i64, usize)> {
    times.enumerate().filter_map(|(i, at)| at.map(|at| (at, i))).min()
}

/// Every block at every tap, from one packet of each that is sent over the path.
fn blocks<'a>(plan: &'a Plan, network: &mut Network<'_>) -> Result<Vec<Block<'a>>, SynthError> {
    let mut blocks = Vec::new();
    for (i, sender) in plan.blocks.iter().enumerate() {
        let carrier = plan.senders.len() + i;
        let mut first = Sender::new(sender, carrier);
        let mut heard = Vec::new();
        if let Some(datagram) = first.take() {
            network.carry(&Datagram { number: None, calm: true, ..datagram }, &mut heard)?;
        }
        for arrival in heard {
            blocks.push(Block::new(plan, sender, arrival)?);
        }
    }
    Ok(blocks)
}

/// How points are laid out over files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// A file for each.
    Apart,
    /// An interface for each, in one file.
    Interfaces,
    /// All on one interface of one file.
    Collector,
}

/// The files under way, with what is noted for the truth.
struct Files<'a> {
    plan: &'a Plan,
    writers: Vec<CaptureWriter>,
    captures: Vec<Tallied>,
    /// What every tap's mirror has seen and delivered.
    mirrors: Vec<Mirror>,
    /// What every point's machine has dropped.
    drops: Vec<Drops>,
    notes: Option<Notes>,
    layout: Layout,
}

/// Frames that a point's machine dropped.
#[derive(Debug, Clone, Copy, Default)]
struct Drops {
    all: u64,
    /// Not yet told beside a frame.
    untold: u64,
    /// When statistics are due next, by the point's clock.
    due: Option<i64>,
}

/// Nanoseconds from one block of statistics to the next.
const STATISTICS_EVERY: i64 = 1_000_000_000;

/// Name of the interface on which a collector hears all mirrors.
const COLLECTOR: &str = "collector";

/// What was written to one file so far.
struct Tallied {
    packets: u64,
    bytes: u64,
    span: Option<(i64, i64)>,
    description: Capture,
}

impl<'a> Files<'a> {
    fn create(plan: &'a Plan, scenario: &Scenario, options: &Options) -> Result<Self, SynthError> {
        let layout = match (scenario.one_collector, options.one_file) {
            (true, _) => Layout::Collector,
            (false, true) => Layout::Interfaces,
            (false, false) => Layout::Apart,
        };
        let format = if layout == Layout::Interfaces { Format::Pcapng } else { options.format };
        let (extension, name) = match format {
            Format::Pcap => ("pcap", "pcap-ns"),
            Format::Pcapng => ("pcapng", "pcapng"),
        };
        let interfaces: Vec<Interface<'_>> =
            plan.points.iter().map(|point| (point.name.as_str(), point.snap)).collect();
        let collector: [Interface<'_>; 1] = [(COLLECTOR, None)];
        let groups: Vec<(String, &[Interface<'_>])> = match layout {
            Layout::Apart => interfaces.chunks(1).map(|one| (one[0].0.to_owned(), one)).collect(),
            Layout::Interfaces => vec![("capture".to_owned(), &interfaces[..])],
            Layout::Collector => vec![("capture".to_owned(), &collector[..])],
        };
        let mut files = Self {
            plan,
            writers: Vec::new(),
            captures: Vec::new(),
            mirrors: vec![Mirror::default(); plan.taps.len()],
            drops: vec![Drops::default(); plan.points.len()],
            notes: options.truth.then(Notes::default),
            layout,
        };
        for (stem, interfaces) in groups {
            let file = format!("{stem}.{extension}");
            files.writers.push(CaptureWriter::create(&options.out.join(&file), format, interfaces)?);
            let points: Vec<String> = match layout {
                Layout::Collector => plan.points.iter().map(|point| point.name.clone()).collect(),
                _ => interfaces.iter().map(|(name, _)| (*name).to_owned()).collect(),
            };
            let description = Capture { file, points, format: name, ..Capture::default() };
            files.captures.push(Tallied { packets: 0, bytes: 0, span: None, description });
        }
        Ok(files)
    }

    /// Writes a packet that a tap heard, or counts one that its mirror missed.
    fn hear(&mut self, arrival: &Arrival) -> Result<(), SynthError> {
        let plan = self.plan;
        let tap = &plan.taps[arrival.tap];
        let frames = self.count(arrival.tap, !arrival.packet.is_empty());
        if arrival.packet.is_empty() {
            self.drop_frame(tap, arrival.at);
            if let Some(notes) = &mut self.notes {
                notes.miss(arrival);
            }
            return Ok(());
        }
        let at = tap.clock.shows(arrival.at);
        let hearing =
            Hearing { tap, place: arrival.tap, reverse: arrival.reverse, dscp: arrival.dscp, frames, at };
        let bytes = frame(&arrival.packet, &hearing)?;
        if let Some(notes) = &mut self.notes {
            notes.hear(plan, arrival, at, arrival.packet.len(), priority(&hearing));
        }
        self.write(tap, at, &bytes)
    }

    /// Writes the next packet of a block.
    fn hear_block(&mut self, block: &mut Block<'_>, at: i64) -> Result<(), SynthError> {
        let plan = self.plan;
        let tap = &plan.taps[block.tap];
        let shown = tap.clock.shows(at);
        let frames = self.count(block.tap, true);
        let tally = block.advance(frames);
        if let Some(notes) = &mut self.notes {
            let octets = block.arrival.packet.len();
            let pcp = tap.pcp.unwrap_or(block.arrival.dscp >> 3);
            let arrival = Arrival { at, packet: Vec::new(), tally, ..block.arrival };
            notes.hear(plan, &arrival, shown, octets, pcp);
        }
        self.write(tap, shown, block.frame())
    }

    /// Writes the next packet of the background.
    fn hear_noise(&mut self, noise: &mut Noise<'_>, at: i64) -> Result<(), SynthError> {
        let plan = self.plan;
        let tap = &plan.taps[noise.tap];
        let frames = self.count(noise.tap, true);
        let bytes = noise.next_frame(frames)?;
        if tap.is_silent(at) {
            self.drop_frame(tap, at);
            return Ok(());
        }
        self.write(tap, tap.clock.shows(at), &bytes)
    }

    /// Counts a frame that the mirror took and the machine dropped.
    fn drop_frame(&mut self, tap: &Tap, at: i64) {
        if tap.is_silent(at) {
            let drops = &mut self.drops[tap.point];
            (drops.all, drops.untold) = (drops.all + 1, drops.untold + 1);
        }
    }

    /// Counts a frame of a tap's mirror and says how many were before.
    fn count(&mut self, tap: usize, is_heard: bool) -> u32 {
        let mirror = &mut self.mirrors[tap];
        let frames = mirror.seen;
        mirror.seen = frames.wrapping_add(1);
        if is_heard {
            mirror.heard += 1;
            mirror.span = Some((mirror.span.map_or(frames, |(first, _)| first), frames));
        }
        frames
    }

    fn write(&mut self, tap: &Tap, at: i64, bytes: &[u8]) -> Result<(), SynthError> {
        let file = if self.layout == Layout::Apart { tap.point } else { 0 };
        let by_interface = self.layout == Layout::Interfaces;
        let interface = if by_interface { u32::try_from(tap.point).unwrap_or(0) } else { 0 };
        let keep =
            self.plan.points[tap.point].snap.map_or(bytes.len(), |snap| bytes.len().min(snap as usize));
        let counts = self.plan.points[tap.point].drop_counts;
        let drops = &mut self.drops[tap.point];
        if counts == DropCounts::Statistics {
            let due = *drops.due.get_or_insert(at + STATISTICS_EVERY);
            if at >= due {
                drops.due = Some(at + STATISTICS_EVERY);
                self.writers[file].statistics(interface, at, drops.all)?;
            }
        }
        let beside = std::mem::take(&mut drops.untold);
        let beside = (counts == DropCounts::Packets && beside > 0).then_some(beside);
        self.writers[file].write(interface, at, (&bytes[..keep], bytes.len()), beside)?;
        let capture = &mut self.captures[file];
        capture.packets += 1;
        capture.bytes += keep as u64;
        capture.span = Some(capture.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        Ok(())
    }

    fn finish(mut self, options: &Options) -> Result<Written, SynthError> {
        let mut written = Written::default();
        for (point, drops) in
            self.plan.points.iter().zip(&self.drops).enumerate().map(|(n, (p, d))| ((n, p), d))
        {
            let (number, planned) = point;
            let (file, interface) = match self.layout {
                Layout::Apart => (number, 0),
                Layout::Interfaces => (0, u32::try_from(number).unwrap_or(0)),
                Layout::Collector => (0, 0),
            };
            let capture = &mut self.captures[file];
            let is_told =
                self.writers[file].format() == Format::Pcapng && planned.drop_counts != DropCounts::None;
            if !is_told {
                continue;
            }
            if planned.drop_counts == DropCounts::Statistics {
                let at = capture.span.map_or(self.plan.start, |(_, last)| last);
                self.writers[file].statistics(interface, at, drops.all)?;
            }
            let told =
                if planned.drop_counts == DropCounts::Packets { drops.all - drops.untold } else { drops.all };
            let is_said = planned.drop_counts == DropCounts::Statistics || told > 0;
            if is_said {
                *capture.description.dropped.get_or_insert(0) += told;
            }
        }
        for writer in self.writers {
            written.files.push(writer.finish()?);
        }
        let mut notes = self.notes;
        for (number, capture) in self.captures.into_iter().enumerate() {
            let is_here = |tap: &Tap| self.layout != Layout::Apart || tap.point == number;
            written.packets += capture.packets;
            written.bytes += capture.bytes;
            let time = |at: i64| Timestamp(at).to_string();
            let description = Capture {
                packets: capture.packets,
                bytes: capture.bytes,
                first: capture.span.map(|(first, _)| time(first)),
                last: capture.span.map(|(_, last)| time(last)),
                tunnels: tunnels(self.plan, &self.mirrors, is_here),
                ..capture.description
            };
            if let Some(notes) = &mut notes {
                notes.written(description);
            }
        }
        if let Some(notes) = notes {
            let path = options.out.join("truth.json");
            let named = match (self.layout, options.format) {
                (Layout::Interfaces, _) | (Layout::Apart, Format::Pcapng) => Naming::ByPoint,
                (Layout::Collector, Format::Pcapng) => Naming::Fixed(COLLECTOR),
                (_, Format::Pcap) => Naming::None,
            };
            write_json(&path, &notes.truth(self.plan, named))?;
            written.files.push(path);
        }
        Ok(written)
    }
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), SynthError> {
    let failed = |source| SynthError::Write { path: path.to_owned(), source };
    let file = std::fs::File::create(path).map_err(failed)?;
    let mut out = std::io::BufWriter::new(file);
    serde_json::to_writer_pretty(&mut out, value).map_err(|error| failed(error.into()))?;
    std::io::Write::write_all(&mut out, b"\n").map_err(failed)?;
    std::io::Write::flush(&mut out).map_err(failed)
}
