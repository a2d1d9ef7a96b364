//! Rings that share an interface count each packet once.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]

mod common;

use common::{Appliance, Calls, in_namespace, kernel_count};

const CONFIG: &str = "[[point]]\nname = \"tap\"\ninterface = \"right\"\nrings = 3\n";
const TAP: [(&str, &str); 1] = [("point", "tap")];

#[test]
fn rings_of_one_interface_together_count_each_packet_once() {
    in_namespace(|| {
        let before = kernel_count("right", "tx_packets");
        let appliance = Appliance::start(CONFIG);
        assert!(!appliance.log().contains("was not tried"), "{}", appliance.log());
        assert_eq!(kernel_count("right", "tx_packets"), before, "nothing is sent on a mirror port");
        let talk = Calls::on(&["left"]).start();
        appliance.wait_for("streams are counted", || {
            appliance.metrics().count("hopmark_streams_started_total", &TAP) >= 20
        });
        talk.hang_up();
        let sent = kernel_count("left", "tx_packets");
        appliance.wait_for_figure("hopmark_capture_packets_total", &TAP, sent);
        assert_eq!(appliance.metrics().count("hopmark_streams_started_total", &TAP), 20);
    });
}
