//! Port rules: the class of a flow by its client's or service's port.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::terms::{FlowKey, Transport};

/// Ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// A range; `None` where `last` is below `first`.
    #[must_use]
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first <= last { Some(Self { first, last }) } else { None }
    }

    /// The lowest port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether a port lies in it.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// The ports that both have.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }

    /// What is left of it without the ports of `other`: none, one or two ranges.
    pub fn without(self, other: Self) -> impl Iterator<Item = Self> {
        let below = other.first.checked_sub(1).and_then(|end| Self::new(self.first, end.min(self.last)));
        let above = other.last.checked_add(1).and_then(|start| Self::new(start.max(self.first), self.last));
        below.into_iter().chain(above)
    }
}

impl fmt::Display for PortRange {
    /// `50000-50019`, or the one port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// Whose port a rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PortSide {
    /// The client's: source port of what it sends, destination port of what it receives.
    Client,
    /// The service's: destination port of what the client sends, source port of what it receives.
    Service,
}

/// Flows that use these ports belong to this class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The class, by its place in the policy's list.
    pub class: u8,
    /// Whose ports.
    pub side: PortSide,
    /// The ports, in ascending order.
    pub ports: Vec<PortRange>,
    /// Only flows over this transport; none: both.
    pub transport: Option<Transport>,
    /// Only clients in these networks; empty: all.
    pub client_networks: Vec<IpNet>,
}

impl Rule {
    /// The port of the sender that the rule matches.
    #[must_use]
    pub fn matches_sender(&self, flow: &FlowKey) -> Option<u16> {
        self.matches(flow.transport, flow.source, flow.destination)
    }

    /// The port of the receiver that the rule matches.
    #[must_use]
    pub fn matches_receiver(&self, flow: &FlowKey) -> Option<u16> {
        self.matches(flow.transport, flow.destination, flow.source)
    }

    fn matches(&self, transport: Transport, end: SocketAddr, other: SocketAddr) -> Option<u16> {
        let client = match self.side {
            PortSide::Client => end.ip(),
            PortSide::Service => other.ip(),
        };
        let fits = self.transport.is_none_or(|t| t == transport)
            && self.ports.iter().any(|range| range.contains(end.port()))
            && self.admits(client);
        fits.then_some(end.port())
    }

    fn admits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.client_networks.is_empty() || self.client_networks.iter().any(|net| net.contains(&client))
    }

    /// Ports on which a flow could match both rules, by their ports and transports alone.
    #[must_use]
    pub fn shared_ports(&self, other: &Self) -> Option<PortRange> {
        let same_transport = match (self.transport, other.transport) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        if self.side != other.side || !same_transport {
            return None;
        }
        self.ports.iter().find_map(|a| other.ports.iter().find_map(|b| a.intersection(*b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u16, last: u16) -> PortRange {
        PortRange::new(first, last).unwrap()
    }

    #[test]
    fn a_range_without_another_keeps_the_rest() {
        for (name, other, left) in [
            ("apart", range(1, 5), vec![range(10, 20)]),
            ("the same", range(10, 20), vec![]),
            ("around", range(1, 30), vec![]),
            ("the middle", range(12, 14), vec![range(10, 11), range(15, 20)]),
            ("the start", range(0, 10), vec![range(11, 20)]),
            ("the end", range(20, 65535), vec![range(10, 19)]),
        ] {
            assert_eq!(range(10, 20).without(other).collect::<Vec<_>>(), left, "{name}");
        }
        assert_eq!(range(0, 65535).without(range(0, 65535)).count(), 0);
    }

    #[test]
    fn an_upside_down_range_is_none() {
        assert_eq!(PortRange::new(2, 1), None);
        assert_eq!(range(7, 7).to_string(), "7");
    }
}
