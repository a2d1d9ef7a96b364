//! Values of a scenario file that have a form of their own.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::terms::Dscp;

/// A codepoint, written as a number (`46`) or a name (`"EF"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codepoint(pub Dscp);

impl Serialize for Codepoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0.value())
    }
}

impl<'de> Deserialize<'de> for Codepoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CodepointVisitor).map(Codepoint)
    }
}

struct CodepointVisitor;

impl Visitor<'_> for CodepointVisitor {
    type Value = Dscp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a codepoint: a number from 0 to 63, or a name such as \"EF\"")
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Dscp, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Dscp, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Dscp, E> {
        text.parse().map_err(E::custom)
    }
}

/// A codepoint to look for, or `"any"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Every codepoint.
    Any,
    /// This one.
    Only(Dscp),
}

impl Match {
    /// Whether a codepoint is meant.
    pub(in crate::synth) fn fits(self, dscp: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only.value() == dscp,
        }
    }
}

impl Serialize for Match {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => serializer.serialize_str("any"),
            Self::Only(dscp) => serializer.serialize_u8(dscp.value()),
        }
    }
}

impl<'de> Deserialize<'de> for Match {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u8),
            Text(String),
        }
        let written = Written::deserialize(deserializer)
            .map_err(|_| D::Error::custom("expected a codepoint (46 or \"EF\") or \"any\""))?;
        match written {
            Written::Text(text) if text == "any" => Ok(Self::Any),
            Written::Text(text) => text.parse().map(Self::Only).map_err(D::Error::custom),
            Written::Number(number) => Dscp::try_from(number).map(Self::Only).map_err(D::Error::custom),
        }
    }
}

/// An address, with or without a port: `"10.0.0.1"`, `"10.0.0.1:50000"`, `"2001:db8::1"`, `"[2001:db8::1]:50000"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The port; absent, the class has one.
    pub port: Option<u16>,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Ok(Self { address: socket.ip(), port: Some(socket.port()) });
        }
        let address = text.parse::<IpAddr>();
        address.map(|address| Self { address, port: None }).map_err(|_| {
            format!(
                "{text:?} is no address; write \"10.0.0.1\", \"10.0.0.1:50000\" or \"[2001:db8::1]:50000\""
            )
        })
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.port {
            Some(port) => serializer.collect_str(&SocketAddr::new(self.address, port)),
            None => serializer.collect_str(&self.address),
        }
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A moment in RFC 3339, kept in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub i64);

impl Default for Moment {
    /// 2026-03-02, a Monday, nine o'clock.
    fn default() -> Self {
        Self(1_772_442_000_000_000_000)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&crate::terms::Timestamp(self.0))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let in_range = |time: jiff::Timestamp| i64::try_from(time.as_nanosecond()).ok().filter(|&n| n >= 0);
        let moment = text.parse::<jiff::Timestamp>().ok().and_then(in_range);
        moment.map(Self).ok_or_else(|| {
            D::Error::custom(format!("{text:?} is no time after 1970; write \"2026-03-02T09:00:00Z\""))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        codepoint: Codepoint,
        only: Match,
        any: Match,
        endpoint: Endpoint,
        moment: Moment,
    }

    #[test]
    fn values_are_written_as_they_are_read() {
        let text = "codepoint = \"EF\"\nonly = \"af41\"\nany = \"any\"\nendpoint = \"[2001:db8::1]:50000\"\n\
                    moment = \"2026-03-02T09:00:00.5Z\"\n";
        let all: All = toml::from_str(text).unwrap();
        assert_eq!(all.codepoint.0, Dscp::EF);
        assert!(all.any.fits(3) && all.only.fits(34) && !all.only.fits(46));
        assert_eq!(all.moment.0 % 1_000_000_000, 500_000_000);
        assert_eq!(toml::from_str::<All>(&toml::to_string(&all).unwrap()).unwrap(), all);
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_line() {
        let good = [
            "codepoint = 46",
            "only = 34",
            "any = \"any\"",
            "endpoint = \"10.0.0.1\"",
            "moment = \"2026-03-02T09:00:00Z\"",
        ];
        for (line, bad, said) in [
            (0, "codepoint = 64", "64 is no DSCP"),
            (1, "only = \"best\"", "best is no DSCP"),
            (1, "only = [1]", "or \"any\""),
            (3, "endpoint = \"10.0.0\"", "is no address"),
            (4, "moment = \"nine\"", "is no time"),
        ] {
            let mut lines = good;
            lines[line] = bad;
            let error = toml::from_str::<All>(&lines.join("\n")).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains(&format!("line {}", line + 1)), "{bad}: {error}");
        }
    }
}
