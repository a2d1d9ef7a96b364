//! The mirror session of an observation point: as written, and each once.

use super::table::{At, Problems, Table, Value};
use crate::policy::{Copies, MirrorNumber, MirrorSession};

/// Keys of `mirror`, in the order in which errors list them.
const KEYS: &[&str] = &["erspan_session", "vxlan", "geneve", "outer_vlan", "from", "direction", "capture"];

/// `mirror = { erspan_session = 12, from = "10.0.0.1" }`
pub(super) fn read(value: &Value<'_>, problems: &mut Problems) -> Option<At<MirrorSession>> {
    let table = value.table(problems)?;
    table.allow(KEYS, problems);
    let number = read_number(&table, problems);
    let from = table.value("from").map(|v| v.address(problems));
    let copies = table.value("direction").map(|v| v.copies(problems));
    let capture = table.value("capture").map(|v| v.text(problems));
    let number = number.ok()?;
    let is_erspan = matches!(number, Some(MirrorNumber::Erspan(_)));
    if number.is_none() && from.is_none() {
        let mend =
            "add erspan_session = 12, vxlan = 5001, geneve = 5001, outer_vlan = 900 or from = \"10.0.0.1\"";
        problems.at(&value.at(()), "nothing tells the session", mend);
        return None;
    }
    if let (Some(Some(at)), Some(MirrorNumber::OuterVlan(_))) = (&from, number) {
        let what = "a VLAN tag does not say which switch sends it";
        problems.at(at, what, "take from out; outer_vlan alone tells the remote mirror");
    }
    if let (Some(Some(at)), false) = (&copies, is_erspan) {
        let what = "only ERSPAN says on which way a copy was taken";
        problems.at(at, what, "take direction out, or name the erspan_session");
    }
    // What was given must be right.
    let from = from.map_or(Some(None), |at| at.map(|at| Some(at.value)))?;
    let copies = copies.map_or(Some(Copies::Both), |at| at.map(|at| at.value))?;
    let capture = capture.map_or(Some(None), |at| at.map(|at| Some(at.value)))?;
    Some(value.at(MirrorSession { capture, number, from, copies }))
}

/// The one number that is given, if any.
fn read_number(table: &Table<'_>, problems: &mut Problems) -> Result<Option<MirrorNumber>, ()> {
    let given: Vec<(&str, Value<'_>)> =
        KEYS[..4].iter().filter_map(|key| Some((*key, table.value(key)?))).collect();
    if let [(first, _), (_, second), ..] = &given[..] {
        let what = format!("a session has one number, and {first} is given as well");
        problems.at(&second.at(()), what, "keep one; a point that is two sessions has no place");
        return Err(());
    }
    let Some((key, value)) = given.first() else { return Ok(None) };
    let range = match *key {
        "erspan_session" => 0..=1023,
        "outer_vlan" => 1..=4094,
        _ => 0..=0x00FF_FFFF,
    };
    let number = value.whole("a whole number", problems).ok_or(())?;
    let short = u16::try_from(number.value).unwrap_or(u16::MAX);
    match u32::try_from(number.value) {
        Ok(wide) if range.contains(&wide) => Ok(Some(match *key {
            "erspan_session" => MirrorNumber::Erspan(short),
            "vxlan" => MirrorNumber::Vxlan(wide),
            "geneve" => MirrorNumber::Geneve(wide),
            _ => MirrorNumber::OuterVlan(short),
        })),
        _ => {
            let what = format!("{} is not from {} to {}", number.value, range.start(), range.end());
            problems.at(&number, what, "write a number within these bounds");
            Err(())
        }
    }
}

/// Refuses a session that an earlier point has.
pub(super) fn refuse_twice(
    name: &str,
    mirror: &At<MirrorSession>,
    earlier: &[(String, MirrorSession)],
    problems: &mut Problems,
) {
    if let Some((other, session)) = earlier.iter().find(|(_, session)| session.overlaps(&mirror.value)) {
        let what = format!(
            "frames of {} would belong to \"{name}\" and to \"{other}\", which is {session}",
            mirror.value
        );
        problems.at(mirror, what, "tell them apart by number, from, direction or capture");
    }
}
