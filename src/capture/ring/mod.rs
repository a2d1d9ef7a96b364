//! Frames of an interface, read in place from an `AF_PACKET` ring.
//!
//! In two halves. [`open()`] needs `CAP_NET_RAW` and touches no frame: socket, filter, ring. [`Ring::map`] and all
//! after it need nothing but the descriptor. The kernel (`TPACKET_V3`) fills blocks, hands each over when it is full or
//! old enough, and drops packets, counted, while all blocks are handed over; frames are read in place, block by
//! block.

mod counters;
mod error;
mod fanout;
mod gate;
mod kernel;
mod layout;
mod open;
mod stamps;
mod trial;
mod walk;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt};

pub use self::counters::{RingCounters, Stamps};
pub use self::error::RingError;
pub(super) use self::error::interfaces;
pub use self::fanout::{Fanout, fanout_group};
pub use self::kernel::attach_classic;
pub use self::open::{OpenedRing, RingOptions, open, open_fanned};
pub use self::trial::{Heard, Trial};

use self::counters::Tally;
use self::kernel::Memory;
use self::walk::walk;
use crate::terms::{Frame, LinkType};

/// A ring being read.
#[derive(Debug)]
pub struct Ring {
    // The mapping goes before the socket whose it is.
    memory: Memory,
    socket: OwnedFd,
    interface_index: u32,
    link: LinkType,
    /// The block that the kernel hands over next.
    next: u32,
    state: State,
    tally: Tally,
    /// Frames since the kernel's counters were asked for.
    unasked: u64,
    /// How long blocks are let come where they come one after the other.
    nap: Duration,
    /// Whether the last block was full, so that the next will be soon.
    comes_soon: bool,
}

/// What is known of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// It is down, but the last block is not handed over yet; how long to wait for that.
    Falling(Duration),
    /// That it is down has been said.
    Down,
}

/// What one call of a backend's `read` came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Frames that were given.
    pub frames: u64,
    /// Whether there was nothing to read, also after waiting.
    pub was_idle: bool,
}

/// The kernel's counters have 32 bits and begin anew when asked for, so they are asked for when this many frames
/// were read, besides whenever it says that it drops.
const ASK_AFTER: u64 = 1 << 24;

/// Octets of a ring that 10 Gbit/s fill in a second: frames as short as those of calls, whole. Of shorter ones more would
/// come than the kernel can put into one ring.
const FILLED_A_SECOND: u64 = 1_600_000_000;

/// How many naps frames may be left alone that come one after the other.
const NAPS: u32 = 3;

/// How long the last block of an interface that went down is waited for: longer than it may be told to take.
const LAST_BLOCK: Duration = Duration::from_secs(11);

impl Ring {
    /// Maps a ring that was opened. Needs no privilege.
    ///
    /// # Errors
    ///
    /// The sizes are not those of the socket's ring, or there is no room for it among the process's addresses.
    pub fn map(opened: OpenedRing) -> Result<Self, RingError> {
        let OpenedRing { socket, blocks, block_octets, interface_index, link } = opened;
        let memory = Memory::map(socket.as_fd(), blocks, block_octets).map_err(|reason| RingError::Map {
            interface_index,
            blocks,
            block_octets,
            reason,
        })?;
        let tally = Tally::default();
        Ok(Self {
            memory,
            socket,
            interface_index,
            link,
            next: 0,
            state: State::Up,
            tally,
            unasked: 0,
            nap: nap(u64::from(blocks) * u64::from(block_octets)),
            comes_soon: false,
        })
    }

    /// Gives the frames of all blocks that are ready, some at a time and at most one turn of the ring. Where none is
    /// ready it waits for one, at most `timeout` (in whole milliseconds, rounded up).
    ///
    /// # Errors
    ///
    /// [`RingError::Down`] once when the interface goes down, after which reading may go on; [`RingError::Gone`] when
    /// it was removed, which it stays. Frames from before are given first, by calls that come before.
    pub fn read(
        &mut self,
        timeout: Duration,
        mut sink: impl FnMut(&[Frame<'_>]),
    ) -> Result<Progress, RingError> {
        let mut left = timeout;
        let mut progress = self.walk_ready(&mut sink);
        if progress.was_idle && std::mem::take(&mut self.comes_soon) {
            left = left.saturating_sub(self.let_come(timeout));
            progress = self.walk_ready(&mut sink);
        }
        if progress.was_idle {
            let waited = self.wait(left)?;
            progress = self.walk_ready(&mut sink);
            if progress.was_idle {
                self.notice_absence(waited)?;
            }
        }
        Ok(progress)
    }

    /// All counts since the ring was mapped.
    pub fn counters(&mut self) -> RingCounters {
        self.ask_kernel();
        self.tally.counters()
    }

    /// The socket, for another filter or another program's eyes; readable when a block is ready.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The interface's number.
    #[must_use]
    pub const fn interface_index(&self) -> u32 {
        self.interface_index
    }

    /// Lets several blocks come; gives for how long. Who is woken for each block is woken very often, and finds the processor's
    /// caches cold each time; only to look how many there are needs little of them. It is looked after each nap whether
    /// an eighth of the ring has come: the fastest link fills half of it in one.
    fn let_come(&self, timeout: Duration) -> Duration {
        let blocks = self.memory.blocks();
        let enough = (self.next + blocks / 8) % blocks;
        let most = timeout.min(self.nap * NAPS);
        let mut left = most;
        while !left.is_zero() && !self.memory.is_handed_over(enough) {
            let nap = self.nap.min(left);
            std::thread::sleep(nap);
            left -= nap;
        }
        most.saturating_sub(left)
    }

    fn walk_ready(&mut self, sink: &mut impl FnMut(&[Frame<'_>])) -> Progress {
        let mut progress = Progress { frames: 0, was_idle: true };
        for _ in 0..self.memory.blocks() {
            let Some(block) = self.memory.take(self.next) else { break };
            let is_losing = block.status & libc::TP_STATUS_LOSING != 0;
            self.comes_soon = block.status & libc::TP_STATUS_BLK_TMO == 0;
            let frames = walk(block.octets, self.link, &mut self.tally, sink);
            self.memory.give_back(self.next);
            self.next = (self.next + 1) % self.memory.blocks();
            progress.frames += frames;
            progress.was_idle = false;
            self.unasked += frames;
            self.tally.losing_blocks += u64::from(is_losing);
            if is_losing || self.unasked >= ASK_AFTER {
                self.ask_kernel();
            }
        }
        if !progress.was_idle && self.state == State::Down {
            self.state = State::Up;
        }
        progress
    }

    /// Waits for a block; how long at most, 0 where waiting was cut short.
    fn wait(&mut self, timeout: Duration) -> Result<Duration, RingError> {
        let failed =
            |errno: Errno| RingError::Wait { interface_index: self.interface_index, reason: errno.into() };
        let whole = i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
        let limit = PollTimeout::try_from(whole).unwrap_or(PollTimeout::MAX);
        let mut waiting = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, limit) {
            Ok(0) => return Ok(timeout),
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Duration::ZERO),
            Err(errno) => return Err(failed(errno)),
        }
        let [waiting] = waiting;
        if waiting.revents().is_some_and(|events| events.contains(PollFlags::POLLERR)) {
            let pending = getsockopt(&self.socket, sockopt::SocketError).map_err(failed)?;
            match Errno::from_raw(pending) {
                Errno::ENETDOWN => self.state = State::Falling(LAST_BLOCK),
                _ if pending == 0 => {}
                errno => return Err(failed(errno)),
            }
        }
        Ok(Duration::ZERO)
    }

    /// Says that the interface is down or gone, once nothing from before can come any more.
    fn notice_absence(&mut self, waited: Duration) -> Result<(), RingError> {
        match self.state {
            State::Up => Ok(()),
            State::Falling(patience) if patience > waited && self.memory.is_filling(self.next) => {
                self.state = State::Falling(patience.saturating_sub(waited));
                Ok(())
            }
            State::Falling(_) | State::Down => {
                let interface_index = self.interface_index;
                let is_first = self.state != State::Down;
                self.state = State::Down;
                if self.is_gone() {
                    Err(RingError::Gone { interface_index })
                } else if is_first {
                    Err(RingError::Down { interface_index })
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Whether the socket's interface does not exist any more: the kernel then unbinds the socket.
    fn is_gone(&self) -> bool {
        let bound = kernel::bound_to(self.socket.as_fd());
        bound.is_ok_and(|(number, _)| u32::try_from(number) != Ok(self.interface_index))
    }

    fn ask_kernel(&mut self) {
        self.unasked = 0;
        // It cannot fail for a packet socket.
        if let Ok(statistics) = kernel::get(self.socket.as_fd(), libc::PACKET_STATISTICS) {
            self.tally.add(statistics);
        }
    }
}

/// How long a ring of so many octets may be left alone: at the most that comes half of it is still free.
fn nap(octets: u64) -> Duration {
    Duration::from_nanos(octets.saturating_mul(1_000_000_000) / (2 * FILLED_A_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_a_ring_the_shorter_its_nap() {
        assert_eq!(nap(64 << 20).as_millis(), 20);
        assert_eq!(nap(8 << 16).as_micros(), 163);
        assert!(nap(u64::MAX) < Duration::from_secs(6));
    }
}
