//! What a datagram carries, told by its first octets (RFC 7983).
//!
//! TURN's wrappers are opened, and what they hold is given.

use super::channel_data::ChannelData;
use super::layers::Layers;
use super::multiplexed::Multiplexed;
use super::span::Span;
use super::stun::StunMessage;
use super::{Layer, Message, RtcpHeader, RtpHeader, dtls, zrtp};

/// The message in a UDP payload. Wrappers that were opened are new layers. Per frame.
#[inline]
pub(super) fn message<'a>(payload: Span<'a>, layers: &mut Layers) -> Message<'a> {
    let message = match payload.bytes.first() {
        Some(0x80..=0xBF) => media(payload),
        _ => recognise(payload, layers),
    };
    message.unwrap_or(Message::Other)
}

/// As [`message`], but nothing where nothing is recognised.
///
/// Calls itself for what a wrapper holds; each wrapper is a layer, so the bound on layers bounds the calls.
pub(super) fn recognise<'a>(payload: Span<'a>, layers: &mut Layers) -> Option<Message<'a>> {
    match *payload.bytes.first()? {
        // Outside the ranges of RFC 7983, so asked first there, and anywhere here.
        0xFF => {
            let frame = Multiplexed::read(payload)?;
            let fills = Multiplexed::HEADER_OCTETS + frame.data.octets == payload.octets;
            fills.then(|| within(Layer::MultiplexedTurn { session: frame.session }, frame.data, layers))?
        }
        0..=3 => {
            let stun = StunMessage::read(payload)?;
            let inner = stun.data_span().filter(|_| stun.is_wrapper());
            let opened = inner.and_then(|data| within(Layer::TurnIndication, data, layers));
            Some(opened.unwrap_or(Message::Stun(stun)))
        }
        16..=19 => zrtp::is_packet(payload).then_some(Message::Zrtp),
        20..=63 => dtls::is_record(payload).then_some(Message::Dtls),
        // QUIC and others begin with these octets too (RFC 9443): believed only for what is inside.
        64..=79 => {
            let message = ChannelData::read(payload)?;
            // Over UDP the padding to four octets is optional.
            let fills = payload.octets - ChannelData::HEADER_OCTETS - message.data.octets <= 3;
            fills.then(|| within(Layer::ChannelData { channel: message.channel }, message.data, layers))?
        }
        128..=191 => media(payload),
        _ => None,
    }
}

/// RTP or RTCP, by the octet in which RTP has marker and payload type (RFC 5761, section 4).
#[inline]
fn media(payload: Span<'_>) -> Option<Message<'_>> {
    match payload.bytes {
        [_, 192..=223, ..] => RtcpHeader::read(payload).map(Message::Rtcp),
        _ => RtpHeader::read(payload).map(Message::Rtp),
    }
}

/// What a wrapper holds; if that is nothing known, the wrapper is no layer.
fn within<'a>(layer: Layer, inner: Span<'a>, layers: &mut Layers) -> Option<Message<'a>> {
    let depth = layers.depth();
    layers.push(layer).ok()?;
    let message = recognise(inner, layers);
    if message.is_none() {
        layers.back_to(depth);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: [u8; 16] = [0x80, 111, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 9, 9, 9, 9];
    const RTCP: [u8; 8] = [0x80, 201, 0, 1, 1, 2, 3, 4];

    fn stun(message_type: u16, cookie: [u8; 4], attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        [&message_type.to_be_bytes()[..], &length, &cookie, &[7; 12], attributes].concat()
    }

    fn data(inner: &[u8]) -> Vec<u8> {
        let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
        let mut attribute = [&[0, 0x13][..], &length, inner].concat();
        attribute.resize(attribute.len().next_multiple_of(4), 0);
        attribute
    }

    fn channel(inner: &[u8]) -> Vec<u8> {
        let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
        [&[0x40, 5][..], &length, inner].concat()
    }

    fn multiplexed(inner: &[u8]) -> Vec<u8> {
        let length = u16::try_from(inner.len() + 8).unwrap().to_be_bytes();
        [&[0xFF, 0x10][..], &length, &[0, 0, 0, 0, 0, 0, 0, 9], inner].concat()
    }

    const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
    const MS_COOKIE: [u8; 8] = [0, 0x0F, 0, 4, 0x72, 0xC6, 0x4B, 0xC6];

    fn told(bytes: &[u8]) -> (&'static str, Vec<Layer>) {
        let mut layers = Layers::new(8);
        let name = match message(Span::new(bytes, bytes.len()), &mut layers) {
            Message::Rtp(_) => "rtp",
            Message::Rtcp(_) => "rtcp",
            Message::Stun(_) => "stun",
            Message::Dtls => "dtls",
            Message::Zrtp => "zrtp",
            Message::LaterFragment => "fragment",
            Message::Other => "other",
        };
        (name, layers.as_slice().to_vec())
    }

    #[test]
    fn the_first_octets_tell() {
        let dtls = [&[22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4][..], &[1; 4]].concat();
        for (name, bytes, expected) in [
            ("rtp", RTP.to_vec(), "rtp"),
            ("rtcp", RTCP.to_vec(), "rtcp"),
            ("stun", stun(1, COOKIE, &[]), "stun"),
            ("zrtp", b"\x10\x00\x00\x01ZRTP".to_vec(), "zrtp"),
            ("dtls", dtls, "dtls"),
            ("dns", vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], "other"),
            ("quic long header", [&[0xC3, 0, 0, 0, 1][..], &[8; 30]].concat(), "other"),
            ("sip", b"INVITE sip:a@b SIP/2.0\r\n".to_vec(), "other"),
            ("empty", vec![], "other"),
            ("rtcp too short for its length", RTCP[..4].to_vec(), "other"),
        ] {
            assert_eq!(told(&bytes), (expected, vec![]), "{name}");
        }
    }

    #[test]
    fn wrappers_are_opened_and_become_layers() {
        let in_channel = Layer::ChannelData { channel: 0x4005 };
        let in_multiplexed = Layer::MultiplexedTurn { session: 9 };
        let ms_data = [&MS_COOKIE[..], &data(&RTCP)].concat();
        for (name, bytes, expected, layers) in [
            ("channel", channel(&RTP), "rtp", vec![in_channel]),
            ("channel, padded", [channel(&RTP), vec![0; 3]].concat(), "rtp", vec![in_channel]),
            ("channel, stun", channel(&stun(1, COOKIE, &[])), "stun", vec![in_channel]),
            ("send", stun(0x0016, COOKIE, &data(&RTP)), "rtp", vec![Layer::TurnIndication]),
            ("data", stun(0x0017, COOKIE, &data(&RTCP)), "rtcp", vec![Layer::TurnIndication]),
            ("MS send", stun(0x0004, [1; 4], &ms_data), "rtcp", vec![Layer::TurnIndication]),
            ("MS data", stun(0x0115, [1; 4], &ms_data), "rtcp", vec![Layer::TurnIndication]),
            ("multiplexed", multiplexed(&RTP), "rtp", vec![in_multiplexed]),
            (
                "indication in multiplexed",
                multiplexed(&stun(0x0016, COOKIE, &data(&RTP))),
                "rtp",
                vec![in_multiplexed, Layer::TurnIndication],
            ),
            (
                "channel in channel",
                channel(&channel(&RTP)),
                "rtp",
                vec![in_channel, Layer::ChannelData { channel: 0x4005 }],
            ),
        ] {
            assert_eq!(told(&bytes), (expected, layers), "{name}");
        }
    }

    #[test]
    fn a_wrapper_that_holds_nothing_known_is_no_layer() {
        for (name, bytes, expected) in [
            ("channel", channel(&[0x50; 20]), "other"),
            ("channel, too much behind", [channel(&RTP), vec![0; 4]].concat(), "other"),
            ("channel of nothing", channel(&[]), "other"),
            ("indication", stun(0x0016, COOKIE, &data(&[0x50; 20])), "stun"),
            ("indication without data", stun(0x0017, COOKIE, &[]), "stun"),
            ("request with data", stun(0x0003, COOKIE, &data(&RTP)), "stun"),
            ("multiplexed", multiplexed(&[0x50; 20]), "other"),
            ("multiplexed, short of the end", [multiplexed(&RTP), vec![0]].concat(), "other"),
        ] {
            assert_eq!(told(&bytes), (expected, vec![]), "{name}");
        }
    }

    #[test]
    fn wrappers_without_end_are_given_up() {
        let bottomless = (0..20).fold(RTP.to_vec(), |inner, _| channel(&inner));
        assert_eq!(told(&bottomless), ("other", vec![]));
    }
}
