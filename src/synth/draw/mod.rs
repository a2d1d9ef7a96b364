//! Whole scenarios drawn from a seed, always decidable.

mod counting;
mod path;

use super::random::Random;
use super::scenario::{Codepoint, Encapsulation, Scenario};
use crate::terms::Dscp;

/// What a drawn scenario is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Counting at each hop: 1 to 4 points, 1 to 6 streams that do everything a stream can do.
    Counting,
    /// Joining hops: 2 to 6 points, 1 to 4 calls, and everything that can befall them on the way.
    Path,
}

/// Draws a scenario. The same kind and seed always draw the same.
#[must_use]
pub fn draw(kind: Kind, seed: u64) -> Scenario {
    match kind {
        Kind::Counting => counting::draw(seed),
        Kind::Path => path::draw(seed),
    }
}

fn tags(random: &mut Random) -> Vec<u16> {
    let count = *[0, 0, 0, 1, 1, 2].get(usize::try_from(random.below(6)).unwrap_or(0)).unwrap_or(&0);
    (0..count).map(|_| u16::try_from(random.between(2, 4094)).unwrap_or(2)).collect()
}

fn tunnels(random: &mut Random, probability: f64) -> Vec<Encapsulation> {
    use Encapsulation as E;
    let kinds = [
        E::Erspan1,
        E::Erspan2,
        E::Erspan3,
        E::Vxlan,
        E::Geneve,
        E::Tzsp,
        E::Gre,
        E::GtpU,
        E::IpInIp,
        E::Mpls,
        E::Pppoe,
    ];
    let one = random.one_of(&kinds);
    one.filter(|_| random.chance(probability)).into_iter().collect()
}

/// A share in thousandths, up to `most`, with a probability; else none.
fn sometimes(random: &mut Random, probability: f64, most: u64) -> f64 {
    if random.chance(probability) { thousandths(random, 1, most) } else { 0.0 }
}

/// A number in thousandths, so that it is written as it is drawn.
fn thousandths(random: &mut Random, low: u64, high: u64) -> f64 {
    f64::from(u32::try_from(random.between(low, high)).unwrap_or(0)) / 1000.0
}

fn codepoint(number: u8) -> Codepoint {
    Codepoint(Dscp::try_from(number).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 2] = [Kind::Counting, Kind::Path];

    #[test]
    fn a_drawn_scenario_reads_back_as_it_was_written() {
        for (kind, seed) in KINDS.into_iter().flat_map(|kind| (0..200).map(move |seed| (kind, seed))) {
            let drawn = draw(kind, seed);
            let text = toml::to_string(&drawn).unwrap();
            let read: Scenario = toml::from_str(&text).unwrap();
            assert_eq!(read, drawn, "{kind:?}, seed {seed}");
        }
    }

    #[test]
    fn every_drawn_scenario_can_be_played() {
        for (kind, seed) in KINDS.into_iter().flat_map(|kind| (0..500).map(move |seed| (kind, seed))) {
            let planned = crate::synth::plan::Plan::new(&draw(kind, seed));
            assert!(planned.is_ok(), "{kind:?}, seed {seed}: {}", planned.unwrap_err());
        }
    }
}
