//! Puts what is written on top of its profile.

use super::error::which_profile;
use super::live::live_points;
use super::merge_classes::{class_number, merge_classes};
use super::merge_rules::merge_rules;
use super::paths::{paths, points};
use super::table::{At, Problems};
use super::written::{Section, Written, WrittenPayloadType};
use super::{Appliance, ConfigError, Loaded, builtin, default_profile};
use crate::policy::{Managed, PayloadTypeRule, Policy, profile as built_in};

/// The policy of a file. `profile`, where given, takes the place of the one that the file names.
pub(super) fn resolve(
    written: Written,
    profile: Option<&str>,
    problems: &mut Problems,
) -> Result<Loaded, ConfigError> {
    let mut notes = Vec::new();
    if let Some(at) = &written.profile
        && built_in(&at.value).is_none()
    {
        problems.at(at, format!("profile \"{}\" does not exist", at.value), which_profile(&at.value));
        return Ok(Loaded { policy: Policy::default(), appliance: Appliance::default(), notes });
    }
    let named = written.profile.as_ref().map(|at| at.value.as_str());
    let name = profile.or(named).unwrap_or(default_profile()).to_owned();
    let mut policy = base(&name, written.inherit.as_deref(), problems)?;
    if profile.is_some() && written.inherit.as_ref().is_some_and(Vec::is_empty) {
        notes.push(format!("the file inherits nothing, so that profile {name} gives it its name only"));
    }

    merge_classes(&mut policy.classes, written.classes, &mut notes, problems);
    merge_rules(&mut policy, &written.rules, &mut notes, problems);
    merge_payload_types(&mut policy, &written.payload_types, problems);
    for amount in &written.thresholds {
        amount.apply(&mut policy.thresholds);
    }
    for amount in &written.limits {
        amount.apply(&mut policy.limits);
    }
    if let Some(networks) = written.managed {
        policy.managed = Managed { networks };
    }
    let appliance = Appliance { points: live_points(&written.points, problems), ..written.appliance };
    policy.points = points(written.points, problems);
    policy.paths = paths(written.paths, &policy.points, problems);
    Ok(Loaded { policy, appliance, notes })
}

/// What the file starts from: the profile, or those parts of it that it inherits.
fn base(name: &str, inherit: Option<&[At<Section>]>, problems: &mut Problems) -> Result<Policy, ConfigError> {
    // A profile's own file inherits nothing, and must not ask for itself.
    if let Some([]) = inherit {
        return match built_in(name) {
            Some(_) => Ok(Policy { profile: name.to_owned(), ..Policy::default() }),
            None => Err(ConfigError::unknown_profile(name)),
        };
    }
    let whole = builtin(name)?;
    let Some(inherit) = inherit else { return Ok(whole) };
    let takes = |section: Section| inherit.iter().any(|at| at.value == section);
    if !takes(Section::Classes)
        && let Some(at) = inherit.iter().find(|at| matches!(at.value, Section::Rules | Section::PayloadTypes))
    {
        let what = format!("{} of a profile mean nothing without its classes", at.value.as_str());
        problems.at(at, what, "add \"classes\"");
        return Ok(Policy::default());
    }
    let mut policy = Policy { profile: whole.profile, ..Policy::default() };
    if takes(Section::Classes) {
        policy.classes = whole.classes;
    }
    if takes(Section::Rules) {
        policy.rules = whole.rules;
    }
    if takes(Section::PayloadTypes) {
        policy.payload_types = whole.payload_types;
    }
    if takes(Section::Thresholds) {
        policy.thresholds = whole.thresholds;
    }
    Ok(policy)
}

fn merge_payload_types(policy: &mut Policy, written: &[WrittenPayloadType], problems: &mut Problems) {
    let mut own: Vec<PayloadTypeRule> = Vec::with_capacity(written.len());
    for rule in written {
        let class = match &rule.class {
            Some(name) => match class_number(&policy.classes, name, problems) {
                Some(number) => Some(number),
                None => continue,
            },
            None => None,
        };
        let number = rule.number.value;
        if rule.hint && rule.clock_rate.is_none() {
            let what = "a hint without clock_rate";
            problems.at(
                &rule.number,
                what,
                "add clock_rate: a hint is believed only where the clock rate agrees",
            );
        }
        if rule.codec.is_none() && rule.clock_rate.is_none() && rule.class.is_none() {
            problems.at(&rule.number, "nothing is said of it", "add codec, clock_rate or class");
        }
        if !rule.hint && own.iter().any(|other| other.number == number && !other.hint) {
            let what = format!("payload type {number} has two meanings");
            problems.at(&rule.number, what, "keep one, or make both hints with hint = true");
        }
        let (codec, clock_rate) = (rule.codec.clone(), rule.clock_rate);
        own.push(PayloadTypeRule { number, codec, clock_rate, class, hint: rule.hint });
    }
    // Where the operator has spoken, a convention of the profile is not asked.
    let inherited = std::mem::take(&mut policy.payload_types);
    let settled = |rule: &PayloadTypeRule| own.iter().any(|other| other.number == rule.number && !other.hint);
    let rest: Vec<_> = inherited.into_iter().filter(|rule| !settled(rule)).collect();
    policy.payload_types = own;
    policy.payload_types.extend(rest);
}
