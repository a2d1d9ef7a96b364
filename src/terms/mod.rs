//! The field's words as types: all else in the crate speaks in these.

mod digest;
mod dscp;
mod flow;
mod frame;
mod rtp;
mod time;

pub use digest::{PayloadChoice, RtpDigest, TimedDigest};
pub use dscp::{Dscp, Ecn, NotADscp, TrafficClass};
pub use flow::{Direction, FlowKey, Transport};
pub use frame::{Frame, LinkType};
pub use rtp::{ClockRate, RtpTime, Ssrc};
pub use time::Timestamp;

/// An observation point (RFC 7011, section 2): a named mirror we listen to.
///
/// The number is the point's place in the list of points of this run; names are kept there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PointId(pub u16);
