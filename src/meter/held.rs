//! The packets of a candidate, in little room as long as they are few.
//!
//! Where many streams begin at once, what is kept of their first packets is most of what there is: what these have in
//! common is kept once.

use smallvec::SmallVec;

use super::hop::Digest;
use super::payload::Print;
use crate::decode::PathId;
use crate::terms::{RtpTime, Timestamp, TrafficClass};

/// The packets of a candidate while they are looked at, in order of arrival.
pub(super) type Packets = SmallVec<[Digest; 5]>;

/// As many are kept small: with one more most are a stream.
const FEW: usize = 4;

/// How a packet came and what it carries, which is mostly the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Manner {
    path: PathId,
    ttl: u8,
    traffic_class: TrafficClass,
    payload_type: u8,
}

impl Manner {
    const fn of(d: &Digest) -> Self {
        let Digest { path, ttl, traffic_class, payload_type, .. } = *d;
        Self { path, ttl, traffic_class, payload_type }
    }
}

/// What is each packet's own.
#[derive(Debug, Clone, Copy)]
struct Own {
    arrival: Timestamp,
    timestamp: RtpTime,
    sequence: u16,
    octets: u16,
}

const NOTHING: Own = Own { arrival: Timestamp(0), timestamp: RtpTime(0), sequence: 0, octets: 0 };

/// Packets that are kept, in order of arrival.
pub(super) struct HeldPackets {
    few: [Own; FEW],
    /// All of them, where they are many, or differ in their manner, or were chosen by their payload.
    #[allow(clippy::box_collection, reason = "most have none, and a vector takes three times the room")]
    many: Option<Box<Vec<Digest>>>,
    /// That of the few.
    manner: Manner,
    /// How many of the few there are.
    len: u8,
}

const _: () = assert!(size_of::<HeldPackets>() == 80);

impl HeldPackets {
    pub(super) fn of(first: &Digest) -> Self {
        let mut held = Self { few: [NOTHING; FEW], many: None, manner: Manner::of(first), len: 0 };
        held.push(first);
        held
    }

    pub(super) fn len(&self) -> usize {
        self.many.as_ref().map_or(usize::from(self.len), |many| many.len())
    }

    /// Adds a packet behind the others.
    pub(super) fn push(&mut self, d: &Digest) {
        if let Some(many) = &mut self.many {
            many.push(*d);
        } else if !self.push_to_few(d) {
            let mut packets = self.take();
            packets.push(*d);
            self.many = Some(Box::new(packets.into_vec()));
        }
    }

    /// Adds a packet to the few; false where it is no such packet, or there is no room.
    fn push_to_few(&mut self, d: &Digest) -> bool {
        if self.len == 0 {
            self.manner = Manner::of(d);
        }
        let own = self.few.get_mut(usize::from(self.len));
        let Some(own) = own.filter(|_| d.print == Print::NONE && self.manner == Manner::of(d)) else {
            return false;
        };
        let Digest { arrival, timestamp, sequence, octets, .. } = *d;
        *own = Own { arrival, timestamp, sequence, octets };
        self.len += 1;
        true
    }

    /// Takes all packets out.
    pub(super) fn take(&mut self) -> Packets {
        let packets = if let Some(many) = self.many.take() {
            Packets::from_vec(*many)
        } else {
            let mut packets = Packets::new();
            for own in self.few.iter().take(usize::from(self.len)) {
                packets.push(self.digest(own));
            }
            packets
        };
        self.len = 0;
        packets
    }

    /// Keeps these packets, where there are none.
    pub(super) fn put(&mut self, packets: Packets) {
        if packets.len() > FEW {
            self.many = Some(Box::new(packets.into_vec()));
        } else {
            for d in &packets {
                self.push(d);
            }
        }
    }

    /// All packets.
    pub(super) fn iter(&self) -> impl Iterator<Item = Digest> + '_ {
        let few = self.few.iter().take(usize::from(self.len)).map(|own| self.digest(own));
        few.chain(self.many.iter().flat_map(|many| many.iter().copied()))
    }

    /// Whether these are few, and each packet has the number after that of the one before it, this one behind them too.
    pub(super) fn are_in_a_row_before(&self, d: &Digest) -> bool {
        let few = self.few.get(..usize::from(self.len)).unwrap_or_default();
        let numbers = few.iter().map(|own| own.sequence);
        let follows = |(a, b): (u16, u16)| b.wrapping_sub(a) == 1;
        self.many.is_none() && numbers.clone().zip(numbers.skip(1).chain([d.sequence])).all(follows)
    }

    pub(super) fn last(&self) -> Option<Digest> {
        match &self.many {
            Some(many) => many.last().copied(),
            None => Some(self.digest(self.few.get(usize::from(self.len).checked_sub(1)?)?)),
        }
    }

    const fn digest(&self, own: &Own) -> Digest {
        let Own { arrival, timestamp, sequence, octets } = *own;
        let Manner { path, ttl, traffic_class, payload_type } = self.manner;
        let print = Print::NONE;
        Digest { arrival, print, timestamp, sequence, octets, path, ttl, traffic_class, payload_type }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(n: u8, other: u8) -> Digest {
        Digest {
            arrival: Timestamp(n.into()),
            print: if other == 1 { Print::of_test(7) } else { Print::NONE },
            timestamp: RtpTime(u32::from(n) * 160),
            sequence: n.into(),
            octets: u16::from(n) + 40,
            path: PathId(u16::from(other == 2)),
            ttl: 64 + u8::from(other == 3),
            traffic_class: TrafficClass(u8::from(other == 4)),
            payload_type: u8::from(other == 5),
        }
    }

    #[test]
    fn in_a_row_are_numbers_that_follow_each_other() {
        let are_in_a_row = |held: &[u8], last: u8| {
            let mut packets = HeldPackets::of(&digest(held[0], 0));
            held.iter().skip(1).for_each(|&n| packets.push(&digest(n, 0)));
            packets.are_in_a_row_before(&digest(last, 0))
        };
        assert!(are_in_a_row(&[7, 8, 9], 10) && are_in_a_row(&[7], 8));
        for (held, last) in [(&[7, 8, 9][..], 11), (&[7, 9, 10], 11), (&[7, 7], 8), (&[8, 7], 8)] {
            assert!(!are_in_a_row(held, last), "{held:?} {last}");
        }
        assert!(!are_in_a_row(&[1, 2, 3, 4, 5], 6), "of many it is not told");
    }

    proptest! {
        #[test]
        fn all_packets_are_given_back_as_they_were(
            // Most are alike.
            others in proptest::collection::vec(0_u8..20, 1..12),
            taken in 0_usize..12,
        ) {
            let mut held = HeldPackets::of(&digest(0, others[0]));
            let mut expected = vec![digest(0, others[0])];
            for (n, &other) in (1..).zip(&others[1..]) {
                if usize::from(n) == taken {
                    let mut packets = held.take();
                    prop_assert_eq!(held.len(), 0);
                    packets.remove(0);
                    expected.remove(0);
                    held.put(packets);
                }
                held.push(&digest(n, other));
                expected.push(digest(n, other));
                prop_assert_eq!(held.len(), expected.len());
                prop_assert_eq!(held.last(), expected.last().copied());
                prop_assert_eq!(held.iter().collect::<Vec<_>>(), expected.clone());
            }
            prop_assert_eq!(held.take().to_vec(), expected);
        }
    }
}
