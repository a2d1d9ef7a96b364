//! What a ring had no room for is counted, and no loss of the network.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]
#![allow(clippy::disallowed_methods, reason = "programs and senders are waited for by this machine's clock")]

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::cable::Sender;
use common::{Appliance, Calls, Udp, add_cable, in_namespace, kernel_count};

/// The smallest rings that there are, which a flood fills between two looks.
const CONFIG: &str = "
[capture]
blocks = 2
block_octets = 65536
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

const PACKETS: &str = "hopmark_capture_packets_total";
const DROPPED: &str = "hopmark_capture_dropped_total";
const FILTERED: &str = "hopmark_capture_filtered_total";

/// Sends datagrams that are no media, as fast as it can be done.
fn flood(interface: &str, time: Duration) {
    let sender = Sender::on(interface);
    let frame = Udp::new("10.9.0.1:5000", "10.9.0.2:6000").frame(&[0; 400]);
    let until = Instant::now() + time;
    while Instant::now() < until {
        for _ in 0..100 {
            // What the kernel has no room for it does not count as sent.
            let _ = sender.try_send(&frame);
        }
    }
}

#[test]
fn what_a_flood_drives_out_is_counted_and_suspect() {
    in_namespace(|| {
        add_cable("left2", "right2");
        let appliance = Appliance::start(CONFIG);
        let talk = Calls::on(&["left", "left2"]).start();
        let segment = "hopmark_segment_packets_total";
        appliance.wait_for("streams are joined", || appliance.metrics().count(segment, &[]) > 2000);
        for _ in 0..3 {
            flood("left2", Duration::from_millis(400));
            thread::sleep(Duration::from_millis(600));
        }
        let packets = talk.hang_up();
        for (point, sender) in [("near", "left"), ("far", "left2")] {
            let point = [("point", point)];
            appliance.wait_for("seen, dropped and filtered are what was sent", || {
                let metrics = appliance.metrics();
                let told: u64 =
                    [PACKETS, DROPPED, FILTERED].iter().map(|name| metrics.count(name, &point)).sum();
                let sent = kernel_count(sender, "tx_packets");
                assert!(told <= sent, "{told} of {sent}: {}", metrics.with_values());
                told == sent
            });
        }
        let intervals = || appliance.metrics().count("hopmark_intervals_total", &[]);
        let now = intervals();
        appliance.wait_for("all is judged", || intervals() > now + 2);

        let metrics = appliance.metrics();
        let (near, far) = ([("point", "near")], [("point", "far")]);
        assert!(metrics.count(DROPPED, &far) > 1000, "no flood: {}", metrics.with_values());
        let heard = |point| metrics.count("hopmark_rtp_packets_total", point);
        assert!(heard(&far) < packets, "media was driven out too: {}", metrics.with_values());
        let lost = metrics.count("hopmark_segment_lost_packets_total", &[]);
        let suspect = metrics.count("hopmark_segment_suspect_packets_total", &[]);
        assert_eq!(lost, 0, "{}", metrics.with_values());
        // The near ring may have missed a few as well, and these are in no comparison.
        assert!(suspect > 0 && suspect <= packets - heard(&far), "{suspect}: {}", metrics.with_values());
        assert!(heard(&near) <= packets, "{}", metrics.with_values());
        let drops = [("point", "far"), ("reason", "drop-count")];
        assert!(metrics.count("hopmark_suspect_intervals_total", &drops) > 0, "{}", metrics.with_values());
        for kind in ["segment-loss", "loss", "burst-loss"] {
            for finding in appliance.findings(kind) {
                assert_eq!(finding["severity"], "info", "{finding:#}");
            }
        }
    });
}
