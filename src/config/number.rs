//! Texts that hold numbers: lengths of time, ranges of ports, networks.

use std::time::Duration;

use ipnet::IpNet;

use crate::policy::PortRange;

/// No limit in a configuration is longer than a day.
const LONGEST_SECONDS: f64 = 86_400.0;

/// `30ms`, `5s`, `1.5 s`, `2m`, `1h`; more than 0 and up to a day.
pub(super) fn length(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let seconds = match unit.trim() {
        "ns" => number / 1e9,
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return None,
    };
    length_of_seconds(seconds)
}

/// Seconds, more than 0 and up to a day.
pub(super) fn length_of_seconds(seconds: f64) -> Option<Duration> {
    if !(0.0..=LONGEST_SECONDS).contains(&seconds) {
        return None;
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|length| !length.is_zero())
}

/// `50000-50019`, `50000 - 50019` or `3479`.
pub(super) fn ports(text: &str) -> Option<PortRange> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    PortRange::new(port(first)?, port(last)?)
}

fn port(text: &str) -> Option<u16> {
    let text = text.trim();
    // `parse` would take a sign.
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// An address with a prefix length; the bits beyond it are dropped. A bare address is that address alone.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let network =
        text.parse::<IpNet>().ok().or_else(|| Some(IpNet::from(text.parse::<std::net::IpAddr>().ok()?)));
    network.map(|net| net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_units() {
        for (text, expected) in [
            ("30ms", Some(Duration::from_millis(30))),
            ("39.5s", Some(Duration::from_millis(39_500))),
            ("5 s", Some(Duration::from_secs(5))),
            ("2m", Some(Duration::from_secs(120))),
            ("1h", Some(Duration::from_secs(3600))),
            ("1ns", Some(Duration::from_nanos(1))),
            ("0s", None),
            ("25h", None),
            ("5", None),
            ("5 parsecs", None),
            ("-5s", None),
            ("1e3s", None),
            ("..s", None),
            ("", None),
        ] {
            assert_eq!(length(text), expected, "{text}");
        }
        assert_eq!(length_of_seconds(f64::NAN), None);
        assert_eq!(length_of_seconds(f64::INFINITY), None);
    }

    #[test]
    fn ports_are_ascending_and_below_65536() {
        assert_eq!(ports("50000-50019"), PortRange::new(50_000, 50_019));
        assert_eq!(ports(" 50000 - 50019 "), PortRange::new(50_000, 50_019));
        assert_eq!(ports("3479"), PortRange::new(3479, 3479));
        for wrong in ["50019-50000", "65536", "+5", "5-", "-5", "", "a-b", "1-2-3"] {
            assert_eq!(ports(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn networks_are_cut_to_their_prefix() {
        assert_eq!(network("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network("2001:db8::1").unwrap().to_string(), "2001:db8::1/128");
        assert_eq!(network("10.0.0.0/33"), None);
        assert_eq!(network("intranet"), None);
    }
}
