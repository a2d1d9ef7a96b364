//! STUN messages: header, attributes, fingerprint (RFC 8489).

use std::net::{IpAddr, SocketAddr};

use super::random::Random;

/// RFC 8489, section 5.
const MAGIC_COOKIE: u32 = 0x2112_A442;

/// Methods with their class bits set as the message needs them.
pub(super) const BINDING: u16 = 0x0001;
pub(super) const ALLOCATE: u16 = 0x0003;
pub(super) const CREATE_PERMISSION: u16 = 0x0008;
pub(super) const CHANNEL_BIND: u16 = 0x0009;
pub(super) const SEND_INDICATION: u16 = 0x0016;
pub(super) const DATA_INDICATION: u16 = 0x0017;
/// Added to a request's method in its answer.
pub(super) const SUCCESS: u16 = 0x0100;
pub(super) const ERROR: u16 = 0x0110;

/// Attribute types (RFC 8489, RFC 8656, RFC 8445, MS-TURN).
pub(super) const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
pub(super) const ERROR_CODE: u16 = 0x0009;
pub(super) const CHANNEL_NUMBER: u16 = 0x000C;
pub(super) const LIFETIME: u16 = 0x000D;
pub(super) const XOR_PEER_ADDRESS: u16 = 0x0012;
pub(super) const DATA: u16 = 0x0013;
pub(super) const REALM: u16 = 0x0014;
pub(super) const NONCE: u16 = 0x0015;
pub(super) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub(super) const REQUESTED_TRANSPORT: u16 = 0x0019;
pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub(super) const PRIORITY: u16 = 0x0024;
const FINGERPRINT: u16 = 0x8028;
pub(super) const MS_SERVICE_QUALITY: u16 = 0x8055;

/// A message under construction.
#[derive(Debug)]
pub(super) struct Message {
    bytes: Vec<u8>,
    transaction: [u8; 12],
}

impl Message {
    /// A message of a type, of the transaction that a number stands for.
    pub(super) fn new(kind: u16, transaction: u64) -> Self {
        let mut id = [0; 12];
        Random::new(transaction, &[4]).fill(&mut id);
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(MAGIC_COOKIE.to_be_bytes());
        bytes.extend(id);
        Self { bytes, transaction: id }
    }

    /// Adds an attribute, padded to four octets.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend(length_of(value).to_be_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Adds an address, mixed with cookie and transaction (RFC 8489, section 14.2).
    pub(super) fn address(self, kind: u16, address: SocketAddr) -> Self {
        let mut mask = MAGIC_COOKIE.to_be_bytes().to_vec();
        mask.extend(self.transaction);
        let (family, octets) = match address.ip() {
            IpAddr::V4(v4) => (1, v4.octets().to_vec()),
            IpAddr::V6(v6) => (2, v6.octets().to_vec()),
        };
        let mut value = vec![0, family];
        value.extend((address.port() ^ 0x2112).to_be_bytes());
        value.extend(octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
        self.attribute(kind, &value)
    }

    /// Adds an integrity check. Its key is nobody's, so the check is twenty octets that only look like one.
    pub(super) fn integrity(self) -> Self {
        let mut digest = [0; 20];
        let seed = self.transaction.iter().fold(0, |seed, octet| seed << 5 ^ u64::from(*octet));
        Random::new(seed, &[5]).fill(&mut digest);
        self.attribute(MESSAGE_INTEGRITY, &digest)
    }

    /// Adds the fingerprint and gives the octets.
    pub(super) fn fingerprinted(mut self) -> Vec<u8> {
        self.set_length(8);
        let mut crc = flate2::Crc::new();
        crc.update(&self.bytes);
        let value = crc.sum() ^ 0x5354_554E;
        self.attribute(FINGERPRINT, &value.to_be_bytes()).finished()
    }

    /// Gives the octets.
    pub(super) fn finished(mut self) -> Vec<u8> {
        self.set_length(0);
        self.bytes
    }

    fn set_length(&mut self, more: u16) {
        let length = u16::try_from(self.bytes.len() - 20).unwrap_or(0) + more;
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

fn length_of(value: &[u8]) -> u16 {
    u16::try_from(value.len()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_its_attributes() {
        let address = "192.0.2.1:32853".parse().unwrap();
        let message = Message::new(BINDING | SUCCESS, 1).address(XOR_MAPPED_ADDRESS, address).integrity();
        let bytes = message.fingerprinted();
        assert_eq!(bytes.len(), 20 + 12 + 24 + 8);
        assert_eq!(u16::from_be_bytes([bytes[2], bytes[3]]), 44);
        assert_eq!(&bytes[4..8], &[0x21, 0x12, 0xA4, 0x42]);
        // RFC 5769, section 2.2 has this very address: port and octets as there.
        assert_eq!(&bytes[20..32], &[0, 0x20, 0, 8, 0, 1, 0xA1, 0x47, 0xE1, 0x12, 0xA6, 0x43]);
    }

    #[test]
    fn the_fingerprint_is_a_crc_of_what_stands_before_it() {
        let bytes = Message::new(BINDING, 2).attribute(USERNAME, b"abc").fingerprinted();
        let (before, fingerprint) = bytes.split_at(bytes.len() - 8);
        let mut crc = flate2::Crc::new();
        crc.update(before);
        assert_eq!(fingerprint[4..], (crc.sum() ^ 0x5354_554E).to_be_bytes());
        assert_eq!(before.len() % 4, 0);
    }
}
