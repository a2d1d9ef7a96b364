//! The commonest frame, straight through: Ethernet, IPv4, UDP, RTP.
//!
//! At most one VLAN tag in between, no options, no fragment, nothing that RTP announces. Anything else is for the
//! walk, which reads these frames too, to the same result, but takes two to three times as long.

use bytemuck::{Pod, Zeroable};

use super::{Addresses, Message, Observation, PathId, Payload, RtpHeader, ethertype};
use crate::terms::{Frame, LinkType, RtpTime, Ssrc, TimedDigest, Timestamp, TrafficClass, Transport};

/// All headers of such a frame, as they stand on the wire.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Headers {
    link_addresses: [u8; 12],
    type_version_class: [u8; 4],
    octets: [u8; 2],
    identification: [u8; 2],
    fragment_ttl_protocol: [u8; 4],
    checksum: [u8; 2],
    addresses: [u8; 8],
    ports: [u8; 4],
    udp_octets: [u8; 2],
    udp_checksum: [u8; 2],
    version: u8,
    marker_payload_type: u8,
    sequence: [u8; 2],
    timestamp: [u8; 4],
    ssrc: [u8; 4],
}

const HEADERS: usize = size_of::<Headers>();
const _: () = assert!(HEADERS == 14 + 20 + 8 + 12);
/// Octets of the IP, UDP and RTP headers.
const IP_TO_RTP: u16 = 40;
/// Octets of a tag: its type, and what it says.
const TAG: usize = 4;

/// Such a frame. Fields are read from it when they are asked for, so that they are where they are needed.
#[derive(Clone, Copy)]
pub struct PlainRtp<'a> {
    timestamp: Timestamp,
    headers: &'a Headers,
    behind: &'a [u8],
}

/// The same of a packet of which there is no frame, but all that its headers would say.
#[derive(Clone, Copy)]
pub struct PlainDigest<'a> {
    timestamp: Timestamp,
    headers: Headers,
    payload: &'a [u8],
}

/// Reads the frame, if it is one of these. Per frame.
#[allow(clippy::inline_always, reason = "measured: as a call, all it says goes through memory")]
#[inline(always)]
pub(super) fn read<'a>(frame: &Frame<'a>) -> Option<PlainRtp<'a>> {
    let (headers, behind) = frame.data.split_first_chunk::<HEADERS>()?;
    let headers: &Headers = bytemuck::cast_ref(headers);
    let plain = PlainRtp { timestamp: frame.timestamp, headers, behind };
    let octets = plain.octets();
    let is_plain = frame.link == LinkType::ETHERNET
        // IPv4, its header without options.
        && u32::from_be_bytes(headers.type_version_class) >> 8 == 0x08_0045
        // Neither more fragments nor an offset: all but the upper two bits are 0. UDP.
        && u32::from_be_bytes(headers.fragment_ttl_protocol) & 0x3FFF_00FF == 17
        && octets >= IP_TO_RTP
        && u16::from_be_bytes(headers.udp_octets) == octets - 20
        // Version 2; no padding, extension or contributing sources.
        && headers.version == 0x80
        // RFC 5761, section 4: 64 to 95 may be RTCP.
        && !(64..=95).contains(&plain.payload_type());
    is_plain.then_some(plain)
}

/// Reads the frame, if it is one of these behind one tag of the commonest type; and the tag's control information:
/// priority 3 bits, drop eligible 1, identifier 12. Per frame.
#[allow(clippy::inline_always, reason = "measured: as a call, all it says goes through memory")]
#[inline(always)]
pub(super) fn read_tagged<'a>(frame: &Frame<'a>) -> Option<(PlainRtp<'a>, u16)> {
    let (_, [t0, t1, c0, c1]) = frame.data.first_chunk::<16>()?.split_last_chunk::<TAG>()?;
    if u16::from_be_bytes([*t0, *t1]) != ethertype::VLAN {
        return None;
    }
    // What follows stands as it would without the tag, four octets further; the addresses are not looked at.
    let plain = read(&Frame { data: frame.data.get(TAG..)?, ..*frame })?;
    Some((plain, u16::from_be_bytes([*c0, *c1])))
}

#[allow(clippy::inline_always, reason = "measured: as calls, all of a packet goes through memory")]
impl<'a> PlainDigest<'a> {
    /// Of a digest that says nothing else. Per packet.
    #[inline(always)]
    pub(super) fn of(timed: &TimedDigest<'a>) -> Option<Self> {
        let digest = &timed.digest;
        let (source, destination) = digest.ipv4()?;
        let (payload, payload_octets) = digest.payload();
        if digest.fragment().is_some()
            || payload_octets != usize::from(digest.octets().saturating_sub(IP_TO_RTP))
        {
            return None;
        }
        let (source_port, destination_port) = digest.ports();
        let headers = Headers {
            type_version_class: [8, 0, 0x45, digest.traffic_class().0],
            octets: digest.octets().to_be_bytes(),
            fragment_ttl_protocol: [0, 0, digest.ttl(), 17],
            addresses: (u64::from(source) << 32 | u64::from(destination)).to_be_bytes(),
            ports: (u32::from(source_port) << 16 | u32::from(destination_port)).to_be_bytes(),
            udp_octets: digest.octets().saturating_sub(20).to_be_bytes(),
            version: 0x80,
            marker_payload_type: u8::from(digest.marker()) << 7 | digest.payload_type(),
            sequence: digest.sequence().to_be_bytes(),
            timestamp: digest.rtp_timestamp().0.to_be_bytes(),
            ssrc: digest.ssrc().0.to_be_bytes(),
            ..Headers::zeroed()
        };
        Some(Self { timestamp: timed.timestamp, headers, payload })
    }

    /// The packet as of a frame.
    #[inline(always)]
    #[must_use]
    pub const fn packet(&self) -> PlainRtp<'_> {
        PlainRtp { timestamp: self.timestamp, headers: &self.headers, behind: self.payload }
    }
}

#[allow(clippy::inline_always, reason = "measured: as calls, all of a packet goes through memory")]
impl<'a> PlainRtp<'a> {
    /// When the frame was captured.
    #[inline(always)]
    #[must_use]
    pub const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// IPv4 source in the upper half, destination in the lower.
    #[inline(always)]
    #[must_use]
    pub const fn addresses(&self) -> u64 {
        u64::from_be_bytes(self.headers.addresses)
    }

    /// Source port in the upper half, destination port in the lower.
    #[inline(always)]
    #[must_use]
    pub const fn ports(&self) -> u32 {
        u32::from_be_bytes(self.headers.ports)
    }

    /// DSCP and ECN.
    #[inline(always)]
    #[must_use]
    pub const fn traffic_class(&self) -> TrafficClass {
        TrafficClass(self.headers.type_version_class[3])
    }

    /// Time to live.
    #[inline(always)]
    #[must_use]
    pub const fn ttl(&self) -> u8 {
        self.headers.fragment_ttl_protocol[2]
    }

    /// Length of the IP packet in octets, by its header.
    #[inline(always)]
    #[must_use]
    pub const fn octets(&self) -> u16 {
        u16::from_be_bytes(self.headers.octets)
    }

    /// Synchronisation source.
    #[inline(always)]
    #[must_use]
    pub const fn ssrc(&self) -> Ssrc {
        Ssrc(u32::from_be_bytes(self.headers.ssrc))
    }

    /// RTP timestamp.
    #[inline(always)]
    #[must_use]
    pub const fn rtp_timestamp(&self) -> RtpTime {
        RtpTime(u32::from_be_bytes(self.headers.timestamp))
    }

    /// Sequence number.
    #[inline(always)]
    #[must_use]
    pub const fn sequence(&self) -> u16 {
        u16::from_be_bytes(self.headers.sequence)
    }

    /// Payload type, 0 to 127.
    #[inline(always)]
    #[must_use]
    pub const fn payload_type(&self) -> u8 {
        self.headers.marker_payload_type & 0x7F
    }

    /// What follows the headers; a short frame is filled up by the link.
    #[inline(always)]
    #[must_use]
    pub fn payload(&self) -> Payload<'a> {
        let octets = usize::from(self.octets().saturating_sub(IP_TO_RTP));
        Payload { kept: self.behind.get(..octets).unwrap_or(self.behind), octets }
    }

    /// All that follows the headers in the frame.
    #[inline(always)]
    #[must_use]
    pub const fn behind(&self) -> &'a [u8] {
        self.behind
    }

    /// The same as any observation, of a packet that came on this path.
    #[must_use]
    pub fn observation(&self, path: PathId) -> Observation<'a> {
        let (addresses, ports) = (self.addresses(), self.ports());
        Observation {
            timestamp: self.timestamp,
            addresses: Addresses::V4 {
                source: (addresses >> 32) as u32,
                destination: (addresses & 0xFFFF_FFFF) as u32,
            },
            source_port: (ports >> 16) as u16,
            destination_port: (ports & 0xFFFF) as u16,
            transport: Transport::Udp,
            traffic_class: self.traffic_class(),
            ttl: self.ttl(),
            path,
            octets: self.octets(),
            fragment: None,
            message: Message::Rtp(RtpHeader {
                ssrc: self.ssrc(),
                timestamp: self.rtp_timestamp(),
                sequence: self.sequence(),
                payload_type: self.payload_type(),
                marker: self.headers.marker_payload_type & 0x80 != 0,
                payload: self.payload(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::{Decoder, Options};

    /// A frame that is plain, before anything is changed in it.
    fn frame() -> Vec<u8> {
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 0, 0, 1], [52, 112, 0, 1], 61)
            .udp(50_004, 3479);
        let mut bytes = Vec::new();
        let rtp = [&[0x80, 0xEF, 0x12, 0x34, 0, 0, 3, 0xC0, 0xDE, 0xAD, 0xBE, 0xEF][..], &[7; 40]].concat();
        builder.write(&mut bytes, &rtp).unwrap();
        bytes[15] = 0xB8;
        bytes
    }

    #[test]
    fn the_fields_are_where_the_standards_have_them() {
        let bytes = frame();
        let frame = Frame {
            timestamp: Timestamp(1),
            data: &bytes,
            wire_len: 94,
            link: LinkType::ETHERNET,
            interface: 0,
        };
        let plain = read(&frame).unwrap();
        assert_eq!((plain.ports(), plain.ttl(), plain.octets()), (50_004 * 65_536 + 3479, 61, 80));
        assert_eq!(plain.addresses(), 0x0A00_0001_3470_0001);
        assert_eq!(plain.traffic_class().dscp().to_string(), "EF(46)");
        assert_eq!((plain.sequence(), plain.payload_type()), (0x1234, 111));
        assert_eq!((plain.rtp_timestamp(), plain.ssrc()), (RtpTime(0x3C0), Ssrc(0xDEAD_BEEF)));
        assert_eq!(plain.payload().kept, [7; 40]);
        assert!(read(&Frame { link: LinkType::RAW, ..frame }).is_none());
    }

    /// The same frame on a trunk.
    fn tagged(kind: [u8; 2], control: [u8; 2]) -> Vec<u8> {
        let mut bytes = frame();
        bytes.splice(12..12, [kind[0], kind[1], control[0], control[1]]);
        bytes
    }

    fn of(data: &[u8], wire_len: u32) -> Frame<'_> {
        Frame { timestamp: Timestamp(1), data, wire_len, link: LinkType::ETHERNET, interface: 0 }
    }

    #[test]
    fn behind_one_tag_everything_stands_as_without() {
        let (bare, tagged) = (frame(), tagged([0x81, 0], [0xB0, 0x6E]));
        let (plain, tag) = read_tagged(&of(&tagged, 98)).unwrap();
        assert_eq!(tag, 0xB06E);
        let path = PathId(3);
        let expected = read(&of(&bare, 94)).unwrap().observation(path);
        assert_eq!(format!("{:?}", plain.observation(path)), format!("{expected:?}"));
        assert!(read(&of(&tagged, 98)).is_none());
        assert!(read_tagged(&of(&bare, 94)).is_none());
    }

    #[test]
    fn what_is_behind_other_tags_is_for_the_walk() {
        for kind in [[0x88, 0xA8], [0x91, 0], [0x81, 1]] {
            assert!(read_tagged(&of(&tagged(kind, [0, 5]), 98)).is_none(), "{kind:?}");
        }
        let mut twice = tagged([0x81, 0], [0, 5]);
        twice.splice(12..12, [0x81, 0, 0, 6]);
        assert!(read_tagged(&of(&twice, 102)).is_none());
        let tagged = tagged([0x81, 0], [0, 5]);
        assert!(read_tagged(&of(&tagged[..57], 98)).is_none(), "a header is cut");
        assert!(read_tagged(&of(&tagged[..58], 98)).is_some());
    }

    /// Both ways in one decoder, one after the other, so that what the one keeps in mind is there for the other.
    fn assert_both_ways_agree(frames: &[Frame<'_>], options: Options) {
        let mut decoder = Decoder::new(1, options);
        for frame in frames {
            let plain = decoder.decode_plain(frame).map(|(plain, path)| plain.observation(path));
            let Some(plain) = plain else { continue };
            let mut seen = Vec::new();
            let result = decoder.decode_any(frame, &mut |o, paths| {
                assert_ne!(paths.path(o.path), None);
                seen.push(format!("{o:?}"));
            });
            assert_eq!((result, seen), (Ok(()), vec![format!("{plain:?}")]));
        }
    }

    #[test]
    fn tags_are_told_apart_however_many_there_are() {
        let all: Vec<Vec<u8>> = (0..2000_u16)
            .map(|n| tagged([0x81, 0], n.wrapping_mul(40_503).to_be_bytes()))
            .chain([frame()])
            .collect();
        let of_interface = |interface| all.iter().map(move |data| Frame { interface, ..of(data, 98) });
        let frames: Vec<Frame<'_>> = of_interface(0).chain(of_interface(1)).collect();
        let twice: Vec<Frame<'_>> = frames.iter().chain(&frames).copied().collect();
        assert!(frames.iter().all(|f| Decoder::new(1, Options::default()).decode_plain(f).is_some()));
        assert_both_ways_agree(&twice, Options::default());
    }

    #[test]
    fn where_no_layer_is_allowed_a_tag_is_one_too_many() {
        let data = tagged([0x81, 0], [0, 5]);
        let mut decoder = Decoder::new(1, Options { max_depth: 0, ..Options::default() });
        assert!(decoder.decode_plain(&of(&data, 98)).is_none());
        assert!(decoder.decode_plain(&of(&frame(), 94)).is_some());
        let result = decoder.decode(&of(&data, 98), |_, _| panic!("nothing can be made of it"));
        assert_eq!(result, Err(crate::decode::Undecoded::TooDeep));
    }

    proptest! {
        /// Whatever octets are changed: what is plain is what the walk finds.
        #[test]
        fn the_walk_says_the_same(
            tags in prop::collection::vec((any::<bool>(), any::<[u8; 2]>()), 1..5),
            changes in prop::collection::vec((0_usize..64, any::<u8>()), 0..4),
            kept in 54_usize..99,
            more in 0_u32..9,
        ) {
            let changed = |(is_tagged, control): &(bool, [u8; 2])| {
                let mut bytes = if *is_tagged { tagged([0x81, 0], *control) } else { frame() };
                for (place, value) in &changes {
                    bytes[*place] = *value;
                }
                bytes
            };
            let all: Vec<Vec<u8>> = tags.iter().map(changed).collect();
            let frames: Vec<Frame<'_>> = all
                .iter()
                .map(|bytes| of(&bytes[..kept.min(bytes.len())], u32::try_from(bytes.len()).unwrap() + more))
                .collect();
            assert_both_ways_agree(&frames, Options::default());
        }
    }
}
