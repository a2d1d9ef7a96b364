//! A page of 1,000 among 100,000 streams takes less than 20 ms.
//!
//! Of a build for use, so `./dev bench` runs it, and not `./dev test`; by name:
//!
//!     cargo test --release --test page_speed -- --ignored --nocapture

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]
#![allow(clippy::disallowed_methods, reason = "how long an answer takes is what is tested")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Folder;
use common::run::{Run, hopmark};
use common::served::{Served, name_of, options, picture};
use hopmark::pipeline::{PointFiles, PointsBy, Progress, Replay, replay};
use hopmark::status::Status;

const SCENARIO: &str = r#"
[[point]]
name = "access"
snap = 64
[[point]]
name = "edge"
snap = 64
ttl_drop = 1
delay = 0.004
[[stream]]
source = "10.0.0.1:50000"
destination = "52.112.0.1:3479"
codec = "pcmu"
count = 100000
packets = 30
spread = 300.0
"#;

#[test]
#[ignore = "needs a release build, and a minute: ./dev bench"]
fn a_page_of_a_thousand_among_a_hundred_thousand_is_quick() {
    let folder = Folder::new();
    let file = folder.write("scenario.toml", SCENARIO.as_bytes());
    let made = Run::of(hopmark().arg("synth").arg(&file).args(["--truth", "none"]));
    assert_eq!(made.status(), 0, "{made:?}");
    let point = |name: &str| PointFiles {
        name: name.to_owned(),
        files: vec![folder.path().join(format!("{name}.pcap"))],
    };
    let run = Replay { points: vec![point("access"), point("edge")], points_by: PointsBy::Name, threads: 2 };
    let policy = hopmark::config::builtin(hopmark::config::default_profile()).unwrap();
    let outcome = replay(&run, &Arc::new(policy), &Progress::default()).unwrap();
    assert_eq!(outcome.streams.len(), 100_000);
    let status = Status::default();
    status.publish(picture(outcome));
    let served = Served::new(&options(), status);
    for (path, limit) in [
        ("/api/v1/streams?per_page=1000&sort=-packets&page=37".to_owned(), 20),
        ("/api/v1/streams?per_page=1000&sort=-loss&address=10.0.0.0/8".to_owned(), 20),
        (format!("/api/v1/streams/{}", name_of(77_777)), 20),
        ("/metrics".to_owned(), 50),
        ("/api/v1/paths".to_owned(), 100),
    ] {
        let mut times: Vec<Duration> = (0..15)
            .map(|_| {
                let asked = Instant::now();
                assert_eq!(served.get(&path).status, 200);
                asked.elapsed()
            })
            .collect();
        let first = times[0];
        times.sort_unstable();
        let octets = served.get(&path).body.len();
        println!("{path}: median {:?}, first {first:?}, {octets} octets", times[7]);
        assert!(times[7] < Duration::from_millis(limit), "{path}: {:?}", times[7]);
    }
}
