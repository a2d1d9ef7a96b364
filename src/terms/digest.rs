//! What the kernel tells of an RTP packet in place of its frame.

use std::mem::size_of;

use bytemuck::{Pod, Zeroable};

use super::{RtpTime, Ssrc, Timestamp, TrafficClass};

/// The octets of every digest: the beginning of `struct digest` of `bpf/digests.c`. Numbers of the packet are as they
/// stand on the wire, but for the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct Head {
    nanoseconds: u64,
    addresses: [u8; 32],
    ports: [[u8; 2]; 2],
    tags: [[u8; 2]; MOST_TAGS],
    octets: u16,
    traffic_class: u8,
    ttl: u8,
    kind: u8,
    marker_type: u8,
    sequence: [u8; 2],
    rtp_timestamp: [u8; 4],
    ssrc: [u8; 4],
}

/// What follows in a digest that says more: its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct Tail {
    wire_octets: u16,
    payload_octets: u16,
    identification: u32,
    payload: [u8; 32],
}

const _: () = assert!(size_of::<Head>() == 64 && size_of::<Tail>() == 40);

/// Of `kind`: IPv6; how many tags; the first fragment of several, or another; the rest is not used.
const IS_IPV6: u8 = 1;
const IS_FIRST_FRAGMENT: u8 = 8;
const IS_LATER_FRAGMENT: u8 = 16;
const TAGS_SHIFT: u8 = 1;
const TAGS_MASK: u8 = 3;
/// VLAN tags that a digest tells.
const MOST_TAGS: usize = 2;
/// Octets of the link's header.
const LINK: u32 = 14;
/// Octets of the UDP header and of an RTP header that announces nothing.
const UDP_AND_RTP: u16 = 8 + 12;

/// An RTP packet over UDP in Ethernet with at most two VLAN tags and nothing else around it. Every value is possible,
/// as it comes from without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpDigest<'a> {
    head: &'a Head,
    tail: Option<&'a Tail>,
}

impl<'a> RtpDigest<'a> {
    /// Octets of a digest that says no more than it must.
    pub const SHORT: usize = size_of::<Head>();
    /// Octets of a digest that says all.
    pub const LONG: usize = size_of::<Head>() + size_of::<Tail>();

    /// Reads a record of the kernel's; nothing where it is none, by its length or its place in memory.
    #[inline]
    #[must_use]
    pub fn read(record: &'a [u8]) -> Option<Self> {
        let (head, tail) = record.split_at_checked(Self::SHORT)?;
        let head: &Head = bytemuck::try_from_bytes(head).ok()?;
        let tail = if tail.is_empty() { None } else { Some(bytemuck::try_from_bytes(tail).ok()?) };
        Some(Self { head, tail })
    }

    /// When it was told, in nanoseconds since the machine was started, as `CLOCK_MONOTONIC` has it.
    #[inline]
    #[must_use]
    pub const fn nanoseconds(&self) -> u64 {
        self.head.nanoseconds
    }

    /// IPv4 source and destination; nothing of IPv6.
    #[inline]
    #[must_use]
    pub fn ipv4(&self) -> Option<(u32, u32)> {
        let (source, rest) = self.head.addresses.split_first_chunk()?;
        let destination = rest.first_chunk()?;
        let is_ipv6 = self.head.kind & IS_IPV6 != 0;
        (!is_ipv6).then(|| (u32::from_be_bytes(*source), u32::from_be_bytes(*destination)))
    }

    /// The 32 octets of the addresses as IPv6 has them: source and destination.
    #[inline]
    #[must_use]
    pub fn ipv6(&self) -> (u128, u128) {
        let half = |octets: Option<&[u8; 16]>| octets.map_or(0, |octets| u128::from_be_bytes(*octets));
        (half(self.head.addresses.first_chunk()), half(self.head.addresses.last_chunk()))
    }

    /// Source and destination port.
    #[inline]
    #[must_use]
    pub const fn ports(&self) -> (u16, u16) {
        let [source, destination] = self.head.ports;
        (u16::from_be_bytes(source), u16::from_be_bytes(destination))
    }

    /// Control information of the VLAN tags, outermost first: priority 3 bits, drop eligible 1, identifier 12.
    #[inline]
    pub fn tags(&self) -> impl Iterator<Item = u16> + use<'a> {
        let count = self.count_of_tags();
        self.head.tags.iter().skip(MOST_TAGS - count).map(|tag| u16::from_be_bytes(*tag))
    }

    #[inline]
    fn count_of_tags(&self) -> usize {
        usize::from(self.head.kind >> TAGS_SHIFT & TAGS_MASK).min(MOST_TAGS)
    }

    /// Length of the IP packet in octets, by its header.
    #[inline]
    #[must_use]
    pub const fn octets(&self) -> u16 {
        self.head.octets
    }

    /// Octets of the frame on the wire, tags included, check sequence not.
    #[inline]
    #[must_use]
    pub fn wire_octets(&self) -> u32 {
        match self.tail {
            Some(tail) => u32::from(tail.wire_octets),
            None => {
                LINK + 4 * u32::from(self.head.kind >> TAGS_SHIFT & TAGS_MASK) + u32::from(self.head.octets)
            }
        }
    }

    /// Of a fragment the identification, and whether it is the first, which holds the ports; of any other nothing is
    /// said here but addresses, marking and lengths.
    #[inline]
    #[must_use]
    pub fn fragment(&self) -> Option<(u32, bool)> {
        let is_first = match self.head.kind & (IS_FIRST_FRAGMENT | IS_LATER_FRAGMENT) {
            0 => return None,
            bits => bits & IS_LATER_FRAGMENT == 0,
        };
        Some((self.tail?.identification, is_first))
    }

    /// DSCP and ECN.
    #[inline]
    #[must_use]
    pub const fn traffic_class(&self) -> TrafficClass {
        TrafficClass(self.head.traffic_class)
    }

    /// Time to live, or hop limit.
    #[inline]
    #[must_use]
    pub const fn ttl(&self) -> u8 {
        self.head.ttl
    }

    /// Marker bit.
    #[inline]
    #[must_use]
    pub const fn marker(&self) -> bool {
        self.head.marker_type & 0x80 != 0
    }

    /// Payload type, 0 to 127.
    #[inline]
    #[must_use]
    pub const fn payload_type(&self) -> u8 {
        self.head.marker_type & 0x7F
    }

    /// Sequence number.
    #[inline]
    #[must_use]
    pub const fn sequence(&self) -> u16 {
        u16::from_be_bytes(self.head.sequence)
    }

    /// RTP timestamp.
    #[inline]
    #[must_use]
    pub const fn rtp_timestamp(&self) -> RtpTime {
        RtpTime(u32::from_be_bytes(self.head.rtp_timestamp))
    }

    /// Synchronisation source.
    #[inline]
    #[must_use]
    pub const fn ssrc(&self) -> Ssrc {
        Ssrc(u32::from_be_bytes(self.head.ssrc))
    }

    /// The first octets behind the RTP header, as many as were kept, and how many there were: none are kept of a packet
    /// by which no stream is joined.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> (&'a [u8], usize) {
        let Some(tail) = self.tail else {
            let ip = if self.head.kind & IS_IPV6 == 0 { 20 } else { 40 };
            return (&[], usize::from(self.head.octets.saturating_sub(ip + UDP_AND_RTP)));
        };
        let octets = usize::from(tail.payload_octets);
        (tail.payload.get(..octets).unwrap_or(&tail.payload), octets)
    }
}

/// Which packets streams are joined by, told by their payload: of those with 16 octets or more, the ninth to the
/// sixteenth as one number, of which the lowest octet comes first, plus `plus`, times `times`, both without carry. The
/// upper half of that is below `below`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadChoice {
    /// Is added.
    pub plus: u64,
    /// Is multiplied with.
    pub times: u64,
    /// What the result is held against.
    pub below: u32,
}

impl PayloadChoice {
    /// The upper half of what a number comes to. Per packet.
    #[inline]
    #[must_use]
    pub const fn rank(self, word: u64) -> u32 {
        (word.wrapping_add(self.plus).wrapping_mul(self.times) >> 32) as u32
    }
}

/// A digest with the time of the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedDigest<'a> {
    /// When the packet came.
    pub timestamp: Timestamp,
    /// What it was.
    pub digest: RtpDigest<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of 104 octets, each of which says where it stands, but for kind and payload's length.
    fn record(kind: u8, payload_octets: u16) -> [u64; 13] {
        let mut octets: [u8; 104] = std::array::from_fn(|place| u8::try_from(place).unwrap());
        octets[52] = kind;
        octets[66..68].copy_from_slice(&payload_octets.to_ne_bytes());
        bytemuck::cast(octets)
    }

    #[test]
    fn the_fields_are_where_the_program_puts_them() {
        let record = record(2 << TAGS_SHIFT, 200);
        let digest = RtpDigest::read(bytemuck::cast_slice(&record)).unwrap();
        assert_eq!(digest.nanoseconds().to_ne_bytes(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(digest.ipv4(), Some((0x0809_0A0B, 0x0C0D_0E0F)));
        assert_eq!(digest.ipv6().0, 0x0809_0A0B_0C0D_0E0F_1011_1213_1415_1617);
        assert_eq!(digest.ipv6().1, 0x1819_1A1B_1C1D_1E1F_2021_2223_2425_2627);
        assert_eq!(digest.ports(), (0x2829, 0x2A2B));
        assert_eq!(digest.tags().collect::<Vec<_>>(), [0x2C2D, 0x2E2F]);
        assert_eq!(digest.octets().to_ne_bytes(), [48, 49]);
        assert_eq!((digest.traffic_class(), digest.ttl()), (TrafficClass(50), 51));
        assert_eq!((digest.marker(), digest.payload_type(), digest.sequence()), (false, 53, 0x3637));
        assert_eq!((digest.rtp_timestamp(), digest.ssrc()), (RtpTime(0x3839_3A3B), Ssrc(0x3C3D_3E3F)));
        assert_eq!(digest.wire_octets(), u32::from(u16::from_ne_bytes([64, 65])));
        assert_eq!(digest.fragment(), None);
        assert_eq!(digest.payload(), (&(72..104).collect::<Vec<u8>>()[..], 200));
    }

    #[test]
    fn a_short_one_has_no_payload_and_nothing_between() {
        let mut record = record(IS_IPV6 | 1 << TAGS_SHIFT, 0);
        record[6] = 0;
        let octets: &mut [u8] = bytemuck::cast_slice_mut(&mut record);
        octets[48..50].copy_from_slice(&200_u16.to_ne_bytes());
        octets[52] = IS_IPV6 | 1 << TAGS_SHIFT;
        let digest = RtpDigest::read(&octets[..RtpDigest::SHORT]).unwrap();
        assert_eq!(digest.ipv4(), None);
        assert_eq!(digest.wire_octets(), 14 + 4 + 200);
        assert_eq!(digest.payload(), (&[][..], 200 - 40 - 8 - 12));
    }

    #[test]
    fn fragments_say_which_datagram_they_are_of() {
        let identification = u32::from_ne_bytes([68, 69, 70, 71]);
        for (kind, is_first) in [(IS_FIRST_FRAGMENT, true), (IS_LATER_FRAGMENT | IS_IPV6, false)] {
            let record = record(kind, 0);
            let octets: &[u8] = bytemuck::cast_slice(&record);
            assert_eq!(RtpDigest::read(octets).unwrap().fragment(), Some((identification, is_first)));
            assert_eq!(
                RtpDigest::read(&octets[..64]).unwrap().fragment(),
                None,
                "a short one does not say of which"
            );
        }
    }

    #[test]
    fn what_is_no_digest_is_none() {
        let record = record(0xFF, 9);
        let octets: &[u8] = bytemuck::cast_slice(&record);
        for length in (0..104).filter(|length| *length != RtpDigest::SHORT) {
            assert_eq!(RtpDigest::read(&octets[..length]), None, "{length}");
        }
        assert_eq!(RtpDigest::read(&octets[4..68]), None, "not aligned");
        let digest = RtpDigest::read(octets).unwrap();
        assert_eq!(digest.tags().count(), 2, "of three that it claims");
        assert_eq!(digest.payload(), (&octets[72..81], 9));
    }
}
