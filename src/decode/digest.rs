//! An observation from what the kernel tells of a packet.

use super::{Addresses, Decoder, Fragment, Layer, Message, Observation, PathId, Payload, RtpHeader, lately};
use crate::terms::{TimedDigest, Transport};

impl Decoder {
    /// What a packet came to that the kernel told in few octets, on an interface: what [`Self::decode`] makes of its
    /// frame, except for payload octets by which no stream is joined. Per packet.
    #[inline]
    pub fn decode_digest<'a>(&mut self, timed: &TimedDigest<'a>, interface: u16) -> Observation<'a> {
        let digest = &timed.digest;
        let path = self.path_of_tags(digest.tags(), interface);
        let addresses = if let Some((source, destination)) = digest.ipv4() {
            Addresses::V4 { source, destination }
        } else {
            let (source, destination) = digest.ipv6();
            Addresses::V6 { source, destination }
        };
        let (source_port, destination_port) = digest.ports();
        let (kept, octets) = digest.payload();
        let header = RtpHeader {
            ssrc: digest.ssrc(),
            timestamp: digest.rtp_timestamp(),
            sequence: digest.sequence(),
            payload_type: digest.payload_type(),
            marker: digest.marker(),
            payload: Payload { kept, octets },
        };
        let fragment =
            digest.fragment().map(|(identification, is_first)| Fragment { identification, is_first });
        let is_later = matches!(fragment, Some(Fragment { is_first: false, .. }));
        Observation {
            timestamp: timed.timestamp,
            addresses,
            source_port,
            destination_port,
            transport: Transport::Udp,
            traffic_class: digest.traffic_class(),
            ttl: digest.ttl(),
            path,
            octets: digest.octets(),
            fragment,
            message: if is_later { Message::LaterFragment } else { Message::Rtp(header) },
        }
    }

    #[inline]
    fn path_of_tags(&mut self, tags: impl Iterator<Item = u16>, interface: u16) -> PathId {
        let layers: smallvec::SmallVec<[Layer; 2]> = tags.map(lately::layer).collect();
        self.intern(interface, &layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Options;
    use crate::terms::{RtpDigest, Timestamp};

    #[test]
    fn tags_are_layers_as_in_a_frame() {
        let mut decoder = Decoder::new(1, Options::default());
        let mut octets = [0_u8; 64];
        octets[44..48].copy_from_slice(&[0xA0, 0x0A, 0x00, 0x64]);
        for (count, layers) in [
            (0, vec![]),
            (1, vec![Layer::Vlan { vid: 100, pcp: 0 }]),
            (2, vec![Layer::Vlan { vid: 10, pcp: 5 }, Layer::Vlan { vid: 100, pcp: 0 }]),
        ] {
            octets[52] = count << 1;
            let record: [u64; 8] = bytemuck::cast(octets);
            let digest = RtpDigest::read(bytemuck::cast_slice(&record)).unwrap();
            let timed = TimedDigest { timestamp: Timestamp(7), digest };
            let seen = decoder.decode_digest(&timed, 3);
            let path = decoder.paths().path(seen.path).unwrap();
            assert_eq!((path.interface, &*path.layers), (3, &layers[..]));
            assert_eq!(seen.timestamp, Timestamp(7));
        }
    }
}
