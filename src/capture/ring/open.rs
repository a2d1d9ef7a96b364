//! The privileged half: a socket with its ring, filtered and bound.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::error::{RingError, interfaces};
use super::fanout::{Choice, Fanout, Joining, fanout_group, join};
use super::layout::{Membership, RingRequest};
use super::walk::TAG;
use super::{gate, kernel, stamps};
use crate::terms::LinkType;

/// How a ring is to be.
#[derive(Debug)]
pub struct RingOptions {
    /// Blocks of the ring; fewer where the kernel has no memory for them.
    pub blocks: u32,
    /// Octets of a block: a power of two, at least 4096 (and a page).
    pub block_octets: u32,
    /// After this time a block that is not full is handed over all the same: 1 ms to 10 s.
    pub retire: Duration,
    /// Whether to hear also what is addressed to others, as on a mirror port.
    pub promiscuous: bool,
    /// Whether to leave out what this machine sends over the interface itself.
    pub ignore_outgoing: bool,
    /// Whether to have the network card stamp the frames, where it can: by its own clock, which something else must
    /// keep in time.
    pub hardware_timestamps: bool,
    /// Whether the ring shares the interface's packets with others.
    pub fanout: Option<Fanout>,
}

impl Default for RingOptions {
    /// 64 blocks of 1 MiB, handed over after 60 ms; promiscuous, with what is sent, stamped by the kernel, not shared.
    fn default() -> Self {
        Self {
            blocks: 64,
            block_octets: 1 << 20,
            retire: Duration::from_millis(60),
            promiscuous: true,
            ignore_outgoing: false,
            hardware_timestamps: false,
            fanout: None,
        }
    }
}

/// A ring that fills already, not mapped yet: to be handed to a process without privilege.
#[derive(Debug)]
pub struct OpenedRing {
    /// The packet socket.
    pub socket: OwnedFd,
    /// Blocks that the ring has, which may be fewer than were asked for.
    pub blocks: u32,
    /// Octets of each.
    pub block_octets: u32,
    /// The interface's number.
    pub interface_index: u32,
    /// What stands at the start of its frames.
    pub link: LinkType,
}

/// The protocol number that stands for all.
#[allow(clippy::cast_possible_truncation, reason = "it is 3")]
const EVERYTHING: u16 = libc::ETH_P_ALL.cast_unsigned() as u16;
#[allow(clippy::cast_possible_truncation, reason = "it is 1")]
const PROMISCUOUS: u16 = libc::PACKET_MR_PROMISC.cast_unsigned() as u16;

/// Opens a ring on an interface. `attach` is called once, to put a filter on the socket; before it returns nothing
/// comes into the ring, so no frame ever slips past the filter. Without a filter everything comes.
///
/// # Errors
///
/// The options are impossible, `CAP_NET_RAW` is missing, there is no such interface or it is not Ethernet, memory is
/// short, the filter is refused; each says how to mend it.
pub fn open(
    interface: &str,
    options: &RingOptions,
    attach: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<()>,
) -> Result<OpenedRing, RingError> {
    let ignores_outgoing = options.ignore_outgoing;
    let joining = options.fanout.as_ref().map(|fanout| Joining {
        group: Some(fanout.group),
        by: Choice::of(fanout.program.as_ref()),
        ignores_outgoing,
    });
    open_one(interface, options, joining, attach)
}

/// Opens several rings on an interface, which share its packets: each comes into one of them. `options.fanout` is not
/// looked at: the kernel chooses a group that nobody else has, and `program`, if there is one, chooses the ring of a
/// packet.
///
/// # Errors
///
/// As [`open`]; and `rings` is 0 or beyond 256, the most that the kernel lets share.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the kernel keeps the program, so that its descriptor has done its duty here"
)]
pub fn open_fanned(
    interface: &str,
    options: &RingOptions,
    rings: usize,
    program: Option<OwnedFd>,
    attach: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<()>,
) -> Result<Vec<OpenedRing>, RingError> {
    if !(1..=256).contains(&rings) {
        let what = format!("{rings} rings");
        let remedy = "an interface may have 1 to 256";
        return Err(RingError::Options { interface: interface.to_owned(), what, remedy });
    }
    let mut opened: Vec<OpenedRing> = Vec::with_capacity(rings);
    while opened.len() < rings {
        let group = match opened.first() {
            None => None,
            Some(first) => {
                let group = fanout_group(first.socket.as_fd());
                Some(group.map_err(|reason| setup(interface, "asking for the fan-out group", reason))?)
            }
        };
        let by = Choice::of(program.as_ref());
        let joining = Joining { group, by, ignores_outgoing: options.ignore_outgoing };
        opened.push(open_one(interface, options, Some(joining), attach)?);
    }
    Ok(opened)
}

fn open_one(
    interface: &str,
    options: &RingOptions,
    joining: Option<Joining<'_>>,
    attach: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<()>,
) -> Result<OpenedRing, RingError> {
    check(interface, options)?;
    let failed = |what| move |reason: io::Error| setup(interface, what, reason);
    let interface_index = if_nametoindex(interface).map_err(|_| missing(interface))?;
    let number = i32::try_from(interface_index).map_err(|_| missing(interface))?;
    // Of no protocol: it hears nothing until it is bound to one.
    let owned = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None);
    let owned = owned.map_err(|reason| match reason {
        Errno::EPERM | Errno::EACCES => RingError::Permission { interface: interface.to_owned() },
        _ => setup(interface, "opening a packet socket", reason.into()),
    })?;
    let socket = owned.as_fd();
    bind(socket, interface, number, 0)?;
    let link = link_of(socket, interface)?;

    kernel::set(socket, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as i32))
        .map_err(failed("asking for TPACKET_V3"))?;
    kernel::set(socket, libc::PACKET_RESERVE, &TAG).map_err(failed("reserving room for a tag"))?;
    if options.ignore_outgoing {
        kernel::set(socket, libc::PACKET_IGNORE_OUTGOING, &1_i32)
            .map_err(failed("leaving out what is sent"))?;
    }
    if options.hardware_timestamps {
        stamps::ask_hardware(socket, interface).map_err(failed("asking for the card's time stamps"))?;
    }
    gate::close(socket).map_err(failed("closing the socket with a filter"))?;
    let blocks =
        as_many_blocks(options.blocks, |blocks| ask_ring(socket, options, blocks)).map_err(|reason| {
            match reason.raw_os_error() {
                Some(libc::ENOMEM) => {
                    RingError::Memory { interface: interface.to_owned(), block_octets: options.block_octets }
                }
                _ => setup(interface, "asking for the ring", reason),
            }
        })?;
    if options.promiscuous {
        let membership =
            Membership { interface: number, kind: PROMISCUOUS, address_octets: 0, address: [0; 8] };
        kernel::set(socket, libc::PACKET_ADD_MEMBERSHIP, &membership)
            .map_err(failed("switching promiscuous mode on"))?;
    }
    bind(socket, interface, number, EVERYTHING)?;
    if let Some(joining) = joining {
        join(socket, joining).map_err(failed("joining the fan-out group"))?;
    }
    attach(socket).map_err(|reason| RingError::Filter { interface: interface.to_owned(), reason })?;
    gate::open(socket).map_err(failed("opening the socket"))?;
    let block_octets = options.block_octets;
    Ok(OpenedRing { socket: owned, blocks, block_octets, interface_index, link })
}

/// Refuses what the kernel would refuse with less to say, or take and mean something else by.
fn check(interface: &str, options: &RingOptions) -> Result<(), RingError> {
    let refuse = |what, remedy| Err(RingError::Options { interface: interface.to_owned(), what, remedy });
    if options.blocks == 0 {
        return refuse("a ring of 0 blocks".to_owned(), "it needs at least 1");
    }
    let octets = options.block_octets;
    if !octets.is_power_of_two() || !(4096..=1 << 30).contains(&octets) {
        return refuse(
            format!("blocks of {octets} octets"),
            "a power of two from 4096 to 1073741824 is needed",
        );
    }
    if !(Duration::from_millis(1)..=Duration::from_secs(10)).contains(&options.retire) {
        return refuse(format!("blocks handed over after {:?}", options.retire), "1 ms to 10 s are possible");
    }
    Ok(())
}

/// Binds to the interface, and tells one that has vanished since it was looked up.
fn bind(socket: BorrowedFd<'_>, interface: &str, number: i32, protocol: u16) -> Result<(), RingError> {
    kernel::bind(socket, number, protocol).map_err(|reason| match reason.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO) => missing(interface),
        _ => setup(interface, "binding to the interface", reason),
    })
}

/// What frames of the interface begin with; the loopback's have an Ethernet header of zeros.
fn link_of(socket: BorrowedFd<'_>, interface: &str) -> Result<LinkType, RingError> {
    let (_, hardware) = kernel::bound_to(socket)
        .map_err(|reason| setup(interface, "asking for the hardware type", reason))?;
    match hardware {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Ok(LinkType::ETHERNET),
        _ => Err(RingError::NotEthernet { interface: interface.to_owned(), hardware }),
    }
}

fn ask_ring(socket: BorrowedFd<'_>, options: &RingOptions, blocks: u32) -> io::Result<()> {
    let request = RingRequest {
        block_octets: options.block_octets,
        blocks,
        // Frames are as long as they are in this version; the kernel only wants the sizes to agree.
        frame_octets: options.block_octets,
        frames: blocks,
        retire_milliseconds: u32::try_from(options.retire.as_millis()).unwrap_or(u32::MAX),
        private_octets: 0,
        features: 0,
    };
    kernel::set(socket, libc::PACKET_RX_RING, &request)
}

/// As many blocks as there is memory for: half as many, as often as the kernel has none.
fn as_many_blocks(wanted: u32, mut ask: impl FnMut(u32) -> io::Result<()>) -> io::Result<u32> {
    let mut blocks = wanted;
    loop {
        match ask(blocks) {
            Ok(()) => return Ok(blocks),
            Err(reason) if reason.raw_os_error() == Some(libc::ENOMEM) && blocks > 1 => blocks /= 2,
            Err(reason) => return Err(reason),
        }
    }
}

fn missing(interface: &str) -> RingError {
    RingError::NoSuchInterface { interface: interface.to_owned(), there: interfaces() }
}

fn setup(interface: &str, what: &'static str, reason: io::Error) -> RingError {
    RingError::Setup { interface: interface.to_owned(), what, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_halved_until_there_is_memory() {
        for (wanted, most, expected) in
            [(64, 64, Some(64)), (64, 20, Some(16)), (100, 1, Some(1)), (8, 0, None)]
        {
            let mut asked = Vec::new();
            let got = as_many_blocks(wanted, |blocks| {
                asked.push(blocks);
                if blocks <= most { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOMEM)) }
            });
            assert_eq!(got.ok(), expected, "{wanted} wanted, {most} there");
            assert!(asked.is_sorted_by(|a, b| *b == *a / 2), "{asked:?}");
        }
        let other = as_many_blocks(64, |_| Err(io::Error::from_raw_os_error(libc::EINVAL)));
        assert_eq!(other.unwrap_err().raw_os_error(), Some(libc::EINVAL), "only memory is worth another try");
    }

    #[test]
    fn impossible_rings_are_refused_with_what_is_possible() {
        let base = RingOptions::default;
        for (options, expected) in [
            (RingOptions { blocks: 0, ..base() }, "interface x: a ring of 0 blocks; it needs at least 1"),
            (
                RingOptions { block_octets: 5000, ..base() },
                "interface x: blocks of 5000 octets; a power of two from 4096 to 1073741824 is needed",
            ),
            (
                RingOptions { retire: Duration::ZERO, ..base() },
                "interface x: blocks handed over after 0ns; 1 ms to 10 s are possible",
            ),
        ] {
            let refused = open("x", &options, &mut |_| Ok(())).unwrap_err();
            assert_eq!(refused.to_string(), expected);
        }
        let refused = open_fanned("x", &base(), 0, None, &mut |_| Ok(())).unwrap_err();
        assert_eq!(refused.to_string(), "interface x: 0 rings; an interface may have 1 to 256");
    }

    #[test]
    fn an_interface_that_is_not_there_is_told_with_those_that_are() {
        for name in ["no-such-one", "", "a-name-that-is-longer-than-names-are", "nul\0inside"] {
            let refused = open(name, &RingOptions::default(), &mut |_| Ok(())).unwrap_err();
            let RingError::NoSuchInterface { interface, there } = &refused else { panic!("{refused:?}") };
            assert_eq!((interface.as_str(), there), (name, &interfaces()));
            assert!(refused.to_string().contains("not found; interfaces here: "), "{refused}");
        }
    }
}
