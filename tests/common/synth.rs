//! Scenarios played and replayed: the truth beside the report.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use super::run::{Folder, Run, hopmark};

/// What is true of a scenario, and what the report says of it.
pub(crate) struct Played {
    pub(crate) truth: Value,
    pub(crate) report: Value,
}

impl Played {
    /// Every stream as the report has it, with the same one in the truth.
    pub(crate) fn streams(&self) -> Vec<(&Value, &Value)> {
        let (got, wanted) = (self.report["streams"].as_array(), self.truth["streams"].as_array());
        let (got, wanted) = (got.expect("streams"), wanted.expect("streams"));
        assert_eq!(got.len(), wanted.len(), "streams of the report and of the truth");
        let is_same = |a: &Value, b: &Value| a["ssrc"] == b["ssrc"];
        got.iter()
            .map(|stream| {
                (stream, wanted.iter().find(|other| is_same(stream, other)).expect("a true stream"))
            })
            .collect()
    }
}

/// Makes captures in a folder, by these arguments of `hopmark synth`. Gives what is true of them, and each capture as
/// `hopmark replay` takes it, with the name of its point.
pub(crate) fn made<I: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = I>,
    out: &Path,
) -> (Value, Vec<String>) {
    let run = Run::of(hopmark().arg("synth").args(arguments).arg("--out").arg(out));
    assert_eq!(run.status(), 0, "{run:?}");
    let truth = std::fs::read(out.join("truth.json")).expect("the truth");
    let truth: Value = serde_json::from_slice(&truth).expect("JSON");
    let captures = truth["captures"].as_array().expect("captures").iter();
    let named = captures.map(|capture| {
        let (point, file) = (capture["points"][0].as_str(), capture["file"].as_str());
        format!("{}={}", point.expect("a point"), out.join(file.expect("a file")).display())
    });
    let named = named.collect();
    (truth, named)
}

/// The same, and what the report says of them.
pub(crate) fn replayed<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>, out: &Path) -> Played {
    let (truth, captures) = made(arguments, out);
    let run = Run::of(hopmark().args(["replay", "--format", "json"]).args(captures));
    assert!(run.status() < 2, "{run:?}");
    Played { report: run.json(), truth }
}

/// Plays a scenario in pcapng and replays each point by its name.
pub(crate) fn played(scenario: &str) -> Played {
    let folder = Folder::new();
    let file = folder.write("scenario.toml", scenario.as_bytes());
    let file = file.to_str().expect("a path in UTF-8");
    replayed([file, "--format", "pcapng"], folder.path())
}

/// Calls between hosts of their own, both ways, of so many seconds: `[[stream]]` tables.
pub(crate) fn calls(count: usize, seconds: f64) -> String {
    let call = |n: usize| {
        format!(
            "[[stream]]\nsource = \"10.1.{n}.1:50004\"\ndestination = \"52.112.{n}.1:3479\"\ndirection = \"both\"\n\
             seconds = {seconds:?}\nstart = {:?}\n",
            f64::from(u8::try_from(n % 20).unwrap_or(0)) * 0.001
        )
    };
    (0..count).map(call).collect()
}
