//! The figures as a page, beside what is promised.

use std::fmt::Write as _;

use serde::Serialize;

use crate::about::About;
use crate::compare::Comparison;

/// Everything that a run of this bench found.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) about: About,
    pub(crate) rounds: usize,
    pub(crate) promises: Vec<Promise>,
    pub(crate) comparisons: Vec<Comparison>,
}

/// A figure that is promised.
#[derive(Debug, Serialize)]
pub(crate) struct Promise {
    pub(crate) what: &'static str,
    pub(crate) bound: Bound,
    pub(crate) aim: f64,
    /// None where a program for it is not there.
    pub(crate) measured: Option<f64>,
}

/// How far a figure may go.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Promise {
    fn verdict(&self) -> &'static str {
        let is_met = |figure: f64| match self.bound {
            Bound::AtLeast(bound) => figure >= bound,
            Bound::AtMost(bound) => figure <= bound,
        };
        self.measured.map_or("not measured", |figure| if is_met(figure) { "met" } else { "missed" })
    }
}

impl Results {
    /// The whole page.
    pub(crate) fn page(&self) -> String {
        let About { date, commit, processor, processors, kernel, load, versions } = &self.about;
        let mut text = format!(
            "# Whole runs against others\n\n\
             Written by `./dev bench` on {date} at commit {commit}: {processor}, {processors} processors, Linux {kernel}, \
             load {load}.\n\n",
        );
        for version in versions {
            let _ = writeln!(text, "- {version}");
        }
        let _ = write!(
            text,
            "\nEach capture is in the page cache; `read GB/s` is what a plain read of it gives. Programs run in turn, {} \
             times each.\nFigures are medians; ratios are medians over neighbouring runs, and what to compare between \
             machines.\n\n## What is promised\n\n\
             | what | bound | aim | measured | |\n|---|---:|---:|---:|---|\n",
            self.rounds
        );
        for promise in &self.promises {
            let bound = match promise.bound {
                Bound::AtLeast(bound) => format!("≥ {bound}"),
                Bound::AtMost(bound) => format!("≤ {bound}"),
            };
            let measured = promise.measured.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.2}"));
            let _ = writeln!(
                text,
                "| {} | {bound} | {} | {measured} | {} |",
                promise.what,
                promise.aim,
                promise.verdict()
            );
        }
        text.push_str(
            "\n## All runs\n\n\
             `ratio` is processor time (user and system) by that of the first row of the capture.\n\n\
             | capture | read GB/s | program | CPU s (user + system) | ratio | ns/packet | wall s | M packets/s | peak MB |\n\
             |---|---:|---|---:|---:|---:|---:|---:|---:|\n",
        );
        for comparison in &self.comparisons {
            for runs in &comparison.programs {
                let used = runs.median;
                #[allow(clippy::cast_precision_loss, reason = "millions of packets")]
                let packets = runs.packets as f64;
                let _ = writeln!(
                    text,
                    "| {} | {:.1} | {} | {:.3} ({:.3} + {:.3}) | {:.2} | {:.1} | {:.3} | {:.1} | {:.1} |",
                    comparison.capture,
                    comparison.read_rate,
                    runs.program,
                    used.cpu_seconds(),
                    used.user_seconds,
                    used.system_seconds,
                    runs.cpu_ratio,
                    used.cpu_seconds() * 1e9 / packets,
                    used.wall_seconds,
                    packets / used.wall_seconds / 1e6,
                    used.peak_megabytes,
                );
            }
        }
        text
    }
}
