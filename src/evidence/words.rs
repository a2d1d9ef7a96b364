//! What a capture of a stream says of itself: hops, interfaces, findings.

use std::fmt::Write;

use crate::meter::HopRecord;
use crate::verify::{FindingKind, Severity};

/// A hop in words: point, interface, tags, tunnels and TTL.
#[must_use]
pub fn hop_name(point: &str, interface: Option<&str>, hop: &HopRecord) -> String {
    let mut name = interface_name(point, interface);
    for layer in hop.path.iter().flat_map(|path| path.layers.iter()) {
        let _ = write!(name, ", {}", layer.without_marking());
    }
    let _ = write!(name, ", TTL {}", hop.ttl());
    name
}

/// What an interface of a point is called in a capture that holds several points. A point without a name leaves it to
/// its interfaces.
#[must_use]
pub fn interface_name(point: &str, interface: Option<&str>) -> String {
    match interface {
        // Where interfaces are points, the point has the interface's name already.
        Some(name) if point.is_empty() => name.to_owned(),
        Some(name) if point != name && !point.ends_with(&format!("/{name}")) => format!("{point}/{name}"),
        _ => point.to_owned(),
    }
}

/// A finding with what to do about it.
#[must_use]
pub fn finding_text(kind: FindingKind, severity: Severity, message: &str, advice: &str) -> String {
    let message = message.trim_end_matches('.');
    format!("{} {}: {message}. {advice}", severity.as_str().to_uppercase(), kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_called_by_its_point_and_its_name() {
        for (point, interface, expected) in [
            ("access", None, "access"),
            ("access", Some("eth0"), "access/eth0"),
            ("eth0", Some("eth0"), "eth0"),
            ("", Some("eth0"), "eth0"),
            ("access/eth0", Some("eth0"), "access/eth0"),
        ] {
            assert_eq!(interface_name(point, interface), expected);
        }
    }

    #[test]
    fn a_finding_says_how_bad_it_is_and_what_to_do() {
        for message in ["It is bad", "It is bad."] {
            let text = finding_text(FindingKind::Bleached, Severity::Error, message, "Mend it.");
            assert_eq!(text, "ERROR bleached: It is bad. Mend it.");
        }
    }
}
