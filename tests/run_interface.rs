//! An interface that goes away and comes back makes no wrong figure.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]
#![allow(clippy::indexing_slicing, reason = "an answer without its keys has failed")]

mod common;

use std::thread;
use std::time::Duration;

use common::{Appliance, Calls, add_cable, in_namespace, ip, kernel_count};
use serde_json::Value;

const UP: &str = "hopmark_capture_up";
const PACKETS: &str = "hopmark_capture_packets_total";

const ONE: &str = "[[point]]\nname = \"tap\"\ninterface = \"right\"\n";
const TAP: [(&str, &str); 1] = [("point", "tap")];

/// Two mirrors on a path; the near one hears the cable `right`, the far one `right2`.
const TWO: &str = "
[[point]]
name = \"near\"
interface = \"right\"
[[point]]
name = \"far\"
interface = \"right2\"
[[path]]
name = \"wan\"
points = [\"near\", \"far\"]
";

/// Findings that would be wrong: no packet was lost anywhere.
const BLAMES: [&str; 6] =
    ["segment-loss", "loss", "burst-loss", "path-changed", "one-way-mirror", "mirror-duplicates"];

/// Packets that reached the other end: the kernel does not count those that it refuses while it goes down.
fn arrived(sender: &str) -> u64 {
    kernel_count(sender, "tx_packets")
}

/// Times in which a point is known to have missed frames: evidence, and seconds.
fn suspect(appliance: &Appliance, point: &str) -> Vec<(String, f64)> {
    let answer = appliance.api("/api/v1/points");
    let points = answer["points"].as_array().expect("a list");
    let point = points.iter().find(|one| one["name"] == point).expect("the point");
    let second = |moment: &Value| {
        let text = moment.as_str().expect("a moment");
        let clock = text.split_once('T').expect("a time").1.trim_end_matches('Z');
        clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a number"))
    };
    let suspect = point["suspect"].as_array().expect("a list");
    let span = |one: &Value| {
        let length = (second(&one["to"]) - second(&one["from"])).rem_euclid(86_400.0);
        (one["evidence"].as_str().expect("a word").to_owned(), length)
    };
    suspect.iter().map(span).collect()
}

#[test]
fn an_interface_that_goes_down_and_up_loses_no_packet_that_came() {
    in_namespace(|| {
        let appliance = Appliance::start(ONE);
        let talk = Calls::on(&["left"]).start();
        appliance.wait_for("packets are counted", || appliance.metrics().count(PACKETS, &TAP) > 500);
        ip("link set right down");
        appliance.wait_for_figure(UP, &TAP, 0);
        let before = arrived("left");
        appliance.wait_for_figure(PACKETS, &TAP, before);
        thread::sleep(Duration::from_millis(500));
        ip("link set right up");
        appliance.wait_for_figure(UP, &TAP, 1);
        appliance.wait_for("packets come again", || appliance.metrics().count(PACKETS, &TAP) > before + 500);
        talk.hang_up();
        appliance.wait_for_figure(PACKETS, &TAP, arrived("left"));

        let suspect = suspect(&appliance, "tap");
        assert!(
            matches!(&suspect[..], [(evidence, length)] if evidence == "source-down" && *length > 0.5),
            "{suspect:?}"
        );
        nothing_is_blamed(&appliance);
        assert_eq!(appliance.metrics().count("hopmark_capture_dropped_total", &[]), 0);
    });
}

#[test]
fn an_interface_that_was_made_again_is_heard_again() {
    in_namespace(|| {
        let appliance = Appliance::start(ONE);
        let talk = Calls::on(&["left"]).start();
        appliance.wait_for("packets are counted", || appliance.metrics().count(PACKETS, &TAP) > 500);
        // What is on its way when an interface is deleted cannot be counted by anybody.
        let before = talk.hang_up();
        appliance.wait_for_figure(PACKETS, &TAP, before);
        let then = appliance.metrics();
        ip("link del right");
        appliance.wait_for_figure(UP, &TAP, 0);
        add_cable("left", "right");
        appliance.wait_for_figure(UP, &TAP, 1);
        let talk = Calls { site: 1, ..Calls::on(&["left"]) }.start();
        appliance.wait_for("packets come again", || {
            assert_eq!(appliance.metrics().fallen_since(&then), Vec::<String>::new());
            appliance.metrics().count(PACKETS, &TAP) > before + 500
        });
        let after = talk.hang_up();
        assert_eq!(after, kernel_count("left", "tx_packets"));
        appliance.wait_for_figure(PACKETS, &TAP, before + after);
        appliance.wait_for_figure("hopmark_rtp_packets_total", &TAP, before + after);
        assert_eq!(suspect(&appliance, "tap").len(), 1);
    });
}

/// No finding says that the network lost anything.
fn nothing_is_blamed(appliance: &Appliance) {
    for finding in BLAMES.iter().flat_map(|kind| appliance.findings(kind)) {
        // That packets are missing at suspect times is told, and blames nobody.
        let is_doubt = finding["severity"] == "info"
            && finding["message"].as_str().is_some_and(|text| text.contains("in suspect times"));
        assert!(is_doubt, "{finding:#}");
    }
}

/// Takes the interface of one of two points away in the middle of calls.
fn taken_away(point: &'static str, interface: &'static str) {
    in_namespace(move || {
        add_cable("left2", "right2");
        let appliance = Appliance::start(TWO);
        let talk = Calls::on(&["left", "left2"]).start();
        let segment = "hopmark_segment_packets_total";
        appliance.wait_for("streams are joined", || appliance.metrics().count(segment, &[]) > 2000);
        ip(&format!("link set {interface} down"));
        appliance.wait_for_figure(UP, &[("point", point)], 0);
        thread::sleep(Duration::from_secs(3));
        ip(&format!("link set {interface} up"));
        appliance.wait_for_figure(UP, &[("point", point)], 1);
        thread::sleep(Duration::from_secs(2));
        talk.hang_up();
        for (point, sender) in [("near", "left"), ("far", "left2")] {
            appliance.wait_for_figure(PACKETS, &[("point", point)], arrived(sender));
        }
        // Losses are counted an interval later.
        let intervals = || appliance.metrics().count("hopmark_intervals_total", &[]);
        let now = intervals();
        appliance.wait_for("all is judged", || intervals() > now + 2);

        let metrics = appliance.metrics();
        assert_eq!(metrics.count("hopmark_segment_lost_packets_total", &[]), 0, "{}", metrics.with_values());
        nothing_is_blamed(&appliance);
        let suspect = suspect(&appliance, point);
        assert!(
            matches!(&suspect[..], [(evidence, length)] if evidence == "source-down" && *length > 2.5),
            "{suspect:?}"
        );
        let reasons = [("point", point), ("reason", "source-down")];
        assert!(metrics.count("hopmark_suspect_intervals_total", &reasons) >= 1, "{}", metrics.with_values());
    });
}

#[test]
fn what_the_far_mirror_does_not_hear_is_not_lost() {
    taken_away("far", "right2");
}

#[test]
fn what_the_near_mirror_does_not_hear_is_no_matter_of_the_network() {
    taken_away("near", "right");
}

#[test]
fn what_was_sent_before_a_mirror_was_plugged_in_is_not_lost() {
    in_namespace(|| {
        add_cable("left2", "unplugged");
        let appliance = Appliance::start_with(TWO, |command| command);
        appliance.wait_for_figure(UP, &[("point", "near")], 1);
        let talk = Calls::on(&["left", "left2"]).start();
        appliance.wait_for("packets are counted", || {
            appliance.metrics().count(PACKETS, &[("point", "near")]) > 2000
        });
        ip("link set unplugged name right2");
        appliance.wait_for_figure(UP, &[("point", "far")], 1);
        let segment = "hopmark_segment_packets_total";
        appliance.wait_for("streams are joined", || appliance.metrics().count(segment, &[]) > 2000);
        talk.hang_up();
        let metrics = appliance.metrics();
        assert_eq!(metrics.count("hopmark_segment_lost_packets_total", &[]), 0, "{}", metrics.with_values());
        nothing_is_blamed(&appliance);
    });
}
