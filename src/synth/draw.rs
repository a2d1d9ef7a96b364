//! A whole scenario drawn from a seed.
use super::scenario::Scenario;
/// x
pub fn draw(seed: u64) -> Scenario {
    Scenario { seed, ..Scenario::default() }
}
