//! What an operator may set of the socket filter.

use std::ops::RangeInclusive;

/// Which frames the filter passes, and how much of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterOptions {
    /// Datagrams from or to these ports are not looked at.
    pub excluded_udp_ports: Vec<RangeInclusive<u16>>,
    /// Only segments from or to these ports are looked at.
    pub relay_tcp_ports: Vec<RangeInclusive<u16>>,
    /// Octets of an RTP payload that are kept behind the headers.
    pub payload_octets: u16,
    /// Keeps what passes whole.
    pub whole: bool,
}

impl FilterOptions {
    /// How many ranges of ports there may be of each kind.
    pub const MOST_RANGES: usize = 32;
    /// Octets of a payload by which streams are joined.
    pub const JOINING_OCTETS: u16 = 32;

    /// Whether a filter can be made of it.
    pub(super) fn check(&self) -> Result<(), FilterError> {
        for (key, ranges) in
            [("excluded UDP ports", &self.excluded_udp_ports), ("relay TCP ports", &self.relay_tcp_ports)]
        {
            if ranges.len() > Self::MOST_RANGES {
                return Err(FilterError::TooManyRanges { what: key, given: ranges.len() });
            }
        }
        Ok(())
    }
}

impl Default for FilterOptions {
    /// All UDP; TCP on the ports of TURN and of Microsoft's relays; as much of a payload as streams are joined by.
    fn default() -> Self {
        Self {
            excluded_udp_ports: Vec::new(),
            relay_tcp_ports: vec![443..=443, 3478..=3481, 5349..=5349],
            payload_octets: Self::JOINING_OCTETS,
            whole: false,
        }
    }
}

/// Why no filter can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// More ranges than a classic program has room for.
    #[error(
        "{given} ranges of {what}, where the filter takes {}: give fewer and wider ones",
        FilterOptions::MOST_RANGES
    )]
    TooManyRanges {
        /// Which ranges.
        what: &'static str,
        /// How many there are.
        given: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_bounded() {
        let options =
            |count| FilterOptions { excluded_udp_ports: vec![53..=53; count], ..FilterOptions::default() };
        assert_eq!(options(32).check(), Ok(()));
        let error = options(33).check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "33 ranges of excluded UDP ports, where the filter takes 32: give fewer and wider ones"
        );
    }
}
