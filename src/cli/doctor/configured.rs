//! The interfaces that a configuration captures on.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

/// Of the operator's file only what is asked for here. Whether the rest is right, `hopmark check` says.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    point: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    interface: Option<String>,
}

/// What libpcap calls all interfaces together; there is none of this name to check.
const ANY: &str = "any";

/// The interfaces of all points, each once, in the order of the file.
///
/// # Errors
///
/// The file cannot be read, is not TOML, or names no interface.
pub(super) fn interfaces(file: &Path) -> anyhow::Result<Vec<String>> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name}: cannot be read"))?;
    let interfaces = named_in(&text).with_context(|| format!("{name}: not a configuration"))?;
    anyhow::ensure!(
        !interfaces.is_empty(),
        "{name}: no point has an interface; add interface = \"eth1\" to a [[point]], or name it with --interface"
    );
    Ok(interfaces)
}

fn named_in(text: &str) -> Result<Vec<String>, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    let mut interfaces: Vec<String> = Vec::new();
    for interface in file.point.into_iter().filter_map(|point| point.interface) {
        if interface != ANY && !interfaces.contains(&interface) {
            interfaces.push(interface);
        }
    }
    Ok(interfaces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_is_checked_once_and_points_without_one_not() {
        let text = r#"
            profile = "teams"
            [[point]]
            name = "access"
            interface = "eth1"
            [[point]]
            name = "core"
            interface = "eth2"
            rings = 2
            [[point]]
            name = "session"
            mirror = { erspan = 7 }
            [[point]]
            name = "again"
            interface = "eth1"
            [[point]]
            name = "all"
            interface = "any"
        "#;
        assert_eq!(named_in(text).unwrap(), ["eth1", "eth2"]);
        assert!(named_in("[[point]]\ninterface = 5").is_err());
    }
}
