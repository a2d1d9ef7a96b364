//! The metrics reference, written from the table of families.

use std::fmt::Write;

use super::families::{FAMILIES, LIMITED};
use super::family::Family;

/// `docs/metrics.md`.
#[must_use]
pub fn metrics_reference() -> String {
    let mut page = String::from(INTRODUCTION);
    for family in FAMILIES.iter().chain(std::iter::once(&LIMITED)) {
        row(family, &mut page);
    }
    page.push_str(LABELS);
    page
}

fn row(family: &Family, page: &mut String) {
    let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {} | {} |",
        family.name,
        family.kind.as_str(),
        family.unit.replace('_', " "),
        labels.join(", "),
        family.help
    );
}

const INTRODUCTION: &str = "\
# Metrics

What `/metrics` says, family by family, in the order in which it says it. This page is written from the table in the
source (`DOCS=overwrite cargo test --test metrics`). Names are a promise: more may come, none is renamed.

The text format 0.0.4 and OpenMetrics 1.0.0 are spoken, as `Accept` asks, and gzip as `Accept-Encoding` asks. In
OpenMetrics the names of counter families stand without `_total`, those of info families without `_info`; the names of
samples are the same in both. Units are base units. Counters begin at 0 when the program starts.

Everything is seen from where the program listens: at a mirror. What a mirror or the host loses on the way to the
program is counted by `hopmark_capture_dropped_total` and never taken for loss in the network.

| family | kind | unit | labels | says |
|---|---|---|---|---|
";

const LABELS: &str = "
## Labels

No label has an address, a port, an SSRC or a call in it: those are in the API, under `/api/v1/`.

| label | values |
|---|---|
| `point` | name of the observation point |
| `hop` | `1` to `4`: the hop of the stream at this point, in the order of travel; those beyond the fourth are in `4` |
| `from`, `to` | the two ends of a segment: name of the point, with `/2` to `/4` where it is not the first hop there |
| `direction` | `forward` (from the managed side to the far side), `reverse` |
| `class` | service class of the policy; `other` where none could be told (`none` where a class is called `other`) |
| `dscp`, `dscp_from`, `dscp_to` | codepoint as a number, `0` to `63` |
| `verdict` | of packets: `conformant`, `unmarked`, `remarked`, `inherited`, `unexpected`, `unclassified`; of streams also `mixed` and `bleached` |
| `kind`, `severity` | kind of finding; `info`, `warning`, `error` |
| `reason` | why, or where; a short list for each family |
| `source` | where times of frames come from |
| `handler`, `code` | what answered a request; status of the answer |

The families of RTP at a hop, of streams that run and of peaks are there from the start, with 0, for the first hop at
each point, each direction and each class. Codepoints, segments and further hops are there once they were seen.
At most so many series are written as the configuration allows; what found no room is counted in the last family.
";

#[cfg(test)]
mod tests {
    use super::super::family::Kind;
    use super::*;

    fn all() -> impl Iterator<Item = &'static Family> {
        FAMILIES.iter().chain(std::iter::once(&LIMITED))
    }

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let mut names: Vec<&str> = all().map(Family::base_name).collect();
        for family in all() {
            let name = family.name;
            assert!(name.starts_with("hopmark_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_info"), family.kind == Kind::Info, "{name}");
            assert!(!["_sum", "_count", "_bucket"].iter().any(|s| name.ends_with(s)), "{name}");
            assert!(family.labels.iter().all(|label| !matches!(*label, "type" | "le" | "job" | "instance")));
            let is_plain = |c: char| c != '\\' && c != '"' && c != '\n' && c != '|';
            assert!(family.help.ends_with('.') && family.help.chars().all(is_plain), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().count(), "a name stands twice");
    }

    #[test]
    fn what_is_measured_has_its_unit_in_its_name() {
        for family in all().filter(|family| matches!(family.unit, "seconds" | "bytes" | "bytes_per_second")) {
            assert_eq!(family.named_unit(), Some(family.unit), "{}", family.name);
        }
    }
}
