//! Datagrams and segments: what they carry is told by their octets alone.

use hopmark::decode::{Layer, Message, Observation, PathTable};
use hopmark::meter::Limits;
use hopmark::terms::{Frame, LinkType, PointId, Timestamp};

use crate::listener::{Heard, Listener, NARROW};
use crate::packet::{self, messages, tcp_frame, udp_frame};

/// Makes a frame of each message, has them heard, and looks at what they are decoded to.
fn hear(
    data: &[u8],
    limits: Limits,
    make: impl Fn(&packet::Message<'_>) -> Vec<u8>,
    mut look: impl FnMut(&packet::Message<'_>, &Observation<'_>, &PathTable),
) -> Heard {
    let mut listener = Listener::new(PointId(0), limits, 7);
    let mut now = 1_700_000_000_000_000_000;
    for message in messages(data) {
        now += message.elapsed_ns;
        let octets = make(&message);
        let kept = octets.len().saturating_sub(message.snapped);
        let frame = Frame {
            timestamp: Timestamp(now),
            data: &octets[..kept],
            wire_len: u32::try_from(octets.len()).unwrap_or(u32::MAX),
            link: LinkType::ETHERNET,
            interface: 0,
        };
        listener.hear(&frame, |o, paths| {
            assert_eq!((o.ttl, o.traffic_class.0), (message.ttl, message.traffic_class));
            look(&message, o, paths);
        });
    }
    listener.finish()
}

/// RTP as read here is RTP as its RFC draws it.
pub fn rtp(data: &[u8]) {
    let _ = hear(data, NARROW, udp_frame, |message, o, paths| {
        let (Message::Rtp(header), true) = (o.message, is_bare(o, paths)) else { return };
        let word = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| message.payload[at + i]));
        assert_eq!(word(0) >> 30, 2);
        assert_eq!(header.marker, word(0) & 1 << 23 != 0);
        assert_eq!(u32::from(header.payload_type), word(0) >> 16 & 0x7F);
        assert_eq!(u32::from(header.sequence), word(0) & 0xFFFF);
        assert_eq!((header.timestamp.0, header.ssrc.0), (word(4), word(8)));
    });
}

/// RTCP as read here is RTCP as its RFC draws it.
pub fn rtcp(data: &[u8]) {
    let _ = hear(data, NARROW, udp_frame, |message, o, paths| {
        let (Message::Rtcp(header), true) = (o.message, is_bare(o, paths)) else { return };
        let word = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| message.payload[at + i]));
        assert_eq!(word(0) >> 30, 2);
        assert_eq!(u32::from(header.packet_type), word(0) >> 16 & 0xFF);
        assert!((word(0) as usize & 0xFFFF) < message.payload.len() / 4);
        assert_eq!(header.ssrc.0, word(4));
    });
}

fn is_bare(o: &Observation<'_>, paths: &PathTable) -> bool {
    paths.path(o.path).is_some_and(|path| path.layers.is_empty())
}

/// STUN's requests and responses are paired, however they come.
pub fn stun(data: &[u8]) {
    let mut messages = 0;
    let heard = hear(data, NARROW, udp_frame, |_, o, _| {
        messages += u64::from(matches!(o.message, Message::Stun(_)));
    });
    let counted: u64 =
        heard.stun.iter().map(|s| s.requests + s.retransmitted + s.responses + s.unmatched).sum();
    assert!(counted <= messages, "{counted} of {messages} messages");
}

/// What stands in a wrapper is found behind its layer. The first octet of each message chooses the wrapper.
pub fn turn(data: &[u8]) {
    let frame = |message: &packet::Message<'_>| {
        let payload = wrapped(message.payload);
        udp_frame(&packet::Message { payload: &payload, ..*message })
    };
    let _ = hear(data, NARROW, frame, |message, o, paths| {
        if matches!(o.message, Message::Rtp(_) | Message::Rtcp(_)) {
            let layers = paths.path(o.path).map_or(&[][..], |path| &path.layers);
            let is_wrapped = |layer: &Layer| {
                matches!(
                    layer,
                    Layer::ChannelData { .. } | Layer::TurnIndication | Layer::MultiplexedTurn { .. }
                )
            };
            assert!(layers.iter().any(is_wrapped) || message.payload.is_empty(), "{layers:?}");
        }
    });
}

fn wrapped(message: &[u8]) -> Vec<u8> {
    let Some((choice, inner)) = message.split_first() else { return Vec::new() };
    let length = |more: usize| u16::try_from(inner.len() + more).unwrap_or(u16::MAX).to_be_bytes();
    let mut wrapped = match choice % 4 {
        0 => [&[0x40, *choice][..], &length(0)].concat(),
        1 => [&[0xFF, 0x10][..], &length(8), &[0, 0, 0, 0, 0, 0, 0, *choice]].concat(),
        kind => {
            // A Data or a Send indication with a peer's address, then the data.
            let padded = u16::try_from(inner.len().next_multiple_of(4) + 16).unwrap_or(u16::MAX);
            let mut message = vec![0, if kind == 2 { 0x17 } else { 0x16 }];
            message.extend(padded.to_be_bytes());
            message.extend([0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, *choice]);
            message.extend([0, 0x12, 0, 8, 0, 1, 0x21, 0x12, 0xE1, 0xBA, 0xA5, 0x43, 0, 0x13]);
            message.extend(length(0));
            message
        }
    };
    wrapped.extend(inner);
    if choice % 4 >= 2 {
        wrapped.resize(wrapped.len().next_multiple_of(4), 0);
    }
    wrapped
}

/// The messages of a segment are not longer together than the packet.
pub fn tcp(data: &[u8]) {
    let _ = hear(data, NARROW, tcp_frame, |message, o, _| {
        assert!(usize::from(o.octets) <= 40 + message.payload.len());
    });
}
