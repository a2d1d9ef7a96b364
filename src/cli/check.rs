//! `hopmark check`: reads a configuration and prints what it comes to.
//!
//! Touches nothing and captures nothing. It reads the file with the same code as every other command.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::load_policy;
use crate::config::{self, Appliance, Line, Loaded, length_text, own_lines, section_lines};
use crate::export::check_web_config;
use crate::policy::{
    Expectation, MeterLimits, PayloadTypeRule, Policy, PortSide, Quantity, Rule, ServiceClass, Setting,
    Thresholds, profile,
};

/// What `hopmark check` takes.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The operator's file; without it, the profile as it is
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A built-in profile, in place of the one that the file names
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// As text for people, or as a complete file that reads back as the same
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
}

/// How the policy is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    Text,
    /// In the language of the operator's file.
    Toml,
}

/// Prints the effective policy, and what running live would take.
///
/// # Errors
///
/// With all that is wrong in the file, or when the output cannot be written.
pub fn run(args: &CheckArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let loaded = load_policy(args.config.as_deref(), args.profile.as_deref())?;
    // Whoever checks may not be allowed to read it: it is for the service alone.
    if let Some(file) = &loaded.appliance.listen.web_config
        && let Ok(text) = std::fs::read_to_string(file)
    {
        check_web_config(&text, file)?;
    }
    let text = match args.format {
        CheckFormat::Text => describe(&loaded),
        CheckFormat::Toml => {
            let notes =
                loaded.notes.iter().fold(String::new(), |notes, note| notes + "# note: " + note + "\n");
            notes + &config::to_toml(&loaded.policy, &loaded.appliance)
        }
    };
    out.write_all(text.as_bytes())?;
    Ok(())
}

/// The policy as text of at most 100 columns, but for long notes.
fn describe(loaded: &Loaded) -> String {
    let (policy, appliance) = (&loaded.policy, &loaded.appliance);
    let mut out = String::new();
    let about = profile(&policy.profile).map_or("", |profile| profile.about);
    let _ = writeln!(out, "profile {}: {about}", policy.profile);
    section(&mut out, "classes", class_lines(policy));
    section(&mut out, "rules, the first that matches decides", rule_lines(policy));
    section(&mut out, "payload types besides those of RFC 3551", payload_type_lines(policy));
    section(&mut out, "managed networks", managed_lines(policy));
    section(&mut out, "observation points", point_lines(policy));
    section(&mut out, "thresholds", setting_lines(Thresholds::SETTINGS, &mut policy.thresholds.clone()));
    section(
        &mut out,
        "limits",
        setting_lines::<MeterLimits>(MeterLimits::SETTINGS, &mut policy.limits.clone()),
    );
    if *appliance != (Appliance { points: appliance.points.clone(), ..Appliance::default() })
        || appliance.points.iter().any(|point| point.source.is_some())
    {
        section(&mut out, "live sources", source_lines(policy, appliance));
        for (name, lines) in section_lines(appliance) {
            let value = |line: Line| format!("{:20} {}", line.key, line.text.as_deref().unwrap_or("not set"));
            let lines: Vec<String> = lines.into_iter().map(value).collect();
            section(&mut out, name, if lines.is_empty() { vec!["off".to_owned()] } else { lines });
        }
    }
    section(&mut out, "notes", loaded.notes.clone());
    out
}

/// A heading and its lines; nothing where there are no lines.
fn section(out: &mut String, heading: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        let _ = writeln!(out, "\n{heading}");
        for line in lines {
            let _ = writeln!(out, "  {}", line.trim_end());
        }
    }
}

fn class_lines(policy: &Policy) -> Vec<String> {
    let width = policy.classes.iter().map(|class| class.name.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for class in &policy.classes {
        let mut accepted = class.accepted.iter();
        let preferred = accepted.next().map(|a| a.dscp.to_string()).unwrap_or_default();
        lines.push(format!("{:width$}  {preferred:9} {}", class.name, told_by(class)));
        for also in accepted {
            let note = also.note.as_deref().unwrap_or("accepted as well");
            lines.push(format!("{:width$}  {:9} {note}", "", also.dscp.to_string()));
        }
    }
    lines
}

/// What names the class besides ports.
fn told_by(class: &ServiceClass) -> String {
    let modalities: Vec<String> = class.turn_modality.iter().map(u16::to_string).collect();
    let turn = (!modalities.is_empty()).then(|| format!("TURN modality {}", modalities.join(" or ")));
    let media = class.media.map(|media| format!("{} codecs and cadence", media.as_str()));
    let by: Vec<String> = turn.into_iter().chain(media).collect();
    if by.is_empty() { String::new() } else { format!("told by {}", by.join(", ")) }
}

fn rule_lines(policy: &Policy) -> Vec<String> {
    let rule_line = |rule: &Rule| {
        let class = policy.class(rule.class).map_or("", |class| class.name.as_str());
        let side = match rule.side {
            PortSide::Client => "client ports",
            PortSide::Service => "service ports",
        };
        let ports: Vec<String> = rule.ports.iter().map(ToString::to_string).collect();
        let transport = rule.transport.map(|t| format!(" over {t}")).unwrap_or_default();
        let networks: Vec<String> = rule.client_networks.iter().map(ToString::to_string).collect();
        let clients =
            if networks.is_empty() { String::new() } else { format!(" of {}", networks.join(", ")) };
        format!("{side:13} {}{transport}{clients}: {class}", ports.join(", "))
    };
    // The client's port is asked before the service's.
    let of = |side| policy.rules.iter().filter(move |rule| rule.side == side);
    of(PortSide::Client).chain(of(PortSide::Service)).map(rule_line).collect()
}

fn payload_type_lines(policy: &Policy) -> Vec<String> {
    let line = |rule: &PayloadTypeRule| {
        let codec = rule.codec.as_deref().unwrap_or("-");
        let clock = rule.clock_rate.map(|rate| format!("/{}", rate.hz())).unwrap_or_default();
        let class =
            rule.class.and_then(|number| policy.class(number)).map_or("-", |class| class.name.as_str());
        let hint = if rule.hint { "where the clock rate agrees" } else { "as configured" };
        format!("{:3}  {:22} {class:10} {hint}", rule.number, format!("{codec}{clock}"))
    };
    policy.payload_types.iter().map(line).collect()
}

fn managed_lines(policy: &Policy) -> Vec<String> {
    if policy.managed.networks.is_empty() {
        return vec!["private addresses (RFC 1918, RFC 4193, RFC 6598), as none is configured".to_owned()];
    }
    policy.managed.networks.iter().map(ToString::to_string).collect()
}

fn point_lines(policy: &Policy) -> Vec<String> {
    let points = policy.points.iter().map(|point| {
        let expected = |e: Option<Expectation>| e.map_or("by default", Expectation::as_str);
        let mirror = point.mirror.as_ref().map(|mirror| format!(" ({mirror})")).unwrap_or_default();
        let (forward, reverse) = (expected(point.forward), expected(point.reverse));
        format!("{}{mirror}: forward {forward}, reverse {reverse}", point.name)
    });
    let paths = policy.paths.iter().map(|path| format!("path {}: {}", path.name, path.points.join(" > ")));
    points.chain(paths).collect()
}

/// Where each point is heard, with what is not at its default.
fn source_lines(policy: &Policy, appliance: &Appliance) -> Vec<String> {
    let opened: Vec<&str> = appliance.sources().iter().map(|(point, _)| point.name.as_str()).collect();
    if opened.is_empty() {
        return vec!["none: no point names an interface or a file".to_owned()];
    }
    let mut lines = Vec::new();
    for (point, live) in policy.points.iter().zip(&appliance.points) {
        let capture = point.mirror.as_ref().map(|mirror| mirror.capture.as_deref());
        let source = match (&live.source, capture) {
            (Some(source), Some(_)) => format!("session in {source}"),
            (Some(source), None) => source.to_string(),
            (None, Some(None)) => "session in any source".to_owned(),
            (None, Some(Some(capture))) if opened.contains(&capture) => format!("session in point {capture}"),
            (None, _) => "none, for replay only".to_owned(),
        };
        lines.push(format!("{}: {source}", live.name));
        let own = own_lines(live).into_iter();
        lines.extend(own.filter_map(|line| Some(format!("  {:20} {}", line.key, line.text?))));
    }
    lines
}

fn setting_lines<T>(settings: &[Setting<T>], values: &mut T) -> Vec<String> {
    settings
        .iter()
        .map(|setting| {
            let value = match (setting.field)(values) {
                Quantity::Count { value, .. } | Quantity::Burst(value) => value.to_string(),
                Quantity::Ratio(value) => value.to_string(),
                Quantity::Length(value) => length_text(*value),
            };
            format!("{:20} {value}", setting.key)
        })
        .collect()
}
