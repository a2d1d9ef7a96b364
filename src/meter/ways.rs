//! A new TTL, tag or tunnel: another hop, or another way to the same?
//!
//! Copies of packets that a hop has seen make another hop; packets that none has seen are the same hop, reached
//! over another way. While that is open all packets of the stream are held in order of arrival, so that either
//! answer counts them exactly.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::hop::Digest;

/// A packet that is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) digest: Digest,
    /// The hop that knows its way, by its place in the table.
    pub(super) hop: Option<u32>,
}

/// Packets of a stream that are held until it is known where they belong.
#[derive(Debug, Clone, Default)]
pub(super) struct Contest {
    /// In order of arrival; the first one came the new way.
    pub(super) held: VecDeque<Held>,
}

/// The most packets that are held.
const MOST_HELD: usize = 64;
/// As many packets over the new way, none of them a copy, are another way.
const ENOUGH_ALONE: usize = 16;
/// As many copies are another hop.
const ENOUGH_COPIES: usize = 2;
/// A contest is decided at the latest after this much packet time.
const LONGEST_NS: i64 = 2_000_000_000;

/// Where the packets of the new way belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belonging {
    /// Not known yet.
    Open,
    /// To a hop of their own.
    NewHop,
    /// To this one of the known hops.
    WayTo(usize),
}

/// What there is to decide by.
pub(super) struct Evidence {
    /// Packets that came the new way.
    pub(super) packets: usize,
    /// How many of them each known hop has seen too.
    pub(super) copies: SmallVec<[usize; 4]>,
    /// Packets held in all.
    pub(super) held: usize,
    /// Packet time since the first one.
    pub(super) held_ns: i64,
    /// Nothing more will come.
    pub(super) is_end: bool,
}

impl Evidence {
    /// Decides, or waits.
    pub(super) fn weigh(&self) -> Belonging {
        let must_decide = self.is_end || self.held >= MOST_HELD || self.held_ns > LONGEST_NS;
        // A few packets in common are duplicates in the network; a fifth is a copy of the stream.
        let stranger = self.copies.iter().position(|&copies| copies * 5 < self.packets);
        match stranger {
            None if must_decide || self.packets >= ENOUGH_COPIES => Belonging::NewHop,
            Some(hop) if must_decide || self.packets >= ENOUGH_ALONE => Belonging::WayTo(hop),
            _ => Belonging::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(packets: usize, copies: &[usize], is_end: bool) -> Evidence {
        Evidence { packets, copies: copies.into(), held: packets * 2, held_ns: 0, is_end }
    }

    #[test]
    fn copies_are_a_hop_and_strangers_a_way() {
        for (name, evidence, belonging) in [
            ("one copy is not enough", evidence(1, &[1], false), Belonging::Open),
            ("two copies", evidence(2, &[2], false), Belonging::NewHop),
            ("one copy and no more to come", evidence(1, &[1], true), Belonging::NewHop),
            ("nothing in common yet", evidence(8, &[0], false), Belonging::Open),
            ("nothing in common for long", evidence(16, &[0], false), Belonging::WayTo(0)),
            (
                "copies of the first hop, none of the second",
                evidence(16, &[16, 0], false),
                Belonging::WayTo(1),
            ),
            ("a duplicate now and then", evidence(16, &[2], false), Belonging::WayTo(0)),
            ("lossy copies of both", evidence(16, &[9, 8], false), Belonging::NewHop),
        ] {
            assert_eq!(evidence.weigh(), belonging, "{name}");
        }
    }
}
