//! What a reload changes of the appliance, and what must happen for it.

use std::fmt;

use super::appliance::{Appliance, LivePoint};
use super::print_appliance::{Line, point_lines, section_lines};

/// One thing that differs between two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A key of a section.
    Setting {
        /// With its section, as `listen.address`; the section alone where it came or went.
        key: String,
        /// What it was; none: nothing.
        old: Option<String>,
        /// What it is; none: nothing.
        new: Option<String>,
        /// What must happen for it.
        effect: Effect,
    },
    /// A point that is new.
    PointAdded(String),
    /// A point that is gone.
    PointRemoved(String),
    /// A point that is otherwise.
    PointChanged {
        /// The point's name.
        name: String,
        /// What is otherwise: `source`, `mirror` (it is a session now, or none any more), or keys of the point.
        keys: Vec<&'static str>,
        /// Whether its source must be opened anew.
        reopens: bool,
    },
}

/// What must happen for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Every ring is opened anew.
    ReopensRings,
    /// It holds from the next start on: what it needs was settled before privileges were given up.
    NeedsRestart,
}

/// What a setting needs, by section.
fn effect(section: &str) -> Effect {
    if section == "capture" { Effect::ReopensRings } else { Effect::NeedsRestart }
}

/// What a reload changes, from the old file to the new: settings in the order of their printing, then points that are
/// gone, then those that are new or otherwise in the order of the new file. Points are the same by name.
#[must_use]
pub fn difference(old: &Appliance, new: &Appliance) -> Vec<Change> {
    let mut changes = Vec::new();
    for ((section, old), (_, new)) in section_lines(old).into_iter().zip(section_lines(new)) {
        changes.extend(settings(section, &old, &new));
    }
    let named = |points: &[LivePoint], name: &str| points.iter().any(|point| point.name == name);
    for gone in old.points.iter().filter(|point| !named(&new.points, &point.name)) {
        changes.push(Change::PointRemoved(gone.name.clone()));
    }
    for point in &new.points {
        match old.points.iter().find(|other| other.name == point.name) {
            Some(before) => changes.extend(point_change(before, point)),
            None => changes.push(Change::PointAdded(point.name.clone())),
        }
    }
    changes
}

fn settings(section: &str, old: &[Line], new: &[Line]) -> Vec<Change> {
    // Only evidence may be absent.
    if old.is_empty() != new.is_empty() {
        let state = |lines: &[Line]| (!lines.is_empty()).then(|| "on".to_owned());
        let (old, new) = (state(old), state(new));
        return vec![Change::Setting { key: section.to_owned(), old, new, effect: Effect::NeedsRestart }];
    }
    let differing = old.iter().zip(new).filter(|(old, new)| old != new);
    differing
        .map(|(old, new)| Change::Setting {
            key: format!("{section}.{}", old.key),
            old: old.text.clone(),
            new: new.text.clone(),
            effect: effect(section),
        })
        .collect()
}

fn point_change(old: &LivePoint, new: &LivePoint) -> Option<Change> {
    let mut keys = Vec::new();
    let is_same_source = match (&old.source, &new.source) {
        (Some(old), Some(new)) => old.is_same(new),
        (old, new) => old.is_none() && new.is_none(),
    };
    if !is_same_source {
        keys.push("source");
    }
    if old.is_session != new.is_session {
        keys.push("mirror");
    }
    let lines = point_lines(new);
    let before = point_lines(old);
    // Another source has other keys; it is said already that it is another.
    let differs = |line: &&Line| before.iter().any(|other| other.key == line.key && other != *line);
    keys.extend(lines.iter().filter(differs).map(|line| line.key));
    let reopens = old.source != new.source;
    (!keys.is_empty()).then(|| Change::PointChanged { name: new.name.clone(), keys, reopens })
}

impl fmt::Display for Change {
    /// `listen.address was 127.0.0.1:9847, is [::1]:9847 from the next start on`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { key, old, new, effect } => {
                let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
                write!(f, "{key} was {}, is {}", text(old), text(new))?;
                f.write_str(match effect {
                    Effect::ReopensRings => "; every ring is opened anew",
                    Effect::NeedsRestart => " from the next start on",
                })
            }
            Self::PointAdded(name) => write!(f, "point \"{name}\" is new"),
            Self::PointRemoved(name) => write!(f, "point \"{name}\" is gone"),
            Self::PointChanged { name, keys, reopens } => {
                let opened = if *reopens { "; its source is opened anew" } else { "" };
                write!(f, "point \"{name}\" has another {}{opened}", keys.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_str;

    fn appliance(text: &str) -> Appliance {
        load_str("hopmark.toml", text, None).unwrap_or_else(|error| panic!("{error}")).appliance
    }

    fn said(old: &str, new: &str) -> Vec<String> {
        difference(&appliance(old), &appliance(new)).iter().map(ToString::to_string).collect()
    }

    const TWO: &str =
        "[[point]]\nname = \"a\"\ninterface = \"eth1\"\n[[point]]\nname = \"b\"\ninterface = \"eth2\"\n";

    #[test]
    fn a_file_does_not_differ_from_itself() {
        assert_eq!(said(TWO, TWO), Vec::<String>::new());
        // Nor where a default is written down.
        assert_eq!(said("", "[run]\ninterval = 1\n[listen]\naddress = \"127.0.0.1:9847\"\n"), [""; 0]);
    }

    #[test]
    fn what_needs_a_restart_is_told() {
        assert_eq!(
            said("", "[listen]\naddress = \"[::1]:9000\"\n[run]\nuser = \"hopmark\"\ninterval = \"2s\"\n"),
            [
                "listen.address was 127.0.0.1:9847, is [::1]:9000 from the next start on",
                "run.user was not set, is hopmark from the next start on",
                "run.interval was 1s, is 2s from the next start on",
            ]
        );
        assert_eq!(
            said("[capture]\nblocks = 8\n[evidence]\ndirectory = \"/e\"\n", "[log]\nlevel = \"debug\"\n"),
            [
                "capture.blocks was 8, is 64; every ring is opened anew",
                "log.level was info, is debug from the next start on",
                "evidence was on, is not set from the next start on",
            ]
        );
    }

    #[test]
    fn points_come_go_and_change() {
        let new = "[[point]]\nname = \"b\"\ninterface = \"eth2\"\nrings = 2\nsilent_after = \"never\"\n\
                   [[point]]\nname = \"c\"\ninterface = \"eth1\"\n";
        assert_eq!(
            said(TWO, new),
            [
                "point \"a\" is gone",
                "point \"b\" has another silent_after, rings; its source is opened anew",
                "point \"c\" is new",
            ]
        );
    }

    #[test]
    fn a_point_that_hears_elsewhere_is_opened_anew() {
        let new = TWO.replace("eth2", "eth3");
        assert_eq!(said(TWO, &new), ["point \"b\" has another source; its source is opened anew"]);
        let silent = TWO.to_owned() + "silent_after = 5\n";
        assert_eq!(said(TWO, &silent), ["point \"b\" has another silent_after"]);
        let file = TWO.replace("interface = \"eth2\"", "file = \"-\"");
        assert_eq!(said(&file, TWO), ["point \"b\" has another source; its source is opened anew"]);
        let session = TWO.to_owned() + "mirror = { vxlan = 7 }\n";
        assert_eq!(said(TWO, &session), ["point \"b\" has another mirror"]);
    }
}
