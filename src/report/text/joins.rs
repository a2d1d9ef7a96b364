//! Views that may be one stream and stay apart, with the reason.

use std::io;

use super::numbers::count;
use super::page::{Look, Page};
use crate::report::view::View;
use crate::verify::Unjoined;

/// Groups of one reason that are shown.
const GROUPS: usize = 3;
/// Views of a group that are shown.
const VIEWS: usize = 4;

/// Writes what could not be joined, by reason.
pub(super) fn write(view: &View<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let joins = &view.outcome.joins;
    if joins.is_empty() {
        return Ok(());
    }
    page.heading("NOT JOINED")?;
    let mut reasons: Vec<&'static str> = Vec::new();
    for join in joins {
        if !reasons.contains(&join.reason) {
            reasons.push(join.reason);
        }
    }
    for reason in reasons {
        let groups = || joins.iter().filter(|join| join.reason == reason);
        page.sentence(&format!("{}.", capitalised(reason)))?;
        for group in groups().take(GROUPS) {
            write_group(group, view, page)?;
        }
        if let more @ 1.. = groups().count().saturating_sub(GROUPS) {
            page.sentence(&format!("And {} more: the JSON report has them all.", count(more as u64)))?;
        }
    }
    Ok(())
}

fn write_group(group: &Unjoined, view: &View<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let mut before = None;
    for (point, flow, ssrc) in group.views.iter().take(VIEWS) {
        let lead = if before.replace(*ssrc) == Some(*ssrc) { String::new() } else { ssrc.to_string() };
        let ends = format!("{} → {}", view.address(flow.source), view.address(flow.destination));
        page.entry(Look::Faint, &format!("    {lead:10}  "), &format!("{}: {ends}", view.point(*point)))?;
    }
    match group.views.len().saturating_sub(VIEWS) {
        0 => Ok(()),
        more => {
            page.entry(Look::Faint, &format!("    {:10}  ", ""), &format!("and {} more", count(more as u64)))
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
