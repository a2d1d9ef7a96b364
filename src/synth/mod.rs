//! Captures from a scenario, together with their truth.
