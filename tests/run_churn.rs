//! Calls that come and go leave nothing behind but exact counts.

mod common;

use std::path::Path;

use common::churn::{Burst, Profile, soak};

fn hopmark() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_hopmark"))
}

#[test]
fn ten_minutes_of_churn_leaves_exact_counts_and_no_series() {
    let profile =
        Profile { streams: 1500, seconds: 600, look: 30, settled: 300, late_series: 40, ..Profile::day() };
    let outcome = soak(hopmark(), &profile);
    assert_eq!(outcome.wrongs(), [""; 0], "{}", outcome.table(60));
}

#[test]
fn streams_that_run_never_make_room_for_more_than_the_table_holds() {
    let burst = Some(Burst { every: 150, streams: 600, within: 10 });
    let profile = Profile {
        streams: 600,
        seconds: 600,
        burst,
        lasting: 3,
        table: 500,
        look: 30,
        settled: 300,
        late_series: 40,
        ..Profile::full_table()
    };
    let outcome = soak(hopmark(), &profile);
    assert_eq!(outcome.wrongs(), [""; 0], "{}", outcome.table(30));
    assert!(outcome.evicted() >= 400, "{}", outcome.evicted());
}
