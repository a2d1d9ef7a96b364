//! From the link through tags and tunnels to the innermost UDP or TCP.

use super::erspan;
use super::gre::{self, Gre};
use super::ip::{Ip, protocol};
use super::layers::Layers;
use super::next::Next;
use super::span::Span;
use super::tcp::Tcp;
use super::tunnel::Tunnels;
use super::udp::Udp;
use super::{Layer, Undecoded, ethernet, ethertype, host, ipv4, ipv6, llc, mpls, nsh, ppp, ring, tags, wlan};
use crate::terms::{Frame, LinkType, Transport};

/// What the innermost IP packet carries.
#[derive(Debug)]
pub(super) enum Carried<'a> {
    Udp(Udp, Span<'a>),
    Tcp(Tcp, Span<'a>),
    /// A fragment other than the first.
    LaterFragment(Transport),
}

/// Where the walk stands behind one header.
enum Step<'a> {
    On(Next, Span<'a>),
    End(Ip, Carried<'a>),
}

/// Link types of the pcap registry that are read, but have no name among the terms.
mod link {
    pub(super) const TOKEN_RING: u16 = 6;
    pub(super) const FDDI: u16 = 10;
    /// RAW by the number that it has as a DLT on most systems, and on OpenBSD.
    pub(super) const RAW_AS_DLT: [u16; 2] = [12, 14];
    pub(super) const CISCO_HDLC: u16 = 104;
}

/// Walks from the link to the innermost IP packet. Per frame.
#[allow(
    clippy::inline_always,
    reason = "measured: 9 ns a frame instead of 15, as the headers stay in registers"
)]
#[inline(always)]
pub(super) fn walk<'a>(
    frame: &Frame<'a>,
    tunnels: &Tunnels,
    layers: &mut Layers,
) -> Result<(Ip, Carried<'a>), Undecoded> {
    let span = Span::new(frame.data, frame.wire_len as usize);
    let (mut next, mut span) = if frame.link == LinkType::ETHERNET {
        ethernet::read(span)?
    } else {
        other_link(frame.link, span, layers)?
    };
    loop {
        let step = match next {
            Next::Type(ethertype::IPV4) => {
                let (ip, rest) = ipv4::read(span)?;
                behind_ip(ip, rest, tunnels, layers)?
            }
            Next::Type(ethertype::IPV6) => {
                let (ip, rest) = ipv6::read(span)?;
                behind_ip(ip, rest, tunnels, layers)?
            }
            Next::Type(ethertype::VLAN) => {
                let (next, rest) = tags::vlan(span, layers)?;
                Step::On(next, rest)
            }
            _ => {
                let (next, rest) = follow(next, span, layers)?;
                Step::On(next, rest)
            }
        };
        match step {
            Step::On(n, s) => (next, span) = (n, s),
            Step::End(ip, carried) => return Ok((ip, carried)),
        }
    }
}

/// Link types other than Ethernet.
fn other_link<'a>(
    link: LinkType,
    span: Span<'a>,
    layers: &mut Layers,
) -> Result<(Next, Span<'a>), Undecoded> {
    match link {
        LinkType::RAW => Ok((Next::Ip, span)),
        LinkType::IPV4 => Ok((Next::Type(ethertype::IPV4), span)),
        LinkType::IPV6 => Ok((Next::Type(ethertype::IPV6), span)),
        LinkType::LINUX_SLL => host::cooked(span),
        LinkType::LINUX_SLL2 => host::cooked_2(span),
        LinkType::NULL | LinkType::LOOP => host::loopback(span),
        LinkType::PPP | LinkType::PPP_HDLC | LinkType(link::CISCO_HDLC) => Ok((Next::Ppp, span)),
        LinkType::PPP_ETHER => ppp::session(span, layers),
        LinkType::IEEE802_11 => Ok((Next::Wlan { is_padded: false }, span)),
        LinkType::IEEE802_11_RADIOTAP => wlan::radiotap(span),
        LinkType(link::TOKEN_RING) => ring::token_ring(span),
        LinkType(link::FDDI) => ring::fddi(span),
        LinkType(number) if link::RAW_AS_DLT.contains(&number) => Ok((Next::Ip, span)),
        _ => Err(Undecoded::UnsupportedLinkType),
    }
}

/// One header that is neither IP nor the commonest tag.
fn follow<'a>(next: Next, span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    match next {
        Next::Ethernet => ethernet::read(span),
        Next::Type(kind) => follow_type(kind, span, layers),
        Next::Llc => llc::read(span),
        Next::Ip => match span.bytes.first().map(|b| b >> 4) {
            Some(4) => Ok((Next::Type(ethertype::IPV4), span)),
            Some(6) => Ok((Next::Type(ethertype::IPV6), span)),
            Some(_) => Err(Undecoded::NotIp),
            None => Err(Undecoded::TruncatedHeaders),
        },
        Next::Ppp => ppp::read(span),
        Next::Wlan { is_padded } => wlan::read(span, is_padded, layers),
    }
}

fn follow_type<'a>(kind: u16, span: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    match kind {
        length if length < ethertype::FIRST => llc::read(span.at_most(usize::from(length))),
        ethertype::VLAN | ethertype::PROVIDER_VLAN => tags::vlan(span, layers),
        kind if ethertype::OLD_VLAN.contains(&kind) => tags::vlan(span, layers),
        ethertype::MPLS | ethertype::MPLS_UPSTREAM => mpls::read(span, layers),
        ethertype::PPPOE_SESSION => ppp::session(span, layers),
        ethertype::VN_TAG => tags::vn_tag(span, layers),
        ethertype::E_TAG => tags::e_tag(span, layers),
        ethertype::CISCO_METADATA => tags::cisco_metadata(span, layers),
        ethertype::PROVIDER_BACKBONE => tags::backbone(span, layers),
        ethertype::MACSEC => tags::macsec(span, layers),
        ethertype::NSH => nsh::read(span, layers),
        ethertype::TRANSPARENT_ETHERNET => Ok((Next::Ethernet, span)),
        ethertype::PPP => {
            layers.push(Layer::Other { name: "ppp" })?;
            Ok((Next::Ppp, span))
        }
        _ => Err(Undecoded::NotIp),
    }
}

/// What follows an IP header: the end, or a tunnel, of which that header is then the outer one.
#[allow(
    clippy::inline_always,
    reason = "measured: 9 ns a frame instead of 15, as the headers stay in registers"
)]
#[inline(always)]
fn behind_ip<'a>(
    mut ip: Ip,
    mut rest: Span<'a>,
    tunnels: &Tunnels,
    layers: &mut Layers,
) -> Result<Step<'a>, Undecoded> {
    if ip.protocol == protocol::AH && !ip.is_later_fragment() {
        rest = ip.skip_authentication(rest)?;
    }
    if ip.is_later_fragment() {
        return match ip.protocol {
            protocol::UDP => Ok(Step::End(ip, Carried::LaterFragment(Transport::Udp))),
            protocol::TCP => Ok(Step::End(ip, Carried::LaterFragment(Transport::Tcp))),
            _ => Err(Undecoded::TunnelFragment),
        };
    }
    match ip.protocol {
        protocol::UDP => {
            let (udp, payload) = Udp::read(rest, ip.fragment.is_some())?;
            Ok(match tunnels.open(udp, payload, || ip.layer(), layers)? {
                Some((next, inner)) => Step::On(next, inner),
                None => Step::End(ip, Carried::Udp(udp, payload)),
            })
        }
        protocol::TCP => {
            let (tcp, data) = Tcp::read(rest)?;
            Ok(Step::End(ip, Carried::Tcp(tcp, data)))
        }
        _ => {
            let (next, inner) = ip_tunnel(ip, rest, layers)?;
            Ok(Step::On(next, inner))
        }
    }
}

/// Tunnels that have a protocol number of their own.
fn ip_tunnel<'a>(ip: Ip, rest: Span<'a>, layers: &mut Layers) -> Result<(Next, Span<'a>), Undecoded> {
    match ip.protocol {
        protocol::IPV4 | protocol::IPIP => {
            layers.push(ip.layer())?;
            Ok((Next::Type(ethertype::IPV4), rest))
        }
        protocol::IPV6 => {
            layers.push(ip.layer())?;
            Ok((Next::Type(ethertype::IPV6), rest))
        }
        protocol::GRE => {
            let (gre, rest) = Gre::read(rest)?;
            layers.push(ip.layer())?;
            layers.push(Layer::Gre { key: gre.key })?;
            match gre.protocol {
                ethertype::ERSPAN_1_2 | ethertype::ERSPAN_3 => erspan::read(gre, rest, layers),
                ethertype::MELLANOX_MIRROR => erspan::mellanox(rest, layers),
                ethertype::WCCP => Ok((Next::Ip, gre::skip_redirect(rest)?)),
                kind if ethertype::ARUBA.contains(&kind) => Ok((Next::Wlan { is_padded: false }, rest)),
                kind => Ok((Next::Type(kind), rest)),
            }
        }
        protocol::ETHERIP => {
            layers.push(ip.layer())?;
            layers.push(Layer::Other { name: "etherip" })?;
            Ok((Next::Ethernet, rest.skip(2)?))
        }
        protocol::MPLS => {
            layers.push(ip.layer())?;
            Ok((Next::Type(ethertype::MPLS), rest))
        }
        protocol::ICMP | protocol::ICMPV6 => Err(Undecoded::Icmp),
        protocol::ESP => Err(Undecoded::Encrypted),
        protocol::IPCOMP => Err(Undecoded::Compressed),
        _ => Err(Undecoded::NotUdpOrTcp),
    }
}
