//! Where nothing comes any more time goes on.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]

mod common;

use common::{Appliance, Calls, in_namespace, kernel_count};

const PACKETS: &str = "hopmark_rtp_packets_total";
const ACTIVE: &str = "hopmark_streams_active";

#[test]
fn a_mirror_that_falls_silent_is_dead_until_it_is_heard_again() {
    in_namespace(|| {
        let point = "[[point]]\nname = \"tap\"\ninterface = \"right\"\nsilent_after = \"2s\"\n";
        let appliance = Appliance::start(point);
        let dead = || appliance.findings("dead-mirror");
        let talk = Calls::on(&["left"]).start();
        appliance.wait_for("streams run", || appliance.metrics().count(ACTIVE, &[]) == 20);
        // At the start nothing was to be heard either, for longer than that on a slow machine.
        appliance.wait_for("it is heard", || dead().iter().all(|finding| finding["open"] == false));
        let known = dead().len();
        talk.hang_up();

        let opened = [("kind", "dead-mirror")];
        appliance.wait_for("it is dead", || dead().iter().any(|finding| finding["open"] == true));
        assert_eq!(dead()[0]["points"], serde_json::json!(["tap"]));
        assert_eq!(appliance.metrics().count("hopmark_findings_open", &opened), 1);
        assert!(appliance.metrics().all("hopmark_capture_up", 1.0), "the interface is up all the same");
        appliance.wait_for_figure(ACTIVE, &[], 0);
        let peaks = appliance.metrics().values("hopmark_streams_by_verdict", &[]);
        assert!(peaks.iter().all(|streams| *streams == 0.0), "{peaks:?}");
        let sent = kernel_count("left", "tx_packets");
        assert_eq!(appliance.metrics().count(PACKETS, &[]), sent, "counters stay");

        let talk = Calls { site: 1, ..Calls::on(&["left"]) }.start();
        appliance.wait_for_figure("hopmark_findings_open", &opened, 0);
        assert!(dead().iter().all(|finding| finding["open"] == false));
        assert_eq!(dead().len(), known.max(1), "one finding of one mirror");
        appliance.wait_for_figure(ACTIVE, &[], 20);
        talk.hang_up();
        appliance.wait_for_figure(PACKETS, &[], kernel_count("left", "tx_packets"));
    });
}

#[test]
fn streams_end_though_nothing_comes_after_them() {
    in_namespace(|| {
        let config = "
[limits]
stream_timeout = \"3s\"
[run]
keep_ended = \"1s\"
[[point]]
name = \"tap\"
interface = \"right\"
silent_after = \"never\"
";
        let appliance = Appliance::start(config);
        let talk = Calls::on(&["left"]).start();
        let streams = || appliance.api("/api/v1/streams")["total"].as_u64();
        appliance.wait_for("streams run", || streams() == Some(20));
        talk.hang_up();
        appliance.wait_for("no stream is left", || streams() == Some(0));
        appliance.wait_for_figure(ACTIVE, &[], 0);
        let sent = kernel_count("left", "tx_packets");
        assert_eq!(appliance.metrics().count(PACKETS, &[]), sent, "all packets of all streams");
        assert_eq!(appliance.findings("dead-mirror").len(), 0);
        let intervals = || appliance.metrics().count("hopmark_intervals_total", &[]);
        let now = intervals();
        appliance.wait_for("time goes on", || intervals() >= now + 3);
    });
}
