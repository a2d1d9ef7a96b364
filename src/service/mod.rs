//! What a program that runs for months owes to whoever keeps it.
//!
//! It obeys [`Signals`], tells the service manager how it is by [`Notifier`], and writes [`logging`] that neither fills
//! a disk nor hides what matters. Its memory does not grow with time: [`keep_memory_together`].

pub mod logging;
mod memory;
mod notifier;
mod rate_limit;
mod signals;

pub use memory::{give_memory_back, keep_memory_at_hand, keep_memory_together};
pub use notifier::Notifier;
pub use signals::{Order, Signals};
