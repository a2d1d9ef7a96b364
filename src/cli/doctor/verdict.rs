//! What a check comes to: how bad, what was found, how to mend it.

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// Fit.
    Ok,
    /// The kernel or the driver does not tell.
    Unknown,
    /// Works, but worse than it could.
    Warn,
    /// Figures would be wrong or missing.
    Fail,
}

impl Status {
    pub(super) const ALL: [Self; 4] = [Self::Fail, Self::Warn, Self::Unknown, Self::Ok];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// The command that lets this program capture when it is not started as root or by systemd.
pub(super) const SETCAP: &str = "setcap cap_net_raw,cap_net_admin,cap_bpf=ep $(command -v hopmark)";

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    pub(super) status: Status,
    /// With its figure.
    pub(super) found: String,
    /// A command that can be run as it stands, or what to do in words.
    pub(super) mend: Option<String>,
}

impl Verdict {
    pub(super) fn ok(found: impl Into<String>) -> Self {
        Self { status: Status::Ok, found: found.into(), mend: None }
    }

    pub(super) fn unknown(found: impl Into<String>) -> Self {
        Self { status: Status::Unknown, found: found.into(), mend: None }
    }

    pub(super) fn warn(found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { status: Status::Warn, found: found.into(), mend: Some(mend.into()) }
    }

    pub(super) fn fail(found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { status: Status::Fail, found: found.into(), mend: Some(mend.into()) }
    }

    /// The same with how to mend it, where only an `unknown` can be asked for in another way.
    pub(super) fn by(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }
}

/// One rule: a name, and what it says of facts. Pure, so that it can be tried on facts that no machine here has.
pub(super) struct Check<F> {
    pub(super) name: &'static str,
    pub(super) run: fn(&F) -> Verdict,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// `box`, or the interface.
    pub(super) scope: String,
    pub(super) check: &'static str,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
}

/// All rules of a table on the same facts.
pub(super) fn lines<F>(scope: &str, checks: &[Check<F>], facts: &F) -> Vec<Line> {
    let line =
        |check: &Check<F>| Line { scope: scope.to_owned(), check: check.name, verdict: (check.run)(facts) };
    checks.iter().map(line).collect()
}
