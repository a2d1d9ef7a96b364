//! STUN attributes: numbers, and a walk that stays within bounds.

use crate::decode::span::Span;

/// Attribute numbers (IANA stun-parameters; MS-TURN, section 2.2.2).
pub(super) mod kind {
    pub(in crate::decode::stun) const MAPPED_ADDRESS: u16 = 0x0001;
    pub(in crate::decode::stun) const USERNAME: u16 = 0x0006;
    pub(in crate::decode::stun) const ERROR_CODE: u16 = 0x0009;
    pub(in crate::decode::stun) const CHANNEL_NUMBER: u16 = 0x000C;
    pub(in crate::decode::stun) const LIFETIME: u16 = 0x000D;
    pub(in crate::decode::stun) const MS_DESTINATION_ADDRESS: u16 = 0x0011;
    pub(in crate::decode::stun) const XOR_PEER_OR_MS_REMOTE_ADDRESS: u16 = 0x0012;
    pub(in crate::decode::stun) const DATA: u16 = 0x0013;
    pub(in crate::decode::stun) const REALM: u16 = 0x0014;
    pub(in crate::decode::stun) const MS_REALM: u16 = 0x0015;
    pub(in crate::decode::stun) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(in crate::decode::stun) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(in crate::decode::stun) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(in crate::decode::stun) const USE_CANDIDATE: u16 = 0x0025;
    pub(in crate::decode::stun) const MS_VERSION: u16 = 0x8008;
    /// As drafts before RFC 5389 and MS-TURN number XOR-MAPPED-ADDRESS.
    pub(in crate::decode::stun) const OLD_XOR_MAPPED_ADDRESS: u16 = 0x8020;
    pub(in crate::decode::stun) const SOFTWARE: u16 = 0x8022;
    pub(in crate::decode::stun) const ICE_CONTROLLED: u16 = 0x8029;
    pub(in crate::decode::stun) const ICE_CONTROLLING: u16 = 0x802A;
    pub(in crate::decode::stun) const MS_SERVICE_QUALITY: u16 = 0x8055;
}

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its number.
    pub kind: u16,
    /// Its value, without padding.
    pub value: &'a [u8],
}

/// Walks over attributes; ends at the first whose length does not fit, and gives none that was cut.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    rest: Span<'a>,
    is_padded: bool,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(body: Span<'a>, is_padded: bool) -> Self {
        Self { rest: body, is_padded }
    }

    /// The same walk, with an attribute that was cut by the snap length as its last.
    pub(super) fn cut(mut self) -> impl Iterator<Item = (u16, Span<'a>)> {
        std::iter::from_fn(move || self.step())
    }

    fn step(&mut self) -> Option<(u16, Span<'a>)> {
        let (&[k0, k1, l0, l1], behind) = self.rest.header::<4>().ok()?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length > behind.octets {
            return None;
        }
        let padded = if self.is_padded { length.next_multiple_of(4) } else { length };
        // Some senders leave the padding of the last attribute out.
        let taken = padded.min(behind.octets);
        self.rest = behind.skip(taken).unwrap_or(Span { bytes: &[], octets: behind.octets - taken });
        Some((u16::from_be_bytes([k0, k1]), behind.with_length(length)))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (kind, value) = self.step()?;
        value.is_whole().then_some(Attribute { kind, value: value.bytes })
    }
}

/// Whether attribute follows attribute exactly up to the end, or to where the capture ends.
pub(super) fn lengths_fit(body: Span<'_>, is_padded: bool) -> bool {
    let mut attributes = Attributes::new(body, is_padded);
    while attributes.step().is_some() {}
    attributes.rest.octets == 0 || (attributes.rest.bytes.len() < 4 && !body.is_whole())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8], octets: usize, is_padded: bool) -> Vec<(u16, usize)> {
        let span = Span::new(bytes, octets);
        Attributes::new(span, is_padded).map(|a| (a.kind, a.value.len())).collect()
    }

    #[test]
    fn values_are_padded_to_four_or_not_at_all() {
        let padded = [0, 6, 0, 3, 1, 2, 3, 0, 0, 0x25, 0, 0];
        assert_eq!(walk(&padded, 12, true), [(6, 3), (0x25, 0)]);
        let packed = [0, 6, 0, 3, 1, 2, 3, 0, 0x25, 0, 0];
        assert_eq!(walk(&packed, 11, false), [(6, 3), (0x25, 0)]);
        assert!(lengths_fit(Span::new(&padded, 12), true) && !lengths_fit(Span::new(&padded, 12), false));
        assert!(lengths_fit(Span::new(&packed, 11), false) && !lengths_fit(Span::new(&packed, 11), true));
    }

    #[test]
    fn the_walk_ends_where_a_length_does_not_fit() {
        assert_eq!(walk(&[0, 6, 0, 9, 1, 2, 3, 0], 8, true), []);
        assert_eq!(walk(&[0, 6, 0], 3, true), []);
        assert!(!lengths_fit(Span::new(&[0, 6, 0, 9, 1, 2, 3, 0], 8), true));
    }

    #[test]
    fn an_attribute_that_was_cut_is_given_to_who_asks_for_it_only() {
        let bytes = [0, 0x13, 0, 8, 1, 2];
        assert_eq!(walk(&bytes, 12, true), []);
        let attributes = Attributes::new(Span::new(&bytes, 12), true);
        let cut: Vec<_> = attributes.cut().map(|(kind, s)| (kind, s.bytes.len(), s.octets)).collect();
        assert_eq!(cut, [(0x13, 2, 8)]);
        assert!(lengths_fit(Span::new(&bytes, 12), true));
    }
}
