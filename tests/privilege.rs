//! The process that captures has no right, and the opener no packet.
//!
//! Each test starts this very program once more to play a part (`privilege/parts.rs`), for who has given up its
//! privileges cannot run the next test. Parts say what they saw as one JSON object on standard output. They need root;
//! those that open sockets do so in a network namespace of their own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot be set up or read has failed"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "parts and results are told by lines")]

#[path = "privilege/parts.rs"]
mod parts;

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::panic::catch_unwind;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use hopmark::privilege::Standing;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde_json::Value;
use tempfile::TempDir;

/// Names the part that this program plays.
const PART: &str = "HOPMARK_TEST_PART";
/// Names a folder for it, which is removed behind it.
const FOLDER: &str = "HOPMARK_TEST_FOLDER";

const TESTS: &[(&str, fn())] = &[
    ("every_thread_of_a_locked_process_is_without_privilege", without_privilege),
    ("a_locked_process_reaches_what_it_needs_and_nothing_else", reach),
    ("a_locked_process_that_starts_a_program_is_ended", program_started),
    ("a_locked_process_reads_packets_from_a_socket_that_the_opener_opened", packets),
    ("an_opener_is_an_ordinary_user_with_three_capabilities", opener),
    ("a_locked_process_serves_http", served),
    ("an_opener_ends_when_the_process_that_captures_is_killed", orphaned),
    ("a_call_to_an_opener_that_was_killed_says_so_and_capture_goes_on", bereft),
    ("capabilities_without_root_are_enough", ambient),
    ("signals_reach_a_locked_process_as_orders", orders),
];

fn main() -> ExitCode {
    if let Ok(part) = env::var(PART) {
        return parts::play(&part);
    }
    let filters: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if env::args().any(|argument| argument == "--list") {
        for (name, _) in TESTS {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    if !Uid::effective().is_root() {
        eprintln!("skipped: tests/privilege.rs needs root, to have privileges to give up");
        return ExitCode::SUCCESS;
    }
    let chosen =
        |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in TESTS.iter().filter(|(name, _)| chosen(name)) {
        let is_good = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if is_good { "ok" } else { "FAILED" });
        passed += u32::from(is_good);
        failed += u32::from(!is_good);
    }
    println!("test result: {passed} passed; {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

fn without_privilege() {
    let Some(said) = Part::start("threads").map(Part::said) else { return };
    let threads = said["threads"].as_array().unwrap();
    assert!(threads.len() >= 4, "the part runs threads of its own: {said}");
    for status in threads {
        is_locked(&Standing::parse(status.as_str().unwrap()));
    }
    assert_eq!(said["groups"], 0, "it is in no group but its own");
    assert_eq!(said["is_whole"], true, "{said}");
    assert!(said["locked"].as_str().unwrap().starts_with("user nobody, no capability, "), "{said}");
}

fn is_locked(standing: &Standing) {
    assert!(!standing.is_root(), "{standing:?}");
    assert_eq!((standing.capabilities, standing.bounding), (0, 0), "{standing:?}");
    assert!(standing.no_new_privileges && standing.is_filtered, "{standing:?}");
}

fn reach() {
    let Some(said) = Part::start("reach").map(Part::said) else { return };
    for (what, expected) in [
        ("read the configuration", "ok"),
        ("write evidence", "ok"),
        ("rename evidence", "ok"),
        ("remove evidence", "ok"),
        ("list interfaces", "ok"),
        ("its own figures", "ok"),
        ("listen", "ok"),
        ("start a thread", "ok"),
        ("write beside the evidence", "EACCES"),
        ("write the configuration", "EACCES"),
        ("read another file", "EACCES"),
        ("open a packet socket", "EPERM"),
        ("open a UDP socket", "EPERM"),
        ("connect", "EPERM"),
        ("start a process", "EPERM"),
        ("signal a process", "EPERM"),
        ("map code", "EPERM"),
    ] {
        assert_eq!(said[what], expected, "{what}; all: {said}");
    }
}

fn program_started() {
    let Some(part) = Part::start("program") else { return };
    assert_eq!(part.end().signal(), Some(Signal::SIGSYS as i32));
}

fn packets() {
    let Some(mut part) = Part::start("packets") else { return };
    let said = part.next();
    is_locked(&Standing::parse(said["status"].as_str().unwrap()));
    assert_eq!(said["heard"], true, "{said}");
    assert_eq!(said["heard_again"], true, "a socket that is opened after the lock: {said}");
    part.end();
}

fn opener() {
    let Some(mut part) = Part::start("packets") else { return };
    let said = part.next();
    let status = std::fs::read_to_string(format!("/proc/{}/status", said["opener"])).unwrap();
    let opener = Standing::parse(&status);
    // CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_BPF 39.
    assert_eq!(opener.capabilities, 1 << 12 | 1 << 13 | 1 << 39, "{status}");
    assert_eq!(opener.bounding, 0, "{status}");
    assert!(!opener.is_root() && opener.no_new_privileges && opener.is_filtered, "{status}");
    assert!(status.starts_with("Name:\thopmark-opener\n"), "{status}");
    for (what, expected) in [
        ("load a kernel program", "true"),
        ("open a UDP socket", "ok"),
        ("read of interfaces", "ok"),
        ("listen", "EPERM"),
        ("connect", "EPERM"),
        ("start a process", "EPERM"),
        ("read a file", "EACCES"),
        ("map code", "EPERM"),
    ] {
        assert_eq!(said["opener_tried"][what], expected, "{what}; all: {said}");
    }
    part.end();
}

fn served() {
    let Some(mut part) = Part::start("serve") else { return };
    let address: SocketAddr = part.next()["address"].as_str().unwrap().parse().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: hopmark\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nread later"), "{answer}");
    part.end();
}

fn orphaned() {
    let Some(mut part) = Part::start("packets") else { return };
    let opener = part.next()["opener"].as_u64().unwrap();
    part.process.kill().unwrap();
    part.process.wait().unwrap();
    // The opener has inherited this pipe, so its end is the opener's.
    let mut errors = String::new();
    part.process.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    // What may remain for a moment is an entry without a program, until its new parent has seen it.
    assert!(
        std::fs::read_to_string(format!("/proc/{opener}/cmdline")).is_ok_and(|line| line.is_empty())
            || !std::fs::exists(format!("/proc/{opener}")).unwrap(),
        "the opener still runs"
    );
}

fn bereft() {
    let Some(mut part) = Part::start("packets") else { return };
    let opener = i32::try_from(part.next()["opener"].as_u64().unwrap()).unwrap();
    kill(Pid::from_raw(opener), Signal::SIGKILL).unwrap();
    part.go_on();
    let said = part.next();
    let error = said["error"].as_str().unwrap();
    assert!(error.starts_with("the opener has ended (signal: 9"), "{error}");
    assert!(error.contains("what is open stays open"), "{error}");
    assert_eq!(said["is_alive"], false);
    assert_eq!(said["heard"], true, "the socket that it opened goes on: {said}");
    part.end();
}

fn ambient() {
    let capabilities = "+net_raw,+net_admin,+bpf";
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps", capabilities]);
    command.args(["--ambient-caps", capabilities]).arg(env::current_exe().unwrap());
    let is_there = Command::new("setpriv").arg("--version").output().is_ok();
    let Some(mut part) = is_there.then(|| Part::spawn(command, "ambient")).flatten() else {
        eprintln!("skipped: setpriv (util-linux) cannot start this program as another user here");
        return;
    };
    let said = part.next();
    let standing = Standing::parse(said["status"].as_str().unwrap());
    assert!(!standing.is_root() && standing.capabilities == 0, "{standing:?}");
    assert!(standing.no_new_privileges && standing.is_filtered, "{standing:?}");
    assert_ne!(standing.bounding, 0, "without CAP_SETPCAP it stays: {standing:?}");
    assert!(said["locked"].as_str().unwrap().contains("(but not its bounding set)"), "{said}");
    assert_eq!(said["opened"], true, "{said}");
    part.end();
}

fn orders() {
    let Some(mut part) = Part::start("orders") else { return };
    part.next();
    let process = Pid::from_raw(i32::try_from(part.process.id()).unwrap());
    for (signal, order) in [(Signal::SIGHUP, "Reload"), (Signal::SIGTERM, "Stop")] {
        kill(process, signal).unwrap();
        assert_eq!(part.next()["order"], order);
    }
    part.end();
}

/// A part that is being played.
struct Part {
    process: Child,
    lines: BufReader<ChildStdout>,
    orders: Option<ChildStdin>,
    _folder: TempDir,
}

impl Part {
    /// Starts a part as root; none where this system does not allow what it needs.
    fn start(name: &str) -> Option<Self> {
        Self::spawn(Command::new(env::current_exe().unwrap()), name)
    }

    fn spawn(mut command: Command, name: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        command
            .env(PART, name)
            .env(FOLDER, folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut part = Self {
            lines: BufReader::new(process.stdout.take().unwrap()),
            orders: process.stdin.take(),
            process,
            _folder: folder,
        };
        match part.line().as_deref() {
            Some(parts::READY) => Some(part),
            Some(reason) if reason.starts_with("skipped:") => {
                eprintln!("{reason}");
                None
            }
            other => panic!("part {name} did not begin: {other:?}; {}", part.errors()),
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.strip_suffix('\n').map(str::to_owned)
    }

    /// What the part says next.
    fn next(&mut self) -> Value {
        match self.line() {
            Some(line) => serde_json::from_str(&line).unwrap(),
            None => panic!("the part said nothing: {}", self.errors()),
        }
    }

    /// Lets a part that waits go on.
    fn go_on(&mut self) {
        self.orders.as_mut().unwrap().write_all(b"go on\n").unwrap();
    }

    /// The only thing that a part says before it ends.
    fn said(mut self) -> Value {
        let said = self.next();
        assert!(self.end().success(), "{said}");
        said
    }

    /// Lets the part end, and says how it did.
    fn end(mut self) -> std::process::ExitStatus {
        drop(self.orders.take());
        self.process.wait().unwrap()
    }

    fn errors(&mut self) -> String {
        let _ = self.process.kill();
        let status = self.process.wait().unwrap();
        let mut errors = format!("{status}: ");
        if let Some(mut stream) = self.process.stderr.take() {
            stream.read_to_string(&mut errors).unwrap();
        }
        errors
    }
}
