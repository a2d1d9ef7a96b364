//! How long an interface gathers frames before it hands them over.
//!
//! Without hardware timestamps this is the floor of the jitter that can be measured.

use std::time::Duration;

use super::ethtool::Ethtool;
use super::ioctl::Command;

/// How an interface gathers received frames before it interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coalescing {
    /// Longest wait behind the first frame.
    pub wait: Duration,
    /// Frames after which it no longer waits; 0: no such number.
    pub frames: u32,
    /// Whether the driver changes both by load.
    pub is_adaptive: bool,
}

/// How an interface gathers received frames; absent where the driver does not tell.
#[must_use]
pub fn coalescing(name: &str) -> Option<Coalescing> {
    let answer = Ethtool::open(name).ok()?.ask(Command::Coalescing, &[]).ok()?;
    Some(Coalescing {
        wait: Duration::from_micros((*answer.get(1)?).into()),
        frames: *answer.get(2)?,
        is_adaptive: *answer.get(10)? != 0,
    })
}
