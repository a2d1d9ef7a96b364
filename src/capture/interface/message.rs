//! Messages of the routing socket: a question, and interfaces as answer.
//!
//! Octets are in the order of the machine (`netlink.h`, `rtnetlink.h` and `if_link.h` of `include/uapi/linux`).

use nix::errno::Errno;

use super::{Interface, InterfaceStatistics};

/// One interface with its counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) interface: Interface,
    pub(super) statistics: InterfaceStatistics,
}

/// Octets of `nlmsghdr`.
const HEADER: usize = 16;
/// Octets of `ifinfomsg`.
const LINK_HEADER: usize = 16;
/// Octets of `rtattr`.
const ATTRIBUTE_HEADER: usize = 4;
/// Octets of an interface's name with the zero that ends it.
const NAME: usize = 16;

/// Types of messages.
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;

/// Flags of a question: it is one; and all that there are.
const REQUEST: u16 = 0x1;
const DUMP: u16 = 0x300;
/// Flag of an answer: it has several parts.
const MULTI: u16 = 0x2;

/// Flags of an interface (include/uapi/linux/if.h).
const IFF_UP: u32 = 0x1;
const IFF_PROMISC: u32 = 0x100;
const IFF_LOWER_UP: u32 = 0x1_0000;

/// Attributes of an interface.
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_PROMISCUITY: u16 = 30;
const IFLA_CARRIER: u16 = 33;
/// Within `IFLA_LINKINFO`.
const IFLA_INFO_KIND: u16 = 1;

/// Whether an interface can have this name at all.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() < NAME
        && !name.bytes().any(|b| b == 0 || b == b'/' || b.is_ascii_whitespace())
}

/// The question for one interface, or for all.
pub(super) fn request(sequence: u32, name: Option<&str>) -> Vec<u8> {
    let mut body = vec![0; LINK_HEADER];
    if let Some(name) = name {
        let length = u16::try_from(ATTRIBUTE_HEADER + name.len() + 1).unwrap_or(u16::MAX);
        body.extend(length.to_ne_bytes());
        body.extend(IFLA_IFNAME.to_ne_bytes());
        body.extend(name.as_bytes());
        body.push(0);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let flags = if name.is_some() { REQUEST } else { REQUEST | DUMP };
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(length.to_ne_bytes());
    message.extend(GET_LINK.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    message
}

/// Reads one part of an answer; says whether it was the last. At most `most` interfaces are kept.
///
/// # Errors
///
/// The kernel's refusal.
pub(super) fn read(mut part: &[u8], sequence: u32, most: usize, links: &mut Vec<Link>) -> nix::Result<bool> {
    let mut is_last = false;
    while let Some(message) = take_message(&mut part) {
        if message.sequence != sequence {
            continue;
        }
        is_last |= message.flags & MULTI == 0;
        match message.kind {
            DONE => is_last = true,
            ERROR => {
                let code = word(message.body, 0).map_or(0, u32::cast_signed);
                return if code == 0 { Ok(true) } else { Err(Errno::from_raw(code.saturating_neg())) };
            }
            NEW_LINK if links.len() < most => links.extend(link(message.body)),
            _ => {}
        }
    }
    Ok(is_last)
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

/// The next message; none where the octets end or contradict themselves.
fn take_message<'a>(part: &mut &'a [u8]) -> Option<Message<'a>> {
    let length = word(part, 0)? as usize;
    let body = part.get(HEADER..length)?;
    let message = Message { kind: half(part, 4)?, flags: half(part, 6)?, sequence: word(part, 8)?, body };
    *part = part.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(message)
}

/// The attributes of a message, each with its type.
fn attributes(mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(half(octets, 0)?);
        let value = octets.get(ATTRIBUTE_HEADER..length)?;
        // The two highest bits say how the value is written, not what it is.
        let kind = half(octets, 2)? & 0x3FFF;
        octets = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn link(body: &[u8]) -> Option<Link> {
    let (kind, index, flags) = (half(body, 2)?, word(body, 4)?, word(body, 8)?);
    let mut interface = Interface {
        name: String::new(),
        index,
        is_up: flags & IFF_UP != 0,
        has_carrier: flags & IFF_LOWER_UP != 0,
        is_promiscuous: flags & IFF_PROMISC != 0,
        promiscuity: None,
        mtu: 0,
        link_kind: kind,
        software_kind: None,
    };
    let mut statistics = InterfaceStatistics::default();
    for (attribute, value) in attributes(body.get(LINK_HEADER..)?) {
        match attribute {
            IFLA_IFNAME => interface.name = text(value),
            IFLA_MTU => interface.mtu = word(value, 0)?,
            IFLA_PROMISCUITY => {
                interface.promiscuity = word(value, 0);
                // The flag stands only for who set it by hand; captures ask for themselves and are counted.
                interface.is_promiscuous |= interface.promiscuity.is_some_and(|users| users > 0);
            }
            IFLA_CARRIER => interface.has_carrier = value.first().is_some_and(|carrier| *carrier != 0),
            IFLA_LINKINFO => {
                let kind = attributes(value).find(|(attribute, _)| *attribute == IFLA_INFO_KIND);
                interface.software_kind = kind.map(|(_, value)| text(value));
            }
            IFLA_STATS64 => statistics = InterfaceStatistics::read(value),
            _ => {}
        }
    }
    (!interface.name.is_empty()).then_some(Link { interface, statistics })
}

/// A text as it is written here: up to the first zero.
fn text(octets: &[u8]) -> String {
    let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
    String::from_utf8_lossy(octets.get(..end).unwrap_or_default()).into_owned()
}

fn half(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*octets.get(at..)?.first_chunk()?))
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*octets.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap();
        let mut octets = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets
    }

    fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        [
            &length.to_ne_bytes()[..],
            &kind.to_ne_bytes(),
            &flags.to_ne_bytes(),
            &sequence.to_ne_bytes(),
            &[0; 4],
            body,
        ]
        .concat()
    }

    fn link_body(flags: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let head = [&[0, 0][..], &1_u16.to_ne_bytes(), &7_u32.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 4]];
        [head.concat(), attributes.concat()].concat()
    }

    #[test]
    fn a_capture_that_made_it_promiscuous_counts_though_the_flag_is_not_set() {
        let name = attribute(IFLA_IFNAME, b"eth1\0");
        for (flags, users, expected) in
            [(IFF_UP, 0, false), (IFF_UP, 2, true), (IFF_UP | IFF_PROMISC, 0, true)]
        {
            let users = attribute(IFLA_PROMISCUITY, &u32::to_ne_bytes(users));
            let answer = message(NEW_LINK, 0, 3, &link_body(flags, &[name.clone(), users]));
            let mut links = Vec::new();
            assert_eq!(read(&answer, 3, 10, &mut links), Ok(true));
            assert_eq!(links[0].interface.is_promiscuous, expected);
            assert_eq!((links[0].interface.name.as_str(), links[0].interface.index), ("eth1", 7));
        }
    }

    #[test]
    fn an_answer_in_parts_ends_where_it_says_so() {
        let body = link_body(0, &[attribute(IFLA_IFNAME, b"a\0")]);
        let mut links = Vec::new();
        let part = [message(NEW_LINK, MULTI, 1, &body), message(NEW_LINK, MULTI, 1, &body)].concat();
        assert_eq!(read(&part, 1, 3, &mut links), Ok(false));
        assert_eq!(read(&part, 1, 3, &mut links), Ok(false));
        assert_eq!(links.len(), 3, "no more than there is room for");
        assert_eq!(read(&message(DONE, MULTI, 1, &[0; 4]), 1, 3, &mut links), Ok(true));
    }

    #[test]
    fn the_kernels_refusal_is_handed_on_and_anothers_answer_passed_over() {
        let refusal = message(ERROR, 0, 5, &(-19_i32).to_ne_bytes());
        assert_eq!(read(&refusal, 5, 1, &mut Vec::new()), Err(Errno::ENODEV));
        assert_eq!(read(&refusal, 6, 1, &mut Vec::new()), Ok(false));
    }

    #[test]
    fn octets_that_contradict_themselves_end_the_answer() {
        let whole = message(NEW_LINK, 0, 1, &link_body(0, &[attribute(IFLA_IFNAME, b"eth1\0")]));
        for end in 0..whole.len() {
            let mut cut = whole[..end].to_vec();
            let mut links = Vec::new();
            assert_eq!(read(&cut, 1, 9, &mut links), Ok(false), "{end} octets");
            assert!(links.is_empty());
            // The same with a length that says it is whole.
            if let Some(length) = cut.first_chunk_mut::<4>() {
                *length = u32::try_from(end).unwrap().to_ne_bytes();
                let _ = read(&cut, 1, 9, &mut links);
            }
        }
    }
}
