//! Listens on an interface for a while and tallies what is heard.

use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use pcap::{Active, Capture, Direction, Error};

use super::tally::{Heard, Tally};
use crate::capture::interface::Links;
use crate::terms::{Frame, LinkType, Timestamp};

/// Hears what arrives on an interface, in promiscuous mode, for so long.
///
/// # Errors
///
/// The interface cannot be opened, with what libpcap says of it.
#[allow(clippy::disallowed_methods, reason = "how long an operator waits is no time of packets")]
pub(super) fn listen(name: &str, length: Duration) -> Result<Heard, Error> {
    let mut capture = open(name)?;
    let link = link_type(capture.get_datalink().0);
    let mut links = Links::open().ok();
    let mut statistics = || links.as_mut().and_then(|links| links.statistics(name).ok());
    let before = statistics();
    let mut tally = Tally::new(foldhash::fast::RandomState::default().hash_one(name));
    let started = Instant::now();
    let mut ended = None;
    while started.elapsed() < length {
        match capture.next_packet() {
            Ok(packet) => {
                let time = packet.header.ts;
                let timestamp = Timestamp(time.tv_sec * 1_000_000_000 + time.tv_usec * 1_000);
                tally.count(&Frame {
                    timestamp,
                    data: packet.data,
                    wire_len: packet.header.len,
                    link,
                    interface: 0,
                });
            }
            Err(Error::TimeoutExpired) => std::thread::sleep(IDLE),
            Err(reason) => {
                ended = Some(reason.to_string());
                break;
            }
        }
    }
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let dropped = capture.stats().map_or(0, |counted| u64::from(counted.dropped));
    let lost = statistics().zip(before).map(|(now, before)| now.since(&before));
    Ok(Heard { ended, ..tally.finish(milliseconds, dropped, lost.as_ref()) })
}

/// Octets of a buffer that takes the bursts of a busy mirror.
const BUFFER: i32 = 32 << 20;
/// How long to wait where nothing is there to read; the buffer holds far more than comes meanwhile.
const IDLE: Duration = Duration::from_millis(5);

fn open(name: &str) -> Result<Capture<Active>, Error> {
    let capture = Capture::from_device(name)?
        .promisc(true)
        .snaplen(65_535)
        .buffer_size(BUFFER)
        // Else frames would be held back until a block of the ring is full.
        .immediate_mode(true)
        .open()?
        // Else the end would wait for a frame: libpcap has no time-out that holds on an idle interface.
        .setnonblock()?;
    // What the box itself sends on the port is no part of the mirror. Not every kind of interface can tell.
    let _ = capture.direction(Direction::In);
    Ok(capture)
}

/// The registry's number of a link type of libpcap on Linux: bare IP has another one within a program.
fn link_type(datalink: i32) -> LinkType {
    match datalink {
        12 => LinkType::RAW,
        other => u16::try_from(other).map_or(LinkType(u16::MAX), LinkType),
    }
}
