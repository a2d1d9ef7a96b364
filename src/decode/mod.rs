//! The bytes of one frame to observations: link, tags, tunnels, IP, UDP, then what media uses.
//!
//! Pure: no I/O, no clock, no allocation per frame. Takes any bytes whatever and never panics: what cannot be
//! read is a counted reason ([`Undecoded`]) and the next frame.

mod observation;
pub mod path;
pub mod stun;

pub use observation::{Addresses, Fragment, Message, Observation, RtcpHeader, RtpHeader};
pub use path::{Layer, Path, PathId, PathTable};
