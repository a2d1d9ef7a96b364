//! STUN and TURN messages: RFC 8489, classic RFC 3489, and MS-TURN.

/// A view of one STUN message.
#[derive(Debug, Clone, Copy)]
pub struct StunMessage<'a> {
    /// The whole message.
    pub bytes: &'a [u8],
}
