//! The findings: what, on whom, where, and what to check.

use std::fmt::Write;
use std::io;

use super::groups::Group;
use super::numbers::{count, span};
use super::page::{Look, Page};
use super::place::Spot;
use crate::report::view::{CallId, StreamId, View};

/// More than anybody reads; the JSON report has them all.
const MOST: usize = 30;

/// Writes the findings, those that say the same of the same place as one.
pub(super) fn write(view: &View<'_>, groups: &[Group<'_>], page: &mut Page<'_>) -> io::Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    page.heading("FINDINGS, the most severe first")?;
    for (place, group) in groups.iter().take(MOST).enumerate() {
        if place > 0 {
            page.blank()?;
        }
        write_group(view, group, page)?;
    }
    if let Some(rest) = groups.get(MOST..).filter(|rest| !rest.is_empty()) {
        let findings: u64 = rest.iter().map(|g| g.findings).sum();
        page.blank()?;
        page.sentence(&format!(
            "And {} more at {} other places or kinds: the JSON report has them all.",
            count(findings),
            count(rest.len() as u64)
        ))?;
    }
    Ok(())
}

fn write_group(view: &View<'_>, group: &Group<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let severity = group.like.severity;
    let lead = format!("  {:<7}  ", severity.as_str().to_uppercase());
    page.entry(Look::from(severity), &lead, &group.title(view))?;
    if group.like.spot != Spot::Everywhere {
        page.entry(Look::Faint, "  where    ", &group.like.spot.words(group.ttls, view))?;
    }
    let when = format!("{} UTC", span(group.first, group.last));
    let extent = [group.extent(), when].into_iter().filter(|words| !words.is_empty());
    let extent = extent.collect::<Vec<_>>().join("; ");
    page.entry(Look::Faint, "  extent   ", &extent)?;
    page.entry(Look::Faint, "  found    ", &found(view, group))?;
    page.entry(Look::Strong, "  check    ", group.like.advice)
}

/// The message of the finding that speaks for the others, and of whom else it is true.
fn found(view: &View<'_>, group: &Group<'_>) -> String {
    const NAMED: usize = 5;
    let example = group.example;
    let mut out = match (example.stream, example.call) {
        (Some(stream), _) => format!("{}: ", StreamId(stream)),
        (None, Some(call)) => format!("{}: ", CallId(call)),
        (None, None) => String::new(),
    };
    out.push_str(&view.text(&example.message));
    if !out.ends_with('.') {
        out.push('.');
    }
    let others: Vec<String> = if group.streams.is_empty() {
        let others = group.calls.iter().filter(|&&c| Some(c) != example.call);
        others.take(NAMED).map(|&c| CallId(c).to_string()).collect()
    } else {
        let others = group.streams.iter().filter(|&&s| Some(s) != example.stream);
        others.take(NAMED).map(|&s| StreamId(s).to_string()).collect()
    };
    if !others.is_empty() {
        let all = group.streams.len().max(if group.streams.is_empty() { group.calls.len() } else { 0 });
        let _ = write!(out, " So also {}", others.join(", "));
        match all.saturating_sub(1 + others.len()) {
            0 => out.push('.'),
            more => {
                let _ = write!(out, " and {} more.", count(more as u64));
            }
        }
    }
    out
}
