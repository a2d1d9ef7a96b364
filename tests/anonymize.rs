//! An anonymized report holds no address, in any format.
//!
//! The same key gives the same report.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a report that lacks a key has failed")]

mod common;

use common::run::{Folder, Run};
use common::{Capture, rich};

/// What may not be seen: addresses of the capture, and enough of them to tell a network.
const SECRETS: [&str; 8] =
    ["10.20.0.", "52.112.", "fd00:20", "2603:1063", "172.16.0.", "10.99.", "secret-folder", "10.20"];

fn run(folder: &Folder, key: &str, format: &str, file: &str) -> Run {
    folder.replay(["--anonymize", key, "--format", format, file])
}

fn prepared() -> Folder {
    let folder = Folder::new();
    folder.write("one.key", &[0x5A; 32]);
    folder.write("two.key", &[0xA5; 32]);
    std::fs::create_dir(folder.path().join("secret-folder")).unwrap();
    folder.write("secret-folder/10.20.0.31.pcap", &rich::capture().pcap());
    folder
}

#[test]
fn no_address_of_the_capture_is_left() {
    let folder = prepared();
    for format in ["text", "json"] {
        let run = run(&folder, "one.key", format, "secret-folder/10.20.0.31.pcap");
        assert_eq!(run.status(), 1, "{run:?}");
        for secret in SECRETS {
            let line = run.stdout().lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} in the {format} report");
        }
        assert_eq!(run.stderr(), "");
    }
}

#[test]
fn one_key_gives_one_report_and_another_key_another() {
    let folder = prepared();
    for format in ["text", "json"] {
        let report = |key| run(&folder, key, format, "secret-folder/10.20.0.31.pcap").stdout().to_owned();
        assert_eq!(report("one.key"), report("one.key"));
        assert_ne!(report("one.key"), report("two.key"));
    }
}

#[test]
fn everything_but_addresses_stays() {
    let folder = prepared();
    let plain = folder.replay(["--format", "json", "secret-folder/10.20.0.31.pcap"]).json();
    let hidden = run(&folder, "one.key", "json", "secret-folder/10.20.0.31.pcap").json();
    let streams = |report: &serde_json::Value| report["streams"].as_array().unwrap().clone();
    assert_eq!(plain["summary"], hidden["summary"]);
    for (a, b) in streams(&plain).iter().zip(streams(&hidden)) {
        for key in ["ssrc", "class", "direction", "reverse_of", "call", "codec", "quality", "expected_dscp"] {
            assert_eq!(a[key], b[key], "{key}");
        }
        assert_ne!(a["source"], b["source"]);
        for (a, b) in a["hops"].as_array().unwrap().iter().zip(b["hops"].as_array().unwrap()) {
            assert_eq!((&a["unique"], &a["dscp"], &a["ttl"]), (&b["unique"], &b["dscp"], &b["ttl"]));
        }
    }
}

#[test]
fn addresses_of_one_network_stay_in_one_network() {
    let folder = prepared();
    let report = run(&folder, "one.key", "json", "secret-folder/10.20.0.31.pcap").json();
    let of = |ssrc: &str| {
        let streams = report["streams"].as_array().unwrap();
        let stream = streams.iter().find(|stream| stream["ssrc"] == ssrc).unwrap();
        stream["destination"].as_str().unwrap().rsplit_once('.').unwrap().0.to_owned()
    };
    // 52.112.100.7 and 52.112.100.8.
    assert_eq!(of("0x1c0415b1"), of("0x22220001"));
}

#[test]
fn a_damaged_file_is_named_without_its_folders() {
    let folder = prepared();
    let octets = Capture::pcap(&rich::capture());
    folder.write("secret-folder/cut.pcap", &octets[..5000]);
    for format in ["text", "json"] {
        let run = run(&folder, "one.key", format, "secret-folder/cut.pcap");
        assert!(run.stdout().contains("cut.pcap"), "{}", run.stdout());
        assert!(!run.stdout().contains("secret-folder"), "{}", run.stdout());
    }
}
