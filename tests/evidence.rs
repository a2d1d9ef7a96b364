//! Evidence of a finding is on disk whole, within bounds, or not at all.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a report that lacks a key has failed"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::capture::START;
use common::run::{hops, only_stream, replay};
use common::{Capture, Folder, Stream, Udp, ms, s};
use hopmark::evidence::{
    Clip, Evidence, EvidenceCounters, EvidenceError, EvidenceRequest, EvidenceSettings, HeaderRing,
    PointFrames,
};
use hopmark::terms::{FlowKey, Frame, LinkType, Ssrc, Timestamp, Transport};
use hopmark::verify::{FindingKind, Severity};

/// A call at two points; the second is behind an address translator.
fn inside() -> Stream {
    Stream::g711(Udp::new("10.20.0.31:50004", "52.112.0.1:3479"))
}

fn outside() -> Stream {
    Stream { flow: Udp::new("198.51.100.7:1024", "52.112.0.1:3479").ttl(62), ..inside().at(ms(2)) }
}

fn flow(stream: &Stream) -> (FlowKey, Ssrc) {
    let Udp { source, destination, .. } = stream.flow;
    (FlowKey { source, destination, transport: Transport::Udp }, Ssrc(stream.ssrc))
}

fn request() -> EvidenceRequest {
    EvidenceRequest {
        kind: FindingKind::Bleached,
        severity: Severity::Error,
        message: "audio stream is re-marked".to_owned(),
        advice: "Look at the device between these two hops.".to_owned(),
        stream: "00abcdef01234567".to_owned(),
        views: vec![flow(&inside()), flow(&outside())],
    }
}

/// What a ring holds that heard these frames.
fn ring(memory_octets: usize, capture: &Capture) -> HeaderRing {
    let mut ring = HeaderRing::new(memory_octets, 64, 5);
    for frame in capture.in_order() {
        ring.push(&Frame {
            timestamp: Timestamp(START + frame.at),
            data: &frame.octets,
            wire_len: u32::try_from(frame.wire_octets).unwrap(),
            link: LinkType::ETHERNET,
            interface: 0,
        });
    }
    ring
}

/// Ten seconds of the call among others, at each of the two points; the second loses three packets and re-marks.
fn rings() -> [HeaderRing; 2] {
    let other = Stream { flow: Udp::new("10.20.0.32:50004", "52.112.0.1:3479"), ..inside().at(ms(7)) };
    let heard_inside = Capture::of(inside().frames(0..500).chain(other.frames(0..500)));
    let heard_outside = Capture::of(outside().dscp(0).frames((0..500).filter(|i| !(400..403).contains(i))));
    [ring(1 << 20, &heard_inside), ring(1 << 20, &heard_outside)]
}

/// What each point has of the stream, as it is handed from thread to thread.
fn clips() -> [Clip; 2] {
    rings().map(|ring| ring.clip(request().is_wanted()))
}

fn points(clips: &[Clip; 2]) -> Vec<PointFrames<'_>> {
    let names = ["inside", "outside"].into_iter().zip(clips);
    names
        .map(|(point, clip)| PointFrames { point, interfaces: &[], frames: clip.frames().collect() })
        .collect()
}

fn evidence(folder: &Path, max_octets: u64, max_files: usize) -> Evidence {
    Evidence::new(EvidenceSettings { folder: folder.to_owned(), max_octets, max_files })
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_last_seconds_of_a_stream_are_written_from_all_its_points() {
    let folder = Folder::new();
    let mut evidence = evidence(folder.path(), 1 << 30, 10);
    let written = evidence.write(&request(), &points(&clips())).unwrap();
    // The last packet is 499 × 20 ms after the start, and 2 ms later outside.
    let name = "20231114T221329Z-bleached-00abcdef01234567.pcapng";
    assert_eq!(written.path, folder.path().join(name));
    assert_eq!(fs::metadata(&written.path).unwrap().len(), written.octets);
    assert_eq!(fs::metadata(&written.path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(names(folder.path()), [name]);

    let report = replay(["--points".as_ref(), "interface".as_ref(), written.path.as_os_str()]);
    let [inside, outside] = hops(only_stream(&report)) else { panic!("two hops") };
    // Five seconds up to the newest packet of a point, which inside is one of another stream.
    assert_eq!((&inside["packets"], &outside["packets"]), (&250.into(), &248.into()));
    assert_eq!(written.packets, 250 + 248);
    assert_eq!((&inside["point"], &outside["point"]), (&"inside".into(), &"outside".into()));
    assert_eq!((&outside["lost"], &outside["marking"]), (&3.into(), &"remarked".into()));
    let counters = EvidenceCounters { written: 1, octets: written.octets, failed: 0, removed: 0 };
    assert_eq!(evidence.counters(), counters);

    let file = fs::read(&written.path).unwrap();
    let has = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
    for text in [
        "ERROR bleached: audio stream is re-marked. Look at the device between these two hops.",
        "Stream 00abcdef01234567",
        "inside, TTL 64: first packet, EF(46)",
        "outside, TTL 62: first packet, DF(0)",
        "outside, TTL 62: 3 missing before this packet, sequence numbers 1400 to 1402",
        "inside, TTL 64: last packet, 250 of 250",
    ] {
        assert!(has(text), "{text}");
    }
    // Nothing of what was said: 64 octets of a frame are its headers and ten octets of payload.
    let longest = report["captures"][0]["bytes"].as_u64().unwrap();
    assert_eq!(longest, written.packets * 64);
}

#[test]
fn a_ring_that_is_too_small_has_the_newest_frames() {
    let capture = Capture::of(inside().frames(0..500));
    // A record is 24 + 64 octets.
    let ring = ring(88 * 100 + 40, &capture);
    assert_eq!((ring.held(), ring.memory_octets()), (100, 88 * 100 + 40));
    let times: Vec<i64> = ring.frames().map(|frame| frame.timestamp.0 - START).collect();
    assert_eq!(times, (400..500).map(|i| i64::from(i) * ms(20)).collect::<Vec<_>>());
    assert!((ring.span_seconds() - 1.98).abs() < 1e-9);
}

#[test]
fn the_oldest_evidence_makes_room_and_nothing_else_does() {
    let folder = Folder::new();
    let foreign =
        ["20200101T000000Z-bleached-s1.pcap", "notes.txt", "20200101T000000Z-bleached-s1.pcapng.bak"];
    for name in foreign {
        folder.write(name, &[0; 10_000]);
    }
    let clips = clips();
    let octets = evidence(folder.path(), 1 << 30, 9).write(&request(), &points(&clips)).unwrap().octets;
    // Room for two and a half.
    let mut evidence = evidence(folder.path(), octets * 5 / 2, 9);
    for (number, kind) in
        [FindingKind::Loss, FindingKind::Jitter, FindingKind::Remarked].into_iter().enumerate()
    {
        // Each a minute later.
        let later = i64::try_from(number + 1).unwrap() * s(60);
        let mut heard = points(&clips);
        for frame in heard.iter_mut().flat_map(|point| &mut point.frames) {
            frame.timestamp = Timestamp(frame.timestamp.0 + later);
        }
        evidence.write(&EvidenceRequest { kind, ..request() }, &heard).unwrap();
        let own: Vec<String> =
            names(folder.path()).into_iter().filter(|name| !foreign.contains(&name.as_str())).collect();
        let size = |name: &String| fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(own.iter().map(size).sum::<u64>() <= octets * 5 / 2, "{own:?}");
        assert!(own.last().unwrap().contains(kind.as_str()), "{own:?}");
    }
    assert_eq!(evidence.counters().removed, 2);
    assert!(foreign.iter().all(|name| folder.path().join(name).exists()));
    let mut few = self::evidence(folder.path(), 1 << 30, 1);
    few.write(&request(), &points(&clips)).unwrap();
    assert_eq!(names(folder.path()).len(), foreign.len() + 1);
}

#[test]
fn what_cannot_be_written_is_counted_and_leaves_nothing() {
    let folder = Folder::new();
    let clips = clips();
    let mut small = evidence(folder.path(), 1_000, 9);
    let error = small.write(&request(), &points(&clips)).unwrap_err();
    assert!(matches!(error, EvidenceError::TooLarge { max_octets: 1_000, .. }), "{error}");
    let stranger = EvidenceRequest { views: vec![(flow(&inside()).0, Ssrc(1))], ..request() };
    let error = small.write(&stranger, &points(&clips)).unwrap_err();
    assert!(matches!(error, EvidenceError::NothingKept { .. }), "{error}");
    assert_eq!(small.counters(), EvidenceCounters { failed: 2, ..EvidenceCounters::default() });
    assert_eq!(names(folder.path()), Vec::<String>::new());

    let mut nowhere = evidence(&folder.path().join("no such folder"), 1 << 30, 9);
    assert!(nowhere.tidy().is_err());
    let error = nowhere.write(&request(), &points(&clips)).unwrap_err();
    assert!(matches!(error, EvidenceError::Write { .. }), "{error}");
    assert!(error.to_string().contains("no such folder"), "{error}");
}

#[test]
fn what_a_killed_run_left_is_removed_at_the_start() {
    let folder = Folder::new();
    let kept = [".20231114T221329Z-bleached-s1.pcapng", ".notes.part", "20231114T221329Z-loss-s1.pcapng"];
    for name in kept.into_iter().chain([".20231114T221329Z-bleached-s1.pcapng.part"]) {
        folder.write(name, b"octets");
    }
    assert_eq!(evidence(folder.path(), 1 << 30, 9).tidy().unwrap(), 1);
    assert_eq!(names(folder.path()), kept);
}

/// Set for the run of [`on_a_full_disk`] within its own mount namespace: the folder on the small disk.
const SMALL_DISK: &str = "HOPMARK_TEST_SMALL_DISK";

/// Runs this test program again in a mount namespace of its own, with a disk of 64 KiB on a folder.
#[test]
fn a_full_disk_is_told_and_ends_nothing() {
    let folder = Folder::new();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k hopmark-test '{disk}' && exec '{program}' --exact on_a_full_disk --nocapture",
        disk = disk.display(),
        program = std::env::current_exe().unwrap().display()
    );
    let mounted = Command::new("unshare").args(["--mount", "true"]).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: mount namespaces need root");
        return;
    }
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .env(SMALL_DISK, &disk)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    assert_eq!(names(&disk), Vec::<String>::new(), "the disk was in the other namespace only");
}

#[test]
fn on_a_full_disk() {
    let Some(disk) = std::env::var_os(SMALL_DISK).map(PathBuf::from) else {
        eprintln!("skipped here: another test runs it on a small disk");
        return;
    };
    let clips = clips();
    let mut evidence = evidence(&disk, 1 << 30, 100);
    // One file is about 60 KiB: the first fits, the second does not.
    let first = evidence.write(&request(), &points(&clips)).unwrap();
    let other = EvidenceRequest { kind: FindingKind::Loss, ..request() };
    for failed in 1..=3 {
        let error = evidence.write(&other, &points(&clips)).unwrap_err();
        assert!(matches!(error, EvidenceError::DiskFull { .. }), "{error}");
        assert_eq!((evidence.counters().written, evidence.counters().failed), (1, failed));
        assert_eq!(names(&disk), [first.path.file_name().unwrap().to_str().unwrap()]);
    }
    // Once there is room, it goes on.
    fs::remove_file(&first.path).unwrap();
    evidence.write(&other, &points(&clips)).unwrap();
    assert_eq!(evidence.counters().written, 2);
}
