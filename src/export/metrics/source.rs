//! What the samples of one scrape are taken from.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;

use crate::export::counters::Counters;
use crate::status::{Class, Figures, HopFigures, HopKey, Picture, Reload};
use crate::terms::Direction;

/// Everything that samples are taken from.
pub(super) struct Source<'a> {
    pub(super) figures: &'a Figures,
    /// The figures of all hops, zero ones too: each point, direction and class has at least its first hop.
    pub(super) hops: Vec<(HopKey, &'a HopFigures)>,
    pub(super) reload: Reload,
    pub(super) is_opener_gone: bool,
    pub(super) findings_forgotten: u64,
    /// By result.
    pub(super) evidence_files: [(&'static str, u64); 4],
    pub(super) evidence_octets: u64,
    pub(super) counters: &'a Counters,
    /// What the system says of this process: `process_open_fds` and others.
    pub(super) process: Vec<(String, f64)>,
    /// For each point the names of its first to fourth hop.
    places: Vec<[String; HOPS]>,
    no_class: &'static str,
}

/// Hops at one point that are told apart.
const HOPS: usize = 4;

/// What else is asked besides the picture.
pub(super) struct Beside<'a> {
    pub(super) reload: Reload,
    pub(super) is_opener_gone: bool,
    pub(super) findings_forgotten: u64,
    /// By result.
    pub(super) evidence_files: [(&'static str, u64); 4],
    pub(super) evidence_octets: u64,
    pub(super) counters: &'a Counters,
    pub(super) process: &'a ProcessCollector,
}

impl<'a> Source<'a> {
    pub(super) fn new(picture: &'a Picture, zero: &'a HopFigures, beside: Beside<'a>) -> Self {
        let figures = &picture.figures;
        Self {
            figures,
            hops: with_zeros(figures, zero),
            reload: beside.reload,
            is_opener_gone: beside.is_opener_gone,
            findings_forgotten: beside.findings_forgotten,
            evidence_files: beside.evidence_files,
            evidence_octets: beside.evidence_octets,
            counters: beside.counters,
            process: process_figures(beside.process),
            places: hop_names(&figures.points.iter().map(|point| point.name.as_str()).collect::<Vec<_>>()),
            no_class: no_class(&figures.classes),
        }
    }

    /// The name of a point; none for a number that is no point's.
    pub(super) fn point(&self, number: u16) -> Option<&'a str> {
        self.figures.points.get(usize::from(number)).map(|point| point.name.as_str())
    }

    /// The name of a class, or of having none; none for a number that is no class's.
    pub(super) fn class(&self, class: Class) -> Option<&'a str> {
        class.map_or(Some(self.no_class), |number| {
            self.figures.classes.get(usize::from(number)).map(String::as_str)
        })
    }

    /// The name of a hop as the end of a segment: the point's, with the number of the hop there where it is not the first.
    pub(super) fn place(&self, (point, hop): (u16, u8)) -> Option<&str> {
        let hop = usize::from(hop).clamp(1, HOPS) - 1;
        self.places.get(usize::from(point))?.get(hop).map(String::as_str)
    }
}

/// A direction as labels say it.
pub(in crate::export) const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "forward",
        Direction::Reverse => "reverse",
    }
}

/// The label of streams without a class: one that no class has.
pub(in crate::export) fn no_class(classes: &[String]) -> &'static str {
    let is_free = |name: &&str| !classes.iter().any(|class| class == name);
    ["other", "none", "no class"].into_iter().find(is_free).unwrap_or("")
}

/// The names of the hops at each point: no two are the same, whatever points are called.
pub(in crate::export) fn hop_names<const N: usize>(points: &[&str]) -> Vec<[String; N]> {
    let name = |point: &str, hop: usize| {
        if hop == 1 {
            return point.to_owned();
        }
        let mut name = format!("{point}/{hop}");
        while points.contains(&name.as_str()) {
            name.push('\'');
        }
        name
    };
    points.iter().map(|point| std::array::from_fn(|hop| name(point, hop + 1))).collect()
}

fn with_zeros<'a>(figures: &'a Figures, zero: &'a HopFigures) -> Vec<(HopKey, &'a HopFigures)> {
    let points = (0..).zip(&figures.points).map(|(point, _)| point);
    let classes: Vec<Class> =
        (0..).zip(&figures.classes).map(|(class, _)| Some(class)).chain(std::iter::once(None)).collect();
    let mut hops: Vec<_> = figures.hops.iter().map(|(key, hop)| (*key, hop)).collect();
    for point in points {
        for direction in [Direction::Forward, Direction::Reverse] {
            for &class in &classes {
                let key = HopKey { point, hop: 1, direction, class };
                if !figures.hops.contains_key(&key) {
                    hops.push((key, zero));
                }
            }
        }
    }
    hops.sort_unstable_by_key(|(key, _)| *key);
    hops
}

/// The process collector's figures by name.
fn process_figures(process: &ProcessCollector) -> Vec<(String, f64)> {
    let families = process.collect();
    let figure = |family: &prometheus::proto::MetricFamily| {
        let metric = family.get_metric().first()?;
        let value = match family.get_field_type() {
            prometheus::proto::MetricType::COUNTER => metric.get_counter().get_value(),
            _ => metric.get_gauge().get_value(),
        };
        Some((family.name().to_owned(), value))
    };
    families.iter().filter_map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_hops_have_one_name() {
        let names: Vec<[String; 4]> = hop_names(&["core", "core/2", "edge"]);
        assert_eq!(names[0], ["core", "core/2'", "core/3", "core/4"]);
        assert_eq!(names[1][0], "core/2");
        let mut all: Vec<&String> = names.iter().flatten().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 12);
    }

    #[test]
    fn a_class_called_other_is_not_that_of_streams_without_one() {
        assert_eq!(no_class(&["audio".into()]), "other");
        assert_eq!(no_class(&["other".into()]), "none");
    }

    #[test]
    fn every_point_direction_and_class_begins_at_zero() {
        let mut figures = Figures { classes: vec!["audio".into()], ..Figures::default() };
        figures.points = vec![crate::status::PointFigures::default(); 2];
        let key = HopKey { point: 1, hop: 2, direction: Direction::Forward, class: Some(0) };
        figures.hops.insert(key, HopFigures { packets: 5, ..HopFigures::default() });
        let zero = HopFigures::default();
        let hops = with_zeros(&figures, &zero);
        assert_eq!(hops.len(), 2 * 2 * 2 + 1);
        assert!(hops.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
