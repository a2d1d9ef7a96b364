//! The kernel takes all programs of whoever has three capabilities.
//!
//! Needs root, to have a child that gives up all else; without, the test says so and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]
#![allow(clippy::indexing_slicing, reason = "frames are built here")]
#![allow(clippy::print_stderr, reason = "says what was left out, and why")]

mod common;
#[path = "kernel_filter/frames.rs"]
mod frames;
#[path = "kernel_filter/runs.rs"]
mod runs;

use std::process::Command;
use std::{env, fs};

use caps::{CapSet, Capability, CapsHashSet};
use hopmark::capture::kernel::{DigestOptions, DigestProgram, Filter, FilterOptions, load_fanout};
use hopmark::meter::MOST_CHOSEN;
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};
use runs::{Keep, Socket};

/// What the process that opens interfaces has; without `CAP_PERFMON` the kernel looks at far more of a program.
const CAPABILITIES: [Capability; 3] =
    [Capability::CAP_NET_RAW, Capability::CAP_NET_ADMIN, Capability::CAP_BPF];
const NOBODY: u32 = 65_534;

/// Set in the child.
const IS_CHILD: &str = "HOPMARK_TEST_THREE_CAPABILITIES";

/// The kernel gives up at a million, and without `CAP_PERFMON` sooner: a program that grows towards it is found here.
const MOST_LOOKED_AT: u64 = 50_000;

#[test]
fn three_capabilities_are_enough_for_all_programs() {
    if env::var_os(IS_CHILD).is_some() {
        give_up_all_but(&CAPABILITIES.into());
        all_programs_load_and_work();
        return;
    }
    if !geteuid().is_root() || !caps::has_cap(None, CapSet::Effective, Capability::CAP_BPF).unwrap() {
        eprintln!("skipped: needs root, to start a child with three capabilities");
        return;
    }
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "three_capabilities_are_enough_for_all_programs", "--nocapture"])
        .env(IS_CHILD, "1")
        .output()
        .unwrap();
    let told = [child.stdout, child.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(child.status.success(), "{}", told.concat());
    assert!(told[0].contains("1 passed"), "{}", told.concat());
}

/// All threads become another user's; this one keeps the capabilities.
fn give_up_all_but(kept: &CapsHashSet) {
    caps::securebits::set_keepcaps(true).unwrap();
    for capability in caps::all() {
        if !kept.contains(&capability) && caps::has_cap(None, CapSet::Bounding, capability).unwrap_or(false) {
            caps::drop(None, CapSet::Bounding, capability).unwrap();
        }
    }
    setgroups(&[]).unwrap();
    setresgid(Gid::from_raw(NOBODY), Gid::from_raw(NOBODY), Gid::from_raw(NOBODY)).unwrap();
    setresuid(Uid::from_raw(NOBODY), Uid::from_raw(NOBODY), Uid::from_raw(NOBODY)).unwrap();
    caps::set(None, CapSet::Permitted, kept).unwrap();
    caps::set(None, CapSet::Effective, kept).unwrap();
    assert_eq!(caps::read(None, CapSet::Permitted).unwrap(), *kept);
    assert_eq!(caps::read(None, CapSet::Effective).unwrap(), *kept);
    assert_eq!(geteuid().as_raw(), NOBODY);
}

fn all_programs_load_and_work() {
    let options =
        FilterOptions { excluded_udp_ports: vec![53..=53, 5060..=5061], ..FilterOptions::default() };
    let filter = Filter::load(&options).unwrap();
    assert_eq!(filter.reason().map(ToString::to_string), None);
    // What guards against guesses of the processor is part of the program here.
    let mut socket = Socket::with(&filter);
    for frames::Case { name, frame, keep, .. } in frames::all() {
        assert_eq!(socket.keep(&frame), keep, "{name}, {} octets", frame.len());
    }
    let fanout = load_fanout().unwrap();
    let digests = DigestOptions { excluded_udp_ports: vec![53..=53], payloads: MOST_CHOSEN, octets: 1 << 16 };
    let digests = DigestProgram::load(&digests).unwrap();
    let looked_at = instructions_looked_at();
    assert_eq!(looked_at.len(), 3, "{looked_at:?}");
    assert!(looked_at.iter().all(|count| *count < MOST_LOOKED_AT), "{looked_at:?}");
    drop((fanout, digests));
}

/// How many instructions the kernel looked at of each program that this process has open.
fn instructions_looked_at() -> Vec<u64> {
    fs::read_dir("/proc/thread-self/fdinfo")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok())
        .filter_map(|text| {
            let count = text.lines().find_map(|line| line.strip_prefix("verified_insns:"))?;
            Some(count.trim().parse().unwrap())
        })
        .collect()
}
