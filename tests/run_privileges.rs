//! Whoever captures has no right, also after an interface came back.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{Appliance, Calls, add_cable, in_namespace, ip, kernel_count};

const CONFIG: &str = "[[point]]\nname = \"tap\"\ninterface = \"right\"\n";

/// `CAP_NET_ADMIN`, `CAP_NET_RAW` and `CAP_BPF`, as numbered in `capability.h`.
const OPENING: u64 = 1 << 12 | 1 << 13 | 1 << 39;

/// What the kernel says of each thread of a process.
fn threads(process: u32) -> Vec<BTreeMap<String, String>> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("a process that runs");
    let status = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("status")).expect("a thread that runs");
        let field =
            |line: &str| line.split_once(":\t").map(|(name, value)| (name.to_owned(), value.to_owned()));
        text.lines().filter_map(field).collect()
    };
    tasks.map(|task| status(task.expect("a thread"))).collect()
}

fn capabilities(thread: &BTreeMap<String, String>, set: &str) -> u64 {
    u64::from_str_radix(&thread[set], 16).expect("a set of capabilities")
}

fn capturing_is_without_rights(appliance: &Appliance, when: &str) {
    let threads = threads(appliance.pid());
    let names: Vec<&str> = threads.iter().map(|thread| thread["Name"].as_str()).collect();
    for expected in ["observer", "judge", "keeper", "export"] {
        assert!(names.contains(&expected), "{when}: {names:?}");
    }
    for thread in &threads {
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(capabilities(thread, set), 0, "{when}: {set} of {}", thread["Name"]);
        }
        for ids in ["Uid", "Gid"] {
            assert!(thread[ids].split_whitespace().all(|id| id != "0"), "{when}: {thread:?}");
        }
        assert_eq!(thread["Groups"].trim(), "", "{when}: {thread:?}");
        assert_eq!(
            (thread["NoNewPrivs"].as_str(), thread["Seccomp"].as_str()),
            ("1", "2"),
            "{when}: {thread:?}"
        );
    }
}

fn opener_keeps_three(appliance: &Appliance, when: &str) {
    for thread in threads(appliance.opener()) {
        assert_eq!(thread["Name"], "hopmark-opener", "{when}");
        for (set, expected) in
            [("CapPrm", OPENING), ("CapEff", OPENING), ("CapInh", 0), ("CapAmb", 0), ("CapBnd", 0)]
        {
            assert_eq!(capabilities(&thread, set), expected, "{when}: {set} of the opener");
        }
        assert!(thread["Uid"].split_whitespace().all(|id| id != "0"), "{when}: {thread:?}");
        assert_eq!(
            (thread["NoNewPrivs"].as_str(), thread["Seccomp"].as_str()),
            ("1", "2"),
            "{when}: {thread:?}"
        );
    }
}

#[test]
fn an_interface_that_comes_back_brings_no_right_with_it() {
    in_namespace(|| {
        let appliance = Appliance::start(CONFIG);
        capturing_is_without_rights(&appliance, "after the start");
        opener_keeps_three(&appliance, "after the start");

        ip("link del right");
        appliance.wait_for_figure("hopmark_capture_up", &[("point", "tap")], 0);
        add_cable("left", "right");
        appliance.wait_for_figure("hopmark_capture_up", &[("point", "tap")], 1);
        let talk = Calls::on(&["left"]).start();
        appliance.wait_for("packets come again", || talk.packets() > 100);
        talk.hang_up();
        let sent = kernel_count("left", "tx_packets");
        appliance.wait_for_figure("hopmark_capture_packets_total", &[("point", "tap")], sent);
        capturing_is_without_rights(&appliance, "after the interface came back");
        opener_keeps_three(&appliance, "after the interface came back");
    });
}
