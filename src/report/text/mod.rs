//! The report as text: answer, streams, paths, findings, STUN, sources.
//!
//! Made to be read on a terminal and pasted into a ticket: at most 100 columns, no tabs, addresses in full.

mod answer;
mod findings;
mod groups;
mod joins;
mod numbers;
mod page;
mod paths;
mod picture;
mod place;
mod sources;
mod streams;
mod stun;

use std::io::{self, Write};

use super::Options;
use super::summary::Summary;
use super::view::View;
use crate::verify::Outcome;
use page::Page;

/// Writes the report as text.
///
/// # Errors
///
/// When `out` does not take it.
pub fn write_text(outcome: &Outcome, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let view = View::new(outcome, options);
    let page = &mut Page::new(&mut out, options.width.clamp(80, 100), options.colour);
    let groups = groups::groups(&view);
    if outcome.streams.is_empty() {
        answer::write_nothing_found(&view, page)?;
    } else {
        answer::write(&view, &Summary::of(outcome), &groups, page)?;
        streams::write(&view, page)?;
        paths::write(&view, page)?;
        joins::write(&view, page)?;
    }
    findings::write(&view, &groups, page)?;
    stun::write(&view, page)?;
    sources::write(&view, page)?;
    out.flush()
}

#[cfg(test)]
mod tests;
