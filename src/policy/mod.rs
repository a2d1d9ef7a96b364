//! What the operator expects: service classes, rules, built-in profiles, thresholds.
//!
//! Pure: profiles are data compiled in, and nothing here reads a file or a clock.

/// What a stream's class was decided from, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Evidence {
    /// TURN's Allocate request named the modality (MS-Service-Quality).
    TurnModality,
    /// The client's port lies in a class's range.
    ClientPort(u16),
    /// The service's port belongs to a class.
    ServicePort(u16),
    /// The payload type is a known convention.
    PayloadType(u8),
    /// Packet interval, size and clock rate look like a class.
    Cadence,
    /// Nothing told.
    #[default]
    None,
}
