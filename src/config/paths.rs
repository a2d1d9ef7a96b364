//! Observation points and paths of a file: each once, and in one order.

use super::mirror::refuse_twice;
use super::table::{Problems, nearest};
use super::written::{WrittenPath, WrittenPoint};
use crate::policy::{MirrorSession, PathPolicy, PointPolicy};

/// The points, each of which must be described once.
pub(super) fn points(written: Vec<WrittenPoint>, problems: &mut Problems) -> Vec<PointPolicy> {
    let mut points: Vec<PointPolicy> = Vec::with_capacity(written.len());
    let mut sessions: Vec<(String, MirrorSession)> = Vec::new();
    for point in written {
        if points.iter().any(|other| other.name == point.name.value) {
            let what = format!("point \"{}\" is there already", point.name.value);
            problems.at(&point.name, what, "describe each point once");
        }
        if let Some(mirror) = &point.mirror {
            refuse_twice(&point.name.value, mirror, &sessions, problems);
            sessions.push((point.name.value.clone(), mirror.value.clone()));
        }
        points.push(PointPolicy {
            name: point.name.value,
            clock: point.clock,
            mirror: point.mirror.map(|at| at.value),
            forward: point.forward,
            reverse: point.reverse,
        });
    }
    points
}

/// The paths, whose points must be described and must not contradict each other's order.
pub(super) fn paths(
    written: Vec<WrittenPath>,
    points: &[PointPolicy],
    problems: &mut Problems,
) -> Vec<PathPolicy> {
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
