//! IPv6 (RFC 8200): header, extension headers, fragments.

use super::ip::{self, Ip, protocol};
use super::span::Span;
use super::{Addresses, Fragment, Undecoded};
use crate::terms::TrafficClass;

/// More extension headers than any sender has cause for: the rest is not followed.
const MAX_EXTENSIONS: usize = 16;

/// Reads the header and all extension headers; what follows is as long as the payload length says.
#[inline]
pub(super) fn read(span: Span<'_>) -> Result<(Ip, Span<'_>), Undecoded> {
    let (header, rest) = span.header::<40>()?;
    let (&[v0, v1, _, _, l0, l1, next, ttl], addresses) =
        header.split_first_chunk::<8>().ok_or(Undecoded::TruncatedHeaders)?;
    let (source, destination) = addresses.split_first_chunk::<16>().ok_or(Undecoded::TruncatedHeaders)?;
    let destination = destination.first_chunk::<16>().ok_or(Undecoded::TruncatedHeaders)?;
    if v0 >> 4 != 6 {
        return Err(Undecoded::MalformedIpv6);
    }
    // 0 is a jumbogram (RFC 2675) or segmentation offload: then what is there counts.
    let payload_octets = match u16::from_be_bytes([l0, l1]) {
        0 => rest.octets,
        length => usize::from(length),
    };
    let mut ip = Ip {
        addresses: Addresses::V6 {
            source: u128::from_be_bytes(*source),
            destination: u128::from_be_bytes(*destination),
        },
        traffic_class: TrafficClass(v0 << 4 | v1 >> 4),
        ttl,
        protocol: next,
        octets: ip::clamp(payload_octets + 40),
        fragment: None,
    };
    let rest = rest.with_length(payload_octets);
    if next == protocol::UDP || next == protocol::TCP {
        return Ok((ip, rest));
    }
    let rest = extensions(&mut ip, rest)?;
    Ok((ip, rest))
}

/// Goes over the extension headers to the first header that is none.
fn extensions<'a>(ip: &mut Ip, mut rest: Span<'a>) -> Result<Span<'a>, Undecoded> {
    for _ in 0..MAX_EXTENSIONS {
        match ip.protocol {
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION_OPTIONS
            | protocol::MOBILITY
            | protocol::HIP
            | protocol::SHIM6 => {
                let (&[next, length], _) = rest.header::<2>()?;
                ip.protocol = next;
                rest = past(rest, (usize::from(length) + 1) * 8)?;
            }
            protocol::AH => rest = ip.skip_authentication(rest)?,
            protocol::FRAGMENT => {
                let (&[next, _, p0, p1, i0, i1, i2, i3], inner) = rest.header::<8>()?;
                ip.protocol = next;
                rest = inner;
                let place = u16::from_be_bytes([p0, p1]);
                // Offset 0 and nothing more to come is an atomic fragment (RFC 6946): a whole packet.
                if place & 0xFFF9 != 0 {
                    let identification = u32::from_be_bytes([i0, i1, i2, i3]);
                    ip.fragment = Some(Fragment { identification, is_first: place & 0xFFF8 == 0 });
                }
                if ip.is_later_fragment() {
                    return Ok(rest);
                }
            }
            _ => return Ok(rest),
        }
    }
    Err(Undecoded::TooDeep)
}

fn past(rest: Span<'_>, octets: usize) -> Result<Span<'_>, Undecoded> {
    if octets > rest.octets { Err(Undecoded::MalformedIpv6) } else { rest.skip(octets) }
}

/// Whether octets that are only suspected to be IPv6 read as such.
pub(super) fn is_plausible(span: Span<'_>) -> bool {
    read(span).is_ok_and(|(ip, _)| usize::from(ip.octets) <= span.octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x6B, 0x80, 0, 0, 0, u8::try_from(payload.len()).unwrap(), next, 61];
        bytes.extend([0x20; 16]);
        bytes.extend([0x30; 16]);
        bytes.extend(payload);
        bytes
    }

    fn read_all(bytes: &[u8]) -> Result<(Ip, usize), Undecoded> {
        read(Span::new(bytes, bytes.len())).map(|(ip, rest)| (ip, rest.octets))
    }

    #[test]
    fn the_traffic_class_lies_across_two_octets() {
        let (ip, rest) = read_all(&packet(17, &[0; 8])).unwrap();
        assert_eq!((ip.traffic_class.dscp().value(), ip.traffic_class.ecn().value()), (46, 0));
        assert_eq!((ip.ttl, ip.protocol, ip.octets, rest), (61, 17, 48, 8));
        let addresses = Addresses::V6 {
            source: u128::from_be_bytes([0x20; 16]),
            destination: u128::from_be_bytes([0x30; 16]),
        };
        assert_eq!(ip.addresses, addresses);
    }

    #[test]
    fn extension_headers_are_walked() {
        let eight = |next: u8| [next, 0, 0, 0, 0, 0, 0, 0];
        let authentication = |next: u8| [next, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for (name, first, payload, protocol) in [
            ("hop by hop", 0, eight(17).to_vec(), 17),
            ("routing, options", 43, [eight(60), eight(6)].concat(), 6),
            ("authentication", 51, authentication(17).to_vec(), 17),
            ("authentication, ESP", 51, authentication(50).to_vec(), 50),
            ("atomic fragment", 44, eight(17).to_vec(), 17),
        ] {
            let (ip, rest) = read_all(&packet(first, &payload)).unwrap();
            assert_eq!((ip.protocol, rest, ip.fragment), (protocol, 0, None), "{name}");
        }
    }

    #[test]
    fn fragments_have_the_long_identification() {
        for (place, is_first) in [([0, 1], true), ([0, 8], false), ([0, 9], false)] {
            let (ip, _) = read_all(&packet(44, &[17, 0, place[0], place[1], 1, 2, 3, 4])).unwrap();
            assert_eq!(ip.fragment, Some(Fragment { identification: 0x0102_0304, is_first }));
        }
    }

    #[test]
    fn an_endless_chain_is_given_up() {
        assert_eq!(
            read_all(&packet(60, &[60, 0, 0, 0, 0, 0, 0, 0].repeat(20))).unwrap_err(),
            Undecoded::TooDeep
        );
    }

    #[test]
    fn an_extension_longer_than_the_packet_is_malformed() {
        assert_eq!(read_all(&packet(0, &[17, 9, 0, 0, 0, 0, 0, 0])).unwrap_err(), Undecoded::MalformedIpv6);
    }
}
