//! Condition: media runs over TCP.

use super::context::{Context, about};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;
use crate::terms::Transport;

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let Some(hop) = stream.record.hops.first().filter(|_| stream.record.flow.transport == Transport::Tcp)
    else {
        return;
    };
    let message = format!("{} runs over TCP", context.name(stream));
    findings.push(about(
        (number, stream),
        hop,
        FindingKind::MediaOverTcp,
        Severity::Warning,
        message,
        "Open UDP 3478 to 3481 to the service's relays: over TCP one lost packet delays all that follow.",
    ));
}
