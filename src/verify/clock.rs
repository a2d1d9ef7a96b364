//! Condition: the clock rate is not known, so there is no jitter figure.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;
use crate::meter::{ClockSource, PayloadType};

/// Whether there is no jitter figure for want of a clock rate.
pub(super) fn is_unknown(kind: &PayloadType) -> bool {
    kind.clock_source == ClockSource::Unknown
}

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let Some((kind, hop)) = stream.record.payload_types.first().zip(stream.record.hops.first()) else {
        return;
    };
    if !is_unknown(kind) || !context.is_long_enough(hop) {
        return;
    }
    let message = format!(
        "no jitter figure for {}: payload type {} has a clock rate that its timestamps do not tell",
        context.name(stream),
        kind.number
    );
    findings.push(about(
        (number, stream),
        hop,
        FindingKind::ClockUnknown,
        Severity::Info,
        message,
        "Name the payload type's clock rate in the configuration if it is known.",
    ));
}
