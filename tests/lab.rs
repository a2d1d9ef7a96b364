//! The report is true of a real network, which `tests/lab` builds.
//!
//! What is true is known without Hopmark: nftables counts what it drops and re-marks, and `tests/lab/README.md` has the
//! drawing. These tests need root and programs that send, so they run only when asked: `./dev lab`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a report without its keys has failed"
)]
#![allow(clippy::print_stderr, reason = "whoever runs the lab wants to see what it saw")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

#[test]
#[ignore = "builds a network, which needs root: ./dev lab"]
fn the_right_segments_are_blamed_in_the_right_directions() {
    let before = Machine::now();
    let lab = Lab::run(&folder("lab"));
    assert_eq!(Machine::now(), before, "the lab left something behind");
    for layout in [&ONE_MIRROR_A_ROUTER, &BOTH_SIDES] {
        let report = lab.replay(layout.points.iter());
        holds_against_truth(&lab, layout, &report);
        let turned = lab.replay(layout.points.iter().rev());
        for part in ["streams", "findings"] {
            assert_eq!(turned[part], report[part], "{part} depend on the order in which captures are named");
        }
    }
}

#[test]
#[ignore = "builds a network, which needs root: ./dev lab"]
fn a_killed_lab_leaves_nothing_behind() {
    let (before, out) = (Machine::now(), folder("lab-killed"));
    let mut run = script(&out).spawn().unwrap();
    // Kill it in the middle of a call, when everything is built and runs.
    until("frames in the capture", || {
        fs::metadata(out.join("edge-wan.pcap")).is_ok_and(|file| file.len() > 100_000)
    });
    assert!(processes_of(&out) > 5, "the lab runs");
    run.kill().unwrap();
    run.wait().unwrap();
    until("the end of its processes", || processes_of(&out) == 0);
    assert_eq!(Machine::now(), before, "the lab left something behind");
}

/// Kinds of findings that blame a device or a mirror. Each direction has one of them, once.
const FAULTS: &[&str] = &[
    "bleached",
    "remarked",
    "marking-changed-mid-call",
    "segment-loss",
    "mirror-loss",
    "mirror-duplicates",
    "path-changed",
];

/// Which mirrors a replay hears, and where the impairments are among them.
struct Layout {
    /// Captures, in the order of the way out, each with the point that it is given to.
    points: &'static [(&'static str, &'static str)],
    /// Packets are dropped behind this place of the way out, from 0.
    lost_after: usize,
    /// Markings are taken off behind this place of the way back, from 0.
    bleached_after: usize,
}

/// What an operator with few mirrors has: the devices to blame lie between points.
const ONE_MIRROR_A_ROUTER: Layout = Layout {
    points: &[("access", "access"), ("core-lan", "core"), ("edge-wan", "edge")],
    lost_after: 1,
    bleached_after: 0,
};

/// Mirrors on both sides of the devices: those to blame lie within a point.
const BOTH_SIDES: Layout = Layout {
    points: &[
        ("access", "access"),
        ("core-lan", "core"),
        ("core-wan", "core"),
        ("edge-lan", "edge"),
        ("edge-wan", "edge"),
    ],
    lost_after: 3,
    bleached_after: 2,
};

/// One stream that was sent, and what became of it.
struct Sent {
    name: &'static str,
    /// The end that stays the same along the way, and names the stream.
    far_end: &'static str,
    is_out: bool,
    is_relayed: bool,
    dscp: &'static str,
    /// What nftables dropped of it.
    dropped: u64,
}

struct Lab {
    out: PathBuf,
    sent: Vec<Sent>,
}

impl Lab {
    /// Builds the network, lets the programs send, and reads what nftables counted.
    fn run(out: &Path) -> Self {
        let status = script(out).status().unwrap();
        assert!(status.success(), "{status}; what programs said is in {}", out.display());
        let parts = fs::read_to_string(out.join("parts")).unwrap();
        let stream = |name, far_end, is_out, dscp| Sent {
            name,
            far_end,
            is_out,
            is_relayed: name == "relayed",
            dscp,
            dropped: if is_out { counter(out, "edge", name) } else { 0 },
        };
        let mut sent = Vec::new();
        if parts.contains("direct") {
            for is_out in [true, false] {
                sent.push(stream("audio", "198.51.100.10:3479", is_out, "46"));
                sent.push(stream("video", "198.51.100.10:3480", is_out, "34"));
            }
        }
        if parts.contains("relayed") {
            for is_out in [true, false] {
                sent.push(stream("relayed", "203.0.113.10:3478", is_out, "46"));
            }
        }
        Self { out: out.to_owned(), sent }
    }

    fn replay<'a>(&self, points: impl Iterator<Item = &'a (&'static str, &'static str)>) -> Value {
        let files = points.map(|(file, point)| format!("{point}={file}.pcap"));
        let output = Command::new(env!("CARGO_BIN_EXE_hopmark"))
            .args(["replay", "--format", "json", "--fail-on", "warning"])
            .args(files)
            .current_dir(&self.out)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "there are findings to report");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn holds_against_truth(lab: &Lab, layout: &Layout, report: &Value) {
    let hops = list(report, "streams").flat_map(|stream| list(stream, "hops").map(move |hop| (stream, hop)));
    let places: Vec<Place<'_>> = hops.map(|(stream, hop)| Place::of(stream, hop)).collect();
    let found: BTreeSet<&str> = places.iter().map(|place| place.ssrc).collect();
    assert_eq!(found.len(), lab.sent.len(), "streams that were sent, and no other");
    assert_eq!(list(report, "joins").count(), 0, "{}", report["joins"]);

    for sent in &lab.sent {
        let way = Way::of(sent, layout, &places);
        way.is_the_way_through_the_network();
        way.markings_are_true();
        way.losses_are_true();
        way.segments_are_true(report);
        way.findings_blame_the_fault(report);
    }

    // Together: the counters are of RTP and nothing else, and so is what was found.
    for (dscp, name) in [("46", "from_ef"), ("34", "from_af41")] {
        let back = lab.sent.iter().filter(|sent| !sent.is_out && sent.dscp == dscp);
        let remarked: u64 =
            back.map(|sent| Way::of(sent, layout, &places).places.last().unwrap().unique()).sum();
        assert_eq!(remarked, counter(&lab.out, "core", name), "packets re-marked from {dscp}");
    }
}

/// A stream at one place: a hop of the report, whichever stream of the report has it.
#[derive(Clone, Copy)]
struct Place<'a> {
    ssrc: &'a str,
    is_in_channel: bool,
    hop: &'a Value,
}

impl<'a> Place<'a> {
    fn of(stream: &'a Value, hop: &'a Value) -> Self {
        let mut layers = list(hop, "encapsulation").map(|layer| layer.as_str().unwrap());
        Self {
            ssrc: text(stream, "ssrc"),
            is_in_channel: layers.any(|layer| layer.starts_with("turn-channel")),
            hop,
        }
    }

    fn point(&self) -> &'a str {
        text(self.hop, "point")
    }

    fn ttl(&self) -> u64 {
        number(&self.hop["ttl"])
    }

    fn unique(&self) -> u64 {
        number(&self.hop["unique"])
    }

    fn is_hop(&self, hop: &Value) -> bool {
        let same = |key: &str| self.hop[key] == hop[key];
        same("point") && same("ttl") && same("source") && same("destination")
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let channel = if self.is_in_channel { " in a channel" } else { "" };
        write!(f, "{}, TTL {}{channel}: {} packets", self.point(), self.ttl(), self.unique())
    }
}

/// The places of one stream that was sent, in the order in which its packets pass them.
struct Way<'a> {
    sent: &'a Sent,
    layout: &'a Layout,
    places: Vec<Place<'a>>,
    /// The fault lies behind this place.
    fault: usize,
}

impl<'a> Way<'a> {
    fn of(sent: &'a Sent, layout: &'a Layout, places: &[Place<'a>]) -> Self {
        let end = if sent.is_out { "destination" } else { "source" };
        let ssrcs: BTreeSet<&str> = places
            .iter()
            .filter(|place| text(place.hop, end) == sent.far_end)
            .map(|place| place.ssrc)
            .collect();
        let named: Vec<&str> = ssrcs.into_iter().collect();
        let [ssrc] = named[..] else {
            panic!("{}: one stream with {end} {}, not {named:?}", sent.name, sent.far_end)
        };
        let mut places: Vec<Place<'_>> = places.iter().filter(|place| place.ssrc == ssrc).copied().collect();
        // A relay may set TTL anew, so that TTL orders places on one side of it only.
        let outwards = |point: &str| layout.points.iter().position(|(_, name)| *name == point).unwrap();
        places.sort_by_key(|place| {
            let is_behind_relay = sent.is_relayed && place.is_in_channel != sent.is_out;
            let along = outwards(place.point());
            (is_behind_relay, 255 - place.ttl(), if sent.is_out { along } else { usize::MAX - along })
        });
        let fault = if sent.is_out {
            layout.lost_after
        } else {
            // From the peer to the edge's interface, and from there to the relay.
            layout.bleached_after + if sent.is_relayed { 2 } else { 0 }
        };
        Self { sent, layout, places, fault }
    }

    fn what(&self) -> String {
        let direction = if self.sent.is_out { "out" } else { "back" };
        let places: Vec<String> = self.places.iter().map(ToString::to_string).collect();
        format!("{} {direction}: {}", self.sent.name, places.join("; "))
    }

    /// Each place was found once, and is where the drawing has it.
    fn is_the_way_through_the_network(&self) {
        eprintln!("lab: {}", self.what());
        let mut expected: Vec<(&str, bool)> =
            self.layout.points.iter().map(|(_, point)| (*point, self.sent.is_relayed)).collect();
        if self.sent.is_relayed {
            expected.extend([("edge", false); 2]);
        }
        if !self.sent.is_out {
            expected.reverse();
        }
        let found: Vec<_> = self.places.iter().map(|place| (place.point(), place.is_in_channel)).collect();
        assert_eq!(found, expected, "{}", self.what());
        for place in &self.places {
            for none in ["duplicates", "stray", "resets"] {
                assert_eq!(place.hop[none], 0, "{none} at {place}");
            }
        }
    }

    /// Only the way back loses its marking, only at the core, and all of it.
    fn markings_are_true(&self) {
        for (at, place) in self.places.iter().enumerate() {
            let dscp = if !self.sent.is_out && at > self.fault { "0" } else { self.sent.dscp };
            let expected = json!({ dscp: place.unique() });
            assert_eq!(place.hop["dscp"], expected, "{}", self.what());
        }
    }

    /// Only the way out loses packets, only at the edge, and as many as nftables dropped.
    fn losses_are_true(&self) {
        for (at, pair) in self.places.windows(2).enumerate() {
            let lost = pair[0].unique().checked_sub(pair[1].unique());
            assert_eq!(lost, Some(self.lost_behind(at)), "{}", self.what());
        }
        for (at, place) in self.places.iter().enumerate() {
            let lost = if at > self.fault { self.sent.dropped } else { 0 };
            assert_eq!(place.hop["lost"], lost, "{}", self.what());
        }
        let (sent, dropped) = (self.places[0].unique(), self.sent.dropped);
        if self.sent.is_out {
            assert!(dropped > 0 && dropped.abs_diff(sent / 50) <= 1, "{dropped} of {sent} dropped");
        }
    }

    fn lost_behind(&self, place: usize) -> u64 {
        if place == self.fault { self.sent.dropped } else { 0 }
    }

    /// The report has one stream that passes the same places, and only one segment of it is at fault.
    fn segments_are_true(&self, report: &Value) {
        let what = self.what();
        let stream = self.stream(report);
        let direction = if self.sent.is_out { "forward" } else { "reverse" };
        assert_eq!(text(stream, "direction"), direction, "{what}");
        for (place, hop) in self.places.iter().zip(list(stream, "hops")) {
            assert!(place.is_hop(hop), "{what}; but here the report has {hop}");
        }
        assert_eq!(list(stream, "segments").count(), self.places.len() - 1, "{what}");
        for (at, segment) in list(stream, "segments").enumerate() {
            assert_eq!((&segment["from"], &segment["to"]), (&json!(at), &json!(at + 1)), "{what}");
            assert_eq!(segment["lost"], self.lost_behind(at), "{what}: {segment}");
            for none in ["unseen_after", "unseen_before"] {
                assert_eq!(segment[none], 0, "{what}: {none} in {segment}");
            }
            assert_eq!(segment["suspect"], json!([]), "{what}: {segment}");
            let delay = segment["delay_seconds"]["min"].as_f64();
            assert!(
                delay.is_some_and(|delay| delay > 0.0),
                "{what}: no clock runs ahead of another; {segment}"
            );

            let changed: Vec<(&String, u64)> = segment["remarked"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(change, seen)| (change, number(&seen["packets"])))
                .collect();
            if !self.sent.is_out && at == self.fault {
                let to_zero = format!("{}>0", self.sent.dscp);
                assert_eq!(changed, [(&to_zero, self.places[at].unique())], "{what}: {segment}");
            } else {
                assert!(changed.is_empty(), "{what}: {segment}");
            }
        }
    }

    /// The fault of this direction is found where it is, and nothing is found that is not.
    fn findings_blame_the_fault(&self, report: &Value) {
        let (what, stream) = (self.what(), self.stream(report));
        let (kind, packets) = if self.sent.is_out {
            ("segment-loss", self.sent.dropped)
        } else {
            ("bleached", self.places[self.fault].unique())
        };
        let found: Vec<&Value> = list(report, "findings")
            .filter(|finding| finding["stream"] == stream["id"] && FAULTS.contains(&text(finding, "kind")))
            .collect();
        let [finding] = found[..] else { panic!("{what}: one finding that blames, not {found:?}") };
        assert_eq!(
            (text(finding, "kind"), number(&finding["packets"])),
            (kind, packets),
            "{what}: {finding}"
        );
        assert_eq!(finding["between"], json!([self.fault, self.fault + 1]), "{what}: {finding}");
    }

    /// The stream of the report, which is one over all points.
    fn stream(&self, report: &'a Value) -> &'a Value {
        let streams: Vec<&Value> =
            list(report, "streams").filter(|stream| text(stream, "ssrc") == self.places[0].ssrc).collect();
        let [stream] = streams[..] else { panic!("{}: one stream, not {}", self.what(), streams.len()) };
        stream
    }
}

/// A counter of nftables, as its router kept it.
fn counter(out: &Path, router: &str, name: &str) -> u64 {
    let kept = fs::read(out.join(format!("counters-{router}.json"))).unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    let counter =
        list(&kept, "nftables").map(|object| &object["counter"]).find(|counter| counter["name"] == name);
    number(&counter.unwrap()["packets"])
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key} in {value}")).iter()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key} in {value}"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// An empty folder of this name. What a run captures stays in it until the next run, to be looked at.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(&folder).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    folder
}

fn script(out: &Path) -> Command {
    let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/run"));
    script.arg(out).stdin(Stdio::null());
    script
}

/// What a machine has that the lab could leave on it.
#[derive(Debug, PartialEq)]
struct Machine {
    interfaces: BTreeSet<String>,
    namespaces: BTreeSet<String>,
}

impl Machine {
    fn now() -> Self {
        Self { interfaces: names("/sys/class/net"), namespaces: names("/run/netns") }
    }
}

/// Entries of a folder; none where there is no such folder.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// How many processes run that the lab started for this folder.
fn processes_of(out: &Path) -> usize {
    let mark = format!("HOPMARK_LAB={}\0", out.display());
    let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("environ"));
    entries.filter(|environ| fs::read(environ).is_ok_and(|text| holds(&text, mark.as_bytes()))).count()
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Waits for something that takes a moment.
fn until(what: &str, is_true: impl Fn() -> bool) {
    for _ in 0..600 {
        if is_true() {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("waited in vain for {what}");
}
