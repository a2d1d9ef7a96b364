//! A stream that no longer arrives is lost from then on, not unheard.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::{Capture, Folder, Stream, Udp, ms, only_stream};

const PACKETS: u32 = 1000;
const INTERVAL_MS: u32 = 20;

fn stream() -> Stream {
    Stream::g711(Udp::new("10.20.0.31:50004", "52.112.0.1:3479"))
}

/// What is lost of a stream that passes the second point up to a packet; that point listens on for so many packets
/// more, and the first one for all of them.
fn lost(passes: u32, listens_on: u32) -> u64 {
    let access = Capture::of(stream().ttl(64).frames(0..PACKETS));
    let mut core = Capture::of(stream().ttl(62).at(ms(2)).frames(0..passes));
    let other = Udp::new("10.20.0.99:53", "10.20.0.98:53");
    core.add(i64::from((passes + listens_on) * INTERVAL_MS) * 1_000_000, other.frame(b"nothing"));
    let folder = Folder::new();
    folder.write("access.pcap", &access.pcap());
    folder.write("core.pcap", &core.pcap());
    let run = folder.replay(["--format", "json", "access=access.pcap", "core=core.pcap"]);
    assert!(run.status() < 2, "{run:?}");
    let report = run.json();
    only_stream(&report)["segments"][0]["lost_certain"].as_u64().unwrap()
}

#[test]
fn what_was_sent_while_the_next_point_listened_on_is_lost() {
    // The point listens for 300 packets more; those of its last second may still be on their way.
    let lost = lost(400, 300);
    assert!((240..=300).contains(&lost), "{lost}");
}

#[test]
fn what_was_sent_after_a_point_stopped_listening_is_not() {
    assert_eq!(lost(400, 1), 0);
}
