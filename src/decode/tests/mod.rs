//! Frames of many layers, cut at every length, and random octets.

mod build;
mod laws;
mod stacks;

use super::*;
use crate::terms::{Frame, LinkType, Timestamp};

/// What a sink was given, without the borrowed parts.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    flow: crate::terms::FlowKey,
    dscp: u8,
    ttl: u8,
    octets: u16,
    fragment: Option<Fragment>,
    message: &'static str,
    layers: Vec<Layer>,
}

fn name(message: &Message<'_>) -> &'static str {
    match message {
        Message::Rtp(_) => "rtp",
        Message::Rtcp(_) => "rtcp",
        Message::Stun(_) => "stun",
        Message::Dtls => "dtls",
        Message::Zrtp => "zrtp",
        Message::LaterFragment => "fragment",
        Message::Other => "other",
    }
}

fn see(link: LinkType, data: &[u8], wire_len: usize) -> Result<Vec<Seen>, Undecoded> {
    let mut decoder = Decoder::new(7, Options::default());
    let wire_len = u32::try_from(wire_len).unwrap();
    let frame = Frame { timestamp: Timestamp(0), data, wire_len, link, interface: 3 };
    let mut all = Vec::new();
    decoder.decode(&frame, |o, paths| {
        let path = paths.path(o.path).unwrap();
        assert_eq!(path.interface, 3);
        all.push(Seen {
            flow: o.flow(),
            dscp: o.traffic_class.dscp().value(),
            ttl: o.ttl,
            octets: o.octets,
            fragment: o.fragment,
            message: name(&o.message),
            layers: path.layers.to_vec(),
        });
    })?;
    Ok(all)
}
