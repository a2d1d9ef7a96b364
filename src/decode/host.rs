//! Links that a host makes up: Linux cooked captures and BSD loopback.

use super::next::Next;
use super::span::Span;
use super::{Undecoded, ethertype};

/// Hardware types of Linux (`if_arp.h`) under which the protocol field is no `EtherType`.
const ARPHRD_NETLINK: u16 = 824;
const ARPHRD_IEEE80211: u16 = 801;
const ARPHRD_IEEE80211_RADIOTAP: u16 = 803;

/// LLC in the protocol field of a cooked capture.
const LINUX_LLC: u16 = 4;

/// Linux cooked capture, version 1: packet type, hardware type, address length, address, protocol.
pub(super) fn cooked(span: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    let (&[_, _, h0, h1, _, _, _, _, _, _, _, _, _, _, p0, p1], rest) = span.header::<16>()?;
    by_protocol(u16::from_be_bytes([h0, h1]), u16::from_be_bytes([p0, p1]), rest)
}

/// Version 2: protocol first, then interface index, hardware type, packet type, address.
pub(super) fn cooked_2(span: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    let (&[p0, p1, _, _, _, _, _, _, h0, h1, _, _, _, _, _, _, _, _, _, _], rest) = span.header::<20>()?;
    by_protocol(u16::from_be_bytes([h0, h1]), u16::from_be_bytes([p0, p1]), rest)
}

fn by_protocol(hardware: u16, protocol: u16, rest: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    match (hardware, protocol) {
        (ARPHRD_NETLINK, _) => Err(Undecoded::NotIp),
        (ARPHRD_IEEE80211 | ARPHRD_IEEE80211_RADIOTAP, _) => Err(Undecoded::UnsupportedEncapsulation),
        (_, LINUX_LLC) => Ok((Next::Llc, rest)),
        (_, kind) if kind >= ethertype::FIRST => Ok((Next::Type(kind), rest)),
        _ => Err(Undecoded::NotIp),
    }
}

/// BSD loopback: an address family of four octets, in the byte order of the machine that captured.
pub(super) fn loopback(span: Span<'_>) -> Result<(Next, Span<'_>), Undecoded> {
    let (family, rest) = span.header::<4>()?;
    let family = match u32::from_be_bytes(*family) {
        big if big < 0x1_0000 => big,
        little => little.swap_bytes(),
    };
    match family {
        2 => Ok((Next::Type(ethertype::IPV4), rest)),
        // Linux 10, Windows 23, NetBSD and OpenBSD 24, FreeBSD 28, Darwin 30.
        10 | 23 | 24 | 28 | 30 => Ok((Next::Type(ethertype::IPV6), rest)),
        _ => Err(Undecoded::NotIp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cooked_header_names_an_ethertype() {
        let mut one = [0; 16];
        (one[3], one[14], one[15]) = (1, 0x86, 0xDD);
        assert_eq!(cooked(Span::new(&one, 16)).unwrap().0, Next::Type(0x86DD));
        (one[14], one[15]) = (0, 4);
        assert_eq!(cooked(Span::new(&one, 16)).unwrap().0, Next::Llc);
        (one[2], one[3]) = (0x03, 0x38);
        assert_eq!(cooked(Span::new(&one, 16)).unwrap_err(), Undecoded::NotIp);

        let mut two = [0; 20];
        (two[0], two[1], two[9]) = (8, 0, 1);
        assert_eq!(cooked_2(Span::new(&two, 20)).unwrap().0, Next::Type(0x0800));
        assert_eq!(cooked_2(Span::new(&two[..19], 20)).unwrap_err(), Undecoded::TruncatedHeaders);
    }

    #[test]
    fn loopback_families_are_read_in_both_byte_orders() {
        for (family, expected) in [
            (2, Ok(Next::Type(0x0800))),
            (24, Ok(Next::Type(0x86DD))),
            (28, Ok(Next::Type(0x86DD))),
            (30, Ok(Next::Type(0x86DD))),
            (7, Err(Undecoded::NotIp)),
        ] {
            for bytes in [[family, 0, 0, 0], [0, 0, 0, family]] {
                assert_eq!(loopback(Span::new(&bytes, 4)).map(|(next, _)| next), expected, "family {family}");
            }
        }
    }
}
