//! Runs of the built program, and what its report says.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::Capture;

/// A folder of its own for each test, gone when the test ends.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test's files"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file and gives its path.
    pub(crate) fn write(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, octets).expect("a file in the test's folder");
        path
    }

    /// Runs `hopmark replay` in this folder.
    pub(crate) fn replay<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Run {
        Run::of(hopmark().arg("replay").args(arguments).current_dir(self.path()))
    }

    /// Runs `hopmark replay` in this folder with these octets as standard input.
    pub(crate) fn replay_with_input<I: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
        input: &[u8],
    ) -> Run {
        let mut command = hopmark();
        command.arg("replay").args(arguments).current_dir(self.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let mut pipe = child.stdin.take().expect("a pipe");
        let input = input.to_vec();
        // The program may refuse the input before it has read all of it.
        let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
        let output = child.wait_with_output().expect("the program ends");
        writer.join().expect("the writer ends");
        Run(output)
    }
}

/// The built program, with nothing in its environment that changes what it says.
pub(crate) fn hopmark() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hopmark"));
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Run(pub(crate) Output);

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        Self(command.output().expect("the program runs"))
    }

    pub(crate) fn status(&self) -> i32 {
        self.0.status.code().expect("the program was not killed")
    }

    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.0.stdout).expect("UTF-8 on standard output")
    }

    pub(crate) fn stderr(&self) -> &str {
        std::str::from_utf8(&self.0.stderr).expect("UTF-8 on standard error")
    }

    /// The report.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// What a point hears: times and frames.
pub(crate) type Heard = Vec<(i64, Vec<u8>)>;

/// The report on what points hear, in this order on the command line.
pub(crate) fn report_on(points: &[(&str, Heard)]) -> Value {
    let folder = Folder::new();
    let mut arguments = ["--format", "json", "--fail-on", "never"].map(str::to_owned).to_vec();
    for (name, heard) in points {
        let file = format!("{name}.pcap");
        folder.write(&file, &Capture::of(heard.iter().cloned()).pcap());
        arguments.push(format!("{name}={file}"));
    }
    folder.replay(arguments).json()
}

/// The report on files that are already there.
pub(crate) fn replay<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Value {
    let mut command = hopmark();
    command.args(["replay", "--format", "json", "--fail-on", "never"]).args(arguments);
    let run = Run::of(&mut command);
    let is_note = |line: &str| line.starts_with("note: ");
    assert!(run.status() == 0 && run.stderr().lines().all(is_note), "the run succeeds: {run:?}");
    run.json()
}

/// The report on one capture.
pub(crate) fn report(capture: &Capture) -> Value {
    report_with(capture, &[])
}

/// The report on one capture, with further arguments.
pub(crate) fn report_with(capture: &Capture, arguments: &[&str]) -> Value {
    let folder = Folder::new();
    let file = folder.write("test.pcap", &capture.pcap());
    replay(arguments.iter().map(OsStr::new).chain([file.as_os_str()]))
}

/// The report on one capture, with an operator's file.
pub(crate) fn report_by(capture: &Capture, operators_file: &str) -> Value {
    let folder = Folder::new();
    let config = folder.write("hopmark.toml", operators_file.as_bytes());
    let file = folder.write("test.pcap", &capture.pcap());
    replay([OsStr::new("--config"), config.as_os_str(), file.as_os_str()])
}

/// All streams of a report.
pub(crate) fn streams(report: &Value) -> &[Value] {
    report["streams"].as_array().expect("a list of streams")
}

/// The one stream of a report.
pub(crate) fn only_stream(report: &Value) -> &Value {
    match streams(report) {
        [stream] => stream,
        others => panic!("{} streams, not one: {}", others.len(), names(report)),
    }
}

/// The one hop of the one stream of a report.
pub(crate) fn hop(report: &Value) -> &Value {
    match hops(only_stream(report)) {
        [hop] => hop,
        others => panic!("{} hops, not one: {others:#?}", others.len()),
    }
}

/// The hops of a stream.
pub(crate) fn hops(stream: &Value) -> &[Value] {
    stream["hops"].as_array().expect("a list of hops")
}

/// The findings of a report of one kind.
pub(crate) fn findings<'a>(report: &'a Value, kind: &str) -> Vec<&'a Value> {
    let all = report["findings"].as_array().expect("a list of findings");
    all.iter().filter(|finding| finding["kind"] == kind).collect()
}

/// The one finding of a kind.
pub(crate) fn only_finding<'a>(report: &'a Value, kind: &str) -> &'a Value {
    match findings(report, kind)[..] {
        [finding] => finding,
        ref others => panic!("{} findings of {kind}, not one; all: {:#?}", others.len(), report["findings"]),
    }
}

/// The kinds of all findings.
pub(crate) fn kinds(report: &Value) -> Vec<&str> {
    let all = report["findings"].as_array().expect("a list of findings");
    all.iter().map(|finding| finding["kind"].as_str().expect("a kind")).collect()
}

/// What the streams of a report are, for a message.
pub(crate) fn names(report: &Value) -> String {
    let name = |stream: &Value| {
        let packets: Vec<_> = hops(stream).iter().map(|hop| hop["packets"].to_string()).collect();
        format!(
            "{} {}>{} pt {} packets {}",
            stream["ssrc"],
            stream["source"],
            stream["destination"],
            stream["payload_types"],
            packets.join("/")
        )
    };
    streams(report).iter().take(10).map(name).collect::<Vec<_>>().join("; ")
}
