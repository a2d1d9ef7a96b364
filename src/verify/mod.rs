//! Records against the policy: verdicts per hop and findings.
//!
//! Pure: no I/O and no clock. One condition a file.

mod finding;
mod outcome;

pub use finding::{Finding, FindingKind, Place, Severity};
pub use outcome::{JudgedStream, Marking, Outcome, Quality, QualityVerdict};
