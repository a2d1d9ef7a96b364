//! Captures from a scenario, together with their truth.
//!
//! In: a scenario file ([`Scenario`]). Out: one capture for each observation point and `truth.json`, which says
//! in the report's own words what is true of every stream at every hop. The same scenario and seed give the same
//! octets for ever. Nothing here knows how Hopmark measures: the two can be held against each other.

mod background;
mod block;
mod check;
mod datagram;
mod draw;
mod error;
mod frame;
mod media;
mod network;
mod plan;
mod random;
mod rewrite;
mod run;
mod scenario;
mod schedule;
mod sender;
mod stun;
mod talk;
mod truth;
mod turn;
mod writer;

pub use draw::{Kind, draw};
pub use error::SynthError;
pub use media::{Class, Codec};
pub use run::{Options, Written, generate};
pub use scenario::{
    Background, Burst, CodecChange, Codepoint, Directions, DropCounts, DscpChange, Encapsulation, Endpoint,
    Format, Framing, Interval, Match, Moment, Order, Point, Relay, Remark, Rewrite, Scenario, Segment,
    Silence, Stream, Stun,
};

#[cfg(test)]
mod tests;
