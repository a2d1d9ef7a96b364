//! Transport addresses in STUN attributes, plain and exclusive-or-ed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// MAPPED-ADDRESS and its like (RFC 8489, section 14.1): reserved 8, family 8, port 16, address.
pub(super) fn plain(value: &[u8]) -> Option<SocketAddr> {
    let (&[_, family, p0, p1], address) = value.split_first_chunk::<4>()?;
    let ip = match family {
        1 => IpAddr::V4(Ipv4Addr::from(*address.first_chunk::<4>()?)),
        2 => IpAddr::V6(Ipv6Addr::from(*address.first_chunk::<16>()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([p0, p1])))
}

/// XOR-MAPPED-ADDRESS and its like (section 14.2). The key is cookie and transaction identifier; without
/// cookie the identifier alone, as it was in the drafts.
pub(super) fn xored(value: &[u8], key: [u8; 16]) -> Option<SocketAddr> {
    let address = plain(value)?;
    let [k0, k1, k2, k3, ..] = key;
    let ip = match address.ip() {
        IpAddr::V4(ip) => {
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() ^ u32::from_be_bytes([k0, k1, k2, k3])))
        }
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() ^ u128::from_be_bytes(key))),
    };
    Some(SocketAddr::new(ip, address.port() ^ u16::from_be_bytes([k0, k1])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_other_than_the_two_or_a_short_value_is_no_address() {
        assert_eq!(plain(&[0, 1, 0x0D, 0x96, 192, 0, 2, 1]), Some("192.0.2.1:3478".parse().unwrap()));
        assert_eq!(plain(&[0, 3, 0x0D, 0x96, 192, 0, 2, 1]), None);
        assert_eq!(plain(&[0, 2, 0x0D, 0x96, 192, 0, 2, 1]), None);
        assert_eq!(plain(&[0, 1, 0x0D]), None);
    }
}
