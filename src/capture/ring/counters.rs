//! What a live capture counts about itself.

use super::layout::Statistics;

/// What a live capture counts, since it was opened; nothing of it ever goes back. What a backend cannot tell is
/// absent.
///
/// What was sent is what was seen and what was dropped: `accepted` and `dropped` together are all packets that
/// passed the filter, and once all have been read `packets` equals `accepted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RingCounters {
    /// Frames that were given.
    pub packets: u64,
    /// Octets that they had on the wire, tags included, check sequence not.
    pub octets: u64,
    /// Frames among them of which not all octets were kept.
    pub truncated: u64,
    /// Packets that the kernel put into the buffer, those not read yet among them.
    pub accepted: u64,
    /// Packets that passed the filter and found no room in the buffer.
    pub dropped: u64,
    /// Packets that the interface or its driver dropped, as libpcap says it.
    pub dropped_by_interface: Option<u64>,
    /// How often the kernel found all blocks of the ring full.
    pub freezes: Option<u64>,
    /// Blocks that the kernel marked: packets were dropped while it filled them.
    pub losing_blocks: Option<u64>,
    /// Blocks whose headers contradict themselves, from there on not read.
    pub damaged_blocks: Option<u64>,
    /// Who stamped the frames.
    pub stamps: Option<Stamps>,
}

/// How many frames had their time from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamps {
    /// From the clock of the network card.
    pub hardware: u64,
    /// From the kernel, when the driver handed the packet over.
    pub software: u64,
    /// From the kernel, when the packet was put into the ring.
    pub ring: u64,
}

/// What is counted on the way through the ring. Per frame, so plain numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) frames: u64,
    pub(super) octets: u64,
    pub(super) truncated: u64,
    pub(super) hardware: u64,
    pub(super) software: u64,
    pub(super) losing_blocks: u64,
    pub(super) damaged_blocks: u64,
    pub(super) accepted: u64,
    pub(super) dropped: u64,
    pub(super) freezes: u64,
}

impl Tally {
    /// Adds what the kernel counted since it was last asked.
    pub(super) fn add(&mut self, kernel: Statistics) {
        self.accepted += u64::from(kernel.packets.wrapping_sub(kernel.dropped));
        self.dropped += u64::from(kernel.dropped);
        self.freezes += u64::from(kernel.freezes);
    }

    pub(super) fn counters(&self) -> RingCounters {
        RingCounters {
            packets: self.frames,
            octets: self.octets,
            truncated: self.truncated,
            accepted: self.accepted,
            dropped: self.dropped,
            dropped_by_interface: None,
            freezes: Some(self.freezes),
            losing_blocks: Some(self.losing_blocks),
            damaged_blocks: Some(self.damaged_blocks),
            stamps: Some(Stamps {
                hardware: self.hardware,
                software: self.software,
                ring: self.frames.saturating_sub(self.hardware + self.software),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_is_not_counted_as_accepted() {
        let mut tally = Tally::default();
        tally.add(Statistics { packets: 10, dropped: 3, freezes: 1 });
        tally.add(Statistics { packets: u32::MAX, dropped: 0, freezes: 0 });
        let counters = tally.counters();
        assert_eq!((counters.accepted, counters.dropped), (7 + u64::from(u32::MAX), 3));
        assert_eq!(counters.freezes, Some(1));
    }
}
