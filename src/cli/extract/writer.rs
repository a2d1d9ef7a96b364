//! Writes the packets of streams as the captures are read once more.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, Write};

use super::{ExtractArgs, about};
use crate::capture::{EXCERPT_APPLICATION, PcapngWriter, WrittenInterface};
use crate::evidence::{Notes, Picked, Picker};
use crate::pipeline::Heard;
use crate::terms::{Frame, LinkType, PointId, Timestamp};
use crate::verify::{JudgedStream, Outcome};

/// A capture of streams that is being written.
pub(super) struct Extract<'a> {
    outcome: &'a Outcome,
    writer: PcapngWriter<&'a mut dyn Write>,
    picker: Picker,
    notes: Notes,
    headers_only: bool,
    /// Interfaces of the file by those of the captures.
    interfaces: HashMap<(PointId, u16, LinkType), usize>,
    written: Vec<Interface>,
    drops: BTreeMap<PointId, Vec<DropCount>>,
}

/// What is known of an interface that was described.
struct Interface {
    number: u32,
    point: PointId,
    /// What its machine has still to say of frames that it dropped.
    drops: VecDeque<DropCount>,
}

/// How many frames were dropped up to a time.
#[derive(Clone, Copy)]
struct DropCount {
    at: Timestamp,
    frames: u64,
}

impl<'a> Extract<'a> {
    /// Begins the file, with what is known of the streams.
    pub(super) fn begin(
        outcome: &'a Outcome,
        streams: &[(u32, JudgedStream)],
        args: &ExtractArgs,
        out: &'a mut dyn Write,
    ) -> io::Result<Self> {
        let (mut picker, mut notes) = (Picker::default(), Notes::default());
        for (number, stream) in streams {
            picker.add_stream(&stream.record);
            for (place, hop) in stream.record.hops.iter().enumerate() {
                notes.add_hop(about::hop(outcome, (*number, stream), place, hop), hop);
            }
        }
        if args.with_control {
            picker.add_control();
        }
        let comment = about::in_full(outcome, streams);
        Ok(Self {
            outcome,
            writer: PcapngWriter::new(out, EXCERPT_APPLICATION, Some(&comment))?,
            picker,
            notes,
            headers_only: args.headers,
            interfaces: HashMap::new(),
            written: Vec::new(),
            drops: drops(outcome, streams),
        })
    }

    /// Writes a frame if it is of one of the streams.
    pub(super) fn take(&mut self, heard: &Heard<'_, '_>) -> anyhow::Result<()> {
        let mut at = None;
        let mut comments: Vec<String> = Vec::new();
        let mut headers = 0;
        for (point, o) in heard.messages {
            let Some(picked) = self.picker.pick(*point, o) else { continue };
            at.get_or_insert(*point);
            headers = headers.max(picked.header_octets(&heard.frame, o));
            if let Picked::Media(header) = picked {
                comments.extend(self.notes.on(*point, o, &header, heard.paths));
            }
        }
        let Some(point) = at else { return Ok(()) };
        let whole = heard.frame.data;
        let data = if self.headers_only { whole.get(..headers).unwrap_or(whole) } else { whole };
        let interface = self.interface(point, &heard.frame)?;
        self.tell_drops(Some((point, heard.frame.timestamp)))?;
        self.writer.frame(interface, &Frame { data, ..heard.frame }, None, &comments)?;
        Ok(())
    }

    /// The number of a frame's interface, which is described before its first frame.
    fn interface(&mut self, point: PointId, frame: &Frame<'_>) -> io::Result<u32> {
        let key = (point, frame.interface, frame.link);
        if let Some(interface) = self.interfaces.get(&key).and_then(|place| self.written.get(*place)) {
            return Ok(interface.number);
        }
        let name = about::interface(self.outcome, point, frame.interface);
        let point_name = about::point(self.outcome, point);
        let description = match &name {
            Some(name) => format!("observation point {point_name}, interface {name}"),
            None => format!("observation point {point_name}"),
        };
        let number = self.writer.interface(&WrittenInterface {
            name: &about::written_name(self.outcome, point, name.as_deref()),
            description: Some(&description),
            link: frame.link,
            snap_length: 0,
        })?;
        let drops = self.drops.get(&point).map(|drops| drops.iter().copied().collect()).unwrap_or_default();
        self.interfaces.insert(key, self.written.len());
        self.written.push(Interface { number, point, drops });
        Ok(number)
    }

    /// Says what was dropped before a frame at a point; at all points where there is no further frame.
    fn tell_drops(&mut self, before: Option<(PointId, Timestamp)>) -> io::Result<()> {
        for interface in &mut self.written {
            if before.is_some_and(|(point, _)| point != interface.point) {
                continue;
            }
            while let Some(count) = interface.drops.front().copied() {
                if before.is_some_and(|(_, at)| count.at >= at) {
                    break;
                }
                interface.drops.pop_front();
                self.writer.statistics(interface.number, count.at, count.frames)?;
            }
        }
        Ok(())
    }

    /// Writes what comes at the end, and says what was written.
    pub(super) fn finish(mut self) -> io::Result<String> {
        self.tell_drops(None)?;
        let (packets, octets) = (self.writer.frames(), self.writer.octets());
        let mut points: Vec<PointId> = self.written.iter().map(|interface| interface.point).collect();
        points.sort_unstable();
        points.dedup();
        let names: Vec<&str> = points.into_iter().map(|point| about::point(self.outcome, point)).collect();
        self.writer.into_inner().flush()?;
        Ok(format!("{packets} packets, {octets} octets, of {}", names.join(", ")))
    }
}

/// Frames that the streams' points missed while these were heard, as counts before and after each gap. By whatever it was
/// known: of what tells of it, other streams and the numbers of tunnels, the file has nothing.
fn drops(outcome: &Outcome, streams: &[(u32, JudgedStream)]) -> BTreeMap<PointId, Vec<DropCount>> {
    let mut all: BTreeMap<PointId, Vec<DropCount>> = BTreeMap::new();
    // By point and time; what overlaps is one.
    for gap in about::gaps(outcome, streams) {
        let counts = all.entry(gap.point).or_default();
        let frames = gap.frames.unwrap_or(1).max(1);
        match counts.last_mut() {
            Some(last) if gap.from <= last.at => {
                last.at = last.at.max(gap.to);
                last.frames = last.frames.saturating_add(frames);
            }
            last => {
                let before = last.map_or(0, |count| count.frames);
                counts.push(DropCount { at: gap.from, frames: before });
                counts.push(DropCount { at: gap.to, frames: before.saturating_add(frames) });
            }
        }
    }
    all
}
