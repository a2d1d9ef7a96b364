//! Frames of an interface by libpcap: slower, but of every kind.
//!
//! For what the ring does not read: interfaces that are not Ethernet, and `any`, all interfaces at once.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pcap::{Active, Capture, Linktype, Precision, Stat};

use super::link::from_network;
use super::ring::{Progress, RingCounters, interfaces};
use crate::terms::{Frame, LinkType, Timestamp};

/// The device that is all interfaces at once.
const ANY: &str = "any";
/// After how many milliseconds frames are handed over where they are few.
const HAND_OVER: i32 = 60;
/// Frames that one call gives at most.
const TURN: usize = 1 << 16;
/// Its counters have 32 bits, so they are asked for when this many frames were read.
const ASK_AFTER: u64 = 1 << 24;

/// A capture by libpcap.
pub struct LibpcapSource {
    capture: Capture<Active>,
    device: String,
    /// The interface's number when it was opened; none for `any`.
    index: Option<u32>,
    link: LinkType,
    counters: RingCounters,
    /// What libpcap said last.
    last: Stat,
    unasked: u64,
}

/// A capture by libpcap that could not be opened or gives no more frames.
#[derive(Debug, thiserror::Error)]
pub enum LibpcapError {
    /// The process may not capture.
    #[error(
        "interface {device}: not permitted to capture, as CAP_NET_RAW is missing: start hopmark as root or by its \
         systemd unit (AmbientCapabilities=CAP_NET_RAW), or give the program the capability: \
         setcap cap_net_raw+ep $(command -v hopmark)"
    )]
    Permission {
        /// The interface.
        device: String,
    },
    /// No interface has this name, and it is not `any`.
    #[error("interface {device}: not found; interfaces here: any, {}", .there.join(", "))]
    NoSuchDevice {
        /// The interface.
        device: String,
        /// The interfaces there are.
        there: Vec<String>,
    },
    /// libpcap refuses the interface.
    #[error(
        "interface {device}: libpcap cannot open it: {reason}; see whether this reads it: tcpdump -i {device}"
    )]
    Open {
        /// The interface.
        device: String,
        /// What libpcap says.
        reason: String,
    },
    /// The filter is not one.
    #[error("interface {device}: filter \"{filter}\": {reason}; man pcap-filter has its language")]
    Filter {
        /// The interface.
        device: String,
        /// The filter.
        filter: String,
        /// What libpcap says.
        reason: String,
    },
    /// The interface was removed. All frames from before were given.
    #[error("interface {device} was removed; if it comes back, it has to be opened anew")]
    Gone {
        /// The interface.
        device: String,
    },
    /// Reading failed.
    #[error("interface {device}: reading failed: {reason}; open it anew")]
    Read {
        /// The interface.
        device: String,
        /// What libpcap or the kernel says.
        reason: String,
    },
}

impl LibpcapSource {
    /// Opens an interface, or `any`. At most `snap_length` octets of a frame are kept; `buffer_octets` is the size of
    /// the kernel's buffer. `any` cannot be promiscuous and is not, whatever is asked.
    ///
    /// # Errors
    ///
    /// `CAP_NET_RAW` is missing, there is no such interface, libpcap refuses it or the filter; each says how to mend
    /// it.
    pub fn open(
        device: &str,
        snap_length: u32,
        buffer_octets: u32,
        promiscuous: bool,
        filter: Option<&str>,
    ) -> Result<Self, LibpcapError> {
        let is_any = device == ANY;
        let index = if_nametoindex(device).ok().filter(|_| !is_any);
        // Devices that libpcap has besides may have times in microseconds, and it does not say which.
        if index.is_none() && !is_any {
            return Err(LibpcapError::NoSuchDevice { device: device.to_owned(), there: interfaces() });
        }
        let mut capture =
            activate(device, snap_length, buffer_octets, promiscuous && !is_any).map_err(|reason| {
                if may_capture() {
                    LibpcapError::Open { device: device.to_owned(), reason: reason.to_string() }
                } else {
                    LibpcapError::Permission { device: device.to_owned() }
                }
            })?;
        if is_any {
            // The newer of the two headers names the interface. Where it is not known the older one stays.
            let _ = capture.set_datalink(Linktype(i32::from(LinkType::LINUX_SLL2.0)));
        }
        if let Some(filter) = filter {
            capture.filter(filter, true).map_err(|reason| LibpcapError::Filter {
                device: device.to_owned(),
                filter: filter.to_owned(),
                reason: reason.to_string(),
            })?;
        }
        let link = from_network(capture.get_datalink().0.cast_unsigned());
        // It reads them only where it is to be promiscuous.
        let dropped_by_interface = (promiscuous && !is_any).then_some(0);
        let counters = RingCounters { dropped_by_interface, ..RingCounters::default() };
        let last = Stat { received: 0, dropped: 0, if_dropped: 0 };
        Ok(Self { capture, device: device.to_owned(), index, link, counters, last, unasked: 0 })
    }

    /// What stands at the start of its frames.
    #[must_use]
    pub const fn link(&self) -> LinkType {
        self.link
    }

    /// Gives the frames that are there. Where there are none it waits for some, at most `timeout` (in whole
    /// milliseconds, rounded up).
    ///
    /// # Errors
    ///
    /// [`LibpcapError::Gone`] when the interface was removed; that it is down is not told apart from silence.
    pub fn read(
        &mut self,
        timeout: Duration,
        mut sink: impl FnMut(&Frame<'_>),
    ) -> Result<Progress, LibpcapError> {
        let mut frames = self.dispatch(&mut sink)?;
        if frames == 0 {
            self.wait(timeout)?;
            frames = self.dispatch(&mut sink)?;
            if frames == 0 && self.is_gone() {
                return Err(LibpcapError::Gone { device: self.device.clone() });
            }
        }
        self.unasked += frames;
        if self.unasked >= ASK_AFTER {
            self.ask();
        }
        Ok(Progress { frames, was_idle: frames == 0 })
    }

    /// All counts since the capture was opened.
    pub fn counters(&mut self) -> RingCounters {
        self.ask();
        self.counters
    }

    fn dispatch(&mut self, sink: &mut impl FnMut(&Frame<'_>)) -> Result<u64, LibpcapError> {
        let (link, counters) = (self.link, &mut self.counters);
        let before = counters.packets;
        let result = self.capture.dispatch(Some(TURN), |packet| {
            let wire_len = packet.header.len.max(packet.header.caplen);
            counters.packets += 1;
            counters.octets += u64::from(wire_len);
            counters.truncated += u64::from(packet.header.caplen < wire_len);
            // With nanoseconds asked for, the field of microseconds has those.
            let time = packet.header.ts;
            let timestamp = Timestamp::new(time.tv_sec, time.tv_usec);
            sink(&Frame { timestamp, data: packet.data, wire_len, link, interface: 0 });
        });
        let frames = self.counters.packets - before;
        match result {
            Ok(_) => Ok(frames),
            // What came before is given; the error comes again.
            Err(_) if frames > 0 => Ok(frames),
            Err(_) if self.is_gone() => Err(LibpcapError::Gone { device: self.device.clone() }),
            Err(reason) => {
                Err(LibpcapError::Read { device: self.device.clone(), reason: reason.to_string() })
            }
        }
    }

    fn wait(&self, timeout: Duration) -> Result<(), LibpcapError> {
        let whole = i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
        let limit = PollTimeout::try_from(whole).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.capture.as_fd(), PollFlags::POLLIN)], limit) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(reason) => {
                Err(LibpcapError::Read { device: self.device.clone(), reason: reason.to_string() })
            }
        }
    }

    /// Whether the interface does not exist any more, or another has its name now.
    fn is_gone(&self) -> bool {
        self.index.is_some() && if_nametoindex(self.device.as_str()).ok() != self.index
    }

    fn ask(&mut self) {
        self.unasked = 0;
        // Without an interface there is nothing to be asked any more, and what was counted stays.
        let Ok(now) = self.capture.stats() else { return };
        let since = |now: u32, before: u32| u64::from(now.wrapping_sub(before));
        let dropped = since(now.dropped, self.last.dropped);
        self.counters.accepted += since(now.received, self.last.received).saturating_sub(dropped);
        self.counters.dropped += dropped;
        if let Some(count) = &mut self.counters.dropped_by_interface {
            // It goes back where the system's own counter cannot be read any more.
            let more = since(now.if_dropped, self.last.if_dropped);
            *count += if more <= u64::from(u32::MAX / 2) { more } else { 0 };
        }
        self.last = now;
    }
}

fn activate(
    device: &str,
    snap_length: u32,
    buffer_octets: u32,
    promiscuous: bool,
) -> Result<Capture<Active>, pcap::Error> {
    let number = |octets: u32| i32::try_from(octets).unwrap_or(i32::MAX);
    Capture::from_device(device)?
        .snaplen(number(snap_length))
        .buffer_size(number(buffer_octets))
        .promisc(promiscuous)
        .timeout(HAND_OVER)
        .immediate_mode(false)
        .precision(Precision::Nano)
        .open()?
        .setnonblock()
}

/// Whether the process has the capability that capturing needs.
fn may_capture() -> bool {
    caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_NET_RAW).unwrap_or(true)
}
