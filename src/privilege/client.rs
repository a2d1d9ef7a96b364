//! The opener, as the process that captures sees it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::MsgFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::account::Account;
use super::capabilities;
use super::error::{MessageError, OpenerError};
use super::message::{self, Answer, MOST_DESCRIPTORS, Request};
use super::opener::{Begin, Settled};

/// The longest that a call waits.
const TIME_OUT: Duration = Duration::from_secs(10);

/// How often a process whose socket is closed is asked how it ended, and the time between.
const ASKED: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(5);

/// What an opener has no use for: it must not speak to the service manager in this process's name.
const NOT_PASSED_ON: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// A running opener. It ends when this is dropped, or with the process.
#[derive(Debug)]
pub struct OpenerClient {
    socket: OwnedFd,
    /// Number of the last request, held while it is answered. An answer to an earlier one comes too late, and is left.
    last: Mutex<u64>,
    opener: Mutex<Child>,
    process: u32,
}

impl OpenerClient {
    /// How this program starts itself as an opener: the file that runs now, even if it was replaced on disk since.
    #[must_use]
    pub fn command() -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.arg("opener");
        command
    }

    /// Starts `command`, which must call [`run`](super::run), as a process that runs as `account` and keeps three
    /// capabilities; its standard input becomes the socket. Gives it with what it has become.
    ///
    /// To be called before [`lock()`](super::lock()), by a thread that lives as long as the process: the opener ends
    /// with it.
    ///
    /// # Errors
    ///
    /// It does not start, or cannot give up its privileges or keep what it needs.
    pub fn start(mut command: Command, account: Option<&Account>) -> Result<(Self, Settled), OpenerError> {
        let (here, there) = message::pair().map_err(OpenerError::Start)?;
        capabilities::pass_on();
        for name in NOT_PASSED_ON {
            command.env_remove(name);
        }
        let opener = command.stdin(Stdio::from(there)).stdout(Stdio::null()).spawn();
        // It holds the other end, of which this process must have none: else it would never see it close.
        drop(command);
        let opener = opener.map_err(OpenerError::Start)?;
        let client =
            Self { process: opener.id(), socket: here, last: Mutex::new(0), opener: Mutex::new(opener) };
        match client.call(&Begin { account: account.cloned() }) {
            Ok((settled, _)) => Ok((client, settled)),
            Err(OpenerError::Refused(reason)) => Err(OpenerError::Settle(reason)),
            Err(error) => Err(error),
        }
    }

    /// Asks the opener, and gives its answer with the descriptors that came with it. One call at a time: others wait.
    ///
    /// # Errors
    ///
    /// The opener has ended, does not answer in time, or refuses.
    pub fn call<Q: Serialize, R: DeserializeOwned>(
        &self,
        request: &Q,
    ) -> Result<(R, Vec<OwnedFd>), OpenerError> {
        self.call_within(request, TIME_OUT)
    }

    #[allow(clippy::disallowed_methods, reason = "a time-out is of this machine's time, not of packets'")]
    fn call_within<Q: Serialize, R: DeserializeOwned>(
        &self,
        request: &Q,
        most: Duration,
    ) -> Result<(R, Vec<OwnedFd>), OpenerError> {
        let mut last = held(&self.last);
        *last += 1;
        let number = *last;
        let end = Instant::now() + most;
        let request = Request { number, request };
        message::send(&self.socket, &request, &[], MsgFlags::MSG_DONTWAIT)
            .map_err(|error| self.failed(error, most))?;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            let has_come = message::wait(self.socket.as_fd(), rest).map_err(MessageError::Socket)?;
            if !has_come && rest.is_zero() {
                return Err(OpenerError::TimedOut { waited: most });
            }
            if !has_come {
                continue;
            }
            let received = message::receive::<Answer<Value>>(&self.socket, MOST_DESCRIPTORS);
            let Some((answer, descriptors)) = received.map_err(|error| self.failed(error, most))? else {
                return Err(self.ended());
            };
            if answer.number == number {
                let answer = answer.answer.map_err(OpenerError::Refused)?;
                let answer = serde_json::from_value(answer).map_err(MessageError::Text)?;
                return Ok((answer, descriptors));
            }
        }
    }

    /// Whether the opener still runs. One that has ended leaves no zombie after this.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(held(&self.opener).try_wait(), Ok(None)) && !message::is_closed(self.socket.as_fd())
    }

    /// The opener's process number.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.process
    }

    fn failed(&self, error: MessageError, most: Duration) -> OpenerError {
        match error {
            MessageError::Socket(cause) => match cause.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => self.ended(),
                // Requests that nobody read fill the socket.
                io::ErrorKind::WouldBlock => OpenerError::TimedOut { waited: most },
                _ => OpenerError::Message(MessageError::Socket(cause)),
            },
            error => OpenerError::Message(error),
        }
    }

    fn ended(&self) -> OpenerError {
        // The kernel closes the sockets of a process before it says how that ended.
        let asked = (0..ASKED).find_map(|_| {
            let status = held(&self.opener).try_wait().ok().flatten();
            if status.is_none() {
                thread::sleep(BETWEEN);
            }
            status
        });
        OpenerError::Ended { status: asked }
    }
}

/// What another thread held when it panicked is as good as before: nothing here is changed in two steps.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::opener::serve;
    use super::*;

    /// A client whose opener is a thread of this process; the child is one that has ended.
    fn client(socket: OwnedFd) -> OpenerClient {
        let opener = Command::new("true").spawn().unwrap();
        OpenerClient { process: opener.id(), socket, last: Mutex::new(0), opener: Mutex::new(opener) }
    }

    #[test]
    fn a_late_answer_is_not_taken_for_the_next_one() {
        let (here, there) = message::pair().unwrap();
        let client = client(here);
        let error = client.call_within::<_, u32>(&1, Duration::ZERO).unwrap_err();
        assert!(matches!(error, OpenerError::TimedOut { .. }), "{error}");
        let opener = thread::spawn(move || serve(there, |n: u32| (n * 10, Vec::new())));
        let (answer, _) = client.call::<_, u32>(&2).unwrap();
        assert_eq!(answer, 20);
        drop(client);
        opener.join().unwrap();
    }

    #[test]
    fn an_opener_that_has_ended_is_named_as_the_reason() {
        let (here, there) = message::pair().unwrap();
        drop(there);
        let client = client(here);
        let error = client.call::<_, ()>(&()).unwrap_err();
        assert!(error.to_string().starts_with("the opener has ended"), "{error}");
    }

    #[test]
    fn a_refusal_is_told_as_the_opener_says_it() {
        let (here, there) = message::pair().unwrap();
        let client = client(here);
        let opener = thread::spawn(move || serve(there, |n: u32| (n, Vec::new())));
        let error = client.call::<_, u32>(&"no number").unwrap_err();
        assert!(matches!(&error, OpenerError::Refused(reason) if reason.contains("invalid type")), "{error}");
        drop(client);
        opener.join().unwrap();
    }
}
