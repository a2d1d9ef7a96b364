//! Which addresses belong to the operator.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Policy;

/// The networks that the operator manages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Managed {
    /// As configured; empty: private addresses are managed.
    pub networks: Vec<IpNet>,
}

impl Managed {
    /// Whether an address belongs to the operator: to a configured network, or, where none is configured, to the
    /// private addresses (RFC 1918, RFC 4193, RFC 6598). An IPv4-mapped address counts as the IPv4 one.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.networks.is_empty() {
            is_private(address)
        } else {
            self.networks.iter().any(|net| net.contains(&address))
        }
    }
}

impl Policy {
    /// Whether an address belongs to the operator; see [`Managed::contains`].
    #[must_use]
    pub fn is_managed(&self, address: IpAddr) -> bool {
        self.managed.contains(address)
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        // RFC 6598: shared address space, 100.64.0.0/10.
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xC0 == 64),
        // RFC 4193: fc00::/7.
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_managed_by_default() {
        let managed = Managed::default();
        for (address, expected) in [
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("100.64.0.1", true),
            ("100.127.255.255", true),
            ("100.128.0.1", false),
            ("52.112.0.1", false),
            ("fd00::1", true),
            ("2603:1063::1", false),
            ("fe80::1", false),
            ("::ffff:10.0.0.1", true),
        ] {
            assert_eq!(managed.contains(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn configured_networks_replace_the_private_ones() {
        let managed = Managed { networks: vec!["198.51.100.0/24".parse().unwrap()] };
        assert!(managed.contains("198.51.100.9".parse().unwrap()));
        assert!(managed.contains("::ffff:198.51.100.9".parse().unwrap()));
        assert!(!managed.contains("10.0.0.1".parse().unwrap()));
    }
}
