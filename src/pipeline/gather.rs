//! What all observers sent, put together for the judge.

use std::sync::Arc;

use super::{MAX_LOCAL_POINTS, local_point};
use crate::decode::Path;
use crate::meter::{CaptureRecord, MeterCounters, Records, Source, StunRecord, TapGap};
use crate::terms::PointId;
use crate::verify::{Material, SilentPoint};

/// What an observer says besides the records of its streams.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    /// The observer's place in the list of points.
    pub(super) observer: usize,
    /// Names of its points: one, or one for each interface or session.
    pub(super) points: Vec<String>,
    /// Names of the interfaces that each point's hops number.
    pub(super) interfaces: Vec<Option<String>>,
    pub(super) captures: Vec<CaptureRecord>,
    /// The paths that its records name by number.
    pub(super) paths: Vec<Arc<Path>>,
    /// Times in which its points missed frames.
    pub(super) gaps: Vec<TapGap>,
    pub(super) stun: Vec<StunRecord>,
    pub(super) silent: Vec<SilentPoint>,
    pub(super) counters: MeterCounters,
}

/// Gives every point one number, whoever heard it; those that are known already keep theirs. `records` were added by the
/// numbers of their observers, and `done` is in the order of these.
pub(super) fn gather(done: Vec<Done>, mut records: Records, known: &[String]) -> Material {
    let mut material =
        Material { points: known.to_vec(), interfaces: vec![Vec::new(); known.len()], ..Material::default() };
    let observers = done.iter().map(|one| one.observer + 1).max().unwrap_or(0);
    let mut numbers = vec![PointId(0); observers * MAX_LOCAL_POINTS];
    for one in &done {
        for (i, name) in one.points.iter().enumerate() {
            let known = material.points.iter().position(|p| p == name);
            let number = known.unwrap_or_else(|| {
                material.points.push(name.clone());
                material.interfaces.push(one.interfaces.clone());
                material.points.len() - 1
            });
            if let Some(interfaces) = material.interfaces.get_mut(number).filter(|known| known.is_empty()) {
                interfaces.clone_from(&one.interfaces);
            }
            if let Some(slot) = numbers.get_mut(one.observer * MAX_LOCAL_POINTS + i) {
                *slot = PointId(u16::try_from(number).unwrap_or(u16::MAX));
            }
        }
    }
    let number_of = |local: PointId| numbers.get(usize::from(local.0)).copied().unwrap_or(local);
    let mut sources = Vec::with_capacity(observers);
    for one in done {
        let own = |i| local_point(one.observer, i);
        let points = (0..one.points.len()).map(|i| (own(i), number_of(own(i)))).collect();
        while sources.len() < one.observer {
            sources.push(Source::default());
        }
        sources.push(Source { paths: one.paths, points });
        material.captures.extend(one.captures.into_iter().map(|c| CaptureRecord {
            point: number_of(c.point),
            other_points: c.other_points.into_iter().map(number_of).collect(),
            ..c
        }));
        material.gaps.extend(one.gaps.into_iter().map(|g| TapGap { point: number_of(g.point), ..g }));
        material.stun.extend(one.stun.into_iter().map(|s| StunRecord { point: number_of(s.point), ..s }));
        material
            .silent
            .extend(one.silent.into_iter().map(|s| SilentPoint { point: number_of(s.point), ..s }));
        material.counters.add(&one.counters);
    }
    records.close(sources);
    material.records = records;
    material
}
