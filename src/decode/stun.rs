//! STUN and TURN messages: RFC 8489, classic RFC 3489, and MS-TURN.

mod address;
mod attribute;
mod method;

use std::net::SocketAddr;

pub use attribute::{Attribute, Attributes};
pub use method::{Class, Method};

use super::span::Span;
use attribute::{kind, lengths_fit};

/// The second word of every message since RFC 5389.
pub const COOKIE: u32 = 0x2112_A442;
/// The first attribute of every MS-TURN message (MS-TURN, section 2.2.2): number, length, value.
const MS_COOKIE: [u8; 8] = [0x00, 0x0F, 0x00, 0x04, 0x72, 0xC6, 0x4B, 0xC6];
const HEADER_OCTETS: usize = 20;

/// Whether the octets have the cookie of RFC 8489 in its place.
#[inline]
pub(super) fn has_cookie(bytes: &[u8]) -> bool {
    bytes.get(4..).and_then(|b| b.first_chunk()).is_some_and(|b| u32::from_be_bytes(*b) == COOKIE)
}

/// Which specification a message follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 8489, 5389, 8656, 5766, 8445: with the cookie in the header.
    Rfc8489,
    /// RFC 3489: no cookie.
    Classic,
    /// MS-TURN: Microsoft's own cookie as the first attribute, whether or not the header has the other.
    MsTurn,
}

/// ICE role, with the tie-breaker (RFC 8445, section 7.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceRole {
    /// The agent that nominates.
    Controlling(u64),
    /// The other.
    Controlled(u64),
}

/// MS-Service-Quality: what the relay allocation is for (MS-TURN, section 2.2.2.19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServiceQuality {
    /// 1 audio, 2 video, 3 supplemental video, 4 data.
    pub stream_type: u16,
    /// 0 best effort, 1 reliable.
    pub quality: u16,
}

/// A checked view of one STUN message. All accessors look the attribute up; none can fail.
#[derive(Debug, Clone, Copy)]
pub struct StunMessage<'a> {
    /// Header and attributes, as far as they were kept.
    span: Span<'a>,
    format: Format,
    /// Whether attributes are padded to four octets.
    is_padded: bool,
}

impl<'a> StunMessage<'a> {
    /// The message at the start of a payload, if there is one.
    pub(super) fn read(payload: Span<'a>) -> Option<Self> {
        let &[t0, t1, l0, l1] = payload.bytes.first_chunk::<4>()?;
        let message_type = u16::from_be_bytes([t0, t1]);
        let octets = HEADER_OCTETS + usize::from(u16::from_be_bytes([l0, l1]));
        if message_type & 0xC000 != 0 || octets > payload.octets || payload.bytes.len() < HEADER_OCTETS {
            return None;
        }
        let span = payload.with_length(octets);
        let attributes = span.skip(HEADER_OCTETS).ok()?;
        let (fits_padded, fits_packed) = (lengths_fit(attributes, true), lengths_fit(attributes, false));
        let is_ms_turn = method::is_ms_turn(message_type) && attributes.bytes.starts_with(&MS_COOKIE);
        // Microsoft's clients send messages with both cookies, and some clients leave the padding out.
        if has_cookie(span.bytes) {
            let format = if is_ms_turn { Format::MsTurn } else { Format::Rfc8489 };
            return Some(Self { span, format, is_padded: fits_padded || !fits_packed });
        }
        let is_classic = octets == payload.octets && method::is_classic(message_type);
        let format = match (is_ms_turn, is_classic) {
            _ if !fits_padded && !fits_packed => return None,
            (true, _) => Format::MsTurn,
            (false, true) => Format::Classic,
            (false, false) => return None,
        };
        // RFC 3489 knows no padding.
        let is_padded = !fits_packed;
        Some(Self { span, format, is_padded })
    }

    /// The octets of the message, as far as they were kept.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.span.bytes
    }

    /// Which specification it follows.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    fn message_type(&self) -> u16 {
        self.span.u16_at(0).unwrap_or(0)
    }

    /// Request, indication, success or error.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::of(self.message_type(), self.format)
    }

    /// What is asked or answered.
    #[must_use]
    pub fn method(&self) -> Method {
        Method::of(self.message_type(), self.format)
    }

    /// The name of the method, as the report prints it: `binding`, `allocate`, ...
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.method().name()
    }

    /// The identifier that a request and its response share: cookie and 12 octets, or 16 without a cookie.
    #[must_use]
    pub fn transaction_id(&self) -> [u8; 16] {
        self.span.bytes.get(4..).and_then(|b| b.first_chunk()).copied().unwrap_or_default()
    }

    /// All attributes that were kept whole, in their order.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.body(), self.is_padded)
    }

    fn body(&self) -> Span<'a> {
        self.span.skip(HEADER_OCTETS).unwrap_or(self.span.with_length(0))
    }

    fn find(&self, wanted: u16) -> Option<&'a [u8]> {
        self.attributes().find(|a| a.kind == wanted).map(|a| a.value)
    }

    fn find_u32(&self, wanted: u16) -> Option<u32> {
        self.find(wanted).and_then(|v| v.try_into().ok()).map(u32::from_be_bytes)
    }

    fn find_u64(&self, wanted: u16) -> Option<u64> {
        self.find(wanted).and_then(|v| v.try_into().ok()).map(u64::from_be_bytes)
    }

    fn find_text(&self, wanted: u16) -> Option<&'a str> {
        self.find(wanted).and_then(|v| std::str::from_utf8(v).ok())
    }

    fn find_plain(&self, wanted: u16) -> Option<SocketAddr> {
        self.find(wanted).and_then(address::plain)
    }

    fn find_xored(&self, wanted: u16) -> Option<SocketAddr> {
        self.find(wanted).and_then(|v| address::xored(v, self.transaction_id()))
    }

    /// How the client looks from outside: XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS where that has this meaning.
    #[must_use]
    pub fn mapped_address(&self) -> Option<SocketAddr> {
        self.find_xored(kind::XOR_MAPPED_ADDRESS)
            .or_else(|| self.find_xored(kind::OLD_XOR_MAPPED_ADDRESS))
            .or_else(|| match (self.format, self.method()) {
                (Format::MsTurn, Method::ALLOCATE) => None,
                _ => self.find_plain(kind::MAPPED_ADDRESS),
            })
    }

    /// The transport address that the relay allocated: XOR-RELAYED-ADDRESS; in MS-TURN the MAPPED-ADDRESS of
    /// an Allocate response.
    #[must_use]
    pub fn relayed_address(&self) -> Option<SocketAddr> {
        match (self.format, self.method()) {
            (Format::MsTurn, Method::ALLOCATE) => self.find_plain(kind::MAPPED_ADDRESS),
            _ => self.find_xored(kind::XOR_RELAYED_ADDRESS),
        }
    }

    /// Who stands behind the relay: XOR-PEER-ADDRESS; in MS-TURN the destination or remote address.
    #[must_use]
    pub fn peer_address(&self) -> Option<SocketAddr> {
        match self.format {
            Format::MsTurn => self
                .find_plain(kind::MS_DESTINATION_ADDRESS)
                .or_else(|| self.find_plain(kind::XOR_PEER_OR_MS_REMOTE_ADDRESS)),
            _ => self.find_xored(kind::XOR_PEER_OR_MS_REMOTE_ADDRESS),
        }
    }

    /// CHANNEL-NUMBER of a `ChannelBind` request (RFC 8656, section 18.1).
    #[must_use]
    pub fn channel_number(&self) -> Option<u16> {
        self.find_u32(kind::CHANNEL_NUMBER).map(|v| (v >> 16) as u16)
    }

    /// LIFETIME of an allocation, in seconds.
    #[must_use]
    pub fn lifetime_seconds(&self) -> Option<u32> {
        self.find_u32(kind::LIFETIME)
    }

    /// ERROR-CODE, 300 to 699 (RFC 8489, section 14.8).
    #[must_use]
    pub fn error_code(&self) -> Option<u16> {
        match self.find(kind::ERROR_CODE) {
            Some([_, _, class, number, ..]) => Some(u16::from(class & 0x07) * 100 + u16::from(*number)),
            _ => None,
        }
    }

    /// REQUESTED-TRANSPORT, a protocol number: 17 UDP, 6 TCP.
    #[must_use]
    pub fn requested_transport(&self) -> Option<u8> {
        self.find_u32(kind::REQUESTED_TRANSPORT).map(|v| (v >> 24) as u8)
    }

    /// Whether the sender names itself, as every connectivity check does.
    #[must_use]
    pub fn has_username(&self) -> bool {
        self.find(kind::USERNAME).is_some()
    }

    /// USE-CANDIDATE: this check nominates its pair (RFC 8445, section 7.1.2).
    #[must_use]
    pub fn use_candidate(&self) -> bool {
        self.find(kind::USE_CANDIDATE).is_some()
    }

    /// ICE-CONTROLLING or ICE-CONTROLLED.
    #[must_use]
    pub fn ice_role(&self) -> Option<IceRole> {
        let controlling = || self.find_u64(kind::ICE_CONTROLLING).map(IceRole::Controlling);
        controlling().or_else(|| self.find_u64(kind::ICE_CONTROLLED).map(IceRole::Controlled))
    }

    /// SOFTWARE, where it is UTF-8.
    #[must_use]
    pub fn software(&self) -> Option<&'a str> {
        self.find_text(kind::SOFTWARE)
    }

    /// REALM, where it is UTF-8. MS-TURN has its number and that of NONCE the other way round.
    #[must_use]
    pub fn realm(&self) -> Option<&'a str> {
        self.find_text(if self.format == Format::MsTurn { kind::MS_REALM } else { kind::REALM })
    }

    /// MS-Service-Quality of an Allocate request.
    #[must_use]
    pub fn ms_service_quality(&self) -> Option<ServiceQuality> {
        let value = self.find_u32(kind::MS_SERVICE_QUALITY)?;
        Some(ServiceQuality { stream_type: (value >> 16) as u16, quality: (value & 0xFFFF) as u16 })
    }

    /// MS-Version: 1 ICE, 2 MS-ICE2, 5 and 6 multiplexed TURN.
    #[must_use]
    pub fn ms_version(&self) -> Option<u32> {
        self.find_u32(kind::MS_VERSION)
    }

    /// DATA of an indication, as far as it was kept.
    #[must_use]
    pub fn data(&self) -> Option<&'a [u8]> {
        self.data_span().map(|s| s.bytes)
    }

    /// DATA with its length on the wire.
    pub(super) fn data_span(&self) -> Option<Span<'a>> {
        self.attributes().cut().find(|(kind, _)| *kind == kind::DATA).map(|(_, value)| value)
    }

    /// Whether it is a Send or Data indication: a wrapper of somebody's packet.
    pub(super) fn is_wrapper(&self) -> bool {
        self.class() == Class::Indication && matches!(self.method(), Method::SEND | Method::DATA)
    }
}

#[cfg(test)]
mod tests;
