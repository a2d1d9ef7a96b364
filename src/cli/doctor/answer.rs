//! The answer: as text of at most 100 columns, and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::tally::Heard;
use super::verdict::{Line, Status};

/// All lines, and what was heard.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// Whether nothing fails.
    pub(super) is_fit: bool,
    pub(super) checks: Vec<Line>,
    /// By interface.
    pub(super) heard: BTreeMap<String, Heard>,
    /// Interfaces that there are, where none was named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) interfaces: Vec<Other>,
}

/// An interface that nobody asked about.
#[derive(Debug, Serialize)]
pub(super) struct Other {
    pub(super) name: String,
    pub(super) found: String,
}

const COLUMNS: usize = 100;
/// Columns of a line before what was found: indent, status, name of the check.
const MARGIN: usize = 2 + 8 + 14;
const MEND: &str = "mend: ";

impl Answer {
    pub(super) fn new(checks: Vec<Line>, heard: BTreeMap<String, Heard>, interfaces: Vec<Other>) -> Self {
        let is_fit = checks.iter().all(|line| line.verdict.status != Status::Fail);
        Self { is_fit, checks, heard, interfaces }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let mut scope = "";
        for line in &self.checks {
            if line.scope != scope {
                let space = if scope.is_empty() { "" } else { "\n" };
                let _ = writeln!(out, "{space}{}", line.scope);
                scope = &line.scope;
            }
            let verdict = &line.verdict;
            let head = format!("  {:8}{:14}", verdict.status.as_str(), line.check);
            wrapped(&mut out, &head, MARGIN, &verdict.found);
            if let Some(mend) = &verdict.mend {
                wrapped(&mut out, &format!("{:MARGIN$}{MEND}", ""), MARGIN + MEND.len(), mend);
            }
        }
        if !self.interfaces.is_empty() {
            let _ = writeln!(out, "\ninterfaces, each checked with --interface NAME");
            for other in &self.interfaces {
                wrapped(&mut out, &format!("  {:22}", other.name), MARGIN, &other.found);
            }
        }
        let count = |status| self.checks.iter().filter(|line| line.verdict.status == status).count();
        let counts = Status::ALL.map(|status| format!("{} {}", count(status), status.as_str())).join(", ");
        let fit = if self.is_fit { "fit" } else { "not fit" };
        let _ = writeln!(out, "\n{fit}: {counts}");
        out
    }

    /// For programs.
    ///
    /// # Errors
    ///
    /// None: all keys are texts.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// Writes words behind a head, and goes on below them where the columns end.
fn wrapped(out: &mut String, head: &str, margin: usize, text: &str) {
    out.push_str(head);
    let mut column = head.width().max(margin);
    let _ = write!(out, "{:1$}", "", column - head.width());
    let mut is_first = true;
    for word in text.split(' ') {
        let width = word.width();
        if !is_first && column + 1 + width > COLUMNS {
            let _ = write!(out, "\n{:margin$}", "");
            column = margin;
        } else if !is_first {
            out.push(' ');
            column += 1;
        }
        is_first = false;
        out.push_str(word);
        column += width;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Verdict;
    use super::*;

    fn line(scope: &str, check: &'static str, verdict: Verdict) -> Line {
        Line { scope: scope.to_owned(), check, verdict }
    }

    fn answer() -> Answer {
        let long = "a word and another ".repeat(12);
        Answer::new(
            vec![
                line("box", "kernel", Verdict::ok("6.18.5")),
                line("eth1", "up", Verdict::fail("switched off", "ip link set eth1 up")),
                line("eth1", "offloads", Verdict::warn(long.trim(), "ethtool -K eth1 gro off")),
            ],
            BTreeMap::new(),
            vec![Other { name: "eth2".to_owned(), found: "Ethernet, driver ixgbe".to_owned() }],
        )
    }

    #[test]
    fn the_answer_fits_a_hundred_columns_and_loses_no_word() {
        let text = answer().text();
        assert!(text.lines().all(|line| line.width() <= COLUMNS && line == line.trim_end()), "{text}");
        assert_eq!(text.matches("another").count(), 12);
        assert!(text.contains("  fail    up            switched off\n"), "{text}");
        assert!(text.contains("mend: ip link set eth1 up\n"), "{text}");
        assert!(text.ends_with("not fit: 1 fail, 1 warn, 0 unknown, 1 ok\n"), "{text}");
    }

    #[test]
    fn programs_read_status_and_mend_of_each_check() {
        let json: serde_json::Value = serde_json::from_str(&answer().json().unwrap()).unwrap();
        assert_eq!(json["is_fit"], false);
        assert_eq!(json["checks"][1]["scope"], "eth1");
        assert_eq!(json["checks"][1]["status"], "fail");
        assert_eq!(json["checks"][1]["mend"], "ip link set eth1 up");
        assert!(json["checks"][0]["mend"].is_null());
    }
}
