//! Puts the classes of a file on top of those of its profile.

use super::table::{At, Problems, nearest};
use super::written::WrittenClass;
use crate::policy::{Accepted, MAX_CLASSES, ServiceClass};

/// Changes the keys that the file names, and adds the classes that are new.
pub(super) fn merge_classes(
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
pub(super) fn class_number(
    classes: &[ServiceClass],
    name: &At<String>,
    problems: &mut Problems,
) -> Option<u8> {
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
