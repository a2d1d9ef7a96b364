//! Replaces the addresses inside a sentence.
//!
//! Rather one replacement too many than one address too few: whatever reads as an address is taken for one.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Anonymizer;

impl Anonymizer {
    /// The text with every IPv4 and IPv6 address in it replaced; ports, prefix lengths and zones stay.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = String::new();
        let mut copied = 0;
        let mut at = 0;
        while let Some((start, end)) = next_run(text, at) {
            at = end;
            let run = &text[start..end];
            if let Some(replaced) = self.run(run, &text[end..]) {
                out.push_str(&text[copied..start]);
                out.push_str(&replaced);
                copied = end;
            }
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[copied..]);
        Cow::Owned(out)
    }

    /// Replaces the addresses in a run of digits, dots and colons; `None` where there are none.
    fn run(&self, run: &str, after: &str) -> Option<String> {
        // A sentence may end in a dot or colon that is not the address's.
        let mut candidate = run;
        loop {
            if let Ok(v6) = candidate.parse::<Ipv6Addr>() {
                let tail = &run[candidate.len()..];
                let after = if tail.is_empty() { after } else { "" };
                return Some(format!("{}{tail}", self.network(IpAddr::V6(v6), after)));
            }
            let Some(shorter) = candidate.strip_suffix(['.', ':']) else { break };
            candidate = shorter;
        }
        self.quads(run, after)
    }

    /// Replaces every dotted quad in the run, whatever stands around it.
    fn quads(&self, run: &str, after: &str) -> Option<String> {
        let mut out = String::new();
        let mut copied = 0;
        let mut at = 0;
        while at < run.len() {
            match quad_at(run, at) {
                Some((v4, end)) => {
                    let after = if end == run.len() { after } else { "" };
                    out.push_str(&run[copied..at]);
                    out.push_str(&self.network(IpAddr::V4(v4), after).to_string());
                    copied = end;
                    at = end;
                }
                // To the end of these digits: a quad does not begin inside a number.
                None => {
                    at = (at + 1..run.len()).find(|&i| begins_number(run.as_bytes(), i)).unwrap_or(run.len());
                }
            }
        }
        out.push_str(&run[copied..]);
        (copied > 0).then_some(out)
    }

    /// The replacement of an address; of a network, when the text goes on with a prefix length.
    fn network(&self, address: IpAddr, after: &str) -> IpAddr {
        let replaced = self.address(address);
        let Some(rest) = after.strip_prefix('/') else { return replaced };
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Ok(length) = rest[..digits].parse::<u32>() else { return replaced };
        match (address, replaced) {
            // The host bits of a network are zero, and say nothing: they stay so.
            (IpAddr::V4(old), IpAddr::V4(new)) => {
                let host = u32::MAX.checked_shr(length).unwrap_or(0);
                if old.to_bits() & host == 0 {
                    Ipv4Addr::from_bits(new.to_bits() & !host).into()
                } else {
                    replaced
                }
            }
            (IpAddr::V6(old), IpAddr::V6(new)) => {
                let host = u128::MAX.checked_shr(length).unwrap_or(0);
                if old.to_bits() & host == 0 {
                    Ipv6Addr::from_bits(new.to_bits() & !host).into()
                } else {
                    replaced
                }
            }
            _ => replaced,
        }
    }
}

/// The next stretch, from `from` on, of the characters that addresses are made of.
fn next_run(text: &str, from: usize) -> Option<(usize, usize)> {
    let belongs = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
    let start = from + text.get(from..)?.find(belongs)?;
    let length = text[start..].find(|c| !belongs(c)).unwrap_or(text.len() - start);
    Some((start, start + length))
}

/// Whether a decimal number begins here.
fn begins_number(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit) && (at == 0 || !text[at - 1].is_ascii_digit())
}

/// Four numbers up to 255 with dots between them, and where they end.
fn quad_at(run: &str, at: usize) -> Option<(Ipv4Addr, usize)> {
    let mut octets = [0_u8; 4];
    let mut end = at;
    for (n, octet) in octets.iter_mut().enumerate() {
        if n > 0 {
            end += usize::from(run.get(end..)?.starts_with('.'));
        }
        let rest = run.get(end..)?;
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 || digits > 3 || n > 0 && !run[..end].ends_with('.') {
            return None;
        }
        *octet = rest[..digits].parse().ok()?;
        end += digits;
    }
    Some((Ipv4Addr::from(octets), end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_in_sentences_are_replaced() {
        let anonymizer = Anonymizer::new(&[9; 32]);
        let four = |text: &str| anonymizer.address(text.parse().unwrap()).to_string();
        let (a, b, c) = (four("10.0.0.1"), four("192.168.17.4"), four("2001:db8::1"));
        let IpAddr::V4(net) = anonymizer.address("10.0.0.0".parse().unwrap()) else { panic!("no IPv4") };
        let net = Ipv4Addr::from_bits(net.to_bits() & 0xFF00_0000);
        for (name, text, expected) in [
            ("bare", "10.0.0.1".into(), a.clone()),
            (
                "with port",
                "from 10.0.0.1:50004 to 192.168.17.4:3479".into(),
                format!("from {a}:50004 to {b}:3479"),
            ),
            ("at the end of a sentence", "sent by 10.0.0.1.".into(), format!("sent by {a}.")),
            ("before a colon", "10.0.0.1: lost".into(), format!("{a}: lost")),
            ("IPv6 with port", "[2001:db8::1]:50004".into(), format!("[{c}]:50004")),
            ("IPv6 before a colon", "2001:db8::1: lost".into(), format!("{c}: lost")),
            ("IPv6 with a zone", "2001:db8::1%eth0".into(), format!("{c}%eth0")),
            ("a tunnel", "ip 10.0.0.1>192.168.17.4".into(), format!("ip {a}>{b}")),
            ("a range of ports", "10.0.0.1:50000-50019".into(), format!("{a}:50000-50019")),
            ("a network", "outside 10.0.0.0/8".into(), format!("outside {net}/8")),
            ("in a name", "site-10.0.0.1.pcap".into(), format!("site-{a}.pcap")),
            ("behind letters that are digits too", "cafe10.0.0.1".into(), format!("cafe{a}")),
            ("leading zeros", "010.000.000.001".into(), a.clone()),
            ("two that touch", "10.0.0.1:192.168.17.4".into(), format!("{a}:{b}")),
            ("with other letters around", "→10.0.0.1←".into(), format!("→{a}←")),
            ("an IPv4 address in an IPv6 one", "::ffff:10.0.0.1".into(), four("::ffff:10.0.0.1")),
        ] as [(&str, String, String); 16]
        {
            assert_eq!(anonymizer.text(&text), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_address_stays() {
        let anonymizer = Anonymizer::new(&[9; 32]);
        for text in [
            "",
            "EF(46) became DF(0) on 12,345 packets at 22:13:20.000000005",
            "02:00:5e:10:00:01",
            "1.2.3",
            "300.1.2.3",
            "s1: 0x1c0415b1, 3.4 ms, 1.5 %",
            "…→",
        ] {
            assert_eq!(anonymizer.text(text), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text: String) {
            let _ = Anonymizer::new(&[9; 32]).text(&text);
        }

        #[test]
        fn no_address_gets_through(before in "[a-zA-Z (:.-]{0,5}", bits: u32, after in "[a-zA-Z ):.-]{0,5}") {
            let anonymizer = Anonymizer::new(&[9; 32]);
            let address = Ipv4Addr::from_bits(bits);
            prop_assume!(anonymizer.address(address.into()) != address);
            let text = format!("{before}{address}{after}");
            let replaced = anonymizer.text(&text);
            prop_assert!(!replaced.contains(&address.to_string()), "{} became {}", text, replaced);
        }
    }
}
