//! Which captures a command reads: files, observation points, policy.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::load_policy;
use crate::config::Loaded;
use crate::pipeline::{MAX_POINTS, PointFiles, PointsBy, Replay};
use crate::policy::Policy;

/// What is read, and by which policy.
#[derive(Debug, Args)]
pub struct Sources {
    /// Captures, each as FILE or as NAME=FILE; `-` is standard input
    ///
    /// Files without a name are merged by time into one observation point, `capture`. With NAME= a file belongs to the
    /// observation point of that name; several files may share one. Read are pcap, pcapng, modified pcap and snoop,
    /// also in gzip or zstd.
    #[arg(value_name = "[NAME=]FILE", required_unless_present = "point")]
    pub captures: Vec<PathBuf>,
    /// An observation point and its file, for names and files that hold a `=`
    #[arg(long, value_name = "NAME=FILE")]
    pub point: Vec<String>,
    /// What is an observation point: each file (or the name it was given), each interface of a capture, or each session
    /// of a mirror that a capture holds
    #[arg(long, value_enum, default_value_t = Points::File)]
    pub points: Points,
    /// The operator's file: classes, rules, thresholds, managed networks, points
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A built-in profile: teams, lync-2013, webrtc, zoom, webex, rfc4594 (`hopmark check` prints it)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// How many observation points are read at a time; the report does not depend on it
    #[arg(long, value_name = "N", default_value_t = default_threads())]
    pub threads: usize,
}

/// What makes an observation point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Points {
    /// The files of one name.
    File,
    /// Each interface of a capture, by its name.
    Interface,
    /// Each session of a mirror: ERSPAN session (`erspan 12`), VXLAN or GENEVE network, outermost VLAN tag.
    Session,
}

impl From<Points> for PointsBy {
    fn from(points: Points) -> Self {
        match points {
            Points::File => Self::Name,
            Points::Interface => Self::Interface,
            Points::Session => Self::Session,
        }
    }
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Sources {
    /// The policy of the operator's file or of a profile; notes on it go to standard error.
    pub(super) fn policy(&self) -> anyhow::Result<Arc<Policy>> {
        let Loaded { policy, notes, .. } = load_policy(self.config.as_deref(), self.profile.as_deref())?;
        for note in notes {
            writeln!(io::stderr(), "note: {note}")?;
        }
        Ok(Arc::new(policy))
    }

    /// What is to be read.
    pub(super) fn replay(&self) -> anyhow::Result<Replay> {
        let points = points(&self.captures, &self.point)?;
        Ok(Replay { points, points_by: self.points.into(), threads: self.threads })
    }
}

/// The files by observation point, in the order in which the points were first named.
fn points(captures: &[PathBuf], named: &[String]) -> anyhow::Result<Vec<PointFiles>> {
    let mut points: Vec<PointFiles> = Vec::new();
    let mut add = |name: &str, file: PathBuf| match points.iter_mut().find(|p| p.name == name) {
        Some(point) => point.files.push(file),
        None => points.push(PointFiles { name: name.to_owned(), files: vec![file] }),
    };
    for text in named {
        let Some((name, file)) = text.split_once('=') else {
            bail!("--point {text}: write it as NAME=FILE");
        };
        add(checked_name(name)?, file.into());
    }
    for capture in captures {
        match capture.to_str().and_then(|text| text.split_once('=')) {
            // A file whose name holds a `=` is that file.
            Some((name, file)) if !capture.exists() && !name.contains('/') => {
                add(checked_name(name)?, file.into());
            }
            _ => add("", capture.clone()),
        }
    }
    if points.len() > MAX_POINTS {
        bail!("{} observation points: at most {MAX_POINTS} are compared in one run", points.len());
    }
    if points.iter().flat_map(|p| &p.files).filter(|f| f.as_os_str() == "-").count() > 1 {
        bail!("standard input (-) is named more than once: it can be read once only");
    }
    Ok(points)
}

fn checked_name(name: &str) -> anyhow::Result<&str> {
    if name.is_empty() || name.chars().any(char::is_control) {
        bail!("{name:?} is no name for an observation point: write NAME=FILE");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_share_a_point_by_name() {
        let files = ["core=a.pcap", "b.pcap", "core=c.pcap", "/x=y/d.pcap"].map(PathBuf::from);
        let got = points(&files, &["edge=f=g.pcap".to_owned()]).unwrap();
        let got: Vec<_> = got.iter().map(|p| (p.name.as_str(), p.files.len())).collect();
        assert_eq!(got, [("edge", 1), ("core", 2), ("", 2)]);
    }

    #[test]
    fn standard_input_is_read_once() {
        let files = ["-", "a=-"].map(PathBuf::from);
        assert!(points(&files, &[]).unwrap_err().to_string().contains("more than once"));
    }
}
