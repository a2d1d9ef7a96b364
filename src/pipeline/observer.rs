//! An observer: reads, decodes and meters the files of one point.

use std::sync::atomic::Ordering;

use crossbeam_channel::Sender;

use super::interfaces::Interfaces;
use super::{BATCH, Done, MAX_LOCAL_POINTS, Message, Progress, UNNAMED_POINT, local_point};
use crate::capture::CaptureFile;
use crate::decode::{Decoder, Options, Undecoded};
use crate::meter::{CaptureRecord, ClockSource, Limits, Meter, MeterCounters, StreamRecord};
use crate::policy::{Policy, static_clock_rate};
use crate::terms::{ClockRate, Frame};

/// Everything that one observer needs; it runs on one thread from start to end.
pub(super) struct Observer {
    pub(super) number: usize,
    pub(super) name: String,
    /// With their names as given.
    pub(super) files: Vec<(String, CaptureFile)>,
    pub(super) interfaces_are_points: bool,
    /// Whether this is not the only point of the run.
    pub(super) has_other_points: bool,
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
    undecoded: [u64; Undecoded::ALL.len()],
    /// Octets that were added to the progress.
    announced: u64,
}

/// Frames between two looks at progress and at streams that have ended.
const CHORE_INTERVAL: u64 = 1 << 14;

/// The meters of an observer: one, or one for each interface.
struct Meters<'a> {
    all: Vec<Meter>,
    observer: usize,
    are_by_interface: bool,
    has_other_points: bool,
    policy: &'a Policy,
    seed: u64,
}

impl Meters<'_> {
    #[inline]
    fn of_interface(&mut self, interface: u16) -> Option<&mut Meter> {
        let wanted = if self.are_by_interface { usize::from(interface).min(MAX_LOCAL_POINTS - 1) } else { 0 };
        if self.all.len() <= wanted {
            self.grow(wanted);
        }
        self.all.get_mut(wanted)
    }

    #[cold]
    fn grow(&mut self, wanted: usize) {
        while self.all.len() <= wanted {
            let meter =
                new_meter(self.observer, self.all.len(), self.policy, self.has_other_points, self.seed);
            self.all.push(meter);
        }
    }
}

fn new_meter(observer: usize, point: usize, policy: &Policy, has_other_points: bool, seed: u64) -> Meter {
    let clock_rate_of = |payload_type| {
        let configured =
            policy.configured_clock_rate(payload_type).map(|rate| (rate, ClockSource::Configured));
        configured
            .or_else(|| static_clock_rate(payload_type).map(|rate: ClockRate| (rate, ClockSource::Static)))
    };
    Meter::new(local_point(observer, point), limits(policy, has_other_points), clock_rate_of, seed)
}

fn limits(policy: &Policy, has_other_points: bool) -> Limits {
    let l = &policy.limits;
    let bound = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let ns = |d: std::time::Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
    Limits {
        max_streams: bound(l.max_streams),
        max_candidates: bound(l.max_candidates),
        max_hops: bound(l.max_hops),
        max_transactions: bound(l.max_transactions),
        samples_per_second: u16::try_from(l.samples_per_second).unwrap_or(u16::MAX),
        stream_timeout_ns: ns(l.stream_timeout),
        stun_timeout_ns: ns(l.stun_timeout),
        has_other_points,
        ..Limits::default()
    }
}

impl Observer {
    /// Reads everything and sends what came of it.
    pub(super) fn run(self, policy: &Policy, progress: &Progress, records: &Sender<Message>) {
        let mut decoder = Decoder::new(self.seed, Options::default());
        let mut interfaces = Interfaces::default();
        let mut meters = Meters {
            all: Vec::new(),
            observer: self.number,
            are_by_interface: self.interfaces_are_points,
            has_other_points: self.has_other_points,
            policy,
            seed: self.seed,
        };
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
        let mut frames = 0_u64;
        while let Some(next) = next_file(&mut readings) {
            let Some(reading) = readings.get_mut(next) else { break };
            if !reading.take_one(&mut decoder, &mut interfaces, &mut meters) {
                break;
            }
            frames += 1;
            if frames.is_multiple_of(CHORE_INTERVAL) {
                for reading in &mut readings {
                    reading.announce(progress);
                }
                for meter in &mut meters.all {
                    send(meter.take_ended(), records);
                }
            }
        }
        for reading in &mut readings {
            reading.announce(progress);
        }
        let _ = meters.of_interface(0);

        let mut done = Done {
            observer: self.number,
            points: Vec::new(),
            interfaces: interfaces.names(),
            captures: Vec::new(),
            gaps: Vec::new(),
            stun: Vec::new(),
            counters: MeterCounters::default(),
        };
        done.points = if self.interfaces_are_points {
            interfaces.point_names(&self.name).into_iter().take(MAX_LOCAL_POINTS).collect()
        } else if self.name.is_empty() {
            vec![UNNAMED_POINT.to_owned()]
        } else {
            vec![self.name]
        };
        for meter in meters.all {
            let mut batch = Vec::with_capacity(BATCH);
            let (stun, counters) = meter.finish(decoder.paths(), |record| {
                batch.push(record);
                if batch.len() == BATCH {
                    send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)), records);
                }
            });
            send(batch, records);
            done.stun.extend(stun);
            done.counters.add(&counters);
        }
        // One table of paths serves all meters of the observer.
        done.counters.paths_overflowed = decoder.paths().overflowed();
        readings.sort_by_key(|reading| reading.place);
        done.captures = readings.iter().map(|reading| reading.record(self.number)).collect();
        let _ = records.send(Message::Done(Box::new(done)));
    }
}

fn send(batch: Vec<Box<StreamRecord>>, records: &Sender<Message>) {
    if !batch.is_empty() {
        let _ = records.send(Message::Streams(batch));
    }
}

/// The file whose next frame is the earliest. Files without a further frame are passed over.
#[inline]
fn next_file(readings: &mut [Reading]) -> Option<usize> {
    if readings.len() == 1 {
        return Some(0);
    }
    let times = readings.iter_mut().enumerate().filter_map(|(i, r)| Some((r.file.peek_timestamp()?, i)));
    times.min().map(|(_, i)| i)
}

impl Reading {
    /// Takes in the next frame; false at the end of the file. Per frame.
    #[inline]
    fn take_one(
        &mut self,
        decoder: &mut Decoder,
        interfaces: &mut Interfaces,
        meters: &mut Meters<'_>,
    ) -> bool {
        if self.may_add_interfaces
            && self.file.peek_timestamp().is_some()
            && self.file.interfaces().len() > self.interfaces.len()
        {
            interfaces.learn(&self.file, &mut self.interfaces);
        }
        let Some(frame) = self.file.next_frame() else { return false };
        let interface = self.interfaces.get(usize::from(frame.interface)).copied().unwrap_or(frame.interface);
        let Some(meter) = meters.of_interface(interface) else { return true };
        let frame = Frame { interface, ..frame };
        if let Err(reason) = decoder.decode(&frame, |o, paths| meter.observe(o, paths)) {
            self.undecoded[reason as usize] += 1;
        }
        true
    }

    fn announce(&mut self, progress: &Progress) {
        let read = self.file.octets_read();
        progress.read.fetch_add(read - self.announced, Ordering::Relaxed);
        self.announced = read;
    }

    fn record(&self, observer: usize) -> CaptureRecord {
        let summary = self.file.summary();
        let counted = Undecoded::ALL.iter().zip(self.undecoded).filter(|&(_, n)| n > 0);
        CaptureRecord {
            file: self.name.clone(),
            point: local_point(observer, 0),
            format: summary.format.to_owned(),
            packets: summary.frames,
            bytes: summary.bytes,
            first: summary.first,
            last: summary.last,
            damage: summary.damage.map(|damage| damage.to_string()),
            undecoded: counted.map(|(reason, n)| (reason.as_str(), n)).collect(),
            dropped: summary.dropped,
            interfaces: self.file.interfaces().iter().map(|i| i.name.clone()).collect(),
        }
    }
}
