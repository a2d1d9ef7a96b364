//! What a condition looks at: the judged streams, and their names.

use super::Mirrors;
use super::finding::{Finding, FindingKind, Place, Severity};
use super::outcome::{JudgedStream, Outcome};
use super::quality::is_long_enough;
use super::tap::Taps;
use crate::meter::HopRecord;
use crate::policy::Policy;
use crate::terms::Dscp;

/// The outcome so far, and the policy that it is held against.
pub(super) struct Context<'a> {
    pub(super) policy: &'a Policy,
    pub(super) outcome: &'a Outcome,
    pub(super) taps: &'a Taps,
    /// Empty as long as not every stream was looked at.
    pub(super) mirrors: &'a Mirrors,
}

impl Context<'_> {
    /// What the stream is called in a sentence: `audio stream`, or `stream` where its class is not known.
    pub(super) fn name(&self, stream: &JudgedStream) -> String {
        let class = stream.class.and_then(|class| self.outcome.classes.get(usize::from(class)));
        class.map_or_else(|| "stream".to_owned(), |class| format!("{class} stream"))
    }

    /// A hop in words: its point, and its TTL, which tells hops of one point apart.
    pub(super) fn place(&self, hop: &HopRecord) -> String {
        let point = self.outcome.points.get(usize::from(hop.point.0)).map_or("?", String::as_str);
        format!("{point} (TTL {})", hop.ttl())
    }

    /// The codepoints that are right for a stream, in words.
    pub(super) fn expected(stream: &JudgedStream) -> String {
        let words: Vec<String> = stream.expected.iter().map(ToString::to_string).collect();
        words.join(" or ")
    }

    /// Whether a stream has enough packets and time for a word on its quality.
    pub(super) fn is_long_enough(&self, hop: &HopRecord) -> bool {
        is_long_enough(hop.expected, hop.last.seconds_since(hop.first), &self.policy.thresholds)
    }
}

/// A finding about a stream at one of its hops, with what is the same for all of them filled in.
pub(super) fn about(
    (number, stream): (u32, &JudgedStream),
    hop: &HopRecord,
    kind: FindingKind,
    severity: Severity,
    message: String,
    advice: &'static str,
) -> Finding {
    Finding {
        kind,
        severity,
        stream: Some(number),
        call: Some(stream.call),
        place: Place::Point(hop.point),
        direction: Some(stream.direction),
        from: None,
        to: None,
        packets: hop.packets,
        first: hop.first,
        last: hop.last,
        message,
        advice,
    }
}

/// Packets of a histogram.
pub(super) fn total(histogram: &[(u8, u64)]) -> u64 {
    histogram.iter().map(|&(_, packets)| packets).sum()
}

/// The most common value of a histogram, among those that are wanted, with its packets.
pub(super) fn most_common(histogram: &[(u8, u64)], is_wanted: impl Fn(u8) -> bool) -> Option<(u8, u64)> {
    let wanted = histogram.iter().filter(|&&(value, packets)| packets > 0 && is_wanted(value));
    wanted.copied().max_by_key(|&(value, packets)| (packets, std::cmp::Reverse(value)))
}

/// A number of a histogram as a codepoint.
pub(super) fn dscp(value: u8) -> Dscp {
    Dscp::try_from(value).unwrap_or_default()
}

/// Packets, in words.
pub(super) fn packets(n: u64) -> String {
    if n == 1 { "1 packet".to_owned() } else { format!("{n} packets") }
}
