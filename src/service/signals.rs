//! Signals as orders that a thread waits for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a signal asks of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT: write the last records and end.
    Stop,
}

/// The signals of this process, which one thread waits for. It can be polled: readable means that an order is there.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Takes SIGHUP, SIGTERM and SIGINT out of the usual way.
    ///
    /// To be called before the first thread is started: a thread that was started earlier would still be killed by
    /// them, and the process with it.
    ///
    /// # Errors
    ///
    /// The process has as many files open as it may.
    pub fn take() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT] {
            signals.add(signal);
        }
        signals.thread_block()?;
        Ok(Self(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// Waits for an order, at most this long; several signals of one kind that came meanwhile are one order.
    ///
    /// # Errors
    ///
    /// The system refuses to wait, which is no passing state.
    pub fn wait(&self, most: Duration) -> io::Result<Option<Order>> {
        let most = PollTimeout::try_from(most).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], most) {
            Ok(0) | Err(Errno::EINTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let signal = self.0.read_signal()?.and_then(|signal| i32::try_from(signal.ssi_signo).ok());
        Ok(signal.map(|number| if number == Signal::SIGHUP as i32 { Order::Reload } else { Order::Stop }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::raise;

    use super::*;

    #[test]
    fn signals_become_orders() {
        let signals = Signals::take().unwrap();
        assert_eq!(signals.wait(Duration::ZERO).unwrap(), None);
        // To this thread alone, which has taken them.
        for (signal, order) in
            [(Signal::SIGHUP, Order::Reload), (Signal::SIGTERM, Order::Stop), (Signal::SIGINT, Order::Stop)]
        {
            raise(signal).unwrap();
            assert_eq!(signals.wait(Duration::from_secs(5)).unwrap(), Some(order), "{signal}");
        }
    }

    #[test]
    fn many_signals_of_a_kind_are_one_order() {
        let signals = Signals::take().unwrap();
        for _ in 0..3 {
            raise(Signal::SIGHUP).unwrap();
        }
        assert_eq!(signals.wait(Duration::ZERO).unwrap(), Some(Order::Reload));
        assert_eq!(signals.wait(Duration::ZERO).unwrap(), None);
    }
}
