//! However many streams end, what is kept of them is little and bounded.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use std::process::Command;

use common::Folder;
use common::run::{Run, hopmark, streams};

/// Streams that start one after the other over ten minutes, at each of these points.
fn folder_of(points: &[&str], count: u32) -> Folder {
    use std::fmt::Write as _;
    let mut scenario = String::new();
    for (place, point) in points.iter().enumerate() {
        let _ = write!(
            scenario,
            "[[point]]\nname = \"{point}\"\nsnap = 64\nttl_drop = {place}\ndelay = 0.00{place}\n"
        );
    }
    let _ = write!(
        scenario,
        "[[stream]]\nsource = \"10.0.0.1:50000\"\ndestination = \"52.112.0.1:3479\"\ncodec = \"pcmu\"\n\
         count = {count}\npackets = 20\nspread = 600.0\n"
    );
    let folder = Folder::new();
    let path = folder.write("scenario.toml", scenario.as_bytes());
    let made = Run::of(hopmark().arg("synth").arg(path));
    assert_eq!(made.status(), 0, "{made:?}");
    folder
}

#[test]
fn ten_thousand_streams_at_three_points_fit_a_small_memory() {
    let points = ["access", "core", "edge"];
    let folder = folder_of(&points, 10_000);
    // 32 MiB for everything: code, stacks and buffers take two thirds of it.
    let script = format!(
        "ulimit -d 32768; exec {} replay --format text --threads 1 {}",
        env!("CARGO_BIN_EXE_hopmark"),
        points.map(|point| format!("{point}={point}.pcap")).join(" ")
    );
    let run = Run::of(Command::new("sh").args(["-c", &script]).current_dir(folder.path()));
    assert_eq!(run.status(), 0, "{run:?}");
    assert!(run.stdout().contains("10,000 RTP streams in 10,000 calls"), "{}", run.stdout());
    assert!(run.stdout().contains("10,000 of 10,000 streams (100.0 %) as expected at every hop"));
}

#[test]
fn streams_without_room_for_their_record_are_counted() {
    let folder = folder_of(&["access"], 3_000);
    folder.write("small.toml", b"[limits]\nmax_record_octets = 65536\n");
    let run = folder.replay(["--format", "json", "--config", "small.toml", "access.pcap"]);
    let report = run.json();
    let kept = streams(&report).len() as u64;
    let refused = report["counters"]["records_refused"].as_u64().unwrap();
    assert_eq!(kept + refused, 3_000);
    assert!((300..3_000).contains(&kept), "{kept} kept");
    let text = folder.replay(["--format", "text", "--config", "small.toml", "access.pcap"]);
    assert!(text.stdout().contains("max_record_octets was reached"), "{}", text.stdout());
}
