//! A relay that writes RTP anew: SSRC, numbers, payload.

use std::collections::BTreeMap;

use super::datagram::{Datagram, Tally};
use super::plan::Plan;
use super::random::{Random, mix_u32};
use super::scenario::Rewrite;
use super::sender::low_16;

const HEADER: usize = 12;
const EXTENSION: u8 = 0x10;

/// All relays on the path, with how far each has counted.
#[derive(Debug)]
pub(super) struct Rewriter {
    seed: u64,
    /// By the tap behind the relay and by carrier: the next sequence number.
    next: BTreeMap<(usize, usize), u64>,
    random: Random,
}

impl Rewriter {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, next: BTreeMap::new(), random: Random::new(seed, &[13]) }
    }

    /// Writes a packet anew, if it is RTP. What the truth counts follows.
    pub(super) fn write(&mut self, tap: usize, rewrite: Rewrite, datagram: &mut Datagram) {
        let Tally::Rtp(tally) = &mut datagram.tally else { return };
        let came_as = tally.sequence;
        if rewrite.renumber {
            let next = self.next.entry((tap, datagram.carrier)).or_insert(tally.sequence);
            tally.sequence = *next;
            *next += 1;
        }
        let packet = &mut datagram.payload;
        let Some(header) = packet.first_chunk_mut::<HEADER>() else { return };
        if let Some(payload_type) = rewrite.payload_type {
            header[1] = header[1] & 0x80 | payload_type;
            tally.payload_type = payload_type;
        }
        let skipped = low_16(came_as.wrapping_sub(tally.sequence));
        let sequence = u16::from_be_bytes([header[2], header[3]]).wrapping_sub(skipped);
        header[2..4].copy_from_slice(&sequence.wrapping_add(rewrite.sequence_offset).to_be_bytes());
        let timestamp = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        header[4..8].copy_from_slice(&timestamp.wrapping_add(rewrite.timestamp_offset).to_be_bytes());
        if rewrite.ssrc {
            let ssrc = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
            header[8..].copy_from_slice(&other_ssrc(self.seed, tap, ssrc).to_be_bytes());
        }
        if rewrite.drop_extension && header[0] & EXTENSION != 0 {
            header[0] &= !EXTENSION;
            // As the sender makes it: one word.
            packet.drain(HEADER..HEADER + 8);
        }
        if rewrite.encrypt {
            let from =
                if packet.first().is_some_and(|first| first & EXTENSION != 0) { HEADER + 8 } else { HEADER };
            if let Some(payload) = packet.get_mut(from..) {
                self.random.fill(payload);
            }
        }
    }
}

/// The SSRC that the relay before a tap gives a stream. One to one, so all stay different.
fn other_ssrc(seed: u64, tap: usize, ssrc: u32) -> u32 {
    let salt = u32::try_from(seed & 0xFFFF).unwrap_or(0) << 8 | u32::try_from(tap).unwrap_or(0);
    mix_u32(ssrc ^ 0x5E11_0000 ^ salt)
}

/// The SSRC of a stream at a tap, where it is not its sender's.
pub(super) fn ssrc_at(plan: &Plan, own: u32, tap: usize, reverse: bool) -> Option<u32> {
    let writes = |place: &usize| plan.taps.get(*place).is_some_and(|t| t.rewrite.is_some_and(|r| r.ssrc));
    // Packets pass the relay of a place before they are heard there; against the path, behind it.
    let passed: Vec<usize> = if reverse {
        (tap + 1..plan.taps.len()).rev().filter(writes).collect()
    } else {
        (1..=tap).filter(writes).collect()
    };
    let there = passed.iter().fold(own, |ssrc, &place| other_ssrc(plan.seed, place, ssrc));
    (there != own).then_some(there)
}
