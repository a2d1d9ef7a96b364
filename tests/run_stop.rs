//! It ends in time with all that it heard, and says how it is.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be read has failed")]
#![allow(clippy::disallowed_methods, reason = "programs and senders are waited for by this machine's clock")]

mod common;

use std::collections::HashMap;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::{Appliance, Calls, Folder, in_namespace, kernel_count};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};

const IN_TIME: Duration = Duration::from_secs(2);

#[test]
fn a_program_that_is_told_to_end_says_all_that_it_heard() {
    in_namespace(|| {
        // No interval ends before the program does.
        let config = "[run]\ninterval = \"60s\"\n[[point]]\nname = \"tap\"\ninterface = \"right\"\n";
        let mut appliance = Appliance::start_with(config, |command| command);
        appliance.wait_for("it listens", || appliance.log().contains("listening"));
        // Of more findings at once the log would leave some out.
        let talk = Calls { count: 5, dscp: 0, ..Calls::on(&["left"]) }.start();
        thread::sleep(Duration::from_secs(3));
        assert!(!appliance.log().contains("finding: "), "{}", appliance.log());
        talk.hang_up();
        let told = Instant::now();
        appliance.signal(Signal::SIGTERM);
        let status = appliance.end();
        assert!(told.elapsed() < IN_TIME, "{:?}: {}", told.elapsed(), appliance.log());
        assert_eq!(status.code(), Some(0), "{}", appliance.log());
        let log = appliance.log();
        let found =
            log.lines().filter(|line| line.contains("finding: ") && line.contains("unmarked-at-source"));
        assert_eq!(found.count(), 10, "one for each stream: {log}");
        // Also what had come and was not handed over yet.
        let sent = format!("packets={} ", kernel_count("left", "tx_packets"));
        assert!(
            log.lines().any(|line| line.contains("heard") && format!("{line} ").contains(&sent)),
            "{sent}: {log}"
        );
    });
}

#[test]
fn it_ends_in_time_though_packets_come_all_the_while() {
    in_namespace(|| {
        let mut appliance = Appliance::start("[[point]]\nname = \"tap\"\ninterface = \"right\"\n");
        let opener = appliance.opener();
        let talk = Calls { interval: Duration::from_millis(2), ..Calls::on(&["left"]) }.start();
        appliance.wait_for("streams run", || appliance.metrics().count("hopmark_streams_active", &[]) == 20);
        let told = Instant::now();
        appliance.signal(Signal::SIGTERM);
        let status = appliance.end();
        assert!(told.elapsed() < IN_TIME, "{:?}: {}", told.elapsed(), appliance.log());
        assert_eq!(status.code(), Some(0), "{}", appliance.log());
        assert!(
            !std::fs::exists(format!("/proc/{opener}/exe")).is_ok_and(|is_there| is_there),
            "the opener runs"
        );
        talk.hang_up();
    });
}

/// Since this machine started.
fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock").into()
}

/// What a service manager is told, and when.
struct Manager {
    messages: Receiver<(Instant, HashMap<String, String>)>,
    /// When it was told last that the program is not stuck.
    alive: Instant,
    longest: Duration,
}

impl Manager {
    fn listen(socket: UnixDatagram) -> Self {
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut octets = [0; 1024];
            while let Ok(length) = socket.recv(&mut octets) {
                let text = String::from_utf8(octets[..length].to_vec()).expect("text");
                let assignment = |line: &str| {
                    let (name, value) = line.split_once('=').expect("an assignment");
                    (name.to_owned(), value.to_owned())
                };
                if sender.send((Instant::now(), text.lines().map(assignment).collect())).is_err() {
                    return;
                }
            }
        });
        Self { messages, alive: Instant::now(), longest: Duration::ZERO }
    }

    /// The next message, but for signs of life.
    fn next(&mut self) -> HashMap<String, String> {
        loop {
            let message = self.messages.recv_timeout(Duration::from_secs(10));
            let (at, message) = message.expect("a message to the service manager");
            if !self.is_sign_of_life(at, &message) {
                return message;
            }
        }
    }

    fn is_sign_of_life(&mut self, at: Instant, message: &HashMap<String, String>) -> bool {
        let is_one = message.get("WATCHDOG").is_some_and(|value| value == "1");
        if is_one {
            self.longest = self.longest.max(at - self.alive);
            self.alive = at;
        }
        is_one
    }

    /// Waits and takes nothing but signs of life.
    fn watch(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Ok((at, message)) =
            self.messages.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            assert!(self.is_sign_of_life(at, &message), "{message:?}");
        }
    }
}

#[test]
fn the_service_manager_knows_how_it_is() {
    in_namespace(|| {
        let folder = Folder::new();
        let path = folder.path().join("notify");
        let mut manager = Manager::listen(UnixDatagram::bind(&path).expect("a socket"));
        let config = "[[point]]\nname = \"tap\"\ninterface = \"right\"\n";
        let limit = Duration::from_secs(2);
        let mut appliance = Appliance::start_with(config, |command| {
            command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", limit.as_micros().to_string())
        });
        assert_eq!(manager.next()["READY"], "1");
        manager.alive = Instant::now();
        let talk = Calls::on(&["left"]).start();
        manager.watch(Duration::from_secs(4));

        // A file that is wrong ends the reload too.
        for config in [config, "[[point]]\nnonsense = true\n"] {
            appliance.configure(config);
            let before = monotonic();
            appliance.signal(Signal::SIGHUP);
            let reloading = manager.next();
            assert_eq!(reloading["RELOADING"], "1");
            let told = Duration::from_micros(reloading["MONOTONIC_USEC"].parse().expect("a number"));
            let after = monotonic();
            assert!(
                before <= told + Duration::from_micros(1) && told <= after,
                "{before:?} {told:?} {after:?}"
            );
            assert_eq!(manager.next()["READY"], "1");
        }
        manager.watch(Duration::from_secs(1));
        assert!(manager.longest < limit, "{:?} without a sign of life", manager.longest);
        talk.hang_up();

        appliance.signal(Signal::SIGTERM);
        assert_eq!(manager.next()["STOPPING"], "1");
        assert_eq!(appliance.end().code(), Some(0), "{}", appliance.log());
    });
}
