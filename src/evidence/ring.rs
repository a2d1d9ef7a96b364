//! The last headers that a point heard, in memory that never grows.

use bytemuck::{Pod, Zeroable};

use super::clip::Clip;
use crate::terms::{Frame, LinkType, Timestamp};

/// The first octets of the last frames, in one piece of memory that is taken once.
///
/// A frame that finds no room overwrites the oldest. Nothing is allocated for a frame: it costs its octets and 24
/// more.
///
/// ```
/// use hopmark::evidence::HeaderRing;
/// use hopmark::terms::{Frame, LinkType, Timestamp};
///
/// let mut ring = HeaderRing::new(1 << 20, 128, 30);
/// let frame = Frame {
///     timestamp: Timestamp(5),
///     data: &[7; 200],
///     wire_len: 200,
///     link: LinkType::ETHERNET,
///     interface: 0,
/// };
/// ring.push(&frame);
/// assert_eq!(ring.frames().next().unwrap().data, [7; 128]);
/// ```
#[derive(Debug)]
pub struct HeaderRing {
    memory: Box<[u8]>,
    octets_per_packet: usize,
    length_ns: i64,
    /// Where the oldest record begins.
    oldest: usize,
    /// Where the next record goes.
    next: usize,
    /// Behind the last record of the lap before, where the oldest record is of that lap.
    lap_end: Option<usize>,
    held: usize,
    newest: Timestamp,
}

/// What stands before the octets of a frame.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Head {
    timestamp: i64,
    wire_len: u32,
    kept: u16,
    link: u16,
    interface: u16,
    unused: [u16; 3],
}

const HEAD: usize = size_of::<Head>();
const _: () = assert!(HEAD == 24);
/// Records begin at multiples of this.
const ALIGNMENT: usize = 8;

/// Octets of a record, head and padding included.
const fn whole(kept: usize) -> usize {
    (HEAD + kept).next_multiple_of(ALIGNMENT)
}

impl HeaderRing {
    /// A ring of so much memory, of which each frame takes no more than so many octets and its head. What is older
    /// than `seconds` before the newest frame is not given, though it may still be there.
    ///
    /// Memory for one frame is taken at least; of a frame 65,535 octets are kept at most.
    #[must_use]
    pub fn new(memory_octets: usize, octets_per_packet: usize, seconds: u64) -> Self {
        let octets_per_packet = octets_per_packet.min(usize::from(u16::MAX));
        let memory_octets = memory_octets.max(whole(octets_per_packet));
        let length_ns = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
        Self {
            memory: vec![0; memory_octets].into_boxed_slice(),
            octets_per_packet,
            length_ns,
            oldest: 0,
            next: 0,
            lap_end: None,
            held: 0,
            newest: Timestamp(i64::MIN),
        }
    }

    /// Keeps the first octets of a frame. Per frame: copies, and allocates nothing.
    #[inline]
    pub fn push(&mut self, frame: &Frame<'_>) {
        let kept = frame.data.get(..self.octets_per_packet).unwrap_or(frame.data);
        let octets = whole(kept.len());
        self.make_room(octets);
        let head = Head {
            timestamp: frame.timestamp.0,
            wire_len: frame.wire_len,
            // No more than `octets_per_packet`, which fits.
            kept: u16::try_from(kept.len()).unwrap_or(u16::MAX),
            link: frame.link.0,
            interface: frame.interface,
            unused: [0; 3],
        };
        let Some(record) = self.memory.get_mut(self.next..self.next + octets) else { return };
        let Some((place, rest)) = record.split_first_chunk_mut::<HEAD>() else { return };
        *place = bytemuck::cast(head);
        if let Some(place) = rest.get_mut(..kept.len()) {
            place.copy_from_slice(kept);
        }
        self.next += octets;
        self.held += 1;
        self.newest = self.newest.max(frame.timestamp);
    }

    /// Makes the octets behind `next` free, from the start where there are too few up to the end.
    #[inline]
    fn make_room(&mut self, octets: usize) {
        loop {
            if self.lap_end.is_some() {
                if self.oldest >= self.next + octets {
                    return;
                }
                self.forget_oldest();
            } else if self.next + octets <= self.memory.len() {
                return;
            } else if self.held == 0 {
                (self.oldest, self.next) = (0, 0);
            } else {
                self.lap_end = Some(self.next);
                self.next = 0;
            }
        }
    }

    #[inline]
    fn forget_oldest(&mut self) {
        let kept = self.head(self.oldest).map_or(0, |head| usize::from(head.kept));
        self.oldest += whole(kept);
        self.held -= 1;
        if self.lap_end.is_some_and(|end| self.oldest >= end) {
            self.oldest = 0;
            self.lap_end = None;
        }
    }

    #[inline]
    fn head(&self, at: usize) -> Option<Head> {
        Some(bytemuck::pod_read_unaligned(self.memory.get(at..at + HEAD)?))
    }

    /// What is there of the time up to the newest frame, in the order in which it was pushed: that of time, where a
    /// point hears frames in order.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        let since = self.newest.0.saturating_sub(self.length_ns);
        self.all().filter(move |frame| frame.timestamp.0 >= since)
    }

    fn all(&self) -> impl Iterator<Item = Frame<'_>> {
        let mut at = self.oldest;
        let mut lap_end = self.lap_end;
        (0..self.held).map_while(move |_| {
            let head = self.head(at)?;
            let kept = usize::from(head.kept);
            let data = self.memory.get(at + HEAD..at + HEAD + kept)?;
            at += whole(kept);
            if lap_end.is_some_and(|end| at >= end) {
                (at, lap_end) = (0, None);
            }
            Some(Frame {
                timestamp: Timestamp(head.timestamp),
                data,
                wire_len: head.wire_len,
                link: LinkType(head.link),
                interface: head.interface,
            })
        })
    }

    /// A copy of those of its frames that are wanted, to be handed to another thread.
    #[must_use]
    pub fn clip(&self, mut is_wanted: impl FnMut(&Frame<'_>) -> bool) -> Clip {
        self.frames().filter(|frame| is_wanted(frame)).collect()
    }

    /// Frames that are there, also those that are too old to be given.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    /// Octets of its memory; never another number.
    #[must_use]
    pub const fn memory_octets(&self) -> usize {
        self.memory.len()
    }

    /// From the oldest frame that is there to the newest, in seconds: less than was asked for where the memory is too
    /// small for what is heard.
    #[must_use]
    pub fn span_seconds(&self) -> f64 {
        self.all().next().map_or(0.0, |oldest| self.newest.seconds_since(oldest.timestamp).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn frame(number: i64, data: &[u8]) -> Frame<'_> {
        Frame { timestamp: Timestamp(number), data, wire_len: 1500, link: LinkType::RAW, interface: 3 }
    }

    fn numbers(ring: &HeaderRing) -> Vec<i64> {
        ring.frames().map(|frame| frame.timestamp.0).collect()
    }

    #[test]
    fn the_oldest_is_overwritten() {
        // Three records of 24 + 40 octets.
        let mut ring = HeaderRing::new(192, 40, 1_000);
        for number in 0..10 {
            ring.push(&frame(number, &[u8::try_from(number).unwrap(); 60]));
        }
        assert_eq!(numbers(&ring), [7, 8, 9]);
        let newest = ring.frames().last().unwrap();
        assert_eq!((newest.data, newest.wire_len), (&[9; 40][..], 1500));
        assert_eq!((newest.link, newest.interface), (LinkType::RAW, 3));
        assert_eq!(ring.memory_octets(), 192);
    }

    #[test]
    fn what_is_too_old_is_not_given() {
        let mut ring = HeaderRing::new(1 << 16, 40, 5);
        for second in [0, 4, 6, 10, 11] {
            ring.push(&frame(second * 1_000_000_000, b"x"));
        }
        assert_eq!(numbers(&ring), [6, 10, 11].map(|second| second * 1_000_000_000));
        assert_eq!(ring.held(), 5);
        assert!((ring.span_seconds() - 11.0).abs() < 1e-9);
    }

    #[test]
    fn a_ring_without_memory_still_holds_one_frame() {
        let mut ring = HeaderRing::new(0, 100, 1);
        for number in 0..3 {
            ring.push(&frame(number, &[1; 200]));
        }
        assert_eq!(numbers(&ring), [2]);
        assert_eq!(ring.memory_octets(), 128);
        assert!(HeaderRing::new(0, 0, 0).frames().next().is_none());
    }

    proptest! {
        /// The same as a list of the newest records that fit, less what the end of the memory leaves over.
        #[test]
        fn gives_the_newest_frames_whole_and_in_order(
            memory in 0_usize..2_000,
            snap in 0_usize..300,
            lengths in prop::collection::vec(0_usize..400, 0..200),
        ) {
            let mut ring = HeaderRing::new(memory, snap, u64::MAX);
            let octets = ring.memory_octets();
            let mut pushed: VecDeque<(i64, Vec<u8>)> = VecDeque::new();
            for (number, length) in (0_i64..).zip(lengths) {
                let data = vec![u8::try_from(number % 251).unwrap(); length];
                ring.push(&frame(number, &data));
                pushed.push_back((number, data[..length.min(snap)].to_vec()));
                prop_assert_eq!(ring.memory_octets(), octets);
                let held: Vec<_> = ring.frames().map(|f| (f.timestamp.0, f.data.to_vec())).collect();
                prop_assert_eq!(held.len(), ring.held());
                prop_assert!(!held.is_empty());
                let newest: Vec<_> = pushed.iter().skip(pushed.len() - held.len()).cloned().collect();
                prop_assert_eq!(&held, &newest);
                // One more would not have fitted, were it not for the room left over at the end of a lap.
                let fits: usize = held.iter().map(|(_, data)| whole(data.len())).sum();
                prop_assert!(fits <= octets);
                prop_assert!(held.len() == pushed.len() || fits + 2 * whole(snap) >= octets);
            }
        }
    }
}
