//! Why a frame gave no observation, as a reason that can be counted.

/// Why a frame, or what it tunnels, could not be read down to UDP or TCP.
///
/// None of these is an error of the program: a frame with a reason is counted, and the next one is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Undecoded {
    /// The octets end inside a header: snapped, or shorter than the header says.
    TruncatedHeaders,
    /// The capture's link type is none of those that are read.
    UnsupportedLinkType,
    /// A tunnel or tag is known, what it carries is not.
    UnsupportedEncapsulation,
    /// ARP, LLDP, spanning tree, a management frame of 802.11, and other things that are not IP.
    NotIp,
    /// ICMP or `ICMPv6`; a packet quoted in it is nobody's packet.
    Icmp,
    /// IP, but neither UDP nor TCP.
    NotUdpOrTcp,
    /// ESP, `MACsec`, a protected 802.11 frame, or a tunnel within DTLS.
    Encrypted,
    /// `IPComp`, or compressed PPP.
    Compressed,
    /// A later fragment of something that is neither UDP nor TCP: of a tunnel, most often.
    TunnelFragment,
    /// More headers nested in each other than the decoder was told to follow.
    TooDeep,
    /// A link header contradicts itself.
    MalformedLink,
    /// An IPv4 header contradicts itself.
    MalformedIpv4,
    /// An IPv6 header or extension header contradicts itself.
    MalformedIpv6,
    /// A UDP length is below 8, or above what IP carries.
    MalformedUdp,
    /// A TCP data offset is below 5, or above what IP carries.
    MalformedTcp,
    /// A tunnel's header contradicts itself.
    MalformedTunnel,
}

impl Undecoded {
    /// All reasons, in the order of [`Undecoded::index`].
    pub const ALL: [Self; 16] = [
        Self::TruncatedHeaders,
        Self::UnsupportedLinkType,
        Self::UnsupportedEncapsulation,
        Self::NotIp,
        Self::Icmp,
        Self::NotUdpOrTcp,
        Self::Encrypted,
        Self::Compressed,
        Self::TunnelFragment,
        Self::TooDeep,
        Self::MalformedLink,
        Self::MalformedIpv4,
        Self::MalformedIpv6,
        Self::MalformedUdp,
        Self::MalformedTcp,
        Self::MalformedTunnel,
    ];

    /// The reason as the report prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TruncatedHeaders => "truncated-headers",
            Self::UnsupportedLinkType => "unsupported-link-type",
            Self::UnsupportedEncapsulation => "unsupported-encapsulation",
            Self::NotIp => "not-ip",
            Self::Icmp => "icmp",
            Self::NotUdpOrTcp => "not-udp-or-tcp",
            Self::Encrypted => "encrypted",
            Self::Compressed => "compressed",
            Self::TunnelFragment => "tunnel-fragment",
            Self::TooDeep => "too-deep",
            Self::MalformedLink => "malformed-link",
            Self::MalformedIpv4 => "malformed-ipv4",
            Self::MalformedIpv6 => "malformed-ipv6",
            Self::MalformedUdp => "malformed-udp",
            Self::MalformedTcp => "malformed-tcp",
            Self::MalformedTunnel => "malformed-tunnel",
        }
    }

    /// Its place in [`Undecoded::ALL`], for an array of counters.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_at_its_index_under_a_name_of_its_own() {
        for (i, reason) in Undecoded::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), i);
            assert!(
                reason.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
            assert_eq!(Undecoded::ALL.iter().filter(|r| r.as_str() == reason.as_str()).count(), 1);
        }
    }
}
