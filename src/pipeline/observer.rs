//! An observer: reads, decodes and meters the files of one point.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::Sender;

use super::gather::Done;
use super::interfaces::Interfaces;
use super::meters::Meters;
use super::points::Points;
use super::{BATCH, Message, Progress, local_point};
use crate::capture::{CaptureFile, DropGap};
use crate::decode::{Decoder, Options, Path, Undecoded};
use crate::meter::{
    CaptureRecord, MeterCounters, MirrorTunnel, Packer, StreamRecord, TapEvidence, TapGap, TunnelRecord,
    Tunnels,
};
use crate::policy::Policy;
use crate::terms::{Frame, PointId, Timestamp};

/// Everything that one observer needs; it runs on one thread from start to end.
pub(super) struct Observer {
    pub(super) number: usize,
    pub(super) points: Points,
    /// With their names as given.
    pub(super) files: Vec<(String, CaptureFile)>,
    /// Whether this is not the only observer of the run.
    pub(super) has_other_observers: bool,
    pub(super) seed: u64,
}

/// One file on its way.
struct Reading {
    /// Where it was named among the files of its point.
    place: usize,
    name: String,
    file: CaptureFile,
    /// The point's numbers of the file's interfaces.
    interfaces: Vec<u16>,
    /// Interfaces of a pcapng file are announced on the way.
    may_add_interfaces: bool,
    undecoded: UndecodedCounts,
    /// Octets that were added to the progress.
    announced: u64,
}

/// What frames are counted by.
struct Counting {
    decoder: Decoder,
    meters: Meters,
    tunnels: Tunnels,
}

/// Frames that were not decoded, by reason.
type UndecodedCounts = [u64; Undecoded::ALL.len()];

/// Frames between two looks at progress and at streams that have ended.
const CHORE_INTERVAL: u64 = 1 << 14;

/// Frames in a row from one of several files, from which on more are looked for at a time: captures that were cut into files
/// go on so for long, those that are merged do not.
const LONG_RUN: u8 = 32;

impl Observer {
    /// Reads everything and sends what came of it.
    pub(super) fn run(self, policy: &Arc<Policy>, progress: &Progress, records: &Sender<Message>) {
        let observer = (self.number, self.has_other_observers);
        let mut counting = Counting {
            decoder: Decoder::new(self.seed, Options::default()),
            meters: Meters::new(self.points, observer, Arc::clone(policy), self.seed),
            tunnels: Tunnels::new(self.seed),
        };
        let mut interfaces = Interfaces::default();
        // Which of two frames of one instant comes first must not depend on the order in which files were named.
        let mut files: Vec<_> = self.files.into_iter().enumerate().collect();
        files.sort_by(|(_, (a, _)), (_, (b, _))| a.cmp(b));
        let mut readings: Vec<Reading> = files
            .into_iter()
            .map(|(place, (name, file))| {
                let mut numbers = Vec::new();
                interfaces.learn(&file, &mut numbers);
                let may_add_interfaces = file.summary().format.starts_with("pcapng");
                let undecoded = [0; Undecoded::ALL.len()];
                Reading {
                    place,
                    name,
                    file,
                    interfaces: numbers,
                    may_add_interfaces,
                    undecoded,
                    announced: 0,
                }
            })
            .collect();
        let mut outbox = Outbox::new(self.number, policy.limits.max_record_octets, records);
        let mut frames = 0_u64;
        let (mut last, mut in_a_row) = (0, 0_u8);
        while let Some((next, until)) = next_file(&mut readings) {
            let is_only = readings.len() == 1;
            in_a_row = if next == last { in_a_row.saturating_add(1) } else { 0 };
            last = next;
            let Some(reading) = readings.get_mut(next) else { break };
            if is_only || in_a_row >= LONG_RUN {
                let most = CHORE_INTERVAL - 1 - frames % CHORE_INTERVAL;
                let taken = reading.take_in_memory(until, most, &mut counting);
                frames += taken;
                if !is_only && taken > 0 {
                    continue;
                }
                in_a_row = 0;
            }
            if !reading.take_one(&mut interfaces, &mut counting) {
                if is_only {
                    break;
                }
                // It was cut after its next frame's time was seen: others go on.
                continue;
            }
            frames += 1;
            if frames.is_multiple_of(CHORE_INTERVAL) {
                for reading in &mut readings {
                    reading.announce(progress);
                }
                let Counting { decoder, meters, .. } = &mut counting;
                for meter in &mut meters.all {
                    meter.expire(decoder.paths());
                    for record in meter.take_ended() {
                        outbox.add(&record);
                    }
                }
            }
        }
        for reading in &mut readings {
            reading.announce(progress);
        }
        let Counting { decoder, mut meters, tunnels } = counting;
        let _ = meters.at(0);

        let points = meters.points;
        let unfollowed = tunnels.unfollowed();
        let tunnels = tunnels.finish();
        let mut done = Done {
            observer: self.number,
            points: points.names(&interfaces),
            interfaces: interfaces.names(),
            captures: Vec::new(),
            paths: Vec::new(),
            gaps: tunnel_gaps(&tunnels, &points, self.number),
            stun: Vec::new(),
            silent: Vec::new(),
            counters: MeterCounters::default(),
        };
        for meter in meters.all {
            let (stun, counters) = meter.finish(decoder.paths(), |record| outbox.add(record));
            done.stun.extend(stun);
            done.counters.add(&counters);
        }
        (done.paths, done.counters.records_refused) = outbox.close();
        // One table of paths serves all meters of the observer.
        done.counters.paths_overflowed = decoder.paths().overflowed();
        done.counters.packets_beyond_point_limit = points.refused();
        done.counters.tunnel_frames_unfollowed = unfollowed;
        readings.sort_by_key(|reading| reading.place);
        let others: Vec<PointId> = (1..done.points.len()).map(|n| local_point(self.number, n)).collect();
        done.captures =
            readings.iter().map(|reading| reading.record(self.number, &others, &tunnels)).collect();
        done.gaps.extend(readings.iter().flat_map(|r| r.gaps(self.number, &points, done.points.len())));
        let _ = records.send(Message::Done(Box::new(done)));
    }
}

/// When mirror tunnels lost frames, at every point that they are.
pub(super) fn tunnel_gaps(tunnels: &[TunnelRecord], points: &Points, observer: usize) -> Vec<TapGap> {
    let mut gaps = Vec::new();
    for tunnel in tunnels.iter().filter(|tunnel| !tunnel.gaps.is_empty()) {
        for point in points.of_tunnel(tunnel.group, tunnel.source, tunnel.session) {
            gaps.extend(tunnel.gaps.iter().map(|gap| TapGap {
                point: local_point(observer, point),
                from: gap.from,
                to: gap.to,
                frames: gap.frames,
                evidence: TapEvidence::TunnelSequence,
            }));
        }
    }
    gaps
}

/// Packs records and sends them when there are enough.
struct Outbox<'a> {
    observer: usize,
    packer: Packer,
    records: &'a Sender<Message>,
    /// Octets that may still be sent.
    room: u64,
    refused: u64,
}

impl<'a> Outbox<'a> {
    fn new(observer: usize, room: u64, records: &'a Sender<Message>) -> Self {
        Self { observer, packer: Packer::default(), records, room, refused: 0 }
    }

    fn add(&mut self, record: &StreamRecord) {
        if self.packer.size() as u64 >= self.room {
            self.refused += 1;
            return;
        }
        self.packer.add(record);
        if self.packer.size() >= BATCH {
            self.send();
        }
    }

    fn send(&mut self) {
        let packed = self.packer.take();
        self.room = self.room.saturating_sub(packed.size() as u64);
        if !packed.is_empty() {
            let _ = self.records.send(Message::Streams(self.observer, packed));
        }
    }

    /// Sends what is left; gives the paths that all records name, and how many records there was no room for.
    fn close(mut self) -> (Vec<Arc<Path>>, u64) {
        self.send();
        (self.packer.take_paths(), self.refused)
    }
}

/// The file whose next frame is the earliest, and when the next frame of any other comes. Files without a further frame are
/// passed over.
#[inline]
fn next_file(readings: &mut [Reading]) -> Option<(usize, Option<Timestamp>)> {
    if readings.len() == 1 {
        return Some((0, None));
    }
    let times = readings.iter_mut().enumerate().filter_map(|(i, r)| Some((r.file.peek_timestamp()?, i)));
    let (mut earliest, mut until) = (None, None);
    for (time, place) in times {
        match earliest {
            Some((first, _)) if first <= time => until = Some(until.map_or(time, |t: Timestamp| t.min(time))),
            _ => until = earliest.replace((time, place)).map(|(first, _)| first),
        }
    }
    earliest.map(|(_, place)| (place, until))
}

impl Counting {
    /// Takes in frames of the file at a place, which may be an excerpt, with the point's numbers of its interfaces.
    fn take(
        &mut self,
        frames: &[Frame<'_>],
        interfaces: &[u16],
        (place, is_excerpt): (u16, bool),
        undecoded: &mut UndecodedCounts,
    ) {
        let Self { decoder, meters, tunnels } = self;
        let number_of = |interface| interfaces.get(usize::from(interface)).copied().unwrap_or(interface);
        meters.take(frames, decoder, number_of, |meters, decoder, frame| {
            if let Err(reason) = meters.take_any(frame, decoder) {
                undecoded[reason as usize] += 1;
            }
            // Also of what was mirrored and is no media.
            if let Some(mirrored) = decoder.take_mirrored()
                && !is_excerpt
            {
                tunnels.note((meters.points.group(frame.interface), place), &mirrored, frame.timestamp);
            }
        });
    }
}

impl Reading {
    /// Takes in the next frame; false at the end of the file.
    fn take_one(&mut self, interfaces: &mut Interfaces, counting: &mut Counting) -> bool {
        if self.may_add_interfaces
            && self.file.peek_timestamp().is_some()
            && self.file.interfaces().len() > self.interfaces.len()
        {
            interfaces.learn(&self.file, &mut self.interfaces);
        }
        // The look ahead has told the section of the next frame.
        let origin = (u16::try_from(self.place).unwrap_or(u16::MAX), self.file.is_excerpt());
        let Some(frame) = self.file.next_frame() else { return false };
        counting.take(&[frame], &self.interfaces, origin, &mut self.undecoded);
        true
    }

    /// Takes in what is in memory and easily read, of that what comes before `until`, and so many frames at most; how many
    /// they were.
    #[inline]
    fn take_in_memory(&mut self, until: Option<Timestamp>, most: u64, counting: &mut Counting) -> u64 {
        let Self { file, interfaces, undecoded, place, .. } = self;
        let origin = (u16::try_from(*place).unwrap_or(u16::MAX), file.is_excerpt());
        let take = |frames: &[Frame<'_>]| counting.take(frames, interfaces, origin, undecoded);
        file.give_in_memory_before(until, most, take)
    }

    fn announce(&mut self, progress: &Progress) {
        // Of a file that is cut while it is read, it may be fewer than before.
        let read = self.file.octets_read().max(self.announced);
        progress.read.fetch_add(read - self.announced, Ordering::Relaxed);
        self.announced = read;
    }

    /// Times in which the machine that captured dropped frames, within the time of the capture, at every point of which
    /// they may have been.
    fn gaps(&self, observer: usize, points: &Points, count: usize) -> Vec<TapGap> {
        let summary = self.file.summary();
        let Some((first, last)) = summary.first.zip(summary.last) else { return Vec::new() };
        let gap = |gap: &DropGap, point: usize| TapGap {
            point: local_point(observer, point),
            from: gap.from.clamp(first, last),
            to: gap.to.clamp(first, last),
            frames: Some(gap.frames),
            evidence: TapEvidence::DropCount,
        };
        let at_points = |found: &DropGap| {
            let interface = self.interfaces.get(usize::from(found.interface)).copied().unwrap_or(0);
            let found = *found;
            points.of_drops(interface, count).map(move |point| gap(&found, point))
        };
        self.file.gaps().iter().flat_map(at_points).collect()
    }

    fn record(&self, observer: usize, others: &[PointId], tunnels: &[TunnelRecord]) -> CaptureRecord {
        let summary = self.file.summary();
        let counted = Undecoded::ALL.iter().zip(self.undecoded).filter(|&(_, n)| n > 0);
        CaptureRecord {
            file: self.name.clone(),
            point: local_point(observer, 0),
            other_points: others.to_vec(),
            format: summary.format.to_owned(),
            packets: summary.frames,
            bytes: summary.bytes,
            first: summary.first,
            last: summary.last,
            damage: summary.damage.map(|damage| damage.to_string()),
            undecoded: counted.map(|(reason, n)| (reason.as_str(), n)).collect(),
            dropped: summary.dropped,
            interfaces: self.file.interfaces().iter().map(|i| i.name.clone()).collect(),
            tunnels: self.tunnels(tunnels),
        }
    }

    /// The mirror tunnels of which this file holds frames.
    fn tunnels(&self, all: &[TunnelRecord]) -> Vec<MirrorTunnel> {
        let here = all.iter().filter_map(|tunnel| {
            let (_, count) = tunnel.files.iter().find(|(place, _)| usize::from(*place) == self.place)?;
            let TunnelRecord { source, destination, session, .. } = *tunnel;
            Some(MirrorTunnel { source, destination, session, count: *count })
        });
        here.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::TunnelGap;
    use crate::pipeline::PointsBy;
    use crate::terms::Timestamp;

    #[test]
    fn gaps_of_a_tunnel_belong_to_the_interface_that_heard_it() {
        let gap = TunnelGap { from: Timestamp(5), to: Timestamp(9), frames: Some(3) };
        let tunnel = TunnelRecord {
            group: 2,
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 9].into(),
            session: 12,
            files: Vec::new(),
            gaps: vec![gap],
        };
        for (by, point) in [(PointsBy::Interface, 2), (PointsBy::Name, 0), (PointsBy::Session, 0)] {
            let points = Points::new(String::new(), by, &Policy::default(), 64);
            let expected = TapGap {
                point: local_point(3, point),
                from: gap.from,
                to: gap.to,
                frames: Some(3),
                evidence: TapEvidence::TunnelSequence,
            };
            assert_eq!(tunnel_gaps(std::slice::from_ref(&tunnel), &points, 3), [expected], "{by:?}");
        }
    }
}
