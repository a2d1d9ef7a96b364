//! The DS field: codepoint, its PHB name, and ECN.

use std::fmt;
use std::str::FromStr;

/// A differentiated services codepoint, 0 to 63 (RFC 2474).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Dscp(u8);

impl Dscp {
    /// Default forwarding: no marking (RFC 2474, section 4.1).
    pub const DF: Self = Self(0);
    /// Expedited forwarding (RFC 3246).
    pub const EF: Self = Self(46);
    /// Assured forwarding, class 4, low drop precedence (RFC 2597).
    pub const AF41: Self = Self(34);
    /// Assured forwarding, class 2, low drop precedence (RFC 2597).
    pub const AF21: Self = Self(18);

    /// The number on the wire, 0 to 63.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }

    /// The name of the per-hop behaviour that the codepoint asks for, where it has one.
    ///
    /// Source: RFC 2474 (DF, `CSn`), 2597 (`AFxy`), 3246 (EF), 5865 (VA), 8622 (LE).
    #[must_use]
    pub const fn phb(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "DF",
            1 => "LE",
            8 => "CS1",
            10 => "AF11",
            12 => "AF12",
            14 => "AF13",
            16 => "CS2",
            18 => "AF21",
            20 => "AF22",
            22 => "AF23",
            24 => "CS3",
            26 => "AF31",
            28 => "AF32",
            30 => "AF33",
            32 => "CS4",
            34 => "AF41",
            36 => "AF42",
            38 => "AF43",
            40 => "CS5",
            44 => "VA",
            46 => "EF",
            48 => "CS6",
            56 => "CS7",
            _ => return None,
        })
    }
}

/// A number that is no DSCP, because it is above 63.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no DSCP: a codepoint is a number from 0 to 63, or a name such as EF, AF41 or CS5")]
pub struct NotADscp(pub String);

impl TryFrom<u8> for Dscp {
    type Error = NotADscp;

    fn try_from(value: u8) -> Result<Self, NotADscp> {
        if value < 64 { Ok(Self(value)) } else { Err(NotADscp(value.to_string())) }
    }
}

impl FromStr for Dscp {
    type Err = NotADscp;

    /// Reads a number (`46`) or a name (`EF`, `af41`).
    fn from_str(text: &str) -> Result<Self, NotADscp> {
        let named = (0..64).map(Self).find(|d| d.phb().is_some_and(|name| name.eq_ignore_ascii_case(text)));
        let numbered = || text.parse::<u8>().ok().and_then(|n| Self::try_from(n).ok());
        named.or_else(numbered).ok_or_else(|| NotADscp(text.to_owned()))
    }
}

impl fmt::Display for Dscp {
    /// As the field writes it: `EF(46)`, or the bare number where there is no name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phb() {
            Some(name) => write!(f, "{name}({})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Explicit congestion notification, 0 to 3 (RFC 3168).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Ecn(u8);

impl Ecn {
    /// The number on the wire: 0 not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }
}

/// The second octet of an IPv4 header, or the traffic class of an IPv6 one: DSCP and ECN together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TrafficClass(pub u8);

impl TrafficClass {
    /// The upper six bits.
    #[must_use]
    pub const fn dscp(self) -> Dscp {
        Dscp(self.0 >> 2)
    }

    /// The lower two bits.
    #[must_use]
    pub const fn ecn(self) -> Ecn {
        Ecn(self.0 & 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_read_back() {
        for n in 0..64 {
            let dscp = Dscp::try_from(n).unwrap();
            assert_eq!(n.to_string().parse::<Dscp>().unwrap(), dscp);
            if let Some(name) = dscp.phb() {
                assert_eq!(name.to_lowercase().parse::<Dscp>().unwrap(), dscp);
            }
        }
    }

    #[test]
    fn sixty_four_is_refused() {
        assert!(Dscp::try_from(64).is_err());
        assert!("64".parse::<Dscp>().is_err());
        assert!("AF44".parse::<Dscp>().is_err());
    }

    #[test]
    fn the_byte_splits_into_codepoint_and_ecn() {
        let class = TrafficClass(0xBB);
        assert_eq!(class.dscp(), Dscp::EF);
        assert_eq!(class.ecn().value(), 3);
        assert_eq!(class.dscp().to_string(), "EF(46)");
    }
}
