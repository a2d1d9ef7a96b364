//! Writes what was loaded as a complete file of the operator's language.

use std::fmt::Write;
use std::time::Duration;

use super::appliance::Appliance;
use super::print_appliance::{write_point, write_sections};
use crate::policy::{
    Copies, MeterLimits, MirrorNumber, MirrorSession, Policy, PortSide, Quantity, Setting, Thresholds,
};

/// Policy and appliance as a file that inherits nothing and reads back as the same.
#[must_use]
pub fn to_toml(policy: &Policy, appliance: &Appliance) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(policy, appliance, &mut out);
    out
}

fn write_all(policy: &Policy, appliance: &Appliance, out: &mut String) -> std::fmt::Result {
    writeln!(out, "profile = {}", quoted(&policy.profile))?;
    writeln!(out, "inherit = []")?;
    if !policy.managed.networks.is_empty() {
        writeln!(
            out,
            "managed = [{}]",
            list(policy.managed.networks.iter().map(|net| quoted(&net.to_string())))
        )?;
    }
    write_classes(policy, out)?;
    write_rules(policy, out)?;
    write_payload_types(policy, out)?;
    write_settings("thresholds", Thresholds::SETTINGS, &mut policy.thresholds.clone(), out)?;
    write_settings::<MeterLimits>("limits", MeterLimits::SETTINGS, &mut policy.limits.clone(), out)?;
    for point in &policy.points {
        writeln!(out, "\n[[point]]\nname = {}", quoted(&point.name))?;
        if let Some(clock) = &point.clock {
            writeln!(out, "clock = {}", quoted(clock))?;
        }
        if let Some(mirror) = &point.mirror {
            writeln!(out, "mirror = {{ {} }}", mirror_text(mirror))?;
        }
        let expected = [("forward", point.forward), ("reverse", point.reverse)];
        let expected =
            expected.into_iter().filter_map(|(key, e)| Some(format!("{key} = {}", quoted(e?.as_str()))));
        let expected: Vec<String> = expected.collect();
        if !expected.is_empty() {
            writeln!(out, "expect = {{ {} }}", expected.join(", "))?;
        }
        if let Some(live) = appliance.points.iter().find(|live| live.name == point.name) {
            write_point(live, appliance, out)?;
        }
    }
    for path in &policy.paths {
        let points = list(path.points.iter().map(|point| quoted(point)));
        writeln!(out, "\n[[path]]\nname = {}\npoints = [{points}]", quoted(&path.name))?;
    }
    write_sections(appliance, out)
}

fn mirror_text(mirror: &MirrorSession) -> String {
    let number = mirror.number.map(MirrorNumber::key_and_value);
    let parts = [
        number.map(|(key, value)| format!("{key} = {value}")),
        mirror.from.map(|from| format!("from = \"{from}\"")),
        (mirror.copies != Copies::Both).then(|| format!("direction = \"{}\"", mirror.copies.as_str())),
        mirror.capture.as_deref().map(|capture| format!("capture = {}", quoted(capture))),
    ];
    list(parts.into_iter().flatten())
}

fn write_classes(policy: &Policy, out: &mut String) -> std::fmt::Result {
    for class in &policy.classes {
        writeln!(out, "\n[class.{}]", class.name)?;
        let mut accepted = class.accepted.iter();
        if let Some(preferred) = accepted.next() {
            writeln!(out, "dscp = {}", preferred.dscp.value())?;
        }
        let also = accepted.map(|a| match &a.note {
            Some(note) => format!("{{ dscp = {}, note = {} }}", a.dscp.value(), quoted(note)),
            None => a.dscp.value().to_string(),
        });
        let also: Vec<String> = also.collect();
        if !also.is_empty() {
            writeln!(out, "also = [{}]", also.join(", "))?;
        }
        if let Some(media) = class.media {
            writeln!(out, "media = {}", quoted(media.as_str()))?;
        }
        if !class.turn_modality.is_empty() {
            writeln!(out, "turn_modality = [{}]", list(class.turn_modality.iter().map(u16::to_string)))?;
        }
    }
    Ok(())
}

fn write_rules(policy: &Policy, out: &mut String) -> std::fmt::Result {
    for rule in &policy.rules {
        let class = policy.class(rule.class).map_or("", |class| class.name.as_str());
        let side = match rule.side {
            PortSide::Client => "client_ports",
            PortSide::Service => "service_ports",
        };
        let ports = list(rule.ports.iter().map(|range| quoted(&range.to_string())));
        writeln!(out, "\n[[rule]]\nclass = {}\n{side} = [{ports}]", quoted(class))?;
        if let Some(transport) = rule.transport {
            writeln!(out, "transport = {}", quoted(&transport.to_string()))?;
        }
        if !rule.client_networks.is_empty() {
            let networks = list(rule.client_networks.iter().map(|net| quoted(&net.to_string())));
            writeln!(out, "client_networks = [{networks}]")?;
        }
    }
    Ok(())
}

fn write_payload_types(policy: &Policy, out: &mut String) -> std::fmt::Result {
    for rule in &policy.payload_types {
        writeln!(out, "\n[[payload_type]]\nnumber = {}", rule.number)?;
        if let Some(codec) = &rule.codec {
            writeln!(out, "codec = {}", quoted(codec))?;
        }
        if let Some(clock_rate) = rule.clock_rate {
            writeln!(out, "clock_rate = {}", clock_rate.hz())?;
        }
        if let Some(class) = rule.class.and_then(|number| policy.class(number)) {
            writeln!(out, "class = {}", quoted(&class.name))?;
        }
        if rule.hint {
            writeln!(out, "hint = true")?;
        }
    }
    Ok(())
}

fn write_settings<T>(
    name: &str,
    settings: &[Setting<T>],
    values: &mut T,
    out: &mut String,
) -> std::fmt::Result {
    writeln!(out, "\n[{name}]")?;
    for setting in settings {
        let key = setting.key;
        match (setting.field)(values) {
            Quantity::Count { value, .. } | Quantity::Burst(value) => writeln!(out, "{key} = {value}")?,
            // Debug writes a float so that it is one in TOML too, and so that it reads back exactly.
            Quantity::Ratio(value) => writeln!(out, "{key} = {value:?}")?,
            Quantity::Length(value) => writeln!(out, "{key} = {}", quoted(&length_text(*value)))?,
        }
    }
    Ok(())
}

/// A length of time as the operator's file writes it: whole milliseconds below a second, else seconds.
#[must_use]
pub fn length_text(length: Duration) -> String {
    let nanos = length.subsec_nanos();
    if length.as_secs() == 0 && nanos.is_multiple_of(1_000_000) {
        return format!("{}ms", nanos / 1_000_000);
    }
    if nanos == 0 {
        return format!("{}s", length.as_secs());
    }
    let fraction = format!("{nanos:09}");
    format!("{}.{}s", length.as_secs(), fraction.trim_end_matches('0'))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// A text as a TOML string with everything escaped that must be.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short_and_exact() {
        for (length, expected) in [
            (Duration::from_millis(30), "30ms"),
            (Duration::from_secs(60), "60s"),
            (Duration::from_millis(39_500), "39.5s"),
            (Duration::from_nanos(1_000_001), "0.001000001s"),
        ] {
            assert_eq!(length_text(length), expected);
        }
    }
}
