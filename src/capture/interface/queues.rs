//! Over how many queues an interface spreads what it receives.

use super::ethtool::Ethtool;
use super::ioctl::Command;

/// Receiving queues of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queues {
    /// As they are: those for receiving only, and those for both ways.
    pub current: u32,
    /// As many as there can be.
    pub maximum: u32,
}

/// The receiving queues of an interface; absent where the driver does not tell.
#[must_use]
pub fn queues(name: &str) -> Option<Queues> {
    let answer = Ethtool::open(name).ok()?.ask(Command::Channels, &[]).ok()?;
    let word = |at: usize| answer.get(at).copied();
    let queues = Queues {
        current: word(5)?.saturating_add(word(8)?),
        // A driver has either kind, or lets the two be exchanged for each other.
        maximum: word(1)?.max(word(4)?),
    };
    (queues.current > 0).then_some(queues)
}
