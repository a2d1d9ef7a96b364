//! The sender: a process in a namespace of its own, told what to send.
//!
//! One packet socket that goes past the queueing discipline, and one system call for each batch: as fast as frames go
//! into a veth pair without a program in the kernel.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, IoSlice, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::sockopt::SetUsize;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockType, bind, sendmmsg, setsockopt, socket,
};

use super::fast::Generator;
use super::frames::{Background, Traffic};
use super::network::{SENDING, ip, leave, pin};

/// Makes this program the sender.
pub(crate) const SENDER: &str = "--sender";
/// Frames for each system call.
const BATCH: usize = 128;

/// Goes past the queueing discipline.
#[derive(Debug, Clone, Copy)]
struct Bypass;
nix::setsockopt_impl!(Bypass, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, usize, SetUsize);

/// What is to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) packets: u64,
    pub(crate) streams: u32,
    pub(crate) background: Background,
    /// From within the kernel, packets a second at most; none: by a process, as fast as it can.
    pub(crate) pace: Option<u64>,
}

/// What was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// By the interface's own counter.
    pub(crate) packets: u64,
    pub(crate) seconds: f64,
}

/// The sender, as the one who tells it sees it. It ends with its standard input.
#[derive(Debug)]
pub(crate) struct Sender {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sender {
    /// Starts it, in a namespace that has nothing yet.
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SENDER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let orders = orders.ok_or("no standard input")?;
        let answers = BufReader::new(answers.ok_or("no standard output")?);
        let mut sender = Self { child, orders, answers };
        sender.answer()?;
        Ok(sender)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends, and comes back when everything is sent.
    pub(crate) fn send(&mut self, load: Load) -> Result<Sent, Box<dyn Error>> {
        let Load { packets, streams, background, pace } = load;
        writeln!(self.orders, "{packets} {streams} {} {}", background.name(), pace.unwrap_or(0))?;
        let answer = self.answer()?;
        let (packets, seconds) = answer.split_once(' ').ok_or("the sender did not say what it sent")?;
        Ok(Sent { packets: packets.parse()?, seconds: seconds.parse()? })
    }

    fn answer(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.is_empty() {
            Err("the sender has ended; see above".into())
        } else {
            Ok(line.trim().to_owned())
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sender itself.
#[allow(clippy::print_stdout, reason = "its answers")]
pub(crate) fn serve() -> Result<(), Box<dyn Error>> {
    leave()?;
    pin(0)?;
    println!("there");
    let mut socket = None;
    let mut generator: Option<(u32, Generator)> = None;
    for order in std::io::stdin().lines() {
        let order = order?;
        let mut words = order.split(' ');
        let mut word = || words.next().ok_or("an order has four words");
        let load = Load {
            packets: word()?.parse()?,
            streams: word()?.parse()?,
            background: Background::named(word()?).ok_or("no such background")?,
            pace: Some(word()?.parse()?).filter(|pace| *pace > 0),
        };
        let socket = match &mut socket {
            Some(socket) => socket,
            none => none.insert(open()?),
        };
        let Sent { packets, seconds } = match load.pace {
            Some(pace) => {
                let generator = match &mut generator {
                    Some((streams, generator)) if *streams == load.streams => generator,
                    other => &mut other.insert((load.streams, Generator::load(load.streams)?)).1,
                };
                send_fast(generator, load.packets, pace)?
            }
            None => send(socket, load)?,
        };
        println!("{packets} {seconds}");
    }
    Ok(())
}

fn open() -> Result<OwnedFd, Box<dyn Error>> {
    ip(&format!("link set {SENDING} up"))?;
    // Of protocol 0, so that it hears nothing.
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
    let mut addresses = nix::ifaddrs::getifaddrs()?.filter(|a| a.interface_name == SENDING);
    let address = addresses.find_map(|a| a.address?.as_link_addr().copied());
    bind(socket.as_raw_fd(), &address.ok_or("the sending interface has no address")?)?;
    setsockopt(&socket, Bypass, &1)?;
    Ok(socket)
}

#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
fn send(socket: &OwnedFd, load: Load) -> Result<Sent, Box<dyn Error>> {
    let mut traffic = Traffic::new(load.streams, load.background);
    let mut headers = MultiHeaders::<LinkAddr>::preallocate(BATCH, None);
    let nowhere = [None; BATCH];
    let before = sent_packets()?;
    let begun = Instant::now();
    let mut rest = usize::try_from(load.packets)?;
    let mut batch: Vec<usize> = Vec::with_capacity(BATCH);
    while rest > 0 {
        let round: Vec<usize> = traffic.round().iter().copied().take(rest).collect();
        rest -= round.len();
        for chunk in round.chunks(BATCH) {
            batch.clear();
            batch.extend(chunk);
            for &flow in &batch {
                traffic.flows[flow].advance();
            }
            let slices: Vec<[IoSlice<'_>; 1]> =
                batch.iter().map(|&flow| [IoSlice::new(&traffic.flows[flow].octets)]).collect();
            let mut unsent = &slices[..];
            while !unsent.is_empty() {
                match sendmmsg(socket.as_raw_fd(), &mut headers, unsent, nowhere, [], MsgFlags::empty()) {
                    Ok(results) => unsent = &unsent[results.count()..],
                    Err(Errno::ENOBUFS | Errno::EINTR) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Sent { packets: sent_packets()? - before, seconds })
}

/// Parts of a second in which as much is sent as in any other; each has a fixed price.
const PARTS: u64 = 10;

#[allow(clippy::disallowed_methods, reason = "a bench measures time")]
fn send_fast(generator: &mut Generator, packets: u64, pace: u64) -> Result<Sent, Box<dyn Error>> {
    let before = sent_packets()?;
    let begun = Instant::now();
    let mut sent = 0;
    while sent < packets {
        let due = Duration::from_secs_f64(sent as f64 / pace as f64);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let part = (pace / PARTS).clamp(1, packets - sent);
        generator.send(part)?;
        sent += part;
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Sent { packets: sent_packets()? - before, seconds })
}

/// Packets that the sending interface has sent since it is there.
fn sent_packets() -> Result<u64, Box<dyn Error>> {
    let all = fs::read_to_string("/proc/self/net/dev")?;
    let line = all.lines().find_map(|line| line.trim_start().strip_prefix(SENDING)?.strip_prefix(':'));
    // Eight columns of what was received come first: octets, then packets.
    let packets = line.and_then(|line| line.split_whitespace().nth(9));
    Ok(packets.ok_or("the sending interface is not there")?.parse()?)
}
