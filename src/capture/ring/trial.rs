//! Tries on the loopback whether rings that share hear each packet once.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use super::kernel::{self, attach_classic};
use super::layout::Statistics;
use super::open::OpenedRing;

/// Datagrams of this machine to itself, by which rings on its loopback show whether each packet comes to one of them.
///
/// Nothing leaves the machine, so that this is allowed where nobody may send: beside a mirror port. Of what comes into the
/// rings only the kernel's counts are looked at.
#[derive(Debug)]
pub struct Trial {
    receiver: UdpSocket,
    port: u16,
}

/// What rings heard of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Datagrams that were sent.
    pub sent: u64,
    /// Times that any of the rings was given one.
    pub heard: u64,
}

/// From so many ports, so that what chooses the ring has something to choose by.
const PORTS: u64 = 8;
const DATAGRAMS_A_PORT: u64 = 8;
/// How long the kernel may take to bring them, and how often it is asked.
const ROUNDS: usize = 40;
const ROUND: Duration = Duration::from_millis(5);

impl Trial {
    /// Datagrams to a port that nobody else has.
    ///
    /// # Errors
    ///
    /// This machine has no loopback, or no port is free.
    pub fn new() -> io::Result<Self> {
        // Somebody must listen there, or each datagram is answered by ICMP.
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = receiver.local_addr()?.port();
        Ok(Self { receiver, port })
    }

    /// Lets a ring on the loopback hear the datagrams of this trial, and nothing else.
    ///
    /// # Errors
    ///
    /// The kernel refuses the filter.
    pub fn attach(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        attach_classic(socket, &only_to(self.port))
    }

    /// Sends the datagrams, and counts how often rings heard them.
    ///
    /// # Errors
    ///
    /// The loopback is down, or does not let datagrams through; a ring has no counters.
    pub fn run(&self, rings: &[OpenedRing]) -> io::Result<Heard> {
        let mut sent = 0;
        for _ in 0..PORTS {
            let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            for _ in 0..DATAGRAMS_A_PORT {
                sender.send_to(b"hopmark", self.receiver.local_addr()?)?;
                sent += 1;
            }
        }
        let mut heard = 0;
        for _ in 0..ROUNDS {
            thread::sleep(ROUND);
            let before = heard;
            for ring in rings {
                // Those that found no room are among them.
                let counted: Statistics = kernel::get(ring.socket.as_fd(), libc::PACKET_STATISTICS)?;
                heard += u64::from(counted.packets);
            }
            // All are there, and no more came of them.
            if heard >= sent && heard == before {
                break;
            }
        }
        Ok(Heard { sent, heard })
    }
}

/// Passes UDP over IPv4 to one port. The loopback's packets have no options; each is seen twice, the first time as it is
/// sent.
#[allow(clippy::cast_possible_truncation, reason = "the codes of instructions have 16 bits")]
const fn only_to(port: u16) -> [libc::sock_filter; 10] {
    const fn load(size: u32, offset: u32) -> libc::sock_filter {
        libc::sock_filter { code: (libc::BPF_LD | size | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
    }
    const fn unless(value: u32, skip: u8) -> libc::sock_filter {
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: skip,
            k: value,
        }
    }
    const fn give(octets: u32) -> libc::sock_filter {
        libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: octets }
    }
    /// `PACKET_HOST` of `linux/if_packet.h`: to this machine, as it comes.
    const TO_US: u32 = 0;
    const PACKET_TYPE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE).cast_unsigned();
    [
        load(libc::BPF_W, PACKET_TYPE),
        unless(TO_US, 7),
        load(libc::BPF_H, 12),
        unless(libc::ETH_P_IP.cast_unsigned(), 5),
        load(libc::BPF_B, 23),
        unless(libc::IPPROTO_UDP.cast_unsigned(), 3),
        load(libc::BPF_H, 36),
        unless(port as u32, 1),
        give(u32::MAX),
        give(0),
    ]
}
