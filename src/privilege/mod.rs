//! Who may do what: the process that captures, and the one that opens.
//!
//! A live capture needs capabilities, and a program that parses what strangers send should have none. So it splits
//! while it still has one thread, in this order:
//!
//! 1. [`plan()`] says whether there is anything to split, or how to mend that there is not;
//! 2. [`OpenerClient::start`] starts the *opener*: this program once more, in a process of its own, which keeps
//!    `CAP_NET_RAW`, `CAP_NET_ADMIN` and `CAP_BPF`, reads no packet, and hands over open descriptors on request;
//! 3. [`lock()`] makes this process an ordinary user's without any capability, and takes from it all files and system
//!    calls that capturing, exporting and reloading do not need.
//!
//! What is left open: a packet socket that was handed over can be bound to another interface of the same network
//! namespace and can send frames, for the kernel asks for capabilities only when such a socket is made.

mod account;
mod capabilities;
mod client;
mod descriptors;
mod error;
mod files;
mod filter;
mod lock;
mod message;
mod opener;
mod plan;
mod standing;
mod syscalls;

pub use account::Account;
pub use client::OpenerClient;
pub use error::{LockError, MessageError, OpenerError};
pub use files::FileRules;
pub use lock::{LockOptions, Locked, lock};
pub use opener::{Settled, run, serve};
pub use plan::{Plan, plan};
pub use standing::Standing;
