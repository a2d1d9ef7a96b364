//! Media on TCP: framed messages that fill a segment.
//!
//! They begin at the segment's first octet and go to its end; only the last may go on in the next segment.
//! Each segment is looked at by itself. A frame that begins in an earlier segment is not put together: what
//! counts is that media goes over TCP, and how it is marked.

use super::channel_data::ChannelData;
use super::layers::Layers;
use super::multiplexed::Multiplexed;
use super::span::Span;
use super::{Layer, Message, demux, stun};

/// How messages are set apart in the octet stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// TURN: STUN and ChannelData, each padded to four octets (RFC 8656, section 3.5).
    Turn,
    /// Microsoft's multiplexed TURN.
    Multiplexed,
    /// What follows Microsoft's pseudo-TLS handshake: type 8 bits, zero 8, length 16 (MS-TURN, section 2.1).
    MsTurn,
    /// RTSP: `$`, channel 8 bits, length 16 (RFC 7826, section 14).
    Interleaved,
    /// A length of 16 bits (RFC 4571).
    Rfc4571,
}

/// One frame at the start of what is left of a segment.
#[derive(Debug, Clone, Copy)]
struct Framed<'a> {
    inner: Span<'a>,
    /// With header and padding: more than what is left, where the frame goes on in the next segment.
    octets: usize,
    layer: Option<Layer>,
}

/// Shorter than any message that is looked for.
const LEAST_MESSAGE: usize = 8;

impl Framing {
    const ALL: [Self; 5] = [Self::Turn, Self::Multiplexed, Self::MsTurn, Self::Interleaved, Self::Rfc4571];

    const fn header_octets(self) -> usize {
        match self {
            Self::Rfc4571 => 2,
            Self::MsTurn | Self::Interleaved => 4,
            // As much as tells STUN from ChannelData, and length from session.
            Self::Turn => 8,
            Self::Multiplexed => Multiplexed::HEADER_OCTETS,
        }
    }

    fn frame(self, rest: Span<'_>) -> Option<Framed<'_>> {
        let by_length = |header: usize, length: u16, layer: Layer| {
            let length = usize::from(length);
            let inner = rest.skip(header).ok()?.with_length(length);
            (length >= LEAST_MESSAGE).then_some(Framed { inner, octets: header + length, layer: Some(layer) })
        };
        match (self, rest.bytes) {
            (Self::Rfc4571, [l0, l1, ..]) => by_length(2, u16::from_be_bytes([*l0, *l1]), Layer::TcpFraming),
            (Self::Interleaved, [b'$', _, l0, l1, ..]) => {
                by_length(4, u16::from_be_bytes([*l0, *l1]), Layer::Other { name: "rtsp-interleaved" })
            }
            (Self::MsTurn, [0x02 | 0x03, 0, l0, l1, ..]) => {
                let mut framed =
                    by_length(4, u16::from_be_bytes([*l0, *l1]), Layer::Other { name: "ms-turn-tcp" })?;
                // Data from end to end may be framed once more, as RFC 4571 has it.
                if framed.inner.u16_at(0).is_some_and(|length| usize::from(length) + 2 == framed.inner.octets)
                {
                    framed.inner = framed.inner.skip(2).ok()?;
                }
                Some(framed)
            }
            (Self::Multiplexed, [0xFF, 0x10, l0, l1, ..]) => {
                let octets = 4 + usize::from(u16::from_be_bytes([*l0, *l1]));
                Some(Framed { inner: rest.with_length(octets), octets, layer: None })
            }
            (Self::Turn, [0..=3, _, l0, l1, ..]) if stun::has_cookie(rest.bytes) => {
                let octets = 20 + usize::from(u16::from_be_bytes([*l0, *l1]));
                Some(Framed { inner: rest.with_length(octets), octets, layer: None })
            }
            (Self::Turn, [0x40..=0x4F, _, l0, l1, ..]) => {
                let octets = ChannelData::HEADER_OCTETS + usize::from(u16::from_be_bytes([*l0, *l1]));
                Some(Framed {
                    inner: rest.with_length(octets),
                    octets: octets.next_multiple_of(4),
                    layer: None,
                })
            }
            _ => None,
        }
    }

    /// Whether the segment is such frames and nothing else. The first has to be whole; the last may be cut.
    fn fills(self, segment: Span<'_>, layers: &mut Layers) -> bool {
        let mut rest = segment;
        let mut is_first = true;
        while rest.octets > 0 {
            if rest.bytes.len() < self.header_octets() {
                return !is_first;
            }
            let Some(framed) = self.frame(rest) else { return false };
            let is_cut = framed.octets > rest.octets;
            let depth = layers.depth();
            let message = open(framed, layers);
            layers.back_to(depth);
            match message {
                Some(Message::Rtp(_) | Message::Rtcp(_) | Message::Stun(_) | Message::Dtls) => (),
                // Too little of the last frame is here to tell.
                None if !is_first && framed.inner.bytes.len() < 20 && !framed.inner.is_whole() => (),
                _ => return false,
            }
            if is_cut {
                return !is_first;
            }
            match rest.skip(framed.octets) {
                Ok(behind) => rest = behind,
                // The capture ends within the frame.
                Err(_) => return true,
            }
            is_first = false;
        }
        true
    }
}

/// What a frame holds, with its layers pushed.
fn open<'a>(framed: Framed<'a>, layers: &mut Layers) -> Option<Message<'a>> {
    if let Some(layer) = framed.layer {
        layers.push(layer).ok()?;
    }
    demux::recognise(framed.inner, layers)
}

/// Gives each message of a segment, with how many of the segment's octets are its own. Says whether the
/// segment was framed media at all; if not, nothing was given.
pub(super) fn split<'a>(
    segment: Span<'a>,
    layers: &mut Layers,
    mut give: impl FnMut(&Layers, usize, Message<'a>),
) -> bool {
    let Some(framing) = Framing::ALL.into_iter().find(|framing| framing.fills(segment, layers)) else {
        return false;
    };
    let depth = layers.depth();
    let mut rest = segment;
    while let Some(framed) = framing.frame(rest) {
        if let Some(message) = open(framed, layers) {
            give(layers, framed.octets.min(rest.octets), message);
        }
        layers.back_to(depth);
        match rest.skip(framed.octets) {
            Ok(behind) => rest = behind,
            Err(_) => break,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: [u8; 16] = [0x80, 111, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 9, 9, 9, 9];
    const STUN: [u8; 20] = [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    fn given(bytes: &[u8], octets: usize) -> Option<Vec<(&'static str, usize, Vec<Layer>)>> {
        let mut layers = Layers::new(8);
        let mut all = Vec::new();
        let is_media = split(Span::new(bytes, octets), &mut layers, |layers, octets, message| {
            let name = match message {
                Message::Rtp(_) => "rtp",
                Message::Stun(_) => "stun",
                _ => "else",
            };
            all.push((name, octets, layers.as_slice().to_vec()));
        });
        assert_eq!(layers.depth(), 0);
        is_media.then_some(all)
    }

    fn framed(inner: &[u8]) -> Vec<u8> {
        [&u16::try_from(inner.len()).unwrap().to_be_bytes()[..], inner].concat()
    }

    #[test]
    fn frames_are_given_one_by_one() {
        let channel = [&[0x40, 1, 0, 13][..], &RTP[..13], &[0; 3]].concat();
        let ms = |kind: u8, inner: &[u8]| [&[kind, 0][..], &framed(inner)].concat();
        let multiplexed = [&[0xFF, 0x10, 0, 24, 0, 0, 0, 0, 0, 0, 0, 9][..], &RTP].concat();
        let (rfc4571, in_channel) = (vec![Layer::TcpFraming], vec![Layer::ChannelData { channel: 0x4001 }]);
        let ms_layer = vec![Layer::Other { name: "ms-turn-tcp" }];
        let interleaved = vec![Layer::Other { name: "rtsp-interleaved" }];
        for (name, bytes, expected) in [
            (
                "RFC 4571",
                [framed(&RTP), framed(&STUN)].concat(),
                vec![("rtp", 18, rfc4571.clone()), ("stun", 22, rfc4571.clone())],
            ),
            (
                "RFC 4571, the last cut",
                [framed(&RTP), framed(&RTP)[..15].to_vec()].concat(),
                vec![("rtp", 18, rfc4571.clone()), ("rtp", 15, rfc4571.clone())],
            ),
            (
                "RFC 4571, the last cut in its header",
                [framed(&RTP), vec![0]].concat(),
                vec![("rtp", 18, rfc4571.clone())],
            ),
            (
                "TURN",
                [&STUN[..], &channel, &channel].concat(),
                vec![("stun", 20, vec![]), ("rtp", 20, in_channel.clone()), ("rtp", 20, in_channel)],
            ),
            (
                "pseudo-TLS",
                [ms(2, &STUN), ms(3, &RTP), ms(3, &framed(&RTP))].concat(),
                vec![("stun", 24, ms_layer.clone()), ("rtp", 20, ms_layer.clone()), ("rtp", 22, ms_layer)],
            ),
            ("multiplexed", multiplexed, vec![("rtp", 28, vec![Layer::MultiplexedTurn { session: 9 }])]),
            ("interleaved", [&b"$\0"[..], &framed(&RTP)].concat(), vec![("rtp", 20, interleaved)]),
        ] {
            assert_eq!(given(&bytes, bytes.len()), Some(expected), "{name}");
        }
    }

    #[test]
    fn other_traffic_is_not_taken_for_media() {
        let tls = [&[0x16, 3, 1, 0, 40, 1, 0, 0, 36, 3, 3][..], &[0x80; 34]].concat();
        for (name, bytes) in [
            ("TLS", tls),
            ("HTTP", b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n".to_vec()),
            ("response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
            ("octets behind the last frame", [framed(&RTP), vec![9; 40]].concat()),
            ("a first frame that is cut", framed(&RTP)[..17].to_vec()),
            ("RTP without framing", RTP.to_vec()),
            ("one octet", vec![0]),
            ("zeros", vec![0; 64]),
        ] {
            assert_eq!(given(&bytes, bytes.len()), None, "{name}");
        }
    }

    #[test]
    fn a_snapped_segment_is_read_as_far_as_it_goes() {
        let bytes = [framed(&RTP), framed(&RTP)].concat();
        assert_eq!(given(&bytes[..32], 36).map(|g| g.len()), Some(2));
        assert_eq!(given(&bytes[..15], 36).map(|g| g.len()), Some(1));
    }
}
