//! What is expected at an observation point, and the order of points.

use std::cmp::Ordering;

use super::{MirrorSession, Policy};
use crate::terms::Direction;

/// Which marking is expected of a stream at one place, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Expectation {
    /// A codepoint of its class. Anything else is wrong.
    Class,
    /// A codepoint of its class, or none yet: what comes from outside is unmarked until the edge re-marks it, so
    /// that no marking is worth a warning only.
    ClassOrUnmarked,
    /// No marking: for example outside of an edge that re-marks only on the way in.
    Unmarked,
    /// Whatever it carries is right: nothing is judged here.
    Any,
}

impl Expectation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Class, Self::ClassOrUnmarked, Self::Unmarked, Self::Any];

    /// As the operator's file writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::ClassOrUnmarked => "class-or-unmarked",
            Self::Unmarked => "unmarked",
            Self::Any => "any",
        }
    }
}

/// What is expected at one observation point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointPolicy {
    /// The point's name.
    pub name: String,
    /// Name of the clock that its captures were timed by; points of one clock have delays between them.
    pub clock: Option<String>,
    /// The mirror session that it is; none: the files of its name.
    pub mirror: Option<MirrorSession>,
    /// Of streams from the managed side to the far side; none: the default.
    pub forward: Option<Expectation>,
    /// Of streams to the managed side; none: the default.
    pub reverse: Option<Expectation>,
}

/// The order in which a stream passes observation points on its way from the managed side to the far side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPolicy {
    /// The path's name.
    pub name: String,
    /// Names of the points, the one nearest to the client first.
    pub points: Vec<String>,
}

impl Policy {
    /// What is expected of a stream at a point: as configured, else [`Expectation::Class`], but
    /// [`Expectation::ClassOrUnmarked`] for what comes to the managed side from outside.
    #[must_use]
    pub fn expectation(&self, point: &str, direction: Direction, from_outside: bool) -> Expectation {
        let configured = self.points.iter().find(|p| p.name == point).and_then(|p| match direction {
            Direction::Forward => p.forward,
            Direction::Reverse => p.reverse,
        });
        let default = if from_outside { Expectation::ClassOrUnmarked } else { Expectation::Class };
        configured.unwrap_or(default)
    }

    /// Which of two points a stream passes first in this direction, by the first path that has both.
    #[must_use]
    pub fn order(&self, one: &str, other: &str, direction: Direction) -> Option<Ordering> {
        let forward = self.paths.iter().find_map(|path| {
            let place = |name: &str| path.points.iter().position(|p| p == name);
            Some(place(one)?.cmp(&place(other)?))
        })?;
        Some(match direction {
            Direction::Forward => forward,
            Direction::Reverse => forward.reverse(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            points: vec![PointPolicy {
                name: "outside".to_owned(),
                clock: None,
                mirror: None,
                forward: None,
                reverse: Some(Expectation::Unmarked),
            }],
            paths: vec![PathPolicy {
                name: "hq".to_owned(),
                points: ["access", "core", "edge"].map(str::to_owned).to_vec(),
            }],
            ..Policy::default()
        }
    }

    #[test]
    fn what_comes_from_outside_may_be_unmarked() {
        let policy = policy();
        for (point, direction, from_outside, expected) in [
            ("access", Direction::Forward, false, Expectation::Class),
            ("access", Direction::Reverse, false, Expectation::Class),
            ("access", Direction::Reverse, true, Expectation::ClassOrUnmarked),
            ("outside", Direction::Forward, false, Expectation::Class),
            ("outside", Direction::Reverse, true, Expectation::Unmarked),
        ] {
            assert_eq!(policy.expectation(point, direction, from_outside), expected, "{point} {direction}");
        }
    }

    #[test]
    fn a_path_is_passed_backwards_in_the_other_direction() {
        let policy = policy();
        assert_eq!(policy.order("access", "edge", Direction::Forward), Some(Ordering::Less));
        assert_eq!(policy.order("access", "edge", Direction::Reverse), Some(Ordering::Greater));
        assert_eq!(policy.order("core", "core", Direction::Forward), Some(Ordering::Equal));
        assert_eq!(policy.order("core", "elsewhere", Direction::Forward), None);
    }
}
