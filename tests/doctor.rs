//! `hopmark doctor` says what is amiss with a box, and how to mend it.
//!
//! Each test has a network of its own: its thread leaves for a new network namespace, which the programs that it starts
//! are in too, and which vanishes with the last of them. That needs root; without it these tests say so and pass.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]
#![allow(clippy::disallowed_methods, reason = "how long is waited for a program is no time of packets")]

mod common;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::run::{Run, hopmark};
use common::{Folder, Udp, rtp};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

/// The ends of the wire: `hm-tap` is listened on, from `hm-far` frames are sent.
const TAP: &str = "hm-tap";
const FAR: &str = "hm-far";

/// Moves this thread into a new namespace with a wire in it; says whether that could be done.
fn wire() -> bool {
    if let Err(reason) = unshare(CloneFlags::CLONE_NEWNET) {
        eprintln!("skipped: no network namespace can be made ({reason}); run the tests as root");
        return false;
    }
    let add = ["link", "add", TAP, "type", "veth", "peer", "name", FAR];
    if !Command::new("ip").args(add).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no veth pair can be made; install iproute2 on a kernel with veth");
        return false;
    }
    // Neighbour discovery of IPv6 would be heard besides what the tests send.
    for end in [TAP, FAR] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1");
    }
    ip(&["link", "set", TAP, "mtu", "9000"]);
    ip(&["link", "set", FAR, "mtu", "9000"]);
    ip(&["link", "set", FAR, "up"]);
    true
}

fn ip(arguments: &[&str]) {
    command(Command::new("ip").args(arguments));
}

fn command(command: &mut Command) {
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn doctor(arguments: &[&str]) -> Command {
    let mut command = hopmark();
    command.arg("doctor").args(arguments);
    command
}

/// The answer about the tap, without listening.
fn examined() -> (i32, Value) {
    let run = Run::of(&mut doctor(&["--interface", TAP, "--listen", "0", "--format", "json"]));
    (run.status(), run.json())
}

/// One check of an answer.
fn check<'a>(answer: &'a Value, scope: &str, name: &str) -> &'a Value {
    let checks = answer["checks"].as_array().expect("a list of checks");
    let found = checks.iter().find(|check| check["scope"] == scope && check["check"] == name);
    found.unwrap_or_else(|| panic!("no check {name} of {scope} in {answer:#}"))
}

#[test]
fn an_interface_that_is_down_fails_until_it_is_mended_as_told() {
    if !wire() {
        return;
    }
    let (status, answer) = examined();
    let up = check(&answer, TAP, "up");
    assert_eq!((status, &up["status"]), (1, &Value::from("fail")), "{answer:#}");
    assert_eq!(answer["is_fit"], false);
    let mend = up["mend"].as_str().expect("how to mend it");
    assert_eq!(mend, "ip link set hm-tap up");
    assert_eq!(check(&answer, TAP, "carrier")["status"], "unknown");

    command(Command::new("sh").args(["-c", mend]));
    let (status, answer) = examined();
    assert_eq!((status, &check(&answer, TAP, "up")["status"]), (0, &Value::from("ok")), "{answer:#}");
    assert_eq!(check(&answer, TAP, "carrier")["status"], "ok");
    assert_eq!(check(&answer, TAP, "kind")["found"].as_str().map(|found| found.contains("veth")), Some(true));

    ip(&["link", "set", FAR, "down"]);
    let (status, answer) = examined();
    let carrier = check(&answer, TAP, "carrier");
    assert_eq!((status, &carrier["status"]), (1, &Value::from("fail")), "{answer:#}");
}

#[test]
fn offloads_that_merge_packets_are_named_and_gone_after_the_mend() {
    if !wire() {
        return;
    }
    ip(&["link", "set", TAP, "up"]);
    if !Command::new("ethtool").args(["-K", TAP, "gro", "on"]).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: ethtool is not there, or the kernel's veth has no gro");
        return;
    }
    let (_, answer) = examined();
    let offloads = check(&answer, TAP, "offloads");
    assert_eq!(offloads["status"], "warn", "{answer:#}");
    assert!(offloads["found"].as_str().is_some_and(|found| found.starts_with("gro on")), "{offloads:#}");
    let mend = offloads["mend"].as_str().expect("how to mend it");
    assert_eq!(mend, "ethtool -K hm-tap gro off");

    command(Command::new("sh").args(["-c", mend]));
    assert_eq!(check(&examined().1, TAP, "offloads")["status"], "ok");

    // Datagrams merged: that is worse.
    command(Command::new("ethtool").args(["-K", TAP, "gro", "on", "rx-udp-gro-forwarding", "on"]));
    let (status, answer) = examined();
    assert_eq!((status, &check(&answer, TAP, "offloads")["status"]), (1, &Value::from("fail")), "{answer:#}");
    // What `hopmark run` does by itself where it may.
    for offload in ["gro", "rx-udp-gro-forwarding"] {
        hopmark::capture::interface::switch_off(TAP, offload).expect("veth lets it be switched off");
    }
    assert_eq!(check(&examined().1, TAP, "offloads")["status"], "ok");
}

#[test]
fn an_unknown_interface_fails_with_those_that_there_are() {
    if !wire() {
        return;
    }
    let run = Run::of(&mut doctor(&["--interface", "eth77", "--listen", "1"]));
    assert_eq!(run.status(), 1, "{run:?}");
    let text = run.stdout();
    for expected in ["\"eth77\" not found", TAP, FAR, "ip link"] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
}

#[test]
fn the_interfaces_of_the_configuration_are_checked_and_the_answer_fits_the_screen() {
    if !wire() {
        return;
    }
    let folder = Folder::new();
    let text = "[[point]]\nname = \"access\"\ninterface = \"hm-tap\"\n[[point]]\nname = \"core\"\ninterface = \"hm-far\"\n";
    let file = folder.write("hopmark.toml", text.as_bytes());
    let run = Run::of(doctor(&["--listen", "0"]).arg("--config").arg(file));
    assert_eq!(run.status(), 1, "the tap is down: {run:?}");
    let text = run.stdout();
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    for scope in ["box", TAP, FAR] {
        assert!(text.lines().any(|line| line == scope), "no section {scope} in {text}");
    }

    let without = folder.write("without.toml", b"profile = \"teams\"\n");
    let run = Run::of(doctor(&["--listen", "0"]).arg("--config").arg(without));
    assert_eq!(run.status(), 2, "{run:?}");
    assert!(run.stderr().contains("interface = \"eth1\""), "{run:?}");
}

#[test]
fn without_a_name_the_box_is_checked_and_interfaces_are_listed() {
    if !wire() {
        return;
    }
    let run = Run::of(&mut doctor(&["--format", "json"]));
    let answer = run.json();
    let listed: Vec<&str> = answer["interfaces"]
        .as_array()
        .expect("a list of interfaces")
        .iter()
        .map(|interface| interface["name"].as_str().expect("a name"))
        .collect();
    for name in ["lo", TAP, FAR] {
        assert!(listed.contains(&name), "{answer:#}");
    }
    assert_eq!(check(&answer, "box", "capabilities")["status"], "ok", "root may all: {answer:#}");
    assert_eq!(run.status(), i32::from(answer["is_fit"] == false));
}

#[test]
fn what_a_mirror_brings_is_heard() {
    if !wire() {
        return;
    }
    ip(&["link", "set", TAP, "up"]);
    let listener = listening();
    let mut far = pcap::Capture::from_device(FAR).and_then(pcap::Capture::open).expect("the far end");
    let there = Udp::new("10.1.0.1:20000", "10.2.0.1:30000");
    let back = there.reversed().ttl(60);
    let quiet = Udp::new("10.1.0.9:20000", "10.2.0.9:30000");
    for sequence in 0..40_u16 {
        let payload = rtp(0, sequence, u32::from(sequence) * 160, 0x1111_1111, 160);
        let tagged = there.identification(sequence).tagged(&[(common::packet::VLAN, 42, 5)], &payload);
        far.sendpacket(tagged.as_slice()).expect("the far end sends");
        // The mirror sends every fourth packet twice.
        if sequence % 4 == 0 {
            far.sendpacket(tagged.as_slice()).expect("the far end sends");
        }
        let payload = rtp(0, sequence, u32::from(sequence) * 160, 0x2222_2222, 160);
        far.sendpacket(back.identification(sequence).frame(&payload)).expect("the far end sends");
    }
    far.sendpacket(quiet.frame(b"one way only")).expect("the far end sends");

    let run = Run(listener.wait_with_output().expect("the listener ends"));
    let answer = run.json();
    assert_eq!(run.status(), 0, "{answer:#}");
    let heard = &answer["heard"][TAP];
    // 40 there, 10 of them twice, 40 back, and one.
    assert_eq!((&heard["frames"], &heard["packets"]), (&Value::from(91), &Value::from(91)), "{heard:#}");
    assert_eq!(heard["duplicates"], 10, "{heard:#}");
    assert_eq!(heard["vlans"]["42"], 50, "{heard:#}");
    assert_eq!((&heard["pairs_both_ways"], &heard["pairs_one_way"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(
        (&heard["media_streams"], &heard["media_streams_both_ways"]),
        (&Value::from(2), &Value::from(2))
    );
    assert_eq!(
        (&heard["dropped_by_kernel"], &heard["lost_by_interface"]),
        (&Value::from(0), &Value::from(0))
    );
    assert_eq!(check(&answer, TAP, "duplicates")["status"], "warn", "a ninth are duplicates: {answer:#}");
    assert_eq!(check(&answer, TAP, "vlans")["found"], "42 (50)");
    assert_eq!(check(&answer, TAP, "directions")["status"], "ok");
}

#[test]
fn a_dead_mirror_fails() {
    if !wire() {
        return;
    }
    ip(&["link", "set", TAP, "up"]);
    let run = Run::of(&mut doctor(&["--interface", TAP, "--listen", "1", "--format", "json"]));
    let answer = run.json();
    let heard = check(&answer, TAP, "heard");
    assert_eq!((run.status(), &heard["status"]), (1, &Value::from("fail")), "{answer:#}");
    assert!(heard["mend"].as_str().is_some_and(|mend| mend.contains("mirror session")), "{heard:#}");
}

/// A doctor that listens on the tap, once it does.
fn listening() -> Child {
    let mut command = doctor(&["--interface", TAP, "--listen", "2", "--format", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    let maps = format!("/proc/{}/maps", child.id());
    let begun = Instant::now();
    // Its ring, which takes a while to be made, is a part of its memory once it is ready.
    while !std::fs::read_to_string(&maps).is_ok_and(|maps| maps.contains("socket:")) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the doctor does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    child
}
