//! What those who receive have in common: ready, and what they used.

use std::error::Error;
use std::fs;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// How long a receiver may take to be ready, or to be through.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// A process that receives.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) child: Child,
    process: Pid,
    clock: ClockId,
}

impl Receiver {
    pub(crate) fn of(child: Child) -> Result<Self, Box<dyn Error>> {
        let process = Pid::from_raw(i32::try_from(child.id())?);
        Ok(Self { child, process, clock: ClockId::pid_cpu_clock_id(process)? })
    }

    /// Processor time of all its threads so far, user and system, in nanoseconds. Its children have their own.
    pub(crate) fn used(&self) -> Result<f64, Box<dyn Error>> {
        Ok(Duration::from(clock_gettime(self.clock)?).as_nanos() as f64)
    }

    /// Processor time, in nanoseconds, of its threads of a name.
    pub(crate) fn used_by(&self, name: &str) -> f64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process)).into_iter().flatten().flatten();
        let time = |thread: fs::DirEntry| {
            let read = |file: &str| fs::read_to_string(thread.path().join(file)).ok();
            let is_named = read("comm").is_some_and(|found| found.trim() == name);
            is_named.then(|| read("schedstat")?.split(' ').next()?.parse::<f64>().ok()).flatten()
        };
        threads.filter_map(time).sum()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(&mut self, signal: Signal) -> Result<(), Box<dyn Error>> {
        kill(self.process, signal)?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the receiver ended with {status}").into()) }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until there is an answer; what is waited for is said where there is none in time.
#[allow(clippy::disallowed_methods, reason = "how long is waited is of this machine's time")]
pub(crate) fn until<T>(
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = look()? {
            return Ok(found);
        }
        sleep(LOOK);
    }
    Err(format!("waited in vain until {what}").into())
}
