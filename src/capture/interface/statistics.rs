//! What an interface counts: frames, and those that it lost.

/// Counters of the receiving side of an interface, since it was made. What its driver or kernel does not count is absent.
///
/// Source: `rtnl_link_stats64` in `include/uapi/linux/if_link.h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InterfaceStatistics {
    /// Frames handed to the kernel.
    pub rx_packets: Option<u64>,
    /// Octets of these frames.
    pub rx_bytes: Option<u64>,
    /// Frames that the kernel had no room or no taker for behind the driver.
    pub rx_dropped: Option<u64>,
    /// Frames for which the host gave the interface no buffer in time.
    pub rx_missed: Option<u64>,
    /// Frames that overran the interface's own queue.
    pub rx_fifo: Option<u64>,
    /// Frames longer than the interface takes, or that overran the ring, by driver.
    pub rx_over: Option<u64>,
    /// Frames with a wrong check sequence.
    pub rx_crc: Option<u64>,
    /// Frames that came while nobody took them; a capture on an interface without addresses has all here.
    pub rx_nohandler: Option<u64>,
}

/// Places of the counters in the kernel's structure, in numbers of 64 bits.
const RX_PACKETS: usize = 0;
const RX_BYTES: usize = 2;
const RX_DROPPED: usize = 6;
const RX_OVER: usize = 11;
const RX_CRC: usize = 12;
const RX_FIFO: usize = 14;
const RX_MISSED: usize = 15;
const RX_NOHANDLER: usize = 23;

impl InterfaceStatistics {
    /// Reads the kernel's structure; an older kernel's is shorter.
    pub(super) fn read(octets: &[u8]) -> Self {
        let counter = |place: usize| {
            octets.get(place * 8..).and_then(<[u8]>::first_chunk).map(|octets| u64::from_ne_bytes(*octets))
        };
        Self {
            rx_packets: counter(RX_PACKETS),
            rx_bytes: counter(RX_BYTES),
            rx_dropped: counter(RX_DROPPED),
            rx_missed: counter(RX_MISSED),
            rx_fifo: counter(RX_FIFO),
            rx_over: counter(RX_OVER),
            rx_crc: counter(RX_CRC),
            rx_nohandler: counter(RX_NOHANDLER),
        }
    }

    /// What was counted since `earlier`. A counter that went back (the driver was loaded anew) counts from nothing.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let grown = |now: Option<u64>, before: Option<u64>| {
            let (now, before) = (now?, before?);
            Some(now.checked_sub(before).unwrap_or(now))
        };
        Self {
            rx_packets: grown(self.rx_packets, earlier.rx_packets),
            rx_bytes: grown(self.rx_bytes, earlier.rx_bytes),
            rx_dropped: grown(self.rx_dropped, earlier.rx_dropped),
            rx_missed: grown(self.rx_missed, earlier.rx_missed),
            rx_fifo: grown(self.rx_fifo, earlier.rx_fifo),
            rx_over: grown(self.rx_over, earlier.rx_over),
            rx_crc: grown(self.rx_crc, earlier.rx_crc),
            rx_nohandler: grown(self.rx_nohandler, earlier.rx_nohandler),
        }
    }

    /// Frames that came to the interface but to no capture, as far as it counts them: without `rx_dropped`, which
    /// also counts frames that a capture has seen and nobody else wanted.
    #[must_use]
    pub fn lost_before_capture(&self) -> u64 {
        [self.rx_missed, self.rx_fifo, self.rx_over].into_iter().flatten().fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_kernel_lacks_the_last_counters() {
        let octets: Vec<u8> = (0..23_u64).flat_map(u64::to_ne_bytes).collect();
        let statistics = InterfaceStatistics::read(&octets);
        assert_eq!((statistics.rx_packets, statistics.rx_bytes), (Some(0), Some(2)));
        assert_eq!((statistics.rx_fifo, statistics.rx_missed), (Some(14), Some(15)));
        assert_eq!(statistics.rx_nohandler, None);
        assert_eq!(InterfaceStatistics::read(&[]), InterfaceStatistics::default());
    }

    #[test]
    fn a_counter_that_went_back_counts_from_nothing() {
        let at = |n| InterfaceStatistics { rx_packets: Some(n), ..InterfaceStatistics::default() };
        assert_eq!(at(12).since(&at(10)).rx_packets, Some(2));
        assert_eq!(at(3).since(&at(10)).rx_packets, Some(3));
        assert_eq!(at(3).since(&at(3)).rx_missed, None);
    }
}
