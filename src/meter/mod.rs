//! Observations to records: finds RTP streams, counts them, and pairs STUN transactions.
//!
//! Pure: no I/O and no clock; time is what the packets say.

mod record;

pub use record::{
    CaptureRecord, ClockSource, DscpChange, FlowFacts, Histogram, HopRecord, Jitter, MAX_CHANGES,
    MeterCounters, PayloadType, RoundTrip, StreamRecord, StunRecord, Way,
};
