//! Tells which packets are a stream's.

use std::collections::{HashMap, HashSet, VecDeque};

use smallvec::SmallVec;

use crate::decode::{Addresses, Message, Observation, RtpHeader};
use crate::meter::StreamRecord;
use crate::terms::{FlowKey, Frame, PointId, Ssrc, Timestamp};

/// Picks the packets of streams: by flow and SSRC, as they are at each hop.
#[derive(Debug, Default)]
pub struct Picker {
    views: HashMap<(FlowKey, Ssrc), SmallVec<[Span; 2]>>,
    /// Both directions of the flows whose STUN, DTLS and RTCP are wanted too.
    control: HashSet<FlowKey>,
    fragments: HashMap<Datagram, Timestamp>,
    datagrams: VecDeque<Datagram>,
}

/// Where and when packets of a flow and SSRC are the stream's.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// None: everywhere.
    point: Option<PointId>,
    first: Timestamp,
    last: Timestamp,
}

type Datagram = (PointId, Addresses, u32);

/// Datagrams of which the first fragment was picked.
const MOST_DATAGRAMS: usize = 8192;
/// RFC 791 and RFC 8200: a datagram is given up after 60 s at the latest.
const LONGEST_DATAGRAM_NS: i64 = 60_000_000_000;

/// Why a packet is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picked<'a> {
    /// It is a packet of the stream.
    Media(RtpHeader<'a>),
    /// It is a later fragment of one.
    Fragment,
    /// It is STUN, DTLS, ZRTP or RTCP on its flow, in either direction.
    Control,
}

impl Picker {
    /// Also picks these streams' packets, at the points and in the times at which they were heard.
    pub fn add_stream(&mut self, record: &StreamRecord) {
        for hop in &record.hops {
            let span = Span { point: Some(hop.point), first: hop.first, last: hop.last };
            self.views.entry((hop.flow, hop.ssrc)).or_default().push(span);
        }
    }

    /// Also picks packets of this flow and SSRC, at every point and at any time.
    pub fn add_view(&mut self, flow: FlowKey, ssrc: Ssrc) {
        let always = Span { point: None, first: Timestamp(i64::MIN), last: Timestamp(i64::MAX) };
        self.views.entry((flow, ssrc)).or_default().push(always);
    }

    /// Also picks what is not media on the flows that were added so far, in both directions: STUN, DTLS, ZRTP and RTCP,
    /// the latter also on the ports above (RFC 3550, section 11).
    pub fn add_control(&mut self) {
        for (flow, _) in self.views.keys() {
            let mut above = *flow;
            for end in [&mut above.source, &mut above.destination] {
                end.set_port(end.port().saturating_add(1));
            }
            self.control.extend([flow.biflow(), above.biflow()]);
        }
    }

    /// Why a packet is wanted, if it is.
    pub fn pick<'a>(&mut self, point: PointId, o: &Observation<'a>) -> Option<Picked<'a>> {
        match o.message {
            Message::Rtp(header) => {
                let spans = self.views.get(&(o.flow(), header.ssrc))?;
                let is_in = |span: &Span| {
                    span.point.is_none_or(|own| own == point)
                        && (span.first..=span.last).contains(&o.timestamp)
                };
                if !spans.iter().any(is_in) {
                    return None;
                }
                if let Some(fragment) = o.fragment {
                    self.note_datagram((point, o.addresses, fragment.identification), o.timestamp);
                }
                Some(Picked::Media(header))
            }
            Message::LaterFragment => {
                let begun = self.fragments.get(&(point, o.addresses, o.fragment?.identification))?;
                let is_of_it = o.timestamp.nanos_since(*begun).saturating_abs() < LONGEST_DATAGRAM_NS;
                is_of_it.then_some(Picked::Fragment)
            }
            Message::Other => None,
            Message::Rtcp(_) | Message::Stun(_) | Message::Dtls | Message::Zrtp => {
                let is_wanted = !self.control.is_empty() && self.control.contains(&o.flow().biflow());
                is_wanted.then_some(Picked::Control)
            }
        }
    }

    fn note_datagram(&mut self, datagram: Datagram, at: Timestamp) {
        if self.fragments.insert(datagram, at).is_none() {
            self.datagrams.push_back(datagram);
            if self.datagrams.len() > MOST_DATAGRAMS
                && let Some(oldest) = self.datagrams.pop_front()
            {
                self.fragments.remove(&oldest);
            }
        }
    }
}

impl Picked<'_> {
    /// How many octets of the frame are headers, those of RTP with them: what follows is payload. All of them where
    /// it has no payload, or is not media.
    #[must_use]
    pub fn header_octets(&self, frame: &Frame<'_>, o: &Observation<'_>) -> usize {
        match self {
            Self::Media(header) if !header.payload.kept.is_empty() => {
                // The payload was lent from the frame.
                let behind = header.payload.kept.as_ptr().addr().wrapping_sub(frame.data.as_ptr().addr());
                behind.min(frame.data.len())
            }
            Self::Fragment => {
                let ip = match o.addresses {
                    Addresses::V4 { .. } => 20,
                    Addresses::V6 { .. } => 48,
                };
                let outside = (frame.wire_len as usize).saturating_sub(usize::from(o.octets));
                (outside + ip).min(frame.data.len())
            }
            Self::Media(_) | Self::Control => frame.data.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Decoder, Options};
    use crate::terms::{LinkType, Transport};

    /// IPv4 and UDP from 10.0.0.1:50004 to 10.0.0.2:3479 with this payload.
    fn packet(payload: &[u8]) -> Vec<u8> {
        let length = |octets: usize| u16::try_from(octets).unwrap().to_be_bytes();
        let mut packet = vec![0x45, 0xB8];
        packet.extend(length(28 + payload.len()));
        packet.extend([0, 1, 0, 0, 63, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0xC3, 0x54, 0x0D, 0x97]);
        packet.extend(length(8 + payload.len()));
        packet.extend([0, 0]);
        packet.extend(payload);
        packet
    }

    fn rtp(ssrc: u32) -> Vec<u8> {
        [&[0x80, 0, 0, 7, 0, 0, 0, 160][..], &ssrc.to_be_bytes(), b"payload"].concat()
    }

    fn flow() -> FlowKey {
        FlowKey {
            source: "10.0.0.1:50004".parse().unwrap(),
            destination: "10.0.0.2:3479".parse().unwrap(),
            transport: Transport::Udp,
        }
    }

    /// Why the packet is picked, and how much of it is headers.
    fn picked(picker: &mut Picker, point: u16, at: i64, packet: &[u8]) -> Option<(&'static str, usize)> {
        let frame = Frame {
            timestamp: Timestamp(at),
            data: packet,
            wire_len: u32::try_from(packet.len()).unwrap(),
            link: LinkType::RAW,
            interface: 0,
        };
        let mut found = None;
        Decoder::new(1, Options::default())
            .decode(&frame, |o, _| {
                found = picker.pick(PointId(point), o).map(|picked| {
                    let why = match picked {
                        Picked::Media(_) => "media",
                        Picked::Fragment => "fragment",
                        Picked::Control => "control",
                    };
                    (why, picked.header_octets(&frame, o))
                });
            })
            .unwrap();
        found
    }

    #[test]
    fn a_packet_is_picked_by_flow_and_ssrc() {
        let mut picker = Picker::default();
        picker.add_view(flow(), Ssrc(5));
        assert_eq!(picked(&mut picker, 3, 9, &packet(&rtp(5))), Some(("media", 40)));
        assert_eq!(picked(&mut picker, 3, 9, &packet(&rtp(6))), None);
        let mut elsewhere = packet(&rtp(5));
        elsewhere[15] = 9;
        assert_eq!(picked(&mut picker, 3, 9, &elsewhere), None);
    }

    #[test]
    fn a_stream_is_picked_where_and_while_it_was_heard() {
        let mut picker = Picker::default();
        let span = Span { point: Some(PointId(1)), first: Timestamp(10), last: Timestamp(20) };
        picker.views.entry((flow(), Ssrc(5))).or_default().push(span);
        for (point, at, is_picked) in
            [(1, 10, true), (1, 20, true), (1, 9, false), (1, 21, false), (2, 15, false)]
        {
            assert_eq!(
                picked(&mut picker, point, at, &packet(&rtp(5))).is_some(),
                is_picked,
                "point {point} at {at}"
            );
        }
    }

    #[test]
    fn later_fragments_follow_their_first() {
        let mut picker = Picker::default();
        picker.add_view(flow(), Ssrc(5));
        let mut later = packet(&rtp(5));
        (later[6], later[7]) = (0, 3);
        assert_eq!(picked(&mut picker, 0, 1, &later), None, "no first one was heard");
        let mut first = packet(&rtp(5));
        first[6] = 0x20;
        assert_eq!(picked(&mut picker, 0, 2, &first), Some(("media", 40)));
        assert_eq!(picked(&mut picker, 0, 3, &later), Some(("fragment", 20)));
        assert_eq!(picked(&mut picker, 1, 3, &later), None, "another point");
        assert_eq!(picked(&mut picker, 0, LONGEST_DATAGRAM_NS + 3, &later), None, "too late");
        for identification in 0..u32::from(u16::MAX) {
            let addresses = Addresses::V4 { source: 1, destination: 2 };
            picker.note_datagram((PointId(0), addresses, identification), Timestamp(0));
        }
        assert_eq!(picker.fragments.len(), MOST_DATAGRAMS);
    }

    #[test]
    fn control_is_picked_where_it_is_asked_for() {
        let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &[7; 12]].concat();
        let mut picker = Picker::default();
        picker.add_view(flow(), Ssrc(5));
        assert_eq!(picked(&mut picker, 0, 1, &packet(&stun)), None);
        picker.add_control();
        assert_eq!(picked(&mut picker, 0, 1, &packet(&stun)), Some(("control", 48)));
    }
}
