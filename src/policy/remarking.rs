//! By which pattern a codepoint was changed (RFC 9435, section 4).

use std::fmt;

use crate::terms::Dscp;

/// How one codepoint became another. The RFC warns that a value alone does not prove the mechanism: two patterns
/// can give the same result, and then the one that needs the least is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pattern {
    /// All bits are zero: Bleach-DSCP.
    Bleached,
    /// The upper three bits are kept, the lower three are zero: Bleach-low, as of a device that knows class
    /// selectors (IP precedence) only: 46 becomes 40.
    LowBitsCleared,
    /// The upper three bits are zero, the lower three are kept: Bleach-ToS-Precedence: 46 becomes 6.
    PrecedenceCleared,
    /// The upper three bits are another value, the lower three are kept: Re-mark-ToS: 46 becomes 14.
    PrecedenceRewritten,
    /// Another codepoint altogether: Re-mark-DSCP, as a policy does.
    Rewritten,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bleached => "all bits set to zero",
            Self::LowBitsCleared => "upper three bits kept, lower three set to zero (class selector only)",
            Self::PrecedenceCleared => {
                "upper three bits set to zero, lower three kept (ToS precedence cleared)"
            }
            Self::PrecedenceRewritten => {
                "upper three bits rewritten, lower three kept (ToS precedence rewritten)"
            }
            Self::Rewritten => "rewritten to another codepoint",
        })
    }
}

const UPPER: u8 = 0b11_1000;
const LOWER: u8 = 0b00_0111;

/// The pattern of a change; `None` where nothing changed.
///
/// That a device sets *every* codepoint to one value is not visible in one change; who has several can tell.
///
/// Source: RFC 9435, section 4.
#[must_use]
pub fn remarking_pattern(from: Dscp, to: Dscp) -> Option<Pattern> {
    let (from, to) = (from.value(), to.value());
    if from == to {
        return None;
    }
    // Where the lower bits were zero already, "lower bits kept" says nothing: CS5 to CS1 is a rewrite.
    let lower_kept = from & LOWER == to & LOWER && from & LOWER != 0;
    Some(if to == 0 {
        Pattern::Bleached
    } else if to == from & UPPER {
        Pattern::LowBitsCleared
    } else if lower_kept && to & UPPER == 0 {
        Pattern::PrecedenceCleared
    } else if lower_kept {
        Pattern::PrecedenceRewritten
    } else {
        Pattern::Rewritten
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_rfc_9435() {
        for (from, to, expected) in [
            (46, 46, None),
            (46, 0, Some(Pattern::Bleached)),
            (40, 0, Some(Pattern::Bleached)),
            (46, 40, Some(Pattern::LowBitsCleared)),
            (34, 32, Some(Pattern::LowBitsCleared)),
            (18, 16, Some(Pattern::LowBitsCleared)),
            (46, 6, Some(Pattern::PrecedenceCleared)),
            (34, 2, Some(Pattern::PrecedenceCleared)),
            (46, 14, Some(Pattern::PrecedenceRewritten)),
            (40, 8, Some(Pattern::Rewritten)),
            (46, 34, Some(Pattern::Rewritten)),
            (0, 46, Some(Pattern::Rewritten)),
        ] {
            let dscp = |n: u8| Dscp::try_from(n).unwrap();
            assert_eq!(remarking_pattern(dscp(from), dscp(to)), expected, "{from} to {to}");
        }
    }
}
