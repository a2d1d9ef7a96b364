//! The outcome in numbers as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::summary::{Summary, Tally};
use crate::report::view::View;

/// `summary`.
#[derive(Serialize)]
pub(super) struct InNumbers<'a> {
    streams: u64,
    conformant: u64,
    calls: u64,
    /// Calls heard in both directions.
    two_way_calls: u64,
    /// Calls marked right at every hop in both directions.
    conformant_calls: u64,
    by_direction: BTreeMap<&'static str, Tally>,
    /// Streams without a class are `unclassified`.
    by_class: BTreeMap<&'a str, Tally>,
    by_point: BTreeMap<Cow<'a, str>, Tally>,
    quality: BTreeMap<&'static str, u64>,
    findings: BTreeMap<&'static str, u64>,
}

impl<'a> InNumbers<'a> {
    pub(super) fn of(view: &View<'a>) -> Self {
        let summary = Summary::of(view.outcome);
        let class = |class| view.class(class).unwrap_or("unclassified");
        Self {
            streams: summary.all.streams,
            conformant: summary.all.conformant,
            calls: summary.calls,
            two_way_calls: summary.two_way_calls,
            conformant_calls: summary.conformant_calls,
            by_direction: [("forward", summary.forward), ("reverse", summary.reverse)].into(),
            by_class: summary.by_class.iter().map(|(&number, &tally)| (class(number), tally)).collect(),
            by_point: summary.by_point.iter().map(|(&point, &tally)| (view.point(point), tally)).collect(),
            quality: [("good", summary.good), ("poor", summary.poor), ("unclassified", summary.unclassified)]
                .into(),
            findings: summary.findings.iter().map(|(kind, &count)| (kind.as_str(), count)).collect(),
        }
    }
}
