//! What was heard on an interface, counted frame by frame.
//!
//! Less than the meter does: it is to tell whether a mirror is whole, not how streams fare.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use serde::Serialize;

use super::repeats::Repeats;
use crate::capture::interface::InterfaceStatistics;
use crate::decode::{Decoder, Layer, Message, Observation, Options};
use crate::terms::{FlowKey, Frame, Ssrc};

/// What was heard on one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Heard {
    /// How long was listened.
    pub(super) milliseconds: u64,
    pub(super) frames: u64,
    pub(super) octets: u64,
    /// Octets of the longest frame.
    pub(super) longest: u32,
    /// Frames that carry UDP, or TCP with data.
    pub(super) packets: u64,
    /// Pairs of addresses of which packets went one way only, and both ways.
    pub(super) pairs_one_way: u64,
    pub(super) pairs_both_ways: u64,
    /// Packets whose same octets came at the same place within 50 ms before.
    pub(super) duplicates: u64,
    /// Frames by VLAN, outermost tag.
    pub(super) vlans: BTreeMap<u16, u64>,
    /// Frames by what they are wrapped in.
    pub(super) tunnels: BTreeMap<String, u64>,
    /// RTP streams.
    pub(super) media_streams: u64,
    /// Those between whose ends a stream also went the other way.
    pub(super) media_streams_both_ways: u64,
    /// Frames that the kernel had no room for.
    pub(super) dropped_by_kernel: u64,
    /// Frames that the interface or its driver lost meanwhile; absent where they are not counted.
    pub(super) lost_by_interface: Option<u64>,
    /// What did not fit into a table.
    pub(super) not_counted: u64,
    /// Why listening ended early.
    pub(super) ended: Option<String>,
}

/// Entries of any table here.
const MOST: usize = 1 << 16;
/// Kinds of VLAN and tunnel that are told apart.
const MOST_KINDS: usize = 256;
/// So many packets in a row, each numbered one above the last, are a stream (compare RFC 3550, A.1).
const IN_ORDER: u32 = 4;

/// Counts frames.
pub(super) struct Tally {
    heard: Heard,
    decoder: Decoder,
    hasher: FixedState,
    repeats: Repeats,
    /// By the lower and the higher address: whether packets went up, and down.
    pairs: HashMap<(IpAddr, IpAddr), [bool; 2]>,
    media: HashMap<(FlowKey, Ssrc), InOrder>,
}

struct InOrder {
    sequence: u16,
    packets: u32,
}

impl Tally {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            heard: Heard::default(),
            decoder: Decoder::new(seed, Options::default()),
            hasher: FixedState::with_seed(seed),
            repeats: Repeats::default(),
            pairs: HashMap::new(),
            media: HashMap::new(),
        }
    }

    pub(super) fn count(&mut self, frame: &Frame<'_>) {
        let Self { heard, decoder, hasher, repeats, pairs, media } = self;
        heard.frames += 1;
        heard.octets += u64::from(frame.wire_len);
        heard.longest = heard.longest.max(frame.wire_len);
        let mut is_first = true;
        // What cannot be read down to UDP or TCP has no place in the figures below.
        let _ = decoder.decode(frame, |seen, paths| {
            if std::mem::take(&mut is_first) {
                heard.packets += 1;
                let layers = paths.path(seen.path).map_or(&[][..], |path| &*path.layers);
                note_layers(layers, heard);
                let place = paths.place(seen.path);
                let identity =
                    hasher.hash_one((place, seen.ttl, seen.addresses, innermost(frame.data, seen)));
                heard.duplicates += u64::from(repeats.is_repeat(identity, seen.timestamp));
            }
            note_pair(seen, pairs, heard);
            note_media(seen, media, heard);
        });
    }

    /// What came of it; `lost` is what the interface counted meanwhile.
    pub(super) fn finish(self, milliseconds: u64, dropped: u64, lost: Option<&InterfaceStatistics>) -> Heard {
        let both = self.pairs.values().filter(|ways| **ways == [true; 2]).count() as u64;
        let streams = self.media.iter().filter(|(_, stream)| stream.packets >= IN_ORDER);
        // By address alone: not everybody sends from the port on which he receives.
        let ways: Vec<(IpAddr, IpAddr)> =
            streams.map(|((flow, _), _)| (flow.source.ip(), flow.destination.ip())).collect();
        let all: HashSet<(IpAddr, IpAddr)> = ways.iter().copied().collect();
        let answered = ways.iter().filter(|(source, destination)| all.contains(&(*destination, *source)));
        Heard {
            milliseconds,
            pairs_both_ways: both,
            pairs_one_way: self.pairs.len() as u64 - both,
            media_streams: ways.len() as u64,
            media_streams_both_ways: answered.count() as u64,
            dropped_by_kernel: dropped,
            lost_by_interface: lost.map(InterfaceStatistics::lost_before_capture),
            not_counted: self.heard.not_counted + self.repeats.refused(),
            ..self.heard
        }
    }
}

/// The octets of the innermost packet: a mirror's own headers around it differ from copy to copy.
fn innermost<'a>(data: &'a [u8], seen: &Observation<'_>) -> &'a [u8] {
    let start = data.len().saturating_sub(usize::from(seen.octets));
    data.get(start..).unwrap_or_default()
}

fn note_layers(layers: &[Layer], heard: &mut Heard) {
    let Heard { vlans, tunnels, not_counted, .. } = heard;
    let vlan = layers.iter().find_map(|layer| match layer {
        Layer::Vlan { vid, .. } => Some(*vid),
        _ => None,
    });
    if let Some(vid) = vlan {
        count_in(vlans, vid, not_counted);
    }
    // What tells mirror sessions apart says more than what it is carried in.
    let tunnel =
        layers.iter().find(|layer| is_session(layer)).or_else(|| layers.iter().find(|l| is_tunnel(l)));
    if let Some(tunnel) = tunnel {
        count_in(tunnels, tunnel.to_string(), not_counted);
    }
}

const fn is_session(layer: &Layer) -> bool {
    matches!(layer, Layer::Erspan { .. } | Layer::Vxlan { .. } | Layer::Geneve { .. } | Layer::Tzsp)
}

/// Outer addresses belong to the tunnel behind them, and what a relay wraps media in is no tunnel of a mirror.
const fn is_tunnel(layer: &Layer) -> bool {
    matches!(
        layer,
        Layer::Gre { .. }
            | Layer::Mpls { .. }
            | Layer::Pppoe { .. }
            | Layer::Gtpu { .. }
            | Layer::Other { .. }
    )
}

fn count_in<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, not_counted: &mut u64) {
    if let Some(count) = counts.get_mut(&key) {
        *count += 1;
    } else if counts.len() < MOST_KINDS {
        counts.insert(key, 1);
    } else {
        *not_counted += 1;
    }
}

fn note_pair(seen: &Observation<'_>, pairs: &mut HashMap<(IpAddr, IpAddr), [bool; 2]>, heard: &mut Heard) {
    let (source, destination) = seen.addresses.pair();
    if is_to_many(destination) || source == destination {
        return;
    }
    let is_up = source < destination;
    let pair = if is_up { (source, destination) } else { (destination, source) };
    let is_full = pairs.len() >= MOST;
    match pairs.get_mut(&pair) {
        Some([up, down]) => *(if is_up { up } else { down }) = true,
        None if is_full => heard.not_counted += 1,
        None => drop(pairs.insert(pair, [is_up, !is_up])),
    }
}

/// Nobody answers from such an address.
const fn is_to_many(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_multicast(),
    }
}

fn note_media(seen: &Observation<'_>, media: &mut HashMap<(FlowKey, Ssrc), InOrder>, heard: &mut Heard) {
    let Message::Rtp(rtp) = seen.message else { return };
    let key = (seen.flow(), rtp.ssrc);
    let is_full = media.len() >= MOST;
    match media.get_mut(&key) {
        Some(stream) => {
            if rtp.sequence == stream.sequence.wrapping_add(1) {
                stream.packets += 1;
            } else if stream.packets < IN_ORDER && rtp.sequence != stream.sequence {
                stream.packets = 1;
            }
            stream.sequence = rtp.sequence;
        }
        None if is_full => heard.not_counted += 1,
        None => drop(media.insert(key, InOrder { sequence: rtp.sequence, packets: 1 })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{LinkType, Timestamp};

    /// RTP over UDP over IPv4, with a VLAN tag.
    fn frame(source: u8, destination: u8, ttl: u8, sequence: u16) -> Vec<u8> {
        let [high, low] = sequence.to_be_bytes();
        let mut octets = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 7, 8, 0];
        octets.extend([
            0x45,
            0xB8,
            0,
            48,
            high,
            low,
            0,
            0,
            ttl,
            17,
            0,
            0,
            10,
            0,
            0,
            source,
            10,
            0,
            0,
            destination,
        ]);
        octets.extend([0x4E, 0x20, 0x4E, 0x20, 0, 28, 0, 0]);
        octets.extend([0x80, 0, high, low, 0, 0, 0, 160, 0, 0, 0, source, 1, 2, 3, 4, 5, 6, 7, 8]);
        octets
    }

    fn tally(frames: &[(i64, Vec<u8>)]) -> Heard {
        let mut tally = Tally::new(1);
        for (milliseconds, data) in frames {
            tally.count(&Frame {
                timestamp: Timestamp(milliseconds * 1_000_000),
                data,
                wire_len: u32::try_from(data.len()).unwrap(),
                link: LinkType::ETHERNET,
                interface: 0,
            });
        }
        tally.finish(1000, 0, None)
    }

    #[test]
    fn the_same_octets_with_the_same_ttl_are_a_duplicate_and_with_a_lower_one_the_next_hop() {
        let once = frame(1, 2, 64, 9);
        let duplicate = tally(&[(0, once.clone()), (2, once.clone())]);
        assert_eq!((duplicate.packets, duplicate.duplicates), (2, 1));
        let next_hop = tally(&[(0, once.clone()), (2, frame(1, 2, 63, 9))]);
        assert_eq!((next_hop.packets, next_hop.duplicates), (2, 0));
        let much_later = tally(&[(0, once.clone()), (400, once)]);
        assert_eq!(much_later.duplicates, 0);
    }

    #[test]
    fn a_stream_is_told_by_numbers_in_order_and_its_way_back_by_its_ends() {
        let way =
            |source, destination| (0..6_u16).map(move |n| (i64::from(n), frame(source, destination, 64, n)));
        let one_way: Vec<_> = way(1, 2).collect();
        let heard = tally(&one_way);
        assert_eq!((heard.media_streams, heard.media_streams_both_ways), (1, 0));
        assert_eq!((heard.pairs_one_way, heard.pairs_both_ways), (1, 0));
        let both_ways: Vec<_> = way(1, 2).chain(way(2, 1)).collect();
        let heard = tally(&both_ways);
        assert_eq!((heard.media_streams, heard.media_streams_both_ways), (2, 2));
        assert_eq!((heard.pairs_one_way, heard.pairs_both_ways), (0, 1));
        let no_order: Vec<_> = [5, 99, 3, 40, 7, 600].map(|n| (0, frame(1, 2, 64, n))).into();
        assert_eq!(tally(&no_order).media_streams, 0);
    }

    #[test]
    fn a_mirror_session_is_named_rather_than_what_carries_it() {
        let address = IpAddr::from([10, 0, 0, 1]);
        let outer = Layer::Ip { source: address, destination: address, dscp: crate::terms::Dscp::DF };
        let erspan = Layer::Erspan { version: 2, session: 7, egress: None };
        let mut heard = Heard::default();
        note_layers(&[outer, Layer::Gre { key: None }, erspan, Layer::Vlan { vid: 9, pcp: 0 }], &mut heard);
        note_layers(&[Layer::Pppoe { session: 3 }, Layer::ChannelData { channel: 0x4001 }], &mut heard);
        note_layers(&[Layer::ChannelData { channel: 0x4001 }], &mut heard);
        let expected = BTreeMap::from([("erspan2 7".to_owned(), 1), ("pppoe 3".to_owned(), 1)]);
        assert_eq!((heard.tunnels, heard.vlans), (expected, BTreeMap::from([(9, 1)])));
    }

    #[test]
    fn tags_are_counted_by_frame_and_what_is_no_packet_as_a_frame_only() {
        let arp = [&[0xFF; 6][..], &[2, 0, 0, 0, 0, 1, 8, 6], &[0; 46]].concat();
        let heard = tally(&[(0, frame(1, 2, 64, 1)), (1, arp), (2, vec![0; 5])]);
        assert_eq!((heard.frames, heard.packets), (3, 1));
        assert_eq!(heard.vlans, BTreeMap::from([(7, 1)]));
        assert_eq!((heard.tunnels.len(), heard.longest), (0, 66));
    }
}
