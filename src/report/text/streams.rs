//! The table of the worst streams.

use std::fmt::Write;
use std::io;

use super::numbers::{NOT_KNOWN, count, millis, percent};
use super::page::{Look, Page, left, right};
use crate::meter::HopRecord;
use crate::report::view::{CallId, StreamId, View};
use crate::report::worst::worst;
use crate::terms::Dscp;
use crate::verify::{JudgedStream, QualityVerdict, WorstMarking};

/// Stands in the cell of codepoints that do not fit it.
const BELOW: &str = "below";

/// One stream in the words of the table.
struct Row {
    id: String,
    class: String,
    direction: String,
    packets: String,
    loss: String,
    jitter: String,
    dscp: String,
    verdict: String,
    look: Look,
    from: String,
    to: String,
    names: String,
}

/// Writes the worst streams, the worst first.
pub(super) fn write(view: &View<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let all = view.outcome.streams.len();
    let rows: Vec<Row> = worst(view.outcome, view.options.worst)
        .into_iter()
        .filter_map(|number| Some(Row::of(number, &*view.outcome.streams.get(number)?, view)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    page.heading(&match rows.len() {
        shown if shown == all => "STREAMS, the worst first".to_owned(),
        shown => format!("WORST {} STREAMS of {}", count(shown as u64), count(all as u64)),
    })?;
    let head = Row::head();
    let wide = |cell: fn(&Row) -> &String| {
        rows.iter().chain([&head]).map(|r| cell(r).chars().count()).max().unwrap_or(0)
    };
    let (id, packets, verdict) = (wide(|r| &r.id), wide(|r| &r.packets), wide(|r| &r.verdict));
    // Two columns in, eight cells, two blanks between them. Class and codepoints share what is left.
    let left_over = page.width().saturating_sub(2 + id + 9 + packets + 6 + 9 + verdict + 7 * 2);
    let class = wide(|r| &r.class).min(14).min(left_over.saturating_sub(BELOW.len()).max(5));
    let dscp = wide(|r| &r.dscp).min(left_over.saturating_sub(class));
    for row in std::iter::once(&head).chain(&rows) {
        let fits = row.dscp.chars().count() <= dscp;
        let cells = [
            left(&row.id, id),
            left(&row.class, class),
            left(&row.direction, 9),
            right(&row.packets, packets),
            right(&row.loss, 6),
            right(&row.jitter, 9),
            left(if fits { &row.dscp } else { BELOW }, dscp),
        ];
        let look = if row.id == head.id { Look::Faint } else { Look::Plain };
        page.line(&[(look, "  "), (look, &cells.join("  ")), (look, "  "), (row.look, &row.verdict)])?;
        if row.id != head.id {
            row.write_ends(!fits, 2 + id + 2, page)?;
        }
    }
    if rows.iter().any(|r| [&r.class, &r.loss, &r.jitter].contains(&&NOT_KNOWN.to_owned())) {
        page.line(&[(Look::Faint, "  – not known: no class, no clock rate, or too few packets")])?;
    }
    Ok(())
}

impl Row {
    fn head() -> Self {
        Self {
            id: "id".into(),
            class: "class".into(),
            direction: "direction".into(),
            packets: "packets".into(),
            loss: "loss %".into(),
            jitter: "jitter ms".into(),
            dscp: "DSCP hop by hop".into(),
            verdict: "verdict".into(),
            look: Look::Faint,
            from: String::new(),
            to: String::new(),
            names: String::new(),
        }
    }

    fn of(number: u32, stream: &JudgedStream, view: &View<'_>) -> Self {
        let record = &stream.record;
        let verdict = WorstMarking::of(stream);
        let poor = stream.quality.verdict == QualityVerdict::Poor;
        let mut names = format!("{}, call {}", record.ssrc, CallId(stream.call));
        if let Some(codec) = &stream.codec {
            let _ = write!(names, ", {codec}");
        }
        if let Some(other) = stream.reverse_of {
            let _ = write!(names, ", reverse {}", StreamId(other));
        }
        Self {
            id: StreamId(number).to_string(),
            class: view.class(stream.class).unwrap_or(NOT_KNOWN).to_owned(),
            direction: stream.direction.to_string(),
            packets: count(stream.packets()),
            loss: match stream.loss_ratio().map(percent) {
                None => NOT_KNOWN.into(),
                Some(least) if stream.quality.certain_loss_ratio.is_some() => format!("≥ {least}"),
                Some(loss) => loss,
            },
            jitter: stream.jitter_seconds().map_or_else(|| NOT_KNOWN.into(), millis),
            dscp: codepoints(&record.hops),
            verdict: format!("{}{}", verdict.as_str(), if poor { ", poor" } else { "" }),
            look: match verdict {
                WorstMarking::Conformant if !poor => Look::Good,
                WorstMarking::Unclassified if !poor => Look::Plain,
                WorstMarking::Bleached | WorstMarking::Remarked | WorstMarking::Unmarked => Look::Bad,
                _ => Look::Warning,
            },
            from: view.address(record.flow.source).to_string(),
            to: view.address(record.flow.destination).to_string(),
            names,
        }
    }

    /// Who sends to whom, under the figures. Addresses are never shortened: they are copied into other tools.
    fn write_ends(&self, with_dscp: bool, column: usize, page: &mut Page<'_>) -> io::Result<()> {
        let indent = " ".repeat(column);
        let ends = format!("{} → {}", self.from, self.to);
        let room = page.width().saturating_sub(column);
        let length = ends.chars().count();
        if length + 2 + self.names.chars().count() <= room {
            page.line(&[
                (Look::Plain, &indent),
                (Look::Plain, &ends),
                (Look::Faint, &format!("  {}", self.names)),
            ])?;
        } else {
            // Wraps after the arrow where it must.
            page.entry(Look::Plain, &indent, &ends)?;
            page.entry(Look::Plain, &indent, &self.names)?;
        }
        if with_dscp { page.entry(Look::Plain, &indent, &self.dscp.replace('→', " → ")) } else { Ok(()) }
    }
}

/// The codepoints at each hop, `EF(46)→DF(0)`; hops in a row that saw the same are counted: `EF(46) ×3→DF(0)`.
fn codepoints(hops: &[HopRecord]) -> String {
    let mut out = String::new();
    let mut hops = hops.iter().map(at_hop).peekable();
    while let Some(seen) = hops.next() {
        let mut times = 1;
        while hops.next_if_eq(&seen).is_some() {
            times += 1;
        }
        if !out.is_empty() {
            out.push('→');
        }
        out.push_str(&seen);
        if times > 1 {
            let _ = write!(out, " ×{times}");
        }
    }
    out
}

/// The codepoints at one hop, the most frequent first: `AF41(34)+DF(0)`.
pub(super) fn at_hop(hop: &HopRecord) -> String {
    const MOST: usize = 3;
    let mut counts: Vec<(u8, u64)> = hop.dscp.to_vec();
    counts.sort_by_key(|&(value, packets)| (std::cmp::Reverse(packets), value));
    let name = |value: u8| Dscp::try_from(value).map_or_else(|_| value.to_string(), |dscp| dscp.to_string());
    let mut names: Vec<String> = counts.iter().take(MOST).map(|&(value, _)| name(value)).collect();
    if counts.len() > MOST {
        names.push("…".into());
    }
    if names.is_empty() { NOT_KNOWN.into() } else { names.join("+") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::hop;

    #[test]
    fn codepoints_are_listed_in_the_order_of_travel() {
        for (hops, expected) in [
            (&[&[(46, 9)][..]][..], "EF(46)"),
            (&[&[(46, 9)], &[(0, 9)]], "EF(46)→DF(0)"),
            (&[&[(46, 9)], &[(46, 9)], &[(46, 9)], &[(0, 9)]], "EF(46) ×3→DF(0)"),
            (&[&[(0, 1), (46, 9)]], "EF(46)+DF(0)"),
            (&[&[(1, 1), (2, 1), (3, 1), (4, 1)]], "LE(1)+2+3+…"),
            (&[&[]], "–"),
            (&[], ""),
        ] {
            let hops: Vec<HopRecord> = hops.iter().map(|dscp| hop(0, &[], 64, dscp)).collect();
            assert_eq!(codepoints(&hops), expected);
        }
    }
}
