//! The outcome as reports show it: names for numbers, addresses replaced.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::Options;
use super::json::StreamNames;
use crate::decode::{Layer, Path};
use crate::policy::Evidence;
use crate::terms::PointId;
use crate::verify::Outcome;

/// An outcome together with how it is to be shown.
pub(super) struct View<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) options: &'a Options,
    /// Names of streams other than their numbers.
    pub(super) names: Option<&'a dyn StreamNames>,
}

impl<'a> View<'a> {
    pub(super) const fn new(outcome: &'a Outcome, options: &'a Options) -> Self {
        Self { outcome, options, names: None }
    }

    pub(super) fn address(&self, address: SocketAddr) -> SocketAddr {
        self.options.anonymize.as_ref().map_or(address, |a| a.socket(address))
    }

    /// An address without a port.
    pub(super) fn ip(&self, address: IpAddr) -> IpAddr {
        self.options.anonymize.as_ref().map_or(address, |a| a.address(address))
    }

    /// A sentence or a name in which addresses may stand.
    pub(super) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.options.anonymize.as_ref().map_or(Cow::Borrowed(text), |a| a.text(text))
    }

    /// A file name: as given, or without its folders in an anonymized report.
    pub(super) fn file<'t>(&self, file: &'t str) -> Cow<'t, str> {
        if self.options.anonymize.is_none() {
            return Cow::Borrowed(file);
        }
        self.text(base_name(file))
    }

    /// A sentence about a file, which may name it.
    pub(super) fn text_about<'t>(&self, file: &str, text: &'t str) -> Cow<'t, str> {
        if self.options.anonymize.is_some() && base_name(file) != file {
            return Cow::Owned(self.text(&text.replace(file, base_name(file))).into_owned());
        }
        self.text(text)
    }

    pub(super) fn point(&self, point: PointId) -> Cow<'a, str> {
        match self.outcome.points.get(usize::from(point.0)) {
            Some(name) => self.text(name),
            None => Cow::Owned(format!("point {}", point.0)),
        }
    }

    /// The identifier of a stream.
    pub(super) fn stream(&self, number: u32) -> Cow<'a, str> {
        let name = self.names.and_then(|names| names.name(number));
        Cow::Owned(name.unwrap_or_else(|| StreamId(number).to_string()))
    }

    /// Name of a service class.
    pub(super) fn class(&self, class: Option<u8>) -> Option<&'a str> {
        self.outcome.classes.get(usize::from(class?)).map(String::as_str)
    }

    /// The interface that heard a path: its name, else its number; none where there is just one without a name.
    pub(super) fn interface(&self, point: PointId, number: u16) -> Option<Cow<'_, str>> {
        let known = self.outcome.interfaces.get(usize::from(point.0)).map_or(&[][..], Vec::as_slice);
        match known.get(usize::from(number)) {
            Some(Some(name)) => Some(self.text(name)),
            None | Some(None) if number == 0 && known.len() <= 1 => None,
            _ => Some(Cow::Owned(number.to_string())),
        }
    }

    /// VLAN identifiers, outermost first.
    pub(super) fn vlans(path: &Path) -> Vec<u16> {
        path.layers
            .iter()
            .filter_map(|l| if let Layer::Vlan { vid, .. } = l { Some(*vid) } else { None })
            .collect()
    }

    /// Tunnels and framings other than VLAN, outermost first.
    pub(super) fn encapsulation(&self, path: &Path) -> Vec<String> {
        let others = path.layers.iter().filter(|l| !matches!(l, Layer::Vlan { .. }));
        others.map(|l| self.layer(*l).to_string()).collect()
    }

    fn layer(&self, layer: Layer) -> Layer {
        match layer {
            Layer::Ip { source, destination, dscp } => {
                Layer::Ip { source: self.ip(source), destination: self.ip(destination), dscp }
            }
            other => other,
        }
    }
}

/// What stands behind the last slash, of either kind.
fn base_name(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file)
}

/// A stream's number as an identifier, `s1` for the first.
pub(super) struct StreamId(pub(super) u32);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", u64::from(self.0) + 1)
    }
}

/// A call's number as an identifier, `c1` for the first.
pub(super) struct CallId(pub(super) u32);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", u64::from(self.0) + 1)
    }
}

/// What a class was decided from, in words.
pub(super) struct EvidenceWords(pub(super) Evidence);

impl fmt::Display for EvidenceWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Evidence::TurnModality => f.write_str("turn-modality"),
            Evidence::ClientPort(port) => write!(f, "client-port {port}"),
            Evidence::ServicePort(port) => write!(f, "service-port {port}"),
            Evidence::PayloadType(number) => write!(f, "payload-type {number}"),
            Evidence::Cadence => f.write_str("cadence"),
            Evidence::None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Anonymizer;

    #[test]
    fn interfaces_have_names_or_numbers() {
        for (case, names, number, expected) in [
            ("no list", &[][..], 0, None),
            ("one without a name", &[None][..], 0, None),
            ("one with a name", &[Some("eth0")], 0, Some("eth0")),
            ("two without names", &[None, None], 0, Some("0")),
            ("the second of two", &[Some("eth0"), Some("eth1")], 1, Some("eth1")),
            ("not in the list", &[Some("eth0")], 3, Some("3")),
        ] {
            let names = names.iter().map(|name| name.map(str::to_owned)).collect();
            let outcome =
                Outcome { points: vec!["core".into()], interfaces: vec![names], ..Outcome::default() };
            let options = Options::default();
            assert_eq!(
                View::new(&outcome, &options).interface(PointId(0), number).as_deref(),
                expected,
                "{case}"
            );
        }
    }

    #[test]
    fn an_anonymized_report_keeps_no_folders_and_no_addresses() {
        let outcome = Outcome::default();
        let options = Options { anonymize: Some(Anonymizer::new(&[3; 32])), ..Options::default() };
        let view = View::new(&outcome, &options);
        assert_eq!(view.file("/home/user/site/a.pcap"), "a.pcap");
        assert_eq!(view.text_about("/home/user/a.pcap", "/home/user/a.pcap: cut off"), "a.pcap: cut off");
        assert!(!view.file("/captures/10.1.2.3.pcap").contains("10.1.2.3"));
        let layer = view.layer(Layer::Ip {
            source: "10.1.2.3".parse().unwrap(),
            destination: "10.1.2.4".parse().unwrap(),
            dscp: crate::terms::Dscp::DF,
        });
        assert!(!layer.to_string().contains("10.1.2"), "{layer}");
    }
}
