//! What a program that runs for months owes to whoever keeps it.
//!
//! It obeys [`Signals`], tells the service manager how it is by [`Notifier`], and writes [`logging`] that neither fills
//! a disk nor hides what matters.

pub mod logging;
mod notifier;
mod rate_limit;
mod signals;

pub use notifier::Notifier;
pub use signals::{Order, Signals};
