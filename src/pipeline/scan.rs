//! Reads captures once more: which packet was heard at which point.

use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::interfaces::Interfaces;
use super::points::Points;
use super::{MAX_POINTS, Progress, Replay, random_seed};
use crate::capture::{CaptureFile, OpenError};
use crate::decode::{Decoder, Observation, Options, PathTable};
use crate::meter::CaptureRecord;
use crate::policy::Policy;
use crate::terms::{Frame, PointId};

/// One frame and what it carries: more than one message where it is a TCP segment.
pub struct Heard<'a, 'f> {
    /// The frame. Its interface has the number under which [`crate::verify::Outcome::interfaces`] names it.
    pub frame: Frame<'f>,
    /// Each message, with the point at which it was heard.
    pub messages: &'a [(PointId, Observation<'f>)],
    /// What the numbers of paths in the messages stand for, within the files of one point.
    pub paths: &'a PathTable,
}

/// One file on its way.
struct Reading {
    file: CaptureFile,
    /// Its place among all points' files.
    point: usize,
    /// The point's numbers of the file's interfaces.
    interfaces: Vec<u16>,
    announced: u64,
}

/// What tells the points of one name's files apart.
struct Listener {
    points: Points,
    interfaces: Interfaces,
    decoder: Decoder,
    /// The numbers of its points in the outcome, by its own.
    numbers: Vec<PointId>,
}

/// Frames between two looks at the progress.
const CHORE_INTERVAL: u64 = 1 << 12;

/// Reads all captures of a replay once more, in order of time over all points, and hands on every frame that can be
/// decoded. `captures` are what the replay said of them: points have the same numbers as in its outcome.
///
/// # Errors
///
/// A file that can no longer be opened; what `each` says.
pub fn scan<E: From<OpenError>>(
    replay: &Replay,
    policy: &Policy,
    captures: &[CaptureRecord],
    progress: &Progress,
    mut each: impl FnMut(&Heard<'_, '_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut listeners = Vec::with_capacity(replay.points.len());
    let mut readings = Vec::new();
    let mut rest = captures;
    for (number, point) in replay.points.iter().enumerate() {
        let (records, behind) = rest.split_at_checked(point.files.len()).unwrap_or((rest, &[]));
        rest = behind;
        let mut listener = Listener::new(replay, number, policy, records);
        // The order of the replay, by which interfaces and sessions got their numbers.
        let mut files: Vec<_> = point.files.iter().map(|path| (path.display().to_string(), path)).collect();
        files.sort();
        for (_, path) in files {
            let mut reading = Reading {
                file: CaptureFile::open(path)?,
                point: number,
                interfaces: Vec::new(),
                announced: 0,
            };
            listener.interfaces.learn(&reading.file, &mut reading.interfaces);
            readings.push(reading);
        }
        listeners.push(listener);
    }
    let total: Option<u64> = readings.iter().map(|reading| reading.file.total_octets()).sum();
    progress.read.store(0, Ordering::Relaxed);
    progress.total.store(total.unwrap_or(0), Ordering::Relaxed);

    let mut frames = 0_u64;
    while let Some(next) = earliest(&mut readings) {
        let Some(reading) = readings.get_mut(next) else { break };
        let Some(listener) = listeners.get_mut(reading.point) else { break };
        if !listener.take_one(reading, &mut each)? {
            // It was cut after its next frame's time was seen: others go on.
            continue;
        }
        frames += 1;
        if frames.is_multiple_of(CHORE_INTERVAL) {
            announce(&mut readings, progress);
        }
    }
    announce(&mut readings, progress);
    Ok(())
}

/// The file whose next frame is the earliest.
fn earliest(readings: &mut [Reading]) -> Option<usize> {
    let times = readings.iter_mut().enumerate().filter_map(|(i, r)| Some((r.file.peek_timestamp()?, i)));
    times.min().map(|(_, i)| i)
}

fn announce(readings: &mut [Reading], progress: &Progress) {
    for reading in readings {
        // Of a file that is cut while it is read, it may be fewer than before.
        let read = reading.file.octets_read().max(reading.announced);
        progress.read.fetch_add(read - reading.announced, Ordering::Relaxed);
        reading.announced = read;
    }
}

impl Listener {
    fn new(replay: &Replay, number: usize, policy: &Policy, records: &[CaptureRecord]) -> Self {
        let name = replay.points.get(number).map(|point| point.name.clone()).unwrap_or_default();
        let room = MAX_POINTS / replay.points.len().max(1);
        let numbers = records.first().into_iter().flat_map(|c| [&[c.point][..], &c.other_points].concat());
        Self {
            points: Points::new(name, replay.points_by, policy, room),
            interfaces: Interfaces::default(),
            decoder: Decoder::new(random_seed(), Options::default()),
            numbers: numbers.collect(),
        }
    }

    /// Takes in the next frame of a file; false at its end.
    fn take_one<E>(
        &mut self,
        reading: &mut Reading,
        each: &mut impl FnMut(&Heard<'_, '_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        if reading.file.interfaces().len() > reading.interfaces.len() {
            self.interfaces.learn(&reading.file, &mut reading.interfaces);
        }
        let Some(frame) = reading.file.next_frame() else { return Ok(false) };
        let number = usize::from(frame.interface);
        let frame =
            Frame { interface: reading.interfaces.get(number).copied().unwrap_or(frame.interface), ..frame };
        let mut seen: SmallVec<[Observation<'_>; 2]> = SmallVec::new();
        // Why a frame was not decoded, the replay has counted.
        let _ = self.decoder.decode(&frame, |o, _| seen.push(*o));
        let paths = self.decoder.paths();
        let mut messages: SmallVec<[_; 2]> = SmallVec::new();
        for o in seen {
            let place = if self.points.are_sessions() {
                self.points.of_path(o.path, paths)
            } else {
                self.points.of_interface(frame.interface)
            };
            let number = self.numbers.get(place).or(self.numbers.first());
            messages.push((number.copied().unwrap_or(PointId(0)), o));
        }
        if !messages.is_empty() {
            each(&Heard { frame, messages: &messages, paths })?;
        }
        Ok(true)
    }
}
