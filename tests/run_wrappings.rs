//! Media is heard in whatever wraps it, among ten times as much else.
//!
//! `hopmark synth` makes the calls, `tcpreplay` sends them. Needs root, for a namespace of its own, and tcpreplay;
//! without, the tests say so and prove nothing.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be set up or read has failed")]
#![allow(clippy::indexing_slicing, reason = "a truth without its keys has failed")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]
#![allow(clippy::cast_possible_truncation, reason = "numbers of a few thousand frames")]

mod common;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::packet::{PROVIDER_VLAN, VLAN};
use common::synth::made;
use common::tunnel::erspan_1;
use common::{Appliance, Capture, Folder, Random, Udp, add_cable, in_namespace, ip, kernel_count, ms};

/// What the media of a cable, and what comes with it, is wrapped in.
struct Wrapping {
    name: &'static str,
    /// Keys of the scenario's point.
    point: &'static str,
    is_ipv6: bool,
    /// Around a frame of the background.
    wrap: fn(&[u8]) -> Vec<u8>,
}

const WRAPPINGS: [Wrapping; 6] = [
    Wrapping { name: "plain", point: "", is_ipv6: false, wrap: <[u8]>::to_vec },
    Wrapping { name: "ipv6", point: "", is_ipv6: true, wrap: <[u8]>::to_vec },
    Wrapping {
        name: "tagged",
        point: "vlan = [30]\n",
        is_ipv6: false,
        wrap: |frame| tag(frame, &[(VLAN, 30)]),
    },
    Wrapping {
        name: "twice",
        point: "vlan = [900, 30]\n",
        is_ipv6: false,
        wrap: |frame| tag(frame, &[(PROVIDER_VLAN, 900), (VLAN, 30)]),
    },
    Wrapping { name: "erspan2", point: "encapsulation = [\"erspan2\"]\n", is_ipv6: false, wrap: erspan_1 },
    Wrapping { name: "erspan3", point: "encapsulation = [\"erspan3\"]\n", is_ipv6: false, wrap: erspan_1 },
];

/// The frame with tags behind its addresses.
fn tag(frame: &[u8], tags: &[(u16, u16)]) -> Vec<u8> {
    let tags: Vec<u8> =
        tags.iter().flat_map(|(kind, id)| [kind.to_be_bytes(), id.to_be_bytes()].concat()).collect();
    [&frame[..12], &tags, &frame[12..]].concat()
}

/// Seconds for which calls last.
const SECONDS: u8 = 2;
/// Frames of background for each packet of media.
const BACKGROUND: u64 = 10;
/// Octets of payload that make a frame as long as an MTU of 1500 and of 9000 lets it be, behind headers of TCP; those
/// of UDP are shorter.
const FULL: [usize; 2] = [1460, 8960];

/// Frames in the time of the calls, each as long as it may be, every tenth a jumbo frame: datagrams as QUIC sends them,
/// and segments, of which there are so many.
fn background(frames: u64, wrapping: &Wrapping) -> (Capture, u64) {
    let mut random = Random::new(7);
    let mut capture = Capture::new();
    let mut segments = 0;
    for n in 0..frames {
        let flow = Udp::between(
            SocketAddr::from(([10, 9, 0, (n % 200) as u8], 40_000)),
            SocketAddr::from(([192, 0, 2, 9], if n % 2 == 0 { 8080 } else { 443 })),
        );
        let octets = FULL[usize::from(n % 20 > 17)];
        let frame = if n % 2 == 0 {
            segments += 1;
            flow.segment(n as u32 * 1460, &random.octets(octets))
        } else {
            let mut payload = random.octets(octets);
            // A short header.
            payload[0] = 0x40 | payload[0] & 0x3F;
            flow.frame(&payload)
        };
        let at = ms(1000 * i64::from(SECONDS)) * i64::try_from(n).expect("few")
            / i64::try_from(frames).expect("few");
        capture.add(at, (wrapping.wrap)(&frame));
    }
    (capture, segments)
}

/// Makes the calls of a cable; how many packets of RTP there are to be heard, and the capture to be sent.
fn media(wrapping: &Wrapping, folder: &Path) -> (u64, PathBuf) {
    let call = |n: u8| {
        let (near, far) = if wrapping.is_ipv6 {
            (format!("[2001:db8:1::{n}]"), format!("[2001:db8:2::{n}]"))
        } else {
            (format!("10.1.{n}.1"), format!("52.112.{n}.1"))
        };
        format!(
            "[[stream]]\nsource = \"{near}:50004\"\ndestination = \"{far}:3479\"\ndirection = \"both\"\n\
             seconds = {SECONDS}.0\n"
        )
    };
    let calls = [call(1), call(2)].concat();
    let scenario = format!("seed = 5\n[[point]]\nname = \"{}\"\n{}{calls}", wrapping.name, wrapping.point);
    let file = folder.join("scenario.toml");
    std::fs::write(&file, scenario).expect("a file in the test's folder");
    let out = folder.join(wrapping.name);
    let (truth, captures) = made([file.to_str().expect("a path in UTF-8"), "--format", "pcap"], &out);
    let hops = truth["streams"].as_array().expect("streams").iter().map(|stream| &stream["hops"][0]);
    let packets = hops.map(|hop| hop["packets"].as_u64().expect("a count")).sum();
    let [capture] = &captures[..] else { panic!("one capture: {captures:?}") };
    (packets, PathBuf::from(capture.split_once('=').expect("a name").1))
}

/// The end of a cable into which frames are sent.
fn sending(wrapping: &Wrapping) -> String {
    format!("{}-in", wrapping.name)
}

fn tcpreplay(wrapping: &Wrapping, capture: &Path) -> Child {
    let mut command = Command::new("tcpreplay");
    command.args(["--quiet", "--intf1", &sending(wrapping)]).arg(capture);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("tcpreplay runs")
}

/// What is sent on one cable.
struct Sent {
    wrapping: &'static Wrapping,
    /// Packets of RTP.
    media: u64,
    /// Segments of TCP on ports of which nothing is expected.
    segments: u64,
    captures: [PathBuf; 2],
}

/// Sends everything, and listens with these keys for each point.
fn heard_with(keys: &'static str, check: fn(&Appliance, &Sent, u64)) {
    if Command::new("tcpreplay")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        eprintln!("skipped: there is no tcpreplay, which sends the captures");
        return;
    }
    in_namespace(move || {
        let folder = Folder::new();
        let mut sent = Vec::new();
        let mut config = String::from("[capture]\nblocks = 16\n");
        for wrapping in &WRAPPINGS {
            let ends = [sending(wrapping), wrapping.name.to_owned()];
            add_cable(&ends[0], &ends[1]);
            for end in &ends {
                // Jumbo frames, and what is around them.
                ip(&format!("link set {end} mtu 9100"));
            }
            let point = format!("[[point]]\nname = \"{0}\"\ninterface = \"{0}\"\n{keys}", wrapping.name);
            config.push_str(&point);
            let (media, capture) = media(wrapping, folder.path());
            assert!(media > 300, "{}: {media} packets", wrapping.name);
            let (others, segments) = background(BACKGROUND * media, wrapping);
            let others = folder.write(&format!("{}-others.pcap", wrapping.name), &others.pcap());
            sent.push(Sent { wrapping, media, segments, captures: [capture, others] });
        }
        let appliance = Appliance::start(&config);
        let senders: Vec<Child> = sent
            .iter()
            .flat_map(|sent| sent.captures.iter().map(|file| tcpreplay(sent.wrapping, file)))
            .collect();
        for sender in senders {
            let output = sender.wait_with_output().expect("tcpreplay ends");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        for sent in &sent {
            let frames = kernel_count(&sending(sent.wrapping), "tx_packets");
            assert_eq!(frames, sent.media * (1 + BACKGROUND), "{}: all was sent", sent.wrapping.name);
            let point = [("point", sent.wrapping.name)];
            appliance.wait_for_figure("hopmark_rtp_packets_total", &point, sent.media);
            check(&appliance, sent, frames);
            // What came later would have been too much.
            let metrics = appliance.metrics();
            let wanted = [
                ("hopmark_rtp_packets_total", sent.media),
                ("hopmark_streams_started_total", 4),
                ("hopmark_rtp_lost_packets_total", 0),
                ("hopmark_capture_dropped_total", 0),
            ];
            for (name, count) in wanted {
                let said = metrics.with_values();
                assert_eq!(metrics.count(name, &point), count, "{}: {name}\n{said}", sent.wrapping.name);
            }
        }
    });
}

#[test]
fn the_filter_keeps_all_media_and_takes_only_what_it_says() {
    heard_with("", |appliance, sent, frames| {
        let point = [("point", sent.wrapping.name)];
        if appliance.log().contains("the kernel's filter is classic") {
            eprintln!("skipped: what is filtered is not counted, as the kernel takes no eBPF program here");
            return;
        }
        let segments = [point[0], ("reason", "tcp")];
        appliance.wait_for_figure("hopmark_capture_filtered_total", &segments, sent.segments);
        appliance.wait_for_figure("hopmark_capture_packets_total", &point, frames - sent.segments);
        let metrics = appliance.metrics();
        assert_eq!(metrics.count("hopmark_capture_filtered_total", &point), sent.segments);
        // Of media only headers and the first octets of the payload are read.
        assert!(
            metrics.count("hopmark_capture_snapped_total", &point) >= sent.media,
            "{}",
            sent.wrapping.name
        );
    });
}

#[test]
fn without_the_filter_every_frame_is_seen_whole() {
    heard_with("filter = false\n", |appliance, sent, frames| {
        let point = [("point", sent.wrapping.name)];
        appliance.wait_for_figure("hopmark_capture_packets_total", &point, frames);
        let metrics = appliance.metrics();
        assert_eq!(metrics.count("hopmark_capture_filtered_total", &point), 0);
        assert_eq!(metrics.count("hopmark_capture_snapped_total", &point), 0);
    });
}
