//! Scenarios played and replayed: the truth beside the report.

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

/// Plays a scenario in pcapng and replays each point by its name.
pub(crate) fn played(scenario: &str) -> Played {
    let folder = Folder::new();
    let file = folder.write("scenario.toml", scenario.as_bytes());
    let made =
        Run::of(hopmark().arg("synth").arg(&file).args(["--format", "pcapng", "--out"]).arg(folder.path()));
    assert_eq!(made.status(), 0, "{made:?}");
    let truth: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("truth.json")).expect("the truth"))
            .expect("JSON");
    let captures = truth["captures"].as_array().expect("captures").iter();
    let named = captures.map(|capture| {
        let (point, file) = (capture["points"][0].as_str(), capture["file"].as_str());
        format!("{}={}", point.expect("a point"), file.expect("a file"))
    });
    let report = folder.replay(["--format", "json"].map(String::from).into_iter().chain(named));
    assert!(report.status() < 2, "{report:?}");
    Played { report: report.json(), truth }
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
