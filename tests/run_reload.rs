//! No reload costs a packet or a counter, right or wrong.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]
#![allow(clippy::indexing_slicing, reason = "an answer without its keys has failed")]

mod common;

use std::cell::RefCell;

use common::appliance::Metrics;
use common::{Appliance, Calls, add_cable, in_namespace, kernel_count};
use nix::sys::signal::Signal;

const NEAR: &str = "[[point]]\nname = \"near\"\ninterface = \"right\"\n";
const FAR: &str = "[[point]]\nname = \"far\"\ninterface = \"right2\"\n";
const PATH: &str = "[[path]]\nname = \"wan\"\npoints = [\"near\", \"far\"]\n";
const VIDEO_MARKS: &str = "[class.audio]\ndscp = \"AF41\"\nalso = []\n";
const BROKEN: &str = "[class.audio]\ndscp = \"EFF\"\n";

const UP: &str = "hopmark_capture_up";
const PACKETS: &str = "hopmark_capture_packets_total";
const SUCCESS: &str = "hopmark_config_last_reload_successful";

/// A program whose counters are watched at every look.
struct Watched {
    appliance: Appliance,
    last: RefCell<Option<Metrics>>,
}

impl Watched {
    fn metrics(&self) -> Metrics {
        let now = self.appliance.metrics();
        if let Some(last) = self.last.borrow().as_ref() {
            assert_eq!(now.fallen_since(last), Vec::<String>::new(), "{}", self.appliance.log());
        }
        *self.last.borrow_mut() = Some(now.clone());
        now
    }

    fn wait_for(&self, what: &str, is_so: impl Fn(&Metrics) -> bool) {
        self.appliance.wait_for(what, || is_so(&self.metrics()));
    }

    /// Reads another configuration, which is right.
    fn take_over(&self, config: &str) {
        self.appliance.configure(config);
        let answer = self.appliance.ask("POST", "/-/reload");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(self.metrics().count(SUCCESS, &[]), 1);
    }

    fn intervals(&self) -> u64 {
        self.metrics().count("hopmark_intervals_total", &[])
    }
}

#[test]
fn no_reload_costs_a_packet_or_a_counter() {
    in_namespace(|| {
        add_cable("left2", "right2");
        let watched = Watched { appliance: Appliance::start(NEAR), last: RefCell::new(None) };
        let appliance = &watched.appliance;
        let talk = Calls::on(&["left", "left2"]).start();
        watched.wait_for("streams run", |m| m.count("hopmark_streams_active", &[]) == 20);

        // Broken, by either way.
        appliance.configure(BROKEN);
        appliance.signal(Signal::SIGHUP);
        watched.wait_for("it is told by the metrics", |m| m.count(SUCCESS, &[]) == 0);
        let answer = appliance.ask("POST", "/-/reload");
        assert_eq!(answer.status, 500, "{answer:?}");
        assert!(answer.text().contains("EFF"), "{}", answer.text());
        assert_eq!(appliance.log().matches("nothing changes").count(), 2, "{}", appliance.log());
        let then = watched.metrics();
        watched.wait_for("packets are counted on", |m| {
            m.count(PACKETS, &[]) > then.count(PACKETS, &[]) + 500 && m.count(SUCCESS, &[]) == 0
        });
        appliance.configure(NEAR);
        appliance.signal(Signal::SIGHUP);
        watched.wait_for("it is mended", |m| m.count(SUCCESS, &[]) == 1);

        // Another point.
        watched.take_over(&format!("{NEAR}{FAR}{PATH}"));
        watched.wait_for("the other point is up", |m| m.values(UP, &[("point", "far")]) == [1.0]);
        watched.wait_for("streams are joined", |m| m.count("hopmark_segment_packets_total", &[]) > 2000);
        let metrics = watched.metrics();
        assert_eq!(metrics.count("hopmark_segment_lost_packets_total", &[]), 0, "{}", metrics.with_values());

        // Another codepoint for the class: what was right is wrong, from the next interval on.
        let wrong = |m: &Metrics| {
            m.count("hopmark_streams_by_verdict", &[("class", "audio")])
                - m.count("hopmark_streams_by_verdict", &[("class", "audio"), ("verdict", "conformant")])
        };
        assert_eq!(wrong(&watched.metrics()), 0, "{}", watched.metrics().with_values());
        watched.take_over(&format!("{VIDEO_MARKS}{NEAR}{FAR}{PATH}"));
        let then = watched.intervals();
        watched.wait_for("verdicts follow", |m| wrong(m) == 20);
        assert!(watched.intervals() <= then + 2, "{} intervals", watched.intervals() - then);
        watched.take_over(&format!("{NEAR}{FAR}{PATH}"));
        let then = watched.intervals();
        watched.wait_for("verdicts follow again", |m| wrong(m) == 0);
        assert!(watched.intervals() <= then + 2, "{} intervals", watched.intervals() - then);

        // One point less.
        watched.take_over(NEAR);
        watched
            .wait_for("it says no more of the other point", |m| m.values(UP, &[("point", "far")]).is_empty());
        let far = watched.metrics().count(PACKETS, &[("point", "far")]);
        watched.take_over(&format!("{NEAR}{FAR}{PATH}"));
        watched.wait_for("the other point counts on", |m| m.count(PACKETS, &[("point", "far")]) > far + 500);

        talk.hang_up();
        let sent = kernel_count("left", "tx_packets");
        watched.wait_for("every packet is counted", |m| m.count(PACKETS, &[("point", "near")]) == sent);
        watched
            .wait_for("and as media", |m| m.count("hopmark_rtp_packets_total", &[("point", "near")]) == sent);
        let metrics = watched.metrics();
        assert_eq!(metrics.count("hopmark_rtp_lost_packets_total", &[]), 0, "{}", metrics.with_values());
        assert_eq!(metrics.count("hopmark_segment_lost_packets_total", &[]), 0, "{}", metrics.with_values());
        assert_eq!(metrics.count("hopmark_capture_dropped_total", &[]), 0, "{}", metrics.with_values());
    });
}
