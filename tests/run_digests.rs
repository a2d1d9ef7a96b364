//! Digests and frames of the same traffic come to the same figures.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]
#![allow(clippy::disallowed_methods, reason = "programs and senders are waited for by this machine's clock")]

mod common;

use common::{Appliance, Calls, add_cable, in_namespace};

const CONFIG: &str = "
[[point]]
name = \"frames\"
interface = \"right\"
[[point]]
name = \"digests\"
interface = \"right2\"
backend = \"xdp\"
mend_offloads = true
";

#[test]
fn digests_and_frames_come_to_the_same() {
    in_namespace(|| {
        add_cable("left2", "right2");
        let appliance = Appliance::start(CONFIG);
        let talk = Calls::on(&["left", "left2"]).start();
        std::thread::sleep(std::time::Duration::from_secs(3));
        let packets = talk.hang_up();
        std::thread::sleep(std::time::Duration::from_secs(2));
        eprintln!("{packets}\n{}\n{}", appliance.log(), appliance.metrics().with_values());
    });
}
