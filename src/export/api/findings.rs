//! `/api/v1/findings`: what was found since the start, newest first.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::{Moment, Text};
use crate::export::answer::{Answer, Problem};
use crate::export::query::Query;
use crate::status::{FindingId, FindingStatus, Status, StreamId};
use crate::terms::{Direction, Dscp, Timestamp};
use crate::verify::{FindingKind, Severity};

const PARAMETERS: &[&str] = &["kind", "severity", "open", "stream", "point", "page", "per_page"];

/// One page of findings.
#[derive(Serialize)]
struct FoundPage {
    at: Option<Moment>,
    page: usize,
    per_page: usize,
    pages: usize,
    total: usize,
    /// Findings that there was no room for.
    forgotten: u64,
    findings: Vec<Found>,
}

/// One finding.
#[derive(Serialize)]
pub(super) struct Found {
    id: Text<FindingId>,
    kind: &'static str,
    severity: &'static str,
    open: bool,
    stream: Option<Text<StreamId>>,
    points: Vec<String>,
    between: bool,
    direction: Option<Text<Direction>>,
    class: Option<String>,
    from: Option<u8>,
    to: Option<u8>,
    packets: u64,
    first: Moment,
    last: Moment,
    opened: Moment,
    message: String,
    advice: &'static str,
}

impl Found {
    fn of(id: FindingId, finding: &FindingStatus) -> Self {
        Self {
            id: Text(id),
            kind: finding.kind.as_str(),
            severity: finding.severity.as_str(),
            open: finding.is_open,
            stream: finding.stream.map(Text),
            points: finding.points.clone(),
            between: finding.is_between,
            direction: finding.direction.map(Text),
            class: finding.class.clone(),
            from: finding.from.map(Dscp::value),
            to: finding.to.map(Dscp::value),
            packets: finding.packets,
            first: Text(finding.first),
            last: Text(finding.last),
            opened: Text(finding.opened),
            message: finding.message.clone(),
            advice: finding.advice,
        }
    }

    /// The findings on one stream, newest first.
    pub(super) fn of_stream(status: &Status, stream: StreamId) -> Vec<Self> {
        let mut found = select(status, |finding| finding.stream == Some(stream));
        found.sort_unstable_by(newest_first);
        found.iter().filter_map(|(_, id)| Some(Self::of(*id, &**status.findings.get(id)?))).collect()
    }
}

/// When they were opened, and their names.
type Opened = (Timestamp, FindingId);

fn newest_first(a: &Opened, b: &Opened) -> std::cmp::Ordering {
    b.cmp(a)
}

fn select(status: &Status, takes: impl Fn(&FindingStatus) -> bool) -> Vec<Opened> {
    let taken = status.findings.iter().filter(|entry| takes(entry.value()));
    taken.map(|entry| (entry.value().opened, *entry.key())).collect()
}

/// Findings by filter, newest first, one page of them.
pub(in crate::export) fn findings(status: &Status, query: &str) -> Result<Answer, Problem> {
    let query = Query::read(query, PARAMETERS)?;
    let page = query.page()?;
    let kind_named = |name: &str| FindingKind::ALL.iter().copied().find(|kind| kind.as_str() == name);
    let kinds = || FindingKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let severity_named = |name: &str| {
        [Severity::Info, Severity::Warning, Severity::Error]
            .into_iter()
            .find(|severity| severity.as_str() == name)
    };
    let kind = query.read_as("kind", kind_named, kinds)?;
    let severity = query.read_as("severity", severity_named, || "info, warning, error".to_owned())?;
    let open = query.read_as("open", |text| text.parse::<bool>().ok(), || "true or false".to_owned())?;
    let stream: Option<StreamId> =
        query.read_as("stream", |text| text.parse().ok(), || "the id of a stream".to_owned())?;
    let point = query.text("point");
    let takes = |finding: &FindingStatus| {
        kind.is_none_or(|kind| kind == finding.kind)
            && severity.is_none_or(|severity| severity == finding.severity)
            && open.is_none_or(|open| open == finding.is_open)
            && stream.is_none_or(|stream| Some(stream) == finding.stream)
            && point.is_none_or(|point| finding.points.iter().any(|name| name == point))
    };
    let mut found = select(status, takes);
    let total = found.len();
    // One that went since it was selected is left out.
    let on_page = page.sorted(&mut found, newest_first).iter();
    let findings = on_page.filter_map(|(_, id)| Some(Found::of(*id, &**status.findings.get(id)?))).collect();
    Ok(Answer::json(&FoundPage {
        at: status.picture().at.map(Text),
        page: page.page,
        per_page: page.per_page,
        pages: page.pages(total),
        total,
        forgotten: status.findings_dropped.load(Ordering::Relaxed),
        findings,
    }))
}
