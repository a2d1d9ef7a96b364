//! Puts what is written on top of its profile, and finds what contradicts itself.

use super::error::which_profile;
use super::table::{At, Problems, nearest};
use super::written::{
    Section, Written, WrittenClass, WrittenPath, WrittenPayloadType, WrittenPoint, WrittenRule,
};
use super::{ConfigError, Loaded, builtin, default_profile};
use crate::policy::{
    Accepted, MAX_CLASSES, Managed, PathPolicy, PayloadTypeRule, PointPolicy, Policy, PortSide, Rule,
    ServiceClass, profile as built_in,
};
use crate::terms::Transport;

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
        return Ok(Loaded { policy: Policy::default(), notes });
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
    policy.points = points(written.points, problems);
    policy.paths = paths(written.paths, &policy.points, problems);
    Ok(Loaded { policy, notes })
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

fn merge_classes(
    classes: &mut Vec<ServiceClass>,
    written: Vec<WrittenClass>,
    notes: &mut Vec<String>,
    problems: &mut Problems,
) {
    forbid_sharing(&written, problems);
    for class in written {
        if !is_name(&class.name.value) {
            let mend = "use 1 to 64 letters, digits, hyphens and underscores";
            problems.at(&class.name, format!("\"{}\" is no name of a class", class.name.value), mend);
            continue;
        }
        let place = classes.iter().position(|known| known.name == class.name.value);
        if place.is_none() && classes.len() >= MAX_CLASSES {
            let what = format!("this is class number {}", classes.len() + 1);
            problems.at(&class.name, what, format!("keep to {MAX_CLASSES} classes"));
            continue;
        }
        take_over(classes, &class, notes);
        let Some(known) = place.and_then(|place| classes.get_mut(place)) else {
            classes.extend(new_class(class, problems));
            continue;
        };
        let also = match class.also {
            Some(also) => Some(also.into_iter().map(|at| at.value).collect()),
            None => class.dscp.is_some().then(|| known.accepted.split_off(known.accepted.len().min(1))),
        };
        if let Some(dscp) = class.dscp {
            known.accepted = vec![Accepted { dscp: dscp.value, note: None }];
        }
        if let Some(also) = also {
            known.accepted.truncate(1);
            let also: Vec<Accepted> = also;
            let preferred = known.accepted.first().map(|first| first.dscp);
            known.accepted.extend(also.into_iter().filter(|a| Some(a.dscp) != preferred));
        }
        if let Some(media) = class.media {
            known.media = media.value;
        }
        if let Some(modality) = class.turn_modality {
            known.turn_modality = modality.into_iter().map(|at| at.value).collect();
        }
    }
}

fn new_class(class: WrittenClass, problems: &mut Problems) -> Option<ServiceClass> {
    let Some(dscp) = class.dscp else {
        let what = "a new class without dscp";
        problems.at(&class.name, what, "add the codepoint it should carry, as dscp = \"EF\"");
        return None;
    };
    let preferred = Accepted { dscp: dscp.value, note: None };
    let also = class.also.unwrap_or_default().into_iter().map(|at| at.value);
    Some(ServiceClass {
        name: class.name.value,
        accepted: std::iter::once(preferred).chain(also).collect(),
        media: class.media.and_then(|at| at.value),
        turn_modality: class.turn_modality.unwrap_or_default().into_iter().map(|at| at.value).collect(),
    })
}

/// Letters, digits, hyphens and underscores: a class is a label of metrics.
fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// Two classes of one file must not have the same media or modality, nor one class a codepoint twice.
fn forbid_sharing(written: &[WrittenClass], problems: &mut Problems) {
    for (place, class) in written.iter().enumerate() {
        let before = written.get(..place).unwrap_or_default();
        if let Some(at) = &class.media
            && let Some(media) = at.value
            && let Some(other) = before.iter().find(|c| c.media.as_ref().is_some_and(|m| m.value == at.value))
        {
            let what = format!("media \"{}\" is class {} already", media.as_str(), other.name.value);
            problems.at(at, what, "give each kind of media to one class; the other has media = \"none\"");
        }
        for at in class.turn_modality.iter().flatten() {
            let has = |c: &&WrittenClass| c.turn_modality.iter().flatten().any(|m| m.value == at.value);
            if let Some(other) = before.iter().find(has) {
                let what = format!("modality {} is class {} already", at.value, other.name.value);
                problems.at(at, what, "give each modality to one class");
            }
        }
        let mut seen: Vec<_> = class.dscp.iter().map(|at| at.value).collect();
        for at in class.also.iter().flatten() {
            if seen.contains(&at.value.dscp) {
                let what = format!("{} is accepted already", at.value.dscp);
                problems.at(at, what, "name each codepoint once; dscp is the preferred one");
            }
            seen.push(at.value.dscp);
        }
    }
}

/// Takes media and modalities away from the classes that had them by the profile.
fn take_over(classes: &mut [ServiceClass], class: &WrittenClass, notes: &mut Vec<String>) {
    let name = &class.name.value;
    for other in classes.iter_mut().filter(|other| other.name != *name) {
        if let Some(media) = class.media.as_ref().and_then(|at| at.value)
            && other.media == Some(media)
        {
            other.media = None;
            let media = media.as_str();
            notes.push(format!(
                "class {name} takes media \"{media}\" over from class {} of the profile",
                other.name
            ));
        }
        for at in class.turn_modality.iter().flatten() {
            if other.turn_modality.contains(&at.value) {
                other.turn_modality.retain(|modality| *modality != at.value);
                let modality = at.value;
                notes.push(format!("class {name} takes modality {modality} over from class {}", other.name));
            }
        }
    }
}

/// The number of the class that a file names.
fn class_number(classes: &[ServiceClass], name: &At<String>, problems: &mut Problems) -> Option<u8> {
    let place = classes.iter().position(|class| class.name == name.value);
    if let Some(number) = place.and_then(|place| u8::try_from(place).ok()) {
        return Some(number);
    }
    let names = || classes.iter().map(|class| class.name.as_str());
    let mend = match nearest(&name.value, names()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("classes are {}; or add [class.NAME]", names().collect::<Vec<_>>().join(", ")),
    };
    problems.at(name, format!("class \"{}\" does not exist", name.value), mend);
    None
}

fn merge_rules(
    policy: &mut Policy,
    written: &[WrittenRule],
    notes: &mut Vec<String>,
    problems: &mut Problems,
) {
    let classes = &policy.classes;
    let mut own: Vec<Rule> = Vec::with_capacity(written.len());
    for rule in written {
        let Some(class) = class_number(classes, &rule.class, problems) else { continue };
        let mut ports = rule.ports.value.clone();
        ports.sort_unstable();
        let resolved = Rule {
            class,
            side: rule.side,
            ports,
            transport: rule.transport,
            client_networks: rule.client_networks.clone(),
        };
        for earlier in own.iter().filter(|earlier| earlier.class != class && clash(earlier, &resolved)) {
            if let Some(shared) = earlier.shared_ports(&resolved) {
                let name = |number: u8| classes.get(usize::from(number)).map_or("", |c| c.name.as_str());
                let what = format!("ports {shared} are both {} and {}", name(earlier.class), name(class));
                let mend = "give each port to one class, or tell the clients apart by client_networks, the rule with \
                            the networks first";
                problems.at(&rule.ports, what, mend);
            }
        }
        own.push(resolved);
    }
    let inherited = std::mem::take(&mut policy.rules);
    for (own_rule, number) in own.iter().zip(1_usize..) {
        note_overridden(own_rule, number, &inherited, &policy.classes, notes);
    }
    let rest = inherited.into_iter().flat_map(|rule| without_ports_of(rule, &own));
    policy.rules = own.iter().cloned().chain(rest).collect();
}

/// Whether a flow could match both rules and the earlier one is not meant to win.
fn clash(earlier: &Rule, later: &Rule) -> bool {
    match (earlier.client_networks.as_slice(), later.client_networks.as_slice()) {
        // First the rule for some clients, then the one for all: that is what the order is for.
        ([_, ..], []) => false,
        ([], _) => true,
        (some, others) => some.iter().any(|a| others.iter().any(|b| a.contains(b) || b.contains(a))),
    }
}

/// Says where the operator's rule stands before a rule of the profile that has another class.
fn note_overridden(
    own: &Rule,
    number: usize,
    inherited: &[Rule],
    classes: &[ServiceClass],
    notes: &mut Vec<String>,
) {
    let name = |number: u8| classes.get(usize::from(number)).map_or("", |c| c.name.as_str());
    for rule in inherited.iter().filter(|rule| rule.class != own.class) {
        if let Some(shared) = own.shared_ports(rule) {
            let side = match own.side {
                PortSide::Client => "client",
                PortSide::Service => "service",
            };
            let whose = if own.client_networks.is_empty() { "" } else { " for clients in its networks" };
            notes.push(format!(
                "rule[{number}] makes {side} ports {shared} {}{whose}; in the profile they are {}",
                name(own.class),
                name(rule.class),
            ));
        }
    }
}

/// What is left of a rule of the profile without the ports that rules of the operator give to all clients: there it
/// would never be tried. A rule for one transport leaves the other transport to the profile.
fn without_ports_of(rule: Rule, own: &[Rule]) -> Vec<Rule> {
    let mut left = vec![rule];
    for other in own.iter().filter(|other| other.client_networks.is_empty()) {
        left = left.into_iter().flat_map(|rule| without_ports_of_one(rule, other)).collect();
    }
    left
}

fn without_ports_of_one(rule: Rule, other: &Rule) -> Vec<Rule> {
    if rule.shared_ports(other).is_none() {
        return vec![rule];
    }
    let mut rest = rule.ports.clone();
    for taken in &other.ports {
        rest = rest.iter().flat_map(|range| range.without(*taken)).collect();
    }
    let mut left = vec![Rule { ports: rest, ..rule.clone() }];
    if let (None, Some(taken)) = (rule.transport, other.transport) {
        let shared = rule.ports.iter().flat_map(|a| other.ports.iter().filter_map(|b| a.intersection(*b)));
        let transport = Some(match taken {
            Transport::Udp => Transport::Tcp,
            Transport::Tcp => Transport::Udp,
        });
        left.push(Rule { ports: shared.collect(), transport, ..rule });
    }
    left.retain(|rule| !rule.ports.is_empty());
    left
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

fn points(written: Vec<WrittenPoint>, problems: &mut Problems) -> Vec<PointPolicy> {
    let mut points: Vec<PointPolicy> = Vec::with_capacity(written.len());
    for point in written {
        if points.iter().any(|other| other.name == point.name.value) {
            let what = format!("point \"{}\" is there already", point.name.value);
            problems.at(&point.name, what, "describe each point once");
        }
        points.push(PointPolicy { name: point.name.value, forward: point.forward, reverse: point.reverse });
    }
    points
}

fn paths(written: Vec<WrittenPath>, points: &[PointPolicy], problems: &mut Problems) -> Vec<PathPolicy> {
    let mut paths: Vec<PathPolicy> = Vec::with_capacity(written.len());
    for path in written {
        check_path(&path, points, &paths, problems);
        let names = path.points.value.into_iter().map(|at| at.value).collect();
        paths.push(PathPolicy { name: path.name.value, points: names });
    }
    paths
}

fn check_path(path: &WrittenPath, points: &[PointPolicy], earlier: &[PathPolicy], problems: &mut Problems) {
    if earlier.iter().any(|other| other.name == path.name.value) {
        let what = format!("path \"{}\" is there already", path.name.value);
        problems.at(&path.name, what, "give each path a name of its own");
    }
    let names: Vec<&str> = path.points.value.iter().map(|at| at.value.as_str()).collect();
    if names.len() < 2 {
        problems.at(&path.points, "a path of fewer than two points has no order", "name at least two points");
    }
    for (at, place) in path.points.value.iter().zip(0_usize..) {
        let name = at.value.as_str();
        if !points.iter().any(|point| point.name == name) {
            let mend = match nearest(name, points.iter().map(|point| point.name.as_str())) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add [[point]] with name = \"{name}\""),
            };
            problems.at(at, format!("point \"{name}\" is not described"), mend);
        }
        if names.iter().take(place).any(|other| *other == name) {
            problems.at(at, format!("point \"{name}\" is twice on the path"), "name each point once");
        }
        for other in earlier {
            let place_of = |name: &str| other.points.iter().position(|p| p == name);
            let Some(here) = place_of(name) else { continue };
            let turned =
                names.iter().take(place).find(|before| place_of(before).is_some_and(|there| there > here));
            if let Some(before) = turned {
                let what =
                    format!("\"{before}\" stands before \"{name}\", on path \"{}\" behind it", other.name);
                problems.at(at, what, "give both paths the same order, from the clients outwards");
            }
        }
    }
}
