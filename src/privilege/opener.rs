//! The opener: a process that opens on request, and reads no packet.
//!
//! It runs as the same user as the process that captures, with three capabilities where that one has none. The kernel
//! lets a process look into another, or trace it, only if it has all capabilities of that other, so the two stay apart.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::socket::MsgFlags;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::Account;
use super::capabilities::{self, KEPT, NEEDED};
use super::error::{LockError, MessageError};
use super::files::FileRules;
use super::filter::{self, Role};
use super::lock;
use super::message::{self, Answer, Request};
use super::standing::Standing;

/// The first request: what the opener becomes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    pub account: Option<Account>,
}

/// What an opener has become, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// How much of the rules for files the kernel took.
    pub files: FileRules,
    /// Its users, capabilities, privileges and filter.
    pub standing: Standing,
}

/// Below these, an opener reads: what the kernel says of interfaces, and of its own types for kernel programs.
const READ: [&str; 2] = ["/sys", "/proc"];

/// Runs the opener: standard input is its socket, by which [`OpenerClient::start`](super::OpenerClient::start) started
/// this process.
///
/// Gives up all but three capabilities, locks itself, and serves `handle` until the process that captures ends.
pub fn run<Q: DeserializeOwned, R: Serialize>(handle: impl FnMut(Q) -> (R, Vec<OwnedFd>)) -> ExitCode {
    let begin = || -> Result<OwnedFd, String> {
        let socket = io::stdin().as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
        let begin = message::receive::<Request<Begin>>(&socket, 0);
        let Ok(Some((Request { number, request }, _))) = begin else {
            return Err("the opener is a part of hopmark run, which starts it itself".to_owned());
        };
        let settled = settle(request.account.as_ref()).map_err(|error| error.to_string());
        let answer = Answer { number, answer: settled.clone() };
        message::send(&socket, &answer, &[], MsgFlags::empty()).map_err(|error| error.to_string())?;
        settled.map(|_| socket)
    };
    match begin() {
        Ok(socket) => serve(socket, handle),
        Err(reason) => {
            let _ = writeln!(io::stderr(), "{reason}");
            ExitCode::from(2)
        }
    }
}

/// Answers requests until the other end of the socket closes.
///
/// A request that cannot be read is answered with the reason, and so is one whose answer is too long or has too many
/// descriptors. What was opened for it is closed then.
#[allow(clippy::needless_pass_by_value, reason = "the other end sees it close when serving ends")]
pub fn serve<Q: DeserializeOwned, R: Serialize>(
    socket: OwnedFd,
    mut handle: impl FnMut(Q) -> (R, Vec<OwnedFd>),
) -> ExitCode {
    loop {
        let request = match message::receive::<Request<Value>>(&socket, 0) {
            Ok(Some((request, _))) => request,
            Ok(None) => return ExitCode::SUCCESS,
            Err(MessageError::Socket(_)) => return ExitCode::FAILURE,
            // Its number cannot be known; whoever waits for the answer waits for no more than a time-out.
            Err(_) => continue,
        };
        let number = request.number;
        let refusal = match serde_json::from_value(request.request) {
            Ok(request) => {
                let (answer, descriptors) = handle(request);
                let answer = Answer { number, answer: Ok(answer) };
                match message::send(&socket, &answer, &descriptors, MsgFlags::empty()) {
                    Ok(()) => continue,
                    Err(MessageError::Socket(_)) => return ExitCode::SUCCESS,
                    Err(error) => format!("its answer {error}"),
                }
            }
            Err(error) => error.to_string(),
        };
        let refusal = Answer::<Value> { number, answer: Err(refusal) };
        if message::send(&socket, &refusal, &[], MsgFlags::empty()).is_err() {
            return ExitCode::SUCCESS;
        }
    }
}

/// Becomes what an opener is; from then on it ends with the process that started it.
fn settle(account: Option<&Account>) -> Result<Settled, LockError> {
    // Started as /proc/self/exe, it would be called `exe` in lists of processes.
    let _ = prctl::set_name(c"hopmark-opener");
    // Who stops the service sends these to all its processes; the one that captures says when it needs no opener.
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block().map_err(LockError::step("signals cannot be blocked"))?;

    capabilities::reduce(account, &KEPT)?;
    if !capabilities::permitted().contains(&NEEDED) {
        return Err(LockError::Step {
            step: "CAP_NET_RAW is not passed on to the opener",
            cause: io::ErrorKind::PermissionDenied.into(),
        });
    }
    // Behind the change of user, which would undo it.
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(LockError::step("its end cannot be tied to its parent's"))?;
    let (files, places) = lock::confine(&READ.map(Into::into), &[])?;
    // The rules are for these places as long as the process runs.
    std::mem::forget(places);
    // A kernel without seccomp is no reason to hear nothing: what the kernel says in the end is told.
    let _ = filter::restrict(Role::Opening);
    let standing = Standing::read().map_err(LockError::step("/proc/self/status cannot be read"))?;
    Ok(Settled { files, standing })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn ask(here: &OwnedFd, request: &Value) -> Answer<Value> {
        message::send(here, request, &[], MsgFlags::empty()).unwrap();
        message::receive(here, 0).unwrap().unwrap().0
    }

    #[test]
    fn requests_are_answered_until_the_socket_closes() {
        let (here, there) = message::pair().unwrap();
        let opener = thread::spawn(move || serve(there, |n: u32| (n + 1, Vec::new())));
        let answer = ask(&here, &serde_json::json!({"number": 7, "request": 41}));
        assert_eq!((answer.number, answer.answer), (7, Ok(42.into())));
        drop(here);
        assert_eq!(opener.join().unwrap(), ExitCode::SUCCESS);
    }

    #[test]
    fn a_request_that_cannot_be_read_is_refused_and_the_next_one_is_answered() {
        let (here, there) = message::pair().unwrap();
        let opener = thread::spawn(move || serve(there, |n: u32| (n + 1, Vec::new())));
        message::send(&here, &"no request at all", &[], MsgFlags::empty()).unwrap();
        let answer = ask(&here, &serde_json::json!({"number": 1, "request": "no number"}));
        assert!(answer.answer.unwrap_err().contains("invalid type"));
        let answer = ask(&here, &serde_json::json!({"number": 2, "request": 1}));
        assert_eq!(answer.answer, Ok(2.into()));
        drop(here);
        opener.join().unwrap();
    }

    #[test]
    fn an_answer_that_is_too_long_becomes_a_refusal() {
        let (here, there) = message::pair().unwrap();
        let opener = thread::spawn(move || serve(there, |n: usize| ("x".repeat(n), Vec::new())));
        let answer = ask(&here, &serde_json::json!({"number": 1, "request": message::MOST_OCTETS}));
        let refusal = answer.answer.unwrap_err();
        assert!(refusal.contains("too long; at most 65536"), "{refusal}");
        drop(here);
        opener.join().unwrap();
    }
}
