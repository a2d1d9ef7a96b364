//! The interfaces that a configuration captures on.

use std::path::Path;

use crate::config::{self, Source};

/// What libpcap calls all interfaces together; there is none of this name to check.
const ANY: &str = "any";

/// The interfaces of all points, each once, in the order of the file.
///
/// # Errors
///
/// With all that is wrong in the file, or when it names no interface.
pub(super) fn interfaces(file: &Path) -> anyhow::Result<Vec<String>> {
    let loaded = config::load(file, None)?;
    let interface = |source: &Source| match source {
        Source::Interface(interface) => Some(interface.name.clone()),
        Source::StandardInput | Source::File(_) => None,
    };
    let sources = loaded.appliance.sources();
    let named: Vec<String> =
        sources.into_iter().filter_map(|(_, source)| interface(source)).filter(|name| name != ANY).collect();
    anyhow::ensure!(
        !named.is_empty(),
        "{}: no point has an interface; add interface = \"eth1\" to a [[point]], or name it with --interface",
        file.display()
    );
    Ok(named)
}
