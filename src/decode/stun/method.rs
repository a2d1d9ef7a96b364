//! Class and method: how the type field of a STUN message is read.

use super::Format;

/// Which of the four kinds of message it is (RFC 8489, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Asks for an answer.
    Request,
    /// Asks for none.
    Indication,
    /// The answer, granted.
    Success,
    /// The answer, refused.
    Error,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method(pub u16);

impl Method {
    /// Reflexive address, connectivity check, keep-alive, consent (RFC 8489, 8445, 7675).
    pub const BINDING: Self = Self(0x001);
    /// Password exchange of RFC 3489, now gone.
    pub const SHARED_SECRET: Self = Self(0x002);
    /// Asks for a relayed address (RFC 8656).
    pub const ALLOCATE: Self = Self(0x003);
    /// Prolongs or ends an allocation.
    pub const REFRESH: Self = Self(0x004);
    /// Data from the client to a peer.
    pub const SEND: Self = Self(0x006);
    /// Data from a peer to the client.
    pub const DATA: Self = Self(0x007);
    /// Lets a peer's address through.
    pub const CREATE_PERMISSION: Self = Self(0x008);
    /// Gives a peer a channel number.
    pub const CHANNEL_BIND: Self = Self(0x009);
    /// Asks the relay for a TCP connection (RFC 6062).
    pub const CONNECT: Self = Self(0x00A);
    /// Ties a data connection to it.
    pub const CONNECTION_BIND: Self = Self(0x00B);
    /// Tells of a connection from a peer.
    pub const CONNECTION_ATTEMPT: Self = Self(0x00C);
    /// MS-TURN's Set Active Destination; above all numbers that the type field can hold.
    pub const SET_ACTIVE_DESTINATION: Self = Self(0x1006);

    pub(super) const fn of(message_type: u16, format: Format) -> Self {
        match (format, message_type) {
            (Format::MsTurn, MS_SEND) => Self::SEND,
            (Format::MsTurn, MS_DATA) => Self::DATA,
            (Format::MsTurn, 0x0006 | 0x0106 | 0x0116) => Self::SET_ACTIVE_DESTINATION,
            // The bits of the class lie between those of the method.
            (_, t) => Self(t & 0x000F | (t & 0x00E0) >> 1 | (t & 0x3E00) >> 2),
        }
    }

    /// As the report prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BINDING => "binding",
            Self::SHARED_SECRET => "shared-secret",
            Self::ALLOCATE => "allocate",
            Self::REFRESH => "refresh",
            Self::SEND => "send",
            Self::DATA => "data",
            Self::CREATE_PERMISSION => "create-permission",
            Self::CHANNEL_BIND => "channel-bind",
            Self::CONNECT => "connect",
            Self::CONNECTION_BIND => "connection-bind",
            Self::CONNECTION_ATTEMPT => "connection-attempt",
            Self::SET_ACTIVE_DESTINATION => "set-active-destination",
            _ => "other",
        }
    }
}

impl Class {
    pub(super) const fn of(message_type: u16, format: Format) -> Self {
        match (format, message_type) {
            // Neither is answered (MS-TURN, sections 2.2.1 and 3.1).
            (Format::MsTurn, MS_SEND | MS_DATA) => Self::Indication,
            (_, t) => match (t >> 4 & 1) | (t >> 7 & 2) {
                0 => Self::Request,
                1 => Self::Indication,
                2 => Self::Success,
                _ => Self::Error,
            },
        }
    }
}

const MS_SEND: u16 = 0x0004;
const MS_DATA: u16 = 0x0115;

/// The message types of MS-TURN: Allocate, Send, Data, Set Active Destination, and their answers. Binding is
/// there because multiplexed relays answer it in the same form.
pub(super) const fn is_ms_turn(message_type: u16) -> bool {
    matches!(
        message_type,
        0x0001 | 0x0101 | 0x0111 | 0x0003 | 0x0103 | 0x0113 | MS_SEND | MS_DATA | 0x0006 | 0x0106 | 0x0116
    )
}

/// The message types of RFC 3489 (section 11.1).
pub(super) const fn is_classic(message_type: u16) -> bool {
    matches!(message_type, 0x0001 | 0x0101 | 0x0111 | 0x0002 | 0x0102 | 0x0112)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_and_method_share_the_type_field() {
        for (message_type, class, name) in [
            (0x0001, Class::Request, "binding"),
            (0x0011, Class::Indication, "binding"),
            (0x0101, Class::Success, "binding"),
            (0x0111, Class::Error, "binding"),
            (0x0003, Class::Request, "allocate"),
            (0x0113, Class::Error, "allocate"),
            (0x0104, Class::Success, "refresh"),
            (0x0016, Class::Indication, "send"),
            (0x0017, Class::Indication, "data"),
            (0x0008, Class::Request, "create-permission"),
            (0x0109, Class::Success, "channel-bind"),
            (0x000A, Class::Request, "connect"),
            (0x000B, Class::Request, "connection-bind"),
            (0x001C, Class::Indication, "connection-attempt"),
            (0x3EEF, Class::Request, "other"),
        ] {
            assert_eq!(Class::of(message_type, Format::Rfc8489), class, "{message_type:#06x}");
            assert_eq!(Method::of(message_type, Format::Rfc8489).name(), name, "{message_type:#06x}");
        }
        assert_eq!(Method::of(0x3EEF, Format::Rfc8489), Method(0xFFF));
    }

    #[test]
    fn ms_turn_has_types_of_its_own() {
        for (message_type, class, name) in [
            (0x0003, Class::Request, "allocate"),
            (0x0103, Class::Success, "allocate"),
            (0x0113, Class::Error, "allocate"),
            (0x0004, Class::Indication, "send"),
            (0x0115, Class::Indication, "data"),
            (0x0006, Class::Request, "set-active-destination"),
            (0x0106, Class::Success, "set-active-destination"),
        ] {
            assert!(is_ms_turn(message_type));
            assert_eq!(Class::of(message_type, Format::MsTurn), class, "{message_type:#06x}");
            assert_eq!(Method::of(message_type, Format::MsTurn).name(), name, "{message_type:#06x}");
        }
    }
}
