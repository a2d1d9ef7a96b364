//! Tunnels and wrappers, around RTP, an IP packet or a frame.

use etherparse::IpNumber;

use super::packet::{IPV4, Udp, ethernet};

/// The mirroring or tunnelling routers: what their own packets are marked with is not the media's marking.
pub(crate) fn outer() -> Udp {
    Udp::new("172.16.0.1:40000", "172.16.0.2:4789").dscp(8).ttl(255)
}

fn with_port(port: u16) -> Udp {
    let mut outer = outer();
    outer.destination.set_port(port);
    outer
}

/// TURN ChannelData (RFC 8656, section 12.4).
pub(crate) fn channel_data(channel: u16, inner: &[u8]) -> Vec<u8> {
    let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
    [&channel.to_be_bytes()[..], &length, inner].concat()
}

/// A TURN Send (0x0016) or Data (0x0017) indication.
pub(crate) fn indication(kind: u16, inner: &[u8]) -> Vec<u8> {
    let mut attributes = vec![0, 0x12, 0, 8, 0, 1, 0x21, 0x12, 0xE1, 0xBA, 0xA5, 0x61];
    attributes.extend_from_slice(&[0, 0x13]);
    attributes.extend_from_slice(&u16::try_from(inner.len()).unwrap().to_be_bytes());
    attributes.extend_from_slice(inner);
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    stun(kind, [7; 12], &attributes)
}

/// A STUN message with the cookie of RFC 8489.
pub(crate) fn stun(kind: u16, transaction: [u8; 12], attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    [&kind.to_be_bytes()[..], &length, &[0x21, 0x12, 0xA4, 0x42], &transaction, attributes].concat()
}

/// Microsoft's multiplexed TURN.
pub(crate) fn multiplexed_turn(session: u64, inner: &[u8]) -> Vec<u8> {
    let length = u16::try_from(inner.len() + 8).unwrap().to_be_bytes();
    [&[0xFF, 0x10][..], &length, &session.to_be_bytes(), inner].concat()
}

/// The length before each message on TCP (RFC 4571).
pub(crate) fn rfc4571(inner: &[u8]) -> Vec<u8> {
    [&u16::try_from(inner.len()).unwrap().to_be_bytes()[..], inner].concat()
}

/// MPLS labels with their traffic classes, outermost first.
pub(crate) fn mpls(labels: &[(u32, u8)], packet: &[u8]) -> Vec<u8> {
    let mut inner = Vec::new();
    for (i, &(label, class)) in labels.iter().enumerate() {
        let is_last = u32::from(i + 1 == labels.len());
        inner.extend_from_slice(&(label << 12 | u32::from(class) << 9 | is_last << 8 | 64).to_be_bytes());
    }
    inner.extend_from_slice(packet);
    ethernet(0x8847, &inner)
}

/// A `PPPoE` session that carries an IPv4 packet.
pub(crate) fn pppoe(session: u16, packet: &[u8]) -> Vec<u8> {
    let length = u16::try_from(packet.len() + 2).unwrap().to_be_bytes();
    ethernet(0x8864, &[&[0x11, 0][..], &session.to_be_bytes(), &length, &[0, 0x21], packet].concat())
}

/// GRE with an IPv4 packet, with a key.
pub(crate) fn gre(key: u32, packet: &[u8]) -> Vec<u8> {
    let inner = [&[0x20, 0, 8, 0][..], &key.to_be_bytes(), packet].concat();
    ethernet(IPV4, &outer().ip(IpNumber::GRE, &inner))
}

/// An IPv4 packet in another.
pub(crate) fn ip_in_ip(packet: &[u8]) -> Vec<u8> {
    ethernet(IPV4, &outer().ip(IpNumber::IPV4, packet))
}

/// ERSPAN I: the frame behind GRE, and nothing between.
pub(crate) fn erspan_1(frame: &[u8]) -> Vec<u8> {
    ethernet(IPV4, &outer().ip(IpNumber::GRE, &[&[0, 0, 0x88, 0xBE][..], frame].concat()))
}

/// ERSPAN II.
pub(crate) fn erspan_2(session: u16, frame: &[u8]) -> Vec<u8> {
    let header = [&[0x10, 0x01][..], &session.to_be_bytes(), &[0, 0, 0, 5]].concat();
    ethernet(
        IPV4,
        &outer().ip(IpNumber::GRE, &[&[0x10, 0, 0x88, 0xBE, 0, 0, 0, 1][..], &header, frame].concat()),
    )
}

/// ERSPAN II from a switch, with the number that its tunnel gives the frame.
pub(crate) fn numbered_erspan(switch: &str, session: u16, number: u32, frame: &[u8]) -> Vec<u8> {
    erspan_from(switch, session, number, None, frame)
}

/// ERSPAN from a switch: II, or III where it says whether the copy was taken on the way out.
pub(crate) fn erspan_from(
    switch: &str,
    session: u16,
    number: u32,
    egress: Option<bool>,
    frame: &[u8],
) -> Vec<u8> {
    let [s0, s1] = session.to_be_bytes();
    let (kind, header) = match egress {
        None => ([0x88, 0xBE], vec![0x10, 1, s0, s1, 0, 0, 0, 5]),
        Some(out) => ([0x22, 0xEB], vec![0x20, 1, s0, s1, 0, 0, 0, 0, 0, 0, 0, if out { 8 } else { 0 }]),
    };
    let gre = [&[0x10, 0][..], &kind, &number.to_be_bytes(), &header, frame].concat();
    let outer = Udp::new(&format!("{switch}:1"), "172.16.0.99:1").dscp(8).ttl(250);
    ethernet(IPV4, &outer.ip(IpNumber::GRE, &gre))
}

/// ERSPAN III, of a frame that leaves the mirrored port, with the platform's own header.
pub(crate) fn erspan_3(session: u16, frame: &[u8]) -> Vec<u8> {
    let header = [&[0x20, 0x01][..], &session.to_be_bytes(), &[0; 4], &[0, 0, 0, 0x09], &[0; 8]].concat();
    ethernet(
        IPV4,
        &outer().ip(IpNumber::GRE, &[&[0x10, 0, 0x22, 0xEB, 0, 0, 0, 1][..], &header, frame].concat()),
    )
}

/// VXLAN.
pub(crate) fn vxlan(network: u32, frame: &[u8]) -> Vec<u8> {
    with_port(4789).frame(&[&[8, 0, 0, 0][..], &(network << 8).to_be_bytes(), frame].concat())
}

/// GENEVE, with one option.
pub(crate) fn geneve(network: u32, frame: &[u8]) -> Vec<u8> {
    let header = [&[2, 0, 0x65, 0x58][..], &(network << 8).to_be_bytes(), &[1, 2, 3, 1, 9, 9, 9, 9]].concat();
    with_port(6081).frame(&[&header[..], frame].concat())
}

/// TZSP, with a tag.
pub(crate) fn tzsp(frame: &[u8]) -> Vec<u8> {
    with_port(37_008).frame(&[&[1, 0, 0, 1, 10, 1, 0xC0, 1][..], frame].concat())
}

/// GTP-U with a sequence number.
pub(crate) fn gtpu(endpoint: u32, packet: &[u8]) -> Vec<u8> {
    let length = u16::try_from(packet.len() + 4).unwrap().to_be_bytes();
    let header = [&[0x32, 255][..], &length, &endpoint.to_be_bytes(), &[0, 7, 0, 0]].concat();
    with_port(2152).frame(&[&header[..], packet].concat())
}

/// An 802.11 `QoS` data frame behind a radiotap header (link type 127).
pub(crate) fn radiotap(user_priority: u8, packet: &[u8]) -> Vec<u8> {
    let radiotap = [0, 0, 8, 0, 0, 0, 0, 0];
    let mac = [&[0x88, 0x01, 0, 0][..], &[2; 6], &[4; 6], &[6; 6], &[0, 0], &[user_priority, 0]].concat();
    [&radiotap[..], &mac, &[0xAA, 0xAA, 3, 0, 0, 0, 8, 0], packet].concat()
}
