//! Which link-layer priority fits a codepoint: 802.11 and 802.1Q.

use std::fmt;

use crate::terms::Dscp;

/// How the priority of a link layer agrees with the codepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fit {
    /// As recommended.
    Fits,
    /// As an old mapping has it; worse than recommended, and a known mistake in Wi-Fi.
    Legacy,
    /// Neither: the link layer treats the packet as something else.
    Mismatch,
    /// There is no recommendation for the codepoint.
    Unknown,
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fits => "as recommended",
            Self::Legacy => "by an old mapping",
            Self::Mismatch => "does not fit the codepoint",
            Self::Unknown => "no recommendation",
        })
    }
}

/// The 802.11 user priority that RFC 8325 recommends for a codepoint.
///
/// Source: RFC 8325, section 4.3 (figure 1), RFC 8622 for LE. CS6 and CS7 are 7 only in networks whose devices are
/// infrastructure; elsewhere section 8.2 sends them to 0, so that 0 is judged as fitting too.
#[must_use]
pub fn user_priority(dscp: Dscp) -> Option<u8> {
    Some(match dscp.value() {
        48 | 56 => 7,
        44 | 46 => 6,
        40 => 5,
        24 | 26 | 28 | 30 | 32 | 34 | 36 | 38 => 4,
        18 | 20 | 22 => 3,
        0 | 10 | 12 | 14 | 16 => 0,
        1 | 8 => 1,
        _ => return None,
    })
}

/// The upper three bits of the codepoint: what devices do that do not know RFC 8325 (its section 2.3). In Wi-Fi it
/// puts EF into the video category (5), and AF21 into the background (2).
#[must_use]
pub const fn class_selector(dscp: Dscp) -> u8 {
    dscp.value() >> 3
}

/// Whether an 802.11 user priority fits a codepoint.
#[must_use]
pub fn user_priority_fit(dscp: Dscp, seen: u8) -> Fit {
    let Some(recommended) = user_priority(dscp) else { return Fit::Unknown };
    let is_network_control = recommended == 7;
    if seen == recommended || (is_network_control && seen == 0) {
        Fit::Fits
    } else if seen == class_selector(dscp) {
        Fit::Legacy
    } else {
        Fit::Mismatch
    }
}

/// The 802.1Q priority code point that is recommended for a codepoint: the class selector, and 1 (background) for LE.
///
/// Source: IEEE 802.1Q, annex I (voice 5, video 4, background 1), which for every codepoint in use is the upper
/// three bits; RFC 8622, section 7 for LE.
#[must_use]
pub fn priority_code_point(dscp: Dscp) -> Option<u8> {
    dscp.phb()?;
    Some(if dscp.value() == 1 { 1 } else { class_selector(dscp) })
}

/// Whether an 802.1Q priority code point fits a codepoint.
#[must_use]
pub fn priority_code_point_fit(dscp: Dscp, seen: u8) -> Fit {
    let Some(recommended) = priority_code_point(dscp) else { return Fit::Unknown };
    if seen == recommended {
        return Fit::Fits;
    }
    // IEEE 802.1D-2004, annex G: voice 6, video 5. LE in the default class is harmless, but not what it asks for.
    let legacy = match dscp.value() {
        44 | 46 => 6,
        32 | 34 | 36 | 38 => 5,
        1 => 0,
        _ => return Fit::Mismatch,
    };
    if seen == legacy { Fit::Legacy } else { Fit::Mismatch }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dscp(n: u8) -> Dscp {
        Dscp::try_from(n).unwrap()
    }

    #[test]
    fn wifi_priorities_are_those_of_rfc_8325() {
        for (codepoint, seen, expected) in [
            (46, 6, Fit::Fits),
            (46, 5, Fit::Legacy),
            (46, 0, Fit::Mismatch),
            (34, 4, Fit::Fits),
            (34, 5, Fit::Mismatch),
            (18, 3, Fit::Fits),
            (18, 2, Fit::Legacy),
            (40, 5, Fit::Fits),
            (48, 7, Fit::Fits),
            (48, 6, Fit::Legacy),
            (48, 0, Fit::Fits),
            (16, 0, Fit::Fits),
            (16, 2, Fit::Legacy),
            (0, 0, Fit::Fits),
            (0, 6, Fit::Mismatch),
            (8, 1, Fit::Fits),
            (1, 1, Fit::Fits),
            (6, 6, Fit::Unknown),
        ] {
            assert_eq!(user_priority_fit(dscp(codepoint), seen), expected, "{codepoint} as {seen}");
        }
    }

    #[test]
    fn a_lost_pcp_is_a_mismatch() {
        for (codepoint, seen, expected) in [
            (46, 5, Fit::Fits),
            (46, 6, Fit::Legacy),
            (46, 0, Fit::Mismatch),
            (34, 4, Fit::Fits),
            (34, 5, Fit::Legacy),
            (34, 0, Fit::Mismatch),
            (18, 2, Fit::Fits),
            (24, 3, Fit::Fits),
            (10, 1, Fit::Fits),
            (48, 6, Fit::Fits),
            (0, 0, Fit::Fits),
            (0, 5, Fit::Mismatch),
            (1, 1, Fit::Fits),
            (1, 0, Fit::Legacy),
            (2, 0, Fit::Unknown),
        ] {
            assert_eq!(priority_code_point_fit(dscp(codepoint), seen), expected, "{codepoint} as {seen}");
        }
    }

    #[test]
    fn every_named_codepoint_has_both_priorities() {
        for d in (0..64).map(dscp).filter(|d| d.phb().is_some()) {
            assert!(user_priority(d).is_some_and(|up| up < 8), "{d}");
            assert!(priority_code_point(d).is_some_and(|pcp| pcp < 8), "{d}");
        }
    }
}
