//! IPv4 (RFC 791): header, options, fragments.

use super::ip::{self, Ip};
use super::span::Span;
use super::{Addresses, Fragment, Undecoded};
use crate::terms::TrafficClass;

// 0                   1                   2                   3
// |Version|  IHL  | Traffic class |          Total length         |
// |         Identification        |0 DF MF|    Fragment offset    |
// |  Time to live |    Protocol   |        Header checksum        |
// |                        Source address                         |
// |                     Destination address                       |

const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1FFF;

/// Reads the header; what follows is as long as the total length says, so Ethernet padding is not in it.
#[inline]
pub(super) fn read(span: Span<'_>) -> Result<(Ip, Span<'_>), Undecoded> {
    let (header, rest) = span.header::<20>()?;
    let &[version, class, l0, l1, i0, i1, f0, f1, ttl, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
        header;
    let header_octets = usize::from(version & 0x0F) * 4;
    if version >> 4 != 4 || header_octets < 20 {
        return Err(Undecoded::MalformedIpv4);
    }
    // Segmentation offload leaves 0 where the field cannot say the length: then what is there counts.
    let octets = match u16::from_be_bytes([l0, l1]) {
        0 => span.octets,
        total => usize::from(total),
    };
    if octets < header_octets {
        return Err(Undecoded::MalformedIpv4);
    }
    let place = u16::from_be_bytes([f0, f1]);
    let fragment = (place & (MORE_FRAGMENTS | FRAGMENT_OFFSET) != 0).then(|| Fragment {
        identification: u32::from(u16::from_be_bytes([i0, i1])),
        is_first: place & FRAGMENT_OFFSET == 0,
    });
    let ip = Ip {
        addresses: Addresses::V4 {
            source: u32::from_be_bytes([s0, s1, s2, s3]),
            destination: u32::from_be_bytes([d0, d1, d2, d3]),
        },
        traffic_class: TrafficClass(class),
        ttl,
        protocol,
        octets: ip::clamp(octets),
        fragment,
    };
    let rest = if header_octets == 20 { rest } else { rest.skip(header_octets - 20)? };
    Ok((ip, rest.with_length(octets - header_octets)))
}

/// Whether octets that are only suspected to be IPv4 read as such: version, lengths, and the checksum.
pub(super) fn is_plausible(span: Span<'_>) -> bool {
    let header_octets = span.bytes.first().map_or(0, |b| usize::from(b & 0x0F) * 4);
    read(span).is_ok_and(|(ip, _)| usize::from(ip.octets) <= span.octets)
        && span.bytes.get(..header_octets).is_some_and(checksum_is_right)
}

/// RFC 1071: the ones' complement sum over the header, checksum included, is all ones.
fn checksum_is_right(header: &[u8]) -> bool {
    let words = header.chunks_exact(2).filter_map(|w| w.first_chunk().map(|w| u16::from_be_bytes(*w)));
    let sum: u32 = words.map(u32::from).sum();
    (sum & 0xFFFF) + (sum >> 16) == 0xFFFF
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; 20] =
        [0x45, 0xB8, 0x00, 0x1C, 0xAB, 0xCD, 0x40, 0x00, 0x3F, 0x11, 0x00, 0x00, 10, 0, 0, 1, 192, 0, 2, 9];

    fn with(change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        bytes.extend([0; 8]);
        change(&mut bytes);
        bytes
    }

    fn read_all(bytes: &[u8]) -> Result<(Ip, usize), Undecoded> {
        read(Span::new(bytes, bytes.len())).map(|(ip, rest)| (ip, rest.octets))
    }

    #[test]
    fn the_fields_are_where_the_rfc_has_them() {
        let (ip, rest) = read_all(&with(|_| ())).unwrap();
        assert_eq!(ip.addresses, Addresses::V4 { source: 0x0A00_0001, destination: 0xC000_0209 });
        assert_eq!((ip.traffic_class.dscp().value(), ip.ttl, ip.protocol, ip.octets), (46, 63, 17, 28));
        assert_eq!((rest, ip.fragment), (8, None));
    }

    #[test]
    fn ethernet_padding_is_not_payload() {
        assert_eq!(read_all(&with(|b| b.extend([0; 18]))).unwrap().1, 8);
    }

    #[test]
    fn total_length_zero_means_what_is_there() {
        let (ip, rest) = read_all(&with(|b| b[3] = 0)).unwrap();
        assert_eq!((ip.octets, rest), (28, 8));
    }

    #[test]
    fn options_are_skipped() {
        let (ip, rest) = read_all(&with(|b| (b[0], b[3]) = (0x46, 28))).unwrap();
        assert_eq!((ip.octets, rest), (28, 4));
    }

    #[test]
    fn fragments_are_told_by_offset_and_more() {
        for (name, octets, expected) in [
            ("first", [0x20, 0x00], Some(true)),
            ("middle", [0x20, 0x10], Some(false)),
            ("last", [0x00, 0x10], Some(false)),
            ("do not fragment", [0x40, 0x00], None),
        ] {
            let (ip, _) = read_all(&with(|b| (b[6], b[7]) = (octets[0], octets[1]))).unwrap();
            assert_eq!(ip.fragment.map(|f| f.is_first), expected, "{name}");
            assert!(ip.fragment.is_none_or(|f| f.identification == 0xABCD), "{name}");
        }
    }

    #[test]
    fn contradictions_are_malformed() {
        for (name, bytes) in [
            ("version", with(|b| b[0] = 0x55)),
            ("header length", with(|b| b[0] = 0x44)),
            ("total below header", with(|b| b[3] = 19)),
        ] {
            assert_eq!(read_all(&bytes).unwrap_err(), Undecoded::MalformedIpv4, "{name}");
        }
    }

    #[test]
    fn plausible_is_what_has_a_right_checksum() {
        let good = with(|b| (b[10], b[11]) = (0xC3, 0x41));
        assert!(is_plausible(Span::new(&good, 28)));
        assert!(!is_plausible(Span::new(&with(|_| ()), 28)));
        assert!(!is_plausible(Span::new(&good[..27], 27)));
    }
}
