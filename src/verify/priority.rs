//! Condition: the priority of the link layer does not fit the codepoint.

use super::context::{Context, about, dscp, most_common};
use super::finding::{Finding, FindingKind, Severity};
use super::outcome::JudgedStream;
use crate::policy::priority::{
    Fit, priority_code_point, priority_code_point_fit, user_priority, user_priority_fit,
};
use crate::terms::Dscp;

/// One kind of link-layer priority.
struct Kind {
    name: &'static str,
    fit: fn(Dscp, u8) -> Fit,
    recommended: fn(Dscp) -> Option<u8>,
    /// A mapping by the upper three bits puts voice into Wi-Fi's video queue; on a switch it is common.
    legacy: Severity,
    advice: &'static str,
}

const PCP: Kind = Kind {
    name: "802.1Q priority",
    fit: priority_code_point_fit,
    recommended: priority_code_point,
    legacy: Severity::Info,
    advice: "Check the switch's DSCP-to-CoS map, and that the trunk trusts DSCP.",
};
const USER_PRIORITY: Kind = Kind {
    name: "802.11 user priority",
    fit: user_priority_fit,
    recommended: user_priority,
    legacy: Severity::Warning,
    advice: "Check the access point's QoS map: RFC 8325 puts EF into user priority 6 (voice), AF41 into 4 (video).",
};

pub(super) fn check(
    context: &Context<'_>,
    (number, stream): (u32, &JudgedStream),
    findings: &mut Vec<Finding>,
) {
    let enough = context.policy.thresholds.marking_min_packets;
    for hop in &stream.record.hops {
        for (kind, histogram) in [(PCP, hop.pcp()), (USER_PRIORITY, hop.user_priority())] {
            let Some((seen, packets, codepoint, fit)) = misfit(&kind, histogram, &hop.dscp) else {
                continue;
            };
            if packets < enough {
                continue;
            }
            let severity = if fit == Fit::Legacy { kind.legacy } else { Severity::Warning };
            let wanted =
                (kind.recommended)(codepoint).map(|p| format!("; {p} is recommended")).unwrap_or_default();
            let message = format!(
                "{} is marked {codepoint}, but its {} is {seen}{wanted}",
                context.name(stream),
                kind.name
            );
            findings.push(Finding {
                packets,
                ..about((number, stream), hop, FindingKind::PcpMismatch, severity, message, kind.advice)
            });
        }
    }
}

/// Whether nothing is said of a priority code point beside a codepoint.
pub(super) fn fits(pcp: u8, codepoint: u8) -> bool {
    misfit(&PCP, &[(pcp, 1)], &[(codepoint, 1)]).is_none()
}

/// The most common priority against the most common codepoint, where they do not fit.
fn misfit(kind: &Kind, priorities: &[(u8, u64)], codepoints: &[(u8, u64)]) -> Option<(u8, u64, Dscp, Fit)> {
    let (seen, packets) = most_common(priorities, |_| true)?;
    let (codepoint, _) = most_common(codepoints, |_| true)?;
    let fit = (kind.fit)(dscp(codepoint), seen);
    // An unmarked packet in a high priority is the mistake of whoever did not mark it, and found as such.
    let matters = matches!(fit, Fit::Mismatch | Fit::Legacy) && codepoint != 0;
    matters.then(|| (seen, packets, dscp(codepoint), fit))
}
