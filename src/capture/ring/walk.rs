//! The frames of one block of the ring, one after the other, in place.
//!
//! The kernel's headers are believed as little as a file's: every offset and length is held against the block, and
//! where one leads outside, the rest of the block is left, counted.

use std::mem::size_of;

use bytemuck::Pod;

use super::counters::Tally;
use super::layout::{BlockHeader, FrameHeader};
use crate::capture::{TOGETHER, ahead};
use crate::terms::{Frame, LinkType, Timestamp};

/// Octets of a VLAN tag.
pub(super) const TAG: u32 = 4;
/// Octets of the addresses before the tag.
const ADDRESSES: usize = 12;
/// The `EtherType` of a tag where the kernel does not say.
const VLAN: u16 = 0x8100;

/// Gives all frames of a block to `sink`, some at a time; how many they were.
#[inline]
pub(super) fn walk(
    block: &mut [u8],
    link: LinkType,
    tally: &mut Tally,
    sink: &mut impl FnMut(&[Frame<'_>]),
) -> u64 {
    let mut counted = *tally;
    let mut walked = 0;
    let head = at::<BlockHeader>(block, 0);
    let frames = head.map_or(0, |head| u64::from(head.frames));
    let mut left = head.and_then(|head| block.get_mut(head.first as usize..)).unwrap_or_default();
    let mut room = [Frame::NONE; TOGETHER];
    let mut is_whole = head.is_some();
    while is_whole && walked < frames {
        let mut found = 0;
        for (to, number) in room.iter_mut().zip(walked + 1..=frames) {
            let Some(frame) = take(&mut left, number == frames, link, &mut counted) else {
                is_whole = false;
                break;
            };
            *to = frame;
            found += 1;
        }
        walked += found as u64;
        if found > 0 {
            sink(room.get(..found).unwrap_or_default());
        }
    }
    counted.damaged_blocks += u64::from(!is_whole);
    *tally = counted;
    walked
}

/// Takes the frame whose header comes first, with all that stands before the next header: all there is for the last one, and
/// where the next would stand in this one. `None` where header or frame reach further than that. Per frame.
#[allow(clippy::mut_mut, reason = "what is left of a block becomes shorter")]
#[inline]
fn take<'a>(left: &mut &'a mut [u8], is_last: bool, link: LinkType, tally: &mut Tally) -> Option<Frame<'a>> {
    let header = at::<FrameHeader>(left, 0)?;
    let next = header.next as usize;
    ahead::fetch_far(left, next);
    ahead::fetch(left, next);
    let all = std::mem::take(left);
    let whole = if is_last || next < size_of::<FrameHeader>() {
        all
    } else {
        let (whole, behind) = all.split_at_mut_checked(next)?;
        *left = behind;
        whole
    };
    let mac = usize::from(header.mac);
    // No sum overflows: `mac` has 16 bits and `kept` 32.
    let (mut start, end) = (mac, mac + header.kept as usize);
    if mac < size_of::<FrameHeader>() || end > whole.len() {
        return None;
    }
    let mut wire_len = header.whole.max(header.kept);
    if header.status & libc::TP_STATUS_VLAN_VALID != 0 {
        start = put_tag_back(whole, start, end, &header)?;
        wire_len = wire_len.saturating_add(TAG);
    }
    let whole: &'a [u8] = whole;
    let data = whole.get(start..end)?;
    tally.frames += 1;
    tally.octets += u64::from(wire_len);
    tally.truncated += u64::from(data.len() < wire_len as usize);
    tally.hardware += u64::from(header.status & libc::TP_STATUS_TS_RAW_HARDWARE != 0);
    tally.software += u64::from(header.status & libc::TP_STATUS_TS_SOFTWARE != 0);
    let timestamp = Timestamp::new(i64::from(header.seconds), i64::from(header.nanoseconds));
    Some(Frame { timestamp, data, wire_len, link, interface: 0 })
}

/// Puts the outermost tag, which the kernel takes off, back where it was on the wire, so that the frame reads as from a
/// file: the addresses move forward into the room that was reserved for it. Where the frame begins then. Per frame,
/// where frames are tagged.
fn put_tag_back(whole: &mut [u8], start: usize, end: usize, header: &FrameHeader) -> Option<usize> {
    let with_tag = start - TAG as usize;
    if with_tag < size_of::<FrameHeader>() {
        return None;
    }
    // A frame that was cut within its addresses has no place for a tag; in a file it would have none either.
    if end - start < ADDRESSES {
        return Some(start);
    }
    let has_type = header.status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
    let [k0, k1] = (if has_type { header.tag_type } else { VLAN }).to_be_bytes();
    let [_, _, t0, t1] = header.tag.to_be_bytes();
    whole.copy_within(start..start + ADDRESSES, with_tag);
    whole.get_mut(with_tag + ADDRESSES..start + ADDRESSES)?.copy_from_slice(&[k0, k1, t0, t1]);
    Some(with_tag)
}

/// The kernel's structure at a place of the block, wherever it is aligned.
#[inline]
fn at<T: Pod>(block: &[u8], place: usize) -> Option<T> {
    let octets = block.get(place..place.checked_add(size_of::<T>())?)?;
    Some(bytemuck::pod_read_unaligned(octets))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: usize = 4096;
    const SEEN: &[u8] = &[1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 0, 0x45, 0xB8];
    /// Where the kernel puts a frame behind its header, with room for a tag.
    const MAC: u16 = 86;

    /// One frame after the other.
    fn each(mut keep: impl FnMut(Frame<'_>)) -> impl FnMut(&[Frame<'_>]) {
        move |frames| frames.iter().copied().for_each(&mut keep)
    }

    /// One frame as the kernel would write it.
    #[derive(Clone, Copy, Debug)]
    struct Written {
        status: u32,
        tag: u32,
        tag_type: u16,
        kept: u32,
        whole: u32,
        mac: u16,
    }

    const PLAIN: Written = Written { status: 0, tag: 0, tag_type: 0, kept: 16, whole: 16, mac: MAC };

    /// A block of frames, each 112 octets behind the one before.
    fn block(frames: &[Written]) -> Vec<u8> {
        let mut block = vec![0xEE; BLOCK];
        let mut head: BlockHeader = bytemuck::Zeroable::zeroed();
        (head.frames, head.first) = (u32::try_from(frames.len()).unwrap(), 48);
        block[..48].copy_from_slice(bytemuck::bytes_of(&head));
        for (i, written) in frames.iter().enumerate() {
            let mut header: FrameHeader = bytemuck::Zeroable::zeroed();
            let is_last = i + 1 == frames.len();
            header.next = if is_last { 0 } else { 112 };
            (header.seconds, header.nanoseconds) = (7, u32::try_from(i).unwrap());
            (header.kept, header.whole, header.mac) = (written.kept, written.whole, written.mac);
            (header.status, header.tag, header.tag_type) = (written.status, written.tag, written.tag_type);
            let place = 48 + i * 112;
            block[place..place + 48].copy_from_slice(bytemuck::bytes_of(&header));
            let data = place + usize::from(MAC);
            block[data..data + SEEN.len()].copy_from_slice(SEEN);
        }
        block
    }

    fn seen(block: &mut [u8], tally: &mut Tally) -> Vec<(i64, Vec<u8>, u32)> {
        let mut seen = Vec::new();
        let walked = walk(
            block,
            LinkType::ETHERNET,
            tally,
            &mut each(|frame| {
                seen.push((frame.timestamp.0, frame.data.to_vec(), frame.wire_len));
            }),
        );
        assert_eq!((walked, tally.frames), (seen.len() as u64, seen.len() as u64));
        seen
    }

    #[test]
    fn frames_come_in_order_and_are_counted() {
        let cut = Written { kept: 14, whole: 1500, status: libc::TP_STATUS_TS_SOFTWARE, ..PLAIN };
        let stamped = Written { status: libc::TP_STATUS_TS_RAW_HARDWARE, ..PLAIN };
        let mut tally = Tally::default();
        let seen = seen(&mut block(&[PLAIN, cut, stamped]), &mut tally);
        let expected = [
            (7_000_000_000, SEEN.to_vec(), 16),
            (7_000_000_001, SEEN[..14].to_vec(), 1500),
            (7_000_000_002, SEEN.to_vec(), 16),
        ];
        assert_eq!(seen, expected);
        assert_eq!((tally.octets, tally.truncated, tally.hardware, tally.software), (1532, 1, 1, 1));
        assert_eq!(tally.damaged_blocks, 0);
    }

    #[test]
    fn the_tag_is_back_where_it_was_on_the_wire() {
        let valid = libc::TP_STATUS_VLAN_VALID;
        let typed = valid | libc::TP_STATUS_VLAN_TPID_VALID;
        for (name, status, tag, tag_type, expected) in [
            ("customer", valid, 0xA00A, 0, [0x81, 0, 0xA0, 0x0A]),
            ("provider", typed, 0x0064, 0x88A8, [0x88, 0xA8, 0, 0x64]),
            ("priority only", typed, 0xE000, 0x8100, [0x81, 0, 0xE0, 0]),
        ] {
            let written = Written { status, tag, tag_type, ..PLAIN };
            let seen = seen(&mut block(&[written, PLAIN]), &mut Tally::default());
            let with_tag = [&SEEN[..12], &expected, &SEEN[12..]].concat();
            assert_eq!(seen[0], (7_000_000_000, with_tag, 20), "{name}");
            assert_eq!(seen[1].1, SEEN, "{name}: the frame behind it is untouched");
        }
    }

    #[test]
    fn a_frame_cut_within_its_addresses_gets_no_tag() {
        let written = Written { status: libc::TP_STATUS_VLAN_VALID, kept: 11, ..PLAIN };
        let seen = seen(&mut block(&[written]), &mut Tally::default());
        assert_eq!(seen, [(7_000_000_000, SEEN[..11].to_vec(), 20)]);
    }

    #[test]
    fn what_leads_outside_the_block_ends_it_and_is_counted() {
        let far = Written { kept: 4096, ..PLAIN };
        let inside_its_header = Written { mac: 47, ..PLAIN };
        let no_room = Written { mac: 50, status: libc::TP_STATUS_VLAN_VALID, ..PLAIN };
        for (name, broken) in [("length", far), ("offset", inside_its_header), ("room for the tag", no_room)]
        {
            let mut tally = Tally::default();
            assert_eq!(seen(&mut block(&[PLAIN, broken, PLAIN]), &mut tally).len(), 1, "{name}");
            assert_eq!(tally.damaged_blocks, 1, "{name}");
        }
        for (name, next, frames) in [("none", 0, 1), ("within the header", 47, 1), ("outside", 5000, 0)] {
            let mut tally = Tally::default();
            let mut block = block(&[PLAIN, PLAIN]);
            block[48..52].copy_from_slice(&u32::to_ne_bytes(next));
            assert_eq!((seen(&mut block, &mut tally).len(), tally.damaged_blocks), (frames, 1), "{name}");
        }
    }

    #[test]
    fn where_the_last_frame_says_the_next_is_changes_nothing() {
        for next in [0, 47, 112, 5000, u32::MAX] {
            let mut tally = Tally::default();
            let mut block = block(&[PLAIN, PLAIN]);
            block[160..164].copy_from_slice(&next.to_ne_bytes());
            assert_eq!((seen(&mut block, &mut tally).len(), tally.damaged_blocks), (2, 0), "{next}");
        }
        assert!(seen(&mut [0; 47], &mut Tally::default()).is_empty());
    }

    proptest! {
        /// Whatever stands in a block: no panic, an end, and only octets of the block.
        #[test]
        fn any_content_is_walked_to_an_end(
            frames in any::<u32>(),
            first in prop_oneof![0_u32..5000, any::<u32>()],
            words in prop::collection::vec(prop_oneof![0_u32..5000, any::<u32>()], 1000),
        ) {
            let mut block = [bytemuck::cast_slice::<u32, u8>(&words), &[0; 96]].concat();
            block[12..16].copy_from_slice(&frames.to_ne_bytes());
            block[16..20].copy_from_slice(&first.to_ne_bytes());
            prop_assert_eq!(block.len(), BLOCK);
            let mut tally = Tally::default();
            let whole = block.as_ptr_range();
            let mut is_inside = true;
            let walked = walk(&mut block, LinkType::ETHERNET, &mut tally, &mut each(|frame| {
                let data = frame.data.as_ptr_range();
                is_inside &= whole.start <= data.start && data.end <= whole.end;
            }));
            prop_assert!(is_inside);
            prop_assert!(walked <= (BLOCK / 48) as u64 && walked <= u64::from(frames));
        }

        /// A block of the kernel's in which some octets are wrong.
        #[test]
        fn torn_headers_are_walked_to_an_end(
            changes in prop::collection::vec((8_usize..400, any::<u8>()), 1..8),
        ) {
            let tagged = Written { status: libc::TP_STATUS_VLAN_VALID, ..PLAIN };
            let mut block = block(&[PLAIN, tagged, PLAIN]);
            for (place, octet) in changes {
                block[place] = octet;
            }
            let walked = walk(&mut block, LinkType::ETHERNET, &mut Tally::default(), &mut |_| ());
            prop_assert!(walked <= (BLOCK / 48) as u64);
        }
    }
}
