//! The appliance's values by their keys: for people, and for a file.

use std::fmt::Write;

use super::appliance::{Appliance, Interface, LivePoint, Source};
use super::field::Key;
use super::keys::{CAPTURE, EVIDENCE, INTERFACE, LISTEN, LOG, POINT, RUN};
use super::print::quoted;

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// As the file writes it.
    pub(crate) key: &'static str,
    /// For people; none where nothing is set.
    pub(crate) text: Option<String>,
    /// For a file; none where nothing is set.
    pub(super) toml: Option<String>,
}

fn lines<T: Clone>(keys: &[Key<T>], values: &T) -> Vec<Line> {
    let mut values = values.clone();
    let line = |key: &Key<T>| {
        let field = (key.field)(&mut values);
        Line { key: key.name, text: field.text(), toml: field.toml() }
    };
    keys.iter().map(line).collect()
}

/// Every section with all its keys; no line where the section is absent.
pub(crate) fn section_lines(appliance: &Appliance) -> [(&'static str, Vec<Line>); 5] {
    [
        ("capture", lines(CAPTURE, &appliance.capture)),
        ("listen", lines(LISTEN, &appliance.listen)),
        ("run", lines(RUN, &appliance.run)),
        ("log", lines(LOG, &appliance.log)),
        ("evidence", appliance.evidence.as_ref().map(|e| lines(EVIDENCE, e)).unwrap_or_default()),
    ]
}

/// The source of a point and everything that is said of it.
pub(super) fn point_lines(point: &LivePoint) -> Vec<Line> {
    let mut all = lines(POINT, point);
    match &point.source {
        Some(Source::Interface(interface)) => all.extend(lines(INTERFACE, interface)),
        Some(Source::File(_) | Source::StandardInput) | None => {}
    }
    all
}

/// What differs from the defaults at a point, but for its source.
pub(crate) fn own_lines(point: &LivePoint) -> Vec<Line> {
    let mut default = LivePoint::default();
    if let Some(Source::Interface(interface)) = &point.source {
        default.source = Some(Source::Interface(Interface::named(interface.name.clone())));
    }
    let default = point_lines(&default);
    point_lines(point).into_iter().filter(|line| !default.contains(line)).collect()
}

/// The keys of a `[[point]]` that are about listening.
pub(super) fn write_point(
    point: &LivePoint,
    appliance: &Appliance,
    out: &mut impl Write,
) -> std::fmt::Result {
    match &point.source {
        Some(Source::Interface(interface)) => writeln!(out, "interface = {}", quoted(&interface.name))?,
        Some(Source::StandardInput) => writeln!(out, "file = \"-\"")?,
        Some(Source::File(path)) => writeln!(out, "file = {}", quoted(&path.display().to_string()))?,
        None => {}
    }
    // What points share stands with the first of them.
    let is_first = appliance
        .points
        .iter()
        .find(|other| other.source == point.source)
        .is_none_or(|first| first.name == point.name);
    for Line { key, toml, .. } in own_lines(point) {
        let is_own = is_first || POINT.iter().any(|own| own.name == key);
        if let Some(toml) = toml.filter(|_| is_own) {
            writeln!(out, "{key} = {toml}")?;
        }
    }
    Ok(())
}

/// The sections.
pub(super) fn write_sections(appliance: &Appliance, out: &mut impl Write) -> std::fmt::Result {
    for (name, lines) in section_lines(appliance) {
        if lines.is_empty() {
            continue;
        }
        writeln!(out, "\n[{name}]")?;
        for Line { key, toml, .. } in lines {
            if let Some(toml) = toml {
                writeln!(out, "{key} = {toml}")?;
            }
        }
    }
    Ok(())
}
