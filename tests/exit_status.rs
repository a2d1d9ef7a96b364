//! The exit status: 0 nothing to mend, 1 findings, 2 could not run.

mod common;

use common::{Capture, Folder, Stream, Udp};

fn good() -> Stream {
    Stream::g711(Udp::new("10.1.1.1:50004", "10.2.2.2:50006"))
}

/// Both directions marked right: nothing to report.
fn clean() -> Capture {
    let out = good();
    let back = Stream { flow: out.flow.reversed(), ssrc: 2, ..out };
    Capture::of(out.frames(0..400).chain(back.frames(0..400)))
}

/// One direction only: worth knowing, no more.
fn informative() -> Capture {
    Capture::of(good().frames(0..400))
}

/// One direction has an unexpected marking: a warning.
fn doubtful() -> Capture {
    let out = good();
    let back = Stream { flow: out.flow.reversed().dscp(26), ssrc: 2, ..out };
    Capture::of(out.frames(0..400).chain(back.frames(0..400)))
}

/// Not marked at all: an error.
fn wrong() -> Capture {
    Capture::of(good().dscp(0).frames(0..400))
}

#[test]
fn the_status_follows_the_worst_finding_and_the_level_asked_for() {
    let folder = Folder::new();
    for (name, capture, statuses) in [
        ("clean", clean(), [0, 0, 0, 0]),
        ("informative", informative(), [1, 0, 0, 0]),
        ("doubtful", doubtful(), [1, 1, 0, 0]),
        ("wrong", wrong(), [1, 1, 1, 0]),
    ] {
        let file = folder.write(name, &capture.pcap());
        for (level, status) in ["info", "warning", "error", "never"].into_iter().zip(statuses) {
            for format in ["text", "json"] {
                let run = folder.replay(["--fail-on", level, "--format", format, file.to_str().unwrap()]);
                assert_eq!(run.status(), status, "{name}, --fail-on {level}: {run:?}");
                assert_eq!(run.stderr(), "", "{name}");
            }
        }
        let status = folder.replay([&file]).status();
        assert_eq!(status, statuses[2], "{name}: the default is error");
    }
}

#[test]
fn what_cannot_run_ends_with_2_and_says_why_on_standard_error() {
    let folder = Folder::new();
    folder.write("good.pcap", &clean().pcap());
    folder.write("bad.toml", b"profil = \"teams\"\n");
    folder.write("short.key", b"too short");
    for (name, arguments, said) in [
        ("no file", vec!["missing.pcap"], "missing.pcap: cannot be opened"),
        ("a folder", vec!["."], ".: cannot be read"),
        ("one good, one missing", vec!["good.pcap", "missing.pcap"], "missing.pcap: cannot be opened"),
        ("no profile of that name", vec!["--profile", "teems", "good.pcap"], "did you mean \"teams\"?"),
        (
            "a wrong configuration",
            vec!["--config", "bad.toml", "good.pcap"],
            "bad.toml:1:1: profil: unknown key",
        ),
        ("no configuration", vec!["--config", "none.toml", "good.pcap"], "none.toml"),
        ("no key", vec!["--anonymize", "none.key", "good.pcap"], "none.key"),
        ("a short key", vec!["--anonymize", "short.key", "good.pcap"], "short.key"),
        ("no argument", vec![], "required arguments were not provided"),
        ("an unknown argument", vec!["--frobnicate", "good.pcap"], "unexpected argument"),
        (
            "an unknown level",
            vec!["--fail-on", "fatal", "good.pcap"],
            "possible values: info, warning, error, never",
        ),
        ("standard input twice", vec!["-", "a=-"], "standard input (-) is named more than once"),
    ] {
        let run = folder.replay(&arguments);
        assert_eq!(run.status(), 2, "{name}: {run:?}");
        assert_eq!(run.stdout(), "", "{name}");
        assert!(run.stderr().contains(said), "{name}: {}", run.stderr());
        assert!(!run.stderr().contains("panicked"), "{name}: {}", run.stderr());
    }
}

#[test]
fn a_refused_format_is_named_with_what_to_do() {
    let folder = Folder::new();
    let padded = |magic: &[u8]| [magic, &[0; 300]].concat();
    for (name, octets, format, remedy) in [
        (
            "netmon.cap",
            padded(b"GMBU"),
            "Microsoft Network Monitor 2",
            "editcap -F pcapng netmon.cap out.pcapng",
        ),
        ("x.enc", padded(b"TRSNIFF data    \x1a"), "Sniffer for DOS", "editcap -F pcapng x.enc out.pcapng"),
        ("a.pcap.xz", padded(b"\xfd7zXZ\0"), "xz", "xz -dc a.pcap.xz | hopmark replay -"),
        (
            "notes.txt",
            b"These are my notes on a capture, not a capture.\n".to_vec(),
            "text file",
            "text2pcap",
        ),
        ("rtp.dump", b"#!rtpplay1.0 10.0.0.1/5000\n".to_vec(), "rtpdump", "no DSCP"),
        (
            "noise",
            (0..200_u8).map(|i| i.wrapping_mul(37) ^ 0x5A).collect(),
            "not a capture that hopmark knows",
            "pcapng",
        ),
        ("empty", Vec::new(), "is empty", "header of a capture"),
        ("header-only-in-part.pcap", clean().pcap()[..20].to_vec(), "too short: 20 octets", "24"),
    ] {
        folder.write(name, &octets);
        let run = folder.replay([name]);
        assert_eq!((run.status(), run.stdout()), (2, ""), "{name}: {run:?}");
        let said = run.stderr();
        assert!(said.contains(name) && said.contains(format) && said.contains(remedy), "{name}: {said}");
    }
}

#[test]
fn a_reader_that_had_enough_is_no_failure() {
    use std::process::Stdio;
    let folder = Folder::new();
    folder.write("rich.pcap", &common::rich::capture().pcap());
    let mut command = common::run::hopmark();
    command.args(["replay", "rich.pcap"]).current_dir(folder.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
