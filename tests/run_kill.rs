//! Of what is killed nothing remains, and what is not killed goes on.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]
#![allow(clippy::indexing_slicing, reason = "an answer without its keys has failed")]

mod common;

use std::fs;

use common::{Appliance, Calls, in_namespace, ip, kernel_count};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const CONFIG: &str = "[[point]]\nname = \"tap\"\ninterface = \"right\"\n";
const TAP: [(&str, &str); 1] = [("point", "tap")];
const PACKETS: &str = "hopmark_capture_packets_total";
const OPENER: &str = "hopmark_opener_up";

/// How many listen to everything on the interface.
fn promiscuity() -> u64 {
    let said: Value = serde_json::from_str(&ip("-json -details link show dev right")).expect("JSON");
    said[0]["promiscuity"].as_u64().expect("a number")
}

/// Packet sockets in the network of this thread.
fn packet_sockets() -> usize {
    fs::read_to_string("/proc/thread-self/net/packet").expect("a list").lines().skip(1).count()
}

/// Whether a process runs; one that has ended, and of which nobody took notice yet, does not.
fn runs(process: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    !stat.rsplit_once(") ").expect("a state").1.starts_with(['Z', 'X'])
}

fn kill_hard(process: u32) {
    kill(Pid::from_raw(i32::try_from(process).expect("a number")), Signal::SIGKILL).expect("it runs");
}

#[test]
fn nothing_remains_of_a_program_that_was_killed_and_the_next_one_starts_at_once() {
    in_namespace(|| {
        let (sockets, promiscuous) = (packet_sockets(), promiscuity());
        let mut killed = Appliance::start(CONFIG);
        let opener = killed.opener();
        assert_eq!((promiscuity(), packet_sockets()), (promiscuous + 1, sockets + 1));
        let talk = Calls::on(&["left"]).start();
        killed.wait_for("packets are counted", || killed.metrics().count(PACKETS, &TAP) > 0);
        kill_hard(killed.pid());
        assert!(!killed.end().success());

        // At once: the same port, the same interface.
        let next = Appliance::start(CONFIG);
        next.wait_for("the opener of the one before has ended", || !runs(opener));
        assert_eq!(
            (promiscuity(), packet_sockets()),
            (promiscuous + 1, sockets + 2),
            "its own, and the sender's"
        );
        next.wait_for("packets are counted again", || next.metrics().count(PACKETS, &TAP) > 0);
        talk.hang_up();
    });
}

#[test]
fn capture_goes_on_without_its_opener_until_it_is_needed() {
    in_namespace(|| {
        let appliance = Appliance::start(CONFIG);
        let opener = appliance.opener();
        let talk = Calls::on(&["left"]).start();
        appliance.wait_for("packets are counted", || appliance.metrics().count(PACKETS, &TAP) > 0);
        assert!(appliance.metrics().all(OPENER, 1.0));
        kill_hard(opener);
        appliance.wait_for("the log says so", || appliance.log().contains("the opener has ended"));
        appliance.wait_for("so do the metrics", || appliance.metrics().all(OPENER, 0.0));
        let then = appliance.metrics();
        appliance.wait_for("packets are counted on", || {
            appliance.metrics().count(PACKETS, &TAP) > then.count(PACKETS, &TAP) + 1000
        });
        assert_eq!(appliance.metrics().fallen_since(&then), Vec::<String>::new());
        assert!(appliance.metrics().all("hopmark_capture_up", 1.0));
        for path in ["/-/healthy", "/-/ready"] {
            assert_eq!(appliance.get(path).status, 200, "{path}: what is open stays open");
        }
        talk.hang_up();
        let sent = kernel_count("left", "tx_packets");
        appliance.wait_for_figure(PACKETS, &TAP, sent);

        // An interface that went away cannot be opened again: only a new start helps.
        ip("link del right");
        appliance.wait_for("it is not healthy any more", || appliance.get("/-/healthy").status == 503);
        assert_eq!(appliance.metrics().count(PACKETS, &TAP), sent, "what was counted stays counted");
        assert_eq!(appliance.log().matches("the opener has ended").count(), 2, "{}", appliance.log());
        assert!(!runs(opener));
    });
}
