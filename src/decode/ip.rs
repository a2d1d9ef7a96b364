//! What IPv4 and IPv6 have in common: a summary, protocol numbers.

use std::net::IpAddr;

use super::span::Span;
use super::{Addresses, Fragment, Layer, Undecoded};
use crate::terms::TrafficClass;

/// Protocol numbers of IPv4 and next headers of IPv6 (IANA protocol-numbers).
pub(super) mod protocol {
    pub(in crate::decode) const HOP_BY_HOP: u8 = 0;
    pub(in crate::decode) const ICMP: u8 = 1;
    pub(in crate::decode) const IPV4: u8 = 4;
    pub(in crate::decode) const TCP: u8 = 6;
    pub(in crate::decode) const UDP: u8 = 17;
    pub(in crate::decode) const IPV6: u8 = 41;
    pub(in crate::decode) const ROUTING: u8 = 43;
    pub(in crate::decode) const FRAGMENT: u8 = 44;
    pub(in crate::decode) const GRE: u8 = 47;
    pub(in crate::decode) const ESP: u8 = 50;
    pub(in crate::decode) const AH: u8 = 51;
    pub(in crate::decode) const ICMPV6: u8 = 58;
    pub(in crate::decode) const DESTINATION_OPTIONS: u8 = 60;
    pub(in crate::decode) const IPIP: u8 = 94;
    pub(in crate::decode) const ETHERIP: u8 = 97;
    pub(in crate::decode) const IPCOMP: u8 = 108;
    pub(in crate::decode) const MOBILITY: u8 = 135;
    pub(in crate::decode) const MPLS: u8 = 137;
    pub(in crate::decode) const HIP: u8 = 139;
    pub(in crate::decode) const SHIM6: u8 = 140;
}

/// One IP header with its options or extension headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ip {
    pub(super) addresses: Addresses,
    pub(super) traffic_class: TrafficClass,
    pub(super) ttl: u8,
    /// What follows the last extension header.
    pub(super) protocol: u8,
    /// Length of the packet by its header.
    pub(super) octets: u16,
    pub(super) fragment: Option<Fragment>,
}

impl Ip {
    /// Whether it is a fragment that holds no transport header.
    #[inline]
    pub(super) fn is_later_fragment(&self) -> bool {
        matches!(self.fragment, Some(Fragment { is_first: false, .. }))
    }

    /// Skips an authentication header (RFC 4302), which hides nothing.
    pub(super) fn skip_authentication<'a>(&mut self, span: Span<'a>) -> Result<Span<'a>, Undecoded> {
        let (&[next, length], _) = span.header::<2>()?;
        self.protocol = next;
        span.skip((usize::from(length) + 2) * 4)
    }

    /// The header as the outer one of a tunnel.
    pub(super) fn layer(&self) -> Layer {
        let (source, destination): (IpAddr, IpAddr) = self.addresses.pair();
        Layer::Ip { source, destination, dscp: self.traffic_class.dscp() }
    }
}

/// A length as the field of an observation, which holds what IP can say without jumbograms.
#[inline]
pub(super) fn clamp(octets: usize) -> u16 {
    u16::try_from(octets).unwrap_or(u16::MAX)
}
