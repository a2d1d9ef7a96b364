//! Condition: a mirror delivers nothing at all.

use super::context::Context;
use super::finding::{Finding, FindingKind, Place, Severity};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for silent in &context.outcome.silent {
        let name = context.outcome.points.get(usize::from(silent.point.0)).map_or("?", String::as_str);
        let seconds = silent.until.seconds_since(silent.since);
        findings.push(Finding {
            kind: FindingKind::DeadMirror,
            severity: Severity::Error,
            stream: None,
            call: None,
            place: Place::Point(silent.point),
            direction: None,
            from: None,
            to: None,
            packets: 0,
            first: silent.since,
            last: silent.until,
            message: format!("the mirror of {name} has delivered nothing for {seconds:.0} s"),
            advice: "Check the cable, and that the switch still mirrors the ports that are meant to this one.",
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::Policy;
    use crate::terms::{PointId, Timestamp};
    use crate::verify::{Material, SilentPoint, judge};

    #[test]
    fn a_silent_point_is_named() {
        let (since, until) = (Timestamp(5_000_000_000), Timestamp(70_000_000_000));
        let silent = vec![SilentPoint { point: PointId(1), since, until }];
        let points = vec!["core".to_owned(), "edge".to_owned()];
        let outcome = judge(Material { points, silent, ..Material::default() }, &Arc::new(Policy::default()));
        let [finding] = &*outcome.findings else { panic!("{:?}", outcome.findings) };
        assert_eq!((finding.kind, finding.place), (FindingKind::DeadMirror, Place::Point(PointId(1))));
        assert_eq!(finding.message, "the mirror of edge has delivered nothing for 65 s");
    }
}
