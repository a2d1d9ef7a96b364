//! Samples in few octets, read without asking of each where it ends.
//!
//! Hops that are compared keep thousands of them, and they are taken out once to join streams and once to judge them. So they
//! are not numbers one by one: one octet says how long all three behind it are.

use super::hop::beside;
use super::octets::{Reader, Writer, difference, zigzag};
use crate::meter::Sample;
use crate::terms::{RtpTime, Timestamp, TrafficClass};

/// Set in the first octet where part and marking are not those of the sample before: then they follow.
const IS_OTHER: u8 = 1;
/// In which bits of the first octet the octets less one of each number stand: of the step in sequence, of that in RTP
/// timestamp, 1 to 4 each, and of the time from sample to sample, 1 to 8.
const STEP: u32 = 1;
const TICKS: u32 = 3;
const TIME: u32 = 5;
/// Octets of part and marking.
const MANNER: usize = 3;
/// Octets of a sample at most, and those that may be looked at behind a shorter one.
const MOST: usize = 24;

const _: () = assert!(1 + 4 + 4 + 8 + MANNER <= MOST);

/// Octets of a number, 1 to 8.
const fn octets_of(number: u64) -> usize {
    (71 - (number | 1).leading_zeros() as usize) / 8
}

/// So many octets of a word, the lowest first.
const fn lowest(word: u64, octets: usize) -> u64 {
    word & (u64::MAX >> (64 - 8 * octets))
}

/// Writes samples, each as what it differs by from the one before it.
pub(super) fn write(samples: &[Sample], mut before: Sample, out: &mut Writer) {
    out.count(samples.len());
    for sample in samples {
        let Sample { arrival, sequence, timestamp, part, traffic_class } = *sample;
        let is_other = part != before.part || traffic_class != before.traffic_class;
        let step = zigzag(sequence.wrapping_sub(before.sequence).cast_signed().into());
        let ticks = zigzag(timestamp.since(before.timestamp).into());
        let time = zigzag(arrival.0.wrapping_sub(before.arrival.0));
        let [s, k, t] = [step, ticks, time].map(octets_of);
        let [head, ..] = ((s - 1) << STEP | (k - 1) << TICKS | (t - 1) << TIME).to_le_bytes();
        let mut octets = [0; MOST];
        let mut put = |at: usize, what: &[u8]| {
            if let Some(place) = octets.get_mut(at..at + what.len()) {
                place.copy_from_slice(what);
            }
        };
        put(0, &[head | if is_other { IS_OTHER } else { 0 }]);
        put(1, &(step | ticks << (8 * s)).to_le_bytes());
        put(1 + s + k, &time.to_le_bytes());
        let [p0, p1] = part.to_le_bytes();
        put(1 + s + k + t, &[p0, p1, traffic_class.0]);
        out.part_of(&octets, 1 + s + k + t + if is_other { MANNER } else { 0 });
        before = *sample;
    }
}

/// Reads what was written so.
pub(super) fn read(before: Sample, from: &mut Reader<'_>) -> Vec<Sample> {
    // Each by itself: a sample that stands in memory is written in parts and read as a whole, and waits for that.
    let Sample { mut arrival, mut sequence, mut timestamp, mut part, mut traffic_class } = before;
    let count = from.count();
    let mut samples = Vec::with_capacity(count.min(1 << 12));
    let mut copy = [0; MOST];
    for _ in 0..count {
        let octets = from.ahead(&mut copy);
        let head = octets[0];
        let length = |at: u32, most: usize| (usize::from(head) >> at & (most - 1)) + 1;
        let (s, k, t) = (length(STEP, 4), length(TICKS, 4), length(TIME, 8));
        let word =
            |at: usize| octets.get(at..).and_then(|o| o.first_chunk()).map_or(0, |o| u64::from_le_bytes(*o));
        let steps = word(1);
        let time = lowest(word(1 + s + k), t);
        sequence = beside(sequence, difference(lowest(steps, s)));
        timestamp = RtpTime(beside(timestamp.0, difference(lowest(steps >> (8 * s), k))));
        arrival = Timestamp(arrival.0.wrapping_add(difference(time)));
        let mut all = 1 + s + k + t;
        if head & IS_OTHER != 0 {
            if let Some(&[p0, p1, octet]) = octets.get(all..).and_then(|o| o.first_chunk()) {
                part = u16::from_le_bytes([p0, p1]);
                traffic_class = TrafficClass(octet);
            }
            all += MANNER;
        }
        from.pass(all);
        samples.push(Sample { arrival, sequence, timestamp, part, traffic_class });
    }
    samples
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: Sample = Sample {
        arrival: Timestamp(1_700_000_000_000_000_000),
        sequence: 1 << 16,
        timestamp: RtpTime(0),
        part: 0,
        traffic_class: TrafficClass(0),
    };

    fn assert_read_back(samples: &[Sample], behind: &[u8]) {
        let mut out = Writer::default();
        write(samples, FIRST, &mut out);
        out.whole(behind);
        let mut from = Reader(&out.0);
        assert_eq!(read(FIRST, &mut from), samples);
        assert_eq!(from.0, behind);
    }

    #[test]
    fn samples_in_a_row_take_eight_octets() {
        let samples: Vec<Sample> = (1..100_u32)
            .map(|n| Sample {
                arrival: Timestamp(FIRST.arrival.0 + i64::from(n) * 20_012_345),
                sequence: FIRST.sequence + n,
                timestamp: RtpTime(160 * n),
                traffic_class: TrafficClass(0xB8),
                ..FIRST
            })
            .collect();
        let mut out = Writer::default();
        write(&samples, FIRST, &mut out);
        assert_eq!(out.0.len(), 1 + 99 * 8 + MANNER);
        assert_read_back(&samples, &[]);
    }

    proptest! {
        #[test]
        fn any_samples_are_read_back(
            all in prop::collection::vec(
                (any::<i64>(), 0_u32..64, any::<u32>(), any::<u32>(), 0_u32..32, any::<u16>(), any::<bool>()),
                0..40,
            ),
            behind in prop::collection::vec(any::<u8>(), 0..30),
        ) {
            let samples: Vec<Sample> = all
                .iter()
                .map(|&(arrival, far, sequence, timestamp, near, part, is_same)| Sample {
                    arrival: Timestamp(arrival >> far),
                    sequence: sequence >> near,
                    timestamp: RtpTime(timestamp >> near),
                    part: if is_same { 0 } else { part },
                    traffic_class: TrafficClass(if is_same { 0xB8 } else { (part & 0xFF) as u8 }),
                })
                .collect();
            assert_read_back(&samples, &behind);
        }

        /// Octets of another making are read to an end, within bounds.
        #[test]
        fn anything_is_read(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Writer::default();
            out.count(octets.len() / 2);
            out.whole(&octets);
            let mut from = Reader(&out.0);
            prop_assert_eq!(read(FIRST, &mut from).len(), octets.len() / 2);
        }
    }
}
