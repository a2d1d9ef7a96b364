//! An observation from what the kernel tells of a packet.

use super::{
    Addresses, Decoder, Fragment, Layer, Message, Observation, PathId, Payload, PlainDigest, RtpHeader,
    lately,
};
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

    /// The same of a digest that says what the commonest frame would, if it is one, and its path. Of all others nothing
    /// is said: they are for [`Self::decode_digest`]. Per packet.
    #[allow(clippy::inline_always, reason = "measured: as a call, all it says goes through memory")]
    #[inline(always)]
    pub fn decode_plain_digest<'a>(
        &mut self,
        timed: &TimedDigest<'a>,
        interface: u16,
    ) -> Option<(PlainDigest<'a>, PathId)> {
        let plain = PlainDigest::of(timed)?;
        let mut tags = timed.digest.tags();
        let path = match (tags.next(), tags.next()) {
            (None, _) => self.intern(interface, &[]),
            (Some(tag), None) => self.path_of_tag(interface, tag)?,
            (Some(_), Some(_)) => return None,
        };
        Some((plain, path))
    }

    #[inline]
    fn path_of_tags(&mut self, tags: impl Iterator<Item = u16>, interface: u16) -> PathId {
        let layers: smallvec::SmallVec<[Layer; 2]> = tags.map(lately::layer).collect();
        self.intern(interface, &layers)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        /// Whatever a digest says: where it is plain, both ways say the same.
        #[test]
        fn a_plain_one_is_what_any_is(
            words in any::<[u64; 13]>(),
            kind in prop_oneof![0_u8..7, any::<u8>()],
            octets in prop_oneof![30_u16..90, any::<u16>()],
            payload_octets in prop_oneof![Just(None), any::<u16>().prop_map(Some)],
            is_short in any::<bool>(),
        ) {
            let mut record: [u8; 104] = bytemuck::cast(words);
            record[48..50].copy_from_slice(&octets.to_ne_bytes());
            record[52] = kind;
            let payload_octets = payload_octets.unwrap_or(octets.saturating_sub(40));
            record[66..68].copy_from_slice(&payload_octets.to_ne_bytes());
            let record: [u64; 13] = bytemuck::cast(record);
            let octets: &[u8] = bytemuck::cast_slice(&record);
            let digest = RtpDigest::read(if is_short { &octets[..64] } else { octets }).unwrap();
            let timed = TimedDigest { timestamp: Timestamp(7), digest };
            let mut decoder = Decoder::new(1, Options::default());
            let plain = decoder.decode_plain_digest(&timed, 3);
            let plain = plain.map(|(plain, path)| format!("{:?}", plain.packet().observation(path)));
            let any = format!("{:?}", decoder.decode_digest(&timed, 3));
            if is_short && kind & 1 == 0 && kind >> 1 & 3 < 2 {
                prop_assert_eq!(&plain, &Some(any.clone()), "the commonest");
            }
            if let Some(plain) = plain {
                prop_assert_eq!(plain, any);
            }
        }
    }
}
