//! Capture files: read, decoded, metered, judged, reported.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, LazyLock};

use hopmark::capture::{CaptureFile, Summary};
use hopmark::config;
use hopmark::meter::{CaptureRecord, Limits, MirrorTunnel, TapEvidence, TapGap, TunnelRecord};
use hopmark::policy::Policy;
use hopmark::report::{Anonymizer, Options, write_json, write_text};
use hopmark::terms::{Frame, PointId};
use hopmark::verify::{Material, Outcome, judge};

use crate::laws;
use crate::listener::{Heard, Listener, NARROW};

static POLICY: LazyLock<Arc<Policy>> =
    LazyLock::new(|| Arc::new(config::builtin("teams").expect("the profile is built in")));

/// A reader that gives a few octets at a time.
struct Drops<R>(R);

impl<R: Read> Read for Drops<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let few = room.len().min(61);
        self.0.read(&mut room[..few])
    }
}

/// What was read of a capture.
struct Reading {
    summary: Summary,
    interfaces: Vec<Option<String>>,
    /// By observation point.
    heard: [Heard; POINTS.len()],
    /// A sum over all frames, to tell two readings apart.
    sum: u64,
}

/// Observation points that the frames of one capture may be given to.
const POINTS: [&str; 2] = ["access", "edge"];

/// The point that hears a frame, by the number of its interface and its own.
type PointOf = fn(u16, u64) -> usize;

fn read(
    reader: Box<dyn Read + Send>,
    limits: Limits,
    seed: u64,
    point_of: PointOf,
) -> Result<Reading, String> {
    let mut file = CaptureFile::from_reader("fuzz", reader).map_err(|error| error.to_string())?;
    let mut listeners = [0, 1].map(|point| Listener::new(PointId(point), limits, seed));
    let mut sum = 0_u64;
    let mut frames = 0_u64;
    loop {
        let announced = file.peek_timestamp();
        let Some(frame) = file.next_frame() else {
            assert_eq!(announced, None, "a frame was announced and not given");
            break;
        };
        assert_eq!(announced, Some(frame.timestamp));
        assert!(frame.wire_len as usize >= frame.data.len());
        frames += 1;
        sum = added(sum, &frame);
        listeners[point_of(frame.interface, frames)].hear(&frame, |_, _| ());
    }
    assert!(file.next_frame().is_none(), "the end is the end");
    let summary = file.summary();
    assert_eq!(summary.frames, frames);
    if let Some(damage) = &summary.damage {
        assert!(!damage.to_string().is_empty());
    }
    let interfaces = file.interfaces().iter().map(|interface| interface.name.clone()).collect();
    Ok(Reading { summary, interfaces, heard: listeners.map(Listener::finish), sum })
}

fn added(sum: u64, frame: &Frame<'_>) -> u64 {
    let time = frame.timestamp.0.to_le_bytes();
    frame
        .data
        .iter()
        .chain(&time)
        .fold(sum, |sum, octet| sum.wrapping_mul(31).wrapping_add(u64::from(*octet) + 1))
}

/// What a capture comes to that is read in stretches.
fn in_stretches(reader: Box<dyn Read + Send>) -> Option<(Summary, u64)> {
    let mut file = CaptureFile::from_reader("fuzz", reader).ok()?;
    let mut sum = 0;
    loop {
        file.give_in_memory(5, |some| sum = some.iter().fold(sum, |sum, frame| added(sum, frame)));
        match file.next_frame() {
            Some(frame) => sum = added(sum, &frame),
            None => return Some((file.summary(), sum)),
        }
    }
}

/// Read at once, by drops or in stretches, a capture is the same.
pub fn capture(data: &[u8]) {
    let at_once = read(Box::new(Cursor::new(data.to_vec())), NARROW, 7, |_, _| 0);
    let by_drops = read(Box::new(Drops(Cursor::new(data.to_vec()))), NARROW, 7, |_, _| 0);
    let is_whole = |read: &Result<Reading, String>| read.as_ref().is_ok_and(|r| r.summary.damage.is_none());
    let is_zstd = data.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) || data.get(1..4) == Some(&[0x2A, 0x4D, 0x18]);
    let stretches = in_stretches(Box::new(Cursor::new(data.to_vec())));
    assert_eq!(stretches, at_once.as_ref().ok().map(|one| (one.summary.clone(), one.sum)));
    match (at_once, by_drops) {
        // How much of a damaged block still comes out depends on how much of it the library saw at once.
        (one, other) if is_zstd && !(is_whole(&one) && is_whole(&other)) => (),
        (Ok(one), Ok(other)) => {
            assert_eq!((&one.summary, one.sum), (&other.summary, other.sum));
            let streams = |reading: &Reading| reading.heard.each_ref().map(|heard| heard.streams.len());
            assert_eq!(streams(&one), streams(&other));
        }
        (Err(one), Err(other)) => assert_eq!(one, other),
        (one, other) => panic!("opened {}, by drops {}", one.is_ok(), other.is_ok()),
    }
}

/// Whatever a capture holds, its report is one JSON object, the same whatever numbers hashing began with. All frames
/// are heard at one point, or in turn at two, or by their interfaces: the length of the input says which.
pub fn report(data: &[u8]) {
    let Some(outcome) = outcome(data, 7) else { return };
    let json = json(&outcome, &Options::default());
    if let Err(error) = serde_json::from_slice::<serde_json::Value>(&json) {
        panic!("{error} in {}", String::from_utf8_lossy(&json));
    }
    let again = outcome_of_same(data);
    assert!(json == self::json(&again, &Options::default()), "two runs, two reports");
    for (width, colour) in [(0, false), (100, true)] {
        let options = Options { width, colour, ..Options::default() };
        let mut text = Vec::new();
        write_text(&outcome, &options, &mut text).expect("memory takes everything");
        assert!(String::from_utf8(text).is_ok_and(|text| colour || !text.contains('\x1b')));
    }
    let hidden = Options { anonymize: Some(Anonymizer::new(&[9; 32])), ..Options::default() };
    let json = self::json(&outcome, &hidden);
    assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
}

fn outcome_of_same(data: &[u8]) -> Outcome {
    outcome(data, 0x1234_5678_9ABC).expect("what was read once can be read again")
}

fn json(outcome: &Outcome, options: &Options) -> Vec<u8> {
    let mut json = Vec::new();
    write_json(outcome, options, &mut json).expect("memory takes everything");
    json
}

fn mirror_tunnel(tunnel: &TunnelRecord) -> Option<MirrorTunnel> {
    let TunnelRecord { source, destination, session, .. } = *tunnel;
    let (_, count) = *tunnel.files.first()?;
    Some(MirrorTunnel { source, destination, session, count })
}

fn outcome(data: &[u8], seed: u64) -> Option<Outcome> {
    let point_of: PointOf = match data.len() % 3 {
        0 => |_, _| 0,
        1 => |_, number| usize::from(number % 2 == 0),
        _ => |interface, _| usize::from(interface % 2 == 1),
    };
    let limits = Limits { has_other_points: !data.len().is_multiple_of(3), ..Limits::default() };
    let reading = read(Box::new(Cursor::new(data.to_vec())), limits, seed, point_of).ok()?;
    let Reading { summary, interfaces, heard, .. } = reading;
    let mut material = Material {
        points: POINTS.map(str::to_owned).to_vec(),
        interfaces: POINTS.map(|_| interfaces.clone()).to_vec(),
        ..Material::default()
    };
    let mut streams = Vec::new();
    for (point, heard) in (0..).map(PointId).zip(heard) {
        material.captures.push(CaptureRecord {
            file: "fuzz.pcap".to_owned(),
            point,
            other_points: Vec::new(),
            format: summary.format.to_owned(),
            packets: summary.frames,
            bytes: summary.bytes,
            first: summary.first,
            last: summary.last,
            damage: summary.damage.as_ref().map(ToString::to_string),
            undecoded: Vec::new(),
            dropped: summary.dropped,
            interfaces: interfaces.clone(),
            tunnels: heard.tunnels.iter().filter_map(mirror_tunnel).collect(),
        });
        let gaps = heard.tunnels.iter().flat_map(|tunnel| &tunnel.gaps);
        material.gaps.extend(gaps.map(|gap| TapGap {
            point,
            from: gap.from,
            to: gap.to,
            frames: gap.frames,
            evidence: TapEvidence::TunnelSequence,
        }));
        streams.extend(heard.streams);
        material.stun.extend(heard.stun);
        material.counters.add(&heard.counters);
    }
    material.records = streams.into_iter().collect();
    let outcome = judge(material, &POLICY);
    laws::of_outcome(&outcome);
    Some(outcome)
}
