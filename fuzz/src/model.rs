//! One stream at one hop, counted with a set of all numbers.

use std::collections::BTreeSet;

use hopmark::meter::HopRecord;

/// Everything that was seen of a stream.
#[derive(Debug, Clone)]
pub struct Model {
    seen: BTreeSet<i64>,
    highest: i64,
    duplicates: u64,
    reordered: u64,
}

impl Model {
    /// A stream's first packet.
    #[must_use]
    pub fn new(sequence: u16) -> Self {
        let first = i64::from(sequence);
        Self { seen: BTreeSet::from([first]), highest: first, duplicates: 0, reordered: 0 }
    }

    /// Counts a packet; false for a jump, of which this model knows nothing (RFC 3550, section A.1).
    #[must_use]
    pub fn count(&mut self, sequence: u16) -> bool {
        let highest = self.highest.rem_euclid(1 << 16);
        let ahead = (i64::from(sequence) - highest).rem_euclid(1 << 16);
        let step = if ahead < 3000 { ahead } else { ahead - (1 << 16) };
        if step < -100 {
            return false;
        }
        let number = self.highest + step;
        match (self.seen.insert(number), step > 0) {
            (false, _) => self.duplicates += 1,
            (true, true) => self.highest = number,
            (true, false) => self.reordered += 1,
        }
        true
    }

    /// Panics where the record counts otherwise.
    ///
    /// # Panics
    ///
    /// As said.
    pub fn compare(&self, hop: &HopRecord) {
        let lowest = self.seen.first().copied().unwrap_or(self.highest);
        let expected = self.highest.abs_diff(lowest) + 1;
        let model = (self.seen.len() as u64, expected, self.duplicates, self.reordered, 0, self.bursts());
        let record = (hop.unique, hop.expected, hop.duplicates, hop.reordered, hop.stray, hop.loss_bursts);
        assert_eq!(record, model, "unique, expected, duplicates, reordered, stray, bursts: record and model");
    }

    fn bursts(&self) -> [u64; 6] {
        let mut bursts = [0; 6];
        for (a, b) in self.seen.iter().zip(self.seen.iter().skip(1)) {
            let class = match b - a - 1 {
                0 => continue,
                1 => 0,
                2 => 1,
                3..=4 => 2,
                5..=9 => 3,
                10..=19 => 4,
                _ => 5,
            };
            bursts[class] += 1;
        }
        bursts
    }
}
