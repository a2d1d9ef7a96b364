//! How the addresses of two streams stand to each other.

use crate::terms::FlowKey;

/// How one stream may become the other, by addresses alone; what says most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// Neither is what becomes of the other: they have a sender or a receiver in common, or the one is sent back to
    /// where the other came from.
    Elsewhere,
    /// One 5-tuple at two points: something in between writes RTP anew and leaves addresses alone.
    Inline,
    /// One's receiver is the other's sender.
    Relay {
        /// Whether the first of the two is what the relay receives.
        is_forward: bool,
    },
    /// No address in common: a relay has one on either side, perhaps.
    Unknown,
}

impl Way {
    pub(super) fn between(a: FlowKey, b: FlowKey, is_one_point: bool) -> Self {
        if a == b {
            return if is_one_point { Self::Elsewhere } else { Self::Inline };
        }
        let ((a_from, a_to), (b_from, b_to)) =
            ((a.source.ip(), a.destination.ip()), (b.source.ip(), b.destination.ip()));
        if a_from == b_from || a_to == b_to {
            return Self::Elsewhere;
        }
        match (a_to == b_from, b_to == a_from) {
            (true, true) => Self::Elsewhere,
            (true, false) => Self::Relay { is_forward: true },
            (false, true) => Self::Relay { is_forward: false },
            (false, false) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Transport;

    fn flow(source: &str, destination: &str) -> FlowKey {
        FlowKey {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            transport: Transport::Udp,
        }
    }

    #[test]
    fn addresses_tell_a_relay_from_a_fan_out_and_an_echo() {
        let incoming = flow("10.0.0.1:5004", "192.0.2.1:4000");
        for (name, other, is_one_point, expected) in [
            ("relay", flow("192.0.2.1:4002", "10.0.0.2:5004"), true, Way::Relay { is_forward: true }),
            ("before the sender", flow("10.0.0.9:1", "10.0.0.1:9"), true, Way::Relay { is_forward: false }),
            ("two sides", flow("192.0.2.9:4002", "10.0.0.2:5004"), true, Way::Unknown),
            ("inline", incoming, false, Way::Inline),
            ("the flow itself", incoming, true, Way::Elsewhere),
            ("echo", flow("192.0.2.1:4000", "10.0.0.1:5004"), true, Way::Elsewhere),
            ("another receiver", flow("10.0.0.1:5006", "192.0.2.7:4000"), false, Way::Elsewhere),
            ("another sender", flow("10.0.0.7:5004", "192.0.2.1:4000"), false, Way::Elsewhere),
        ] {
            assert_eq!(Way::between(incoming, other, is_one_point), expected, "{name}");
        }
    }
}
